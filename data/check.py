"""What is in a corpus, and what is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from data.card import CARDS, Card, read_card
from data.corpus import Corpus, Notify, find_card, find_folder, known_corpora
from data.errors import InputError
from data.layouts.shape import Skipped, numbered_lines
from data.types import Utterance
from data.verify import decoded_durations


@dataclass(frozen=True)
class SplitReport:
    """Counts of one split. Hours are of audio; tokens are words, or characters in Mandarin.

    `oov_tokens` and `oov_types` count what the corpus's dictionary lacks, or where it has none, what train
    lacks (of `oov_against`); None for a train split without a dictionary.
    """

    split: str
    utterances: int
    hours: float
    speakers: int
    tokens: int
    vocabulary: int
    oov_against: str | None
    oov_tokens: int | None
    oov_types: tuple[str, ...]
    repeated_sentences: int
    broken: tuple[Skipped, ...]


@dataclass(frozen=True)
class Overlap:
    """What two splits share: utterances of `second` whose sentence occurs in `first`, and common speakers."""

    first: str
    second: str
    sentences: int
    speakers: tuple[str, ...]


@dataclass(frozen=True)
class CorpusReport:
    """The answer to `asrbench corpus check`; `sound` is False where an utterance cannot be used."""

    name: str
    folder: Path
    normaliser: str
    splits: tuple[SplitReport, ...]
    overlaps: tuple[Overlap, ...]
    skipped: tuple[Skipped, ...]

    @property
    def sound(self) -> bool:
        return not self.skipped and not any(split.broken for split in self.splits)


@dataclass(frozen=True)
class CorpusEntry:
    """A line of `asrbench corpus list`; `folder` is None where the corpus is not on this machine."""

    card: Card
    folder: Path | None


def list_corpora(root: Path | None = None, cache: Path | None = None) -> tuple[CorpusEntry, ...]:
    """All cards, with where each corpus lies; generates and downloads nothing."""
    cards = [read_card(CARDS / f"{name}.toml") for name in known_corpora()]
    return tuple(CorpusEntry(card, _present(card, root, cache)) for card in cards)


def describe(name: str, root: Path | None = None, cache: Path | None = None) -> CorpusEntry:
    """The card of one corpus, by name or by a card's path, and where it lies."""
    beside = Path(name).parent if name.endswith(".toml") else None
    card = find_card(name)
    return CorpusEntry(card, _present(card, root or beside, cache))


def check(corpus: Corpus, progress: Notify = lambda *_: None) -> CorpusReport:
    """Decodes every file of a corpus and counts; `progress(done, total, note)` is called on the way."""
    durations = decoded_durations(corpus, progress)
    texts = {
        utterance.id: corpus.normalise(utterance.text)
        for members in corpus.splits.values()
        for utterance in members
    }
    known = _known_words(corpus, texts)
    splits = tuple(
        _split_report(
            split, members, texts, durations, None if split == "train" and not corpus.dictionary else known
        )
        for split, members in corpus.splits.items()
    )
    overlaps = tuple(_overlap(pair, _compared(corpus), texts) for pair in combinations(_compared(corpus), 2))
    return CorpusReport(corpus.name, corpus.root, corpus.normaliser.id, splits, overlaps, corpus.skipped)


def _split_report(
    split: str,
    members: Sequence[Utterance],
    texts: Mapping[str, str],
    durations: Mapping[str, float | str],
    known: tuple[str, frozenset[str]] | None,
) -> SplitReport:
    tokens = Counter(token for utterance in members for token in texts[utterance.id].split())
    sentences = Counter(texts[utterance.id] for utterance in members)
    foreign = sorted(set(tokens) - known[1]) if known else []
    found = {utterance.id: durations[utterance.id] for utterance in members}
    return SplitReport(
        split=split,
        utterances=len(members),
        hours=sum(seconds for seconds in found.values() if not isinstance(seconds, str)) / 3600,
        speakers=len({utterance.speaker for utterance in members} - {None}),
        tokens=sum(tokens.values()),
        vocabulary=len(tokens),
        oov_against=known[0] if known else None,
        oov_tokens=sum(tokens[token] for token in foreign) if known else None,
        oov_types=tuple(foreign),
        repeated_sentences=sum(count - 1 for count in sentences.values()),
        broken=tuple(Skipped(name, reason) for name, reason in found.items() if isinstance(reason, str)),
    )


def _known_words(corpus: Corpus, texts: Mapping[str, str]) -> tuple[str, frozenset[str]] | None:
    """The words that a closed-vocabulary recogniser of this corpus would know, and where they are from."""
    if corpus.dictionary is not None:
        entries = (line.split()[0] for _, line in numbered_lines(corpus.dictionary))
        words = (token for entry in entries for token in corpus.normalise(entry.split("(")[0]).split())
        return "dictionary", frozenset(words)
    if corpus.train:
        return "train", frozenset(
            token for utterance in corpus.train for token in texts[utterance.id].split()
        )
    return None


def _compared(corpus: Corpus) -> Mapping[str, Sequence[Utterance]]:
    """The splits to compare, a held-out one put back where it came from: train as the corpus publishes it."""
    hold_out = corpus.card.hold_out
    if hold_out is None or "train" not in corpus.splits:
        return corpus.splits
    published = (*corpus.splits["train"], *corpus.splits[hold_out.split])
    rest = {name: members for name, members in corpus.splits.items() if name not in ("train", hold_out.split)}
    return {f"train+{hold_out.split}": published, **rest}


def _overlap(
    pair: tuple[str, str], splits: Mapping[str, Sequence[Utterance]], texts: Mapping[str, str]
) -> Overlap:
    first, second = pair
    sentences = {texts[utterance.id] for utterance in splits[first]}
    shared = sum(texts[utterance.id] in sentences for utterance in splits[second])
    return Overlap(first, second, shared, tuple(sorted(_speakers(splits[first]) & _speakers(splits[second]))))


def _speakers(members: Iterable[Utterance]) -> set[str]:
    return {utterance.speaker for utterance in members if utterance.speaker is not None}


def _present(card: Card, root: Path | None, cache: Path | None) -> Path | None:
    if card.embedded:
        return None
    try:
        return find_folder(card, root, cache)
    except InputError:
        return None
