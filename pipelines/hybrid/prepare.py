"""From a corpus to what the training learns from: features, words, pronunciations, language models."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.audio import resample
from data.errors import InputError
from data.lexicon import lexicon_for, read_dictionary
from data.types import Samples, Utterance
from pipelines.features import Features, FeatureSettings, raw_features
from pipelines.grammar import clean_arpa
from pipelines.hybrid.disturb import Copying, copies_of
from pipelines.hybrid.settings import CORPUS_LM, TrainSettings
from pipelines.hybrid.word_graph import Pronunciations
from pipelines.ngram import RESERVED, NgramModel, write_arpa
from pipelines.protocol import TrainingSet

MOST_DROPPED = 0.05


@dataclass(frozen=True)
class Dropped:
    """An utterance that the training goes without, and why."""

    utterance: str
    reason: str


@dataclass(frozen=True, eq=False)
class Heard:
    """Utterances that could be read: raw features and normalised words; and those that could not.

    `copies`: (number of the utterance, raw features), see `pipelines.hybrid.disturb`.
    """

    utterances: tuple[Utterance, ...]
    raw: tuple[Features, ...]
    words: tuple[tuple[str, ...], ...]
    dropped: tuple[Dropped, ...]
    copies: tuple[tuple[int, Features], ...] = ()


def hear(
    corpus: TrainingSet,
    utterances: Sequence[Utterance],
    settings: FeatureSettings,
    step: Callable[[int], None] = lambda done: None,
    copying: Copying | None = None,
) -> Heard:
    """Features and words of `utterances`; unreadable, empty or NaN audio is dropped, its file named."""
    kept: list[Utterance] = []
    raw: list[Features] = []
    dropped: list[Dropped] = []
    copies: list[tuple[int, Features]] = []
    copying = copying or Copying()
    rng = np.random.default_rng(copying.seed)
    other = np.zeros(0, np.float32)  # the utterance before
    for done, utterance in enumerate(utterances):
        step(done)
        try:
            samples = samples_of(corpus, utterance, settings.sample_rate)
            raw.append(_features(samples, utterance, settings))
            kept.append(utterance)
        except InputError as error:
            dropped.append(Dropped(utterance.id, str(error)))
            continue
        for copy in copies_of(samples, other, settings.sample_rate, copying, rng):
            copies.append((len(kept) - 1, _features(copy, utterance, settings)))
        other = samples
    words = tuple(tuple(corpus.normalise(u.text).split()) for u in kept)
    return Heard(tuple(kept), tuple(raw), words, tuple(dropped), tuple(copies))


def samples_of(corpus: TrainingSet, utterance: Utterance, rate: int) -> Samples:
    """At `rate` Hz, (n,). Raises `InputError` for what cannot be read, or is not made of finite numbers."""
    audio = corpus.audio(utterance)
    if not np.isfinite(audio.samples).all():
        raise InputError("samples that are not finite numbers: write the file anew", utterance.source)
    return resample(audio.samples, audio.sample_rate, rate)


def _features(samples: Samples, utterance: Utterance, settings: FeatureSettings) -> Features:
    found = raw_features(samples, settings)
    if not len(found):
        raise InputError("shorter than one frame (25 ms)", utterance.source)
    if not np.isfinite(found).all():
        raise InputError("features that are not finite numbers: write the file anew", utterance.source)
    return found


def refuse_too_many(dropped: Sequence[Dropped], total: int) -> None:
    """`InputError` with the first reason if more than 5 % of the training utterances are lost."""
    if total == 0:
        raise InputError("no training utterances: the corpus's train split is empty")
    if len(dropped) > MOST_DROPPED * total:
        first = dropped[0]
        raise InputError(
            f"{len(dropped)} of {total} training utterances cannot be used, more than {MOST_DROPPED:.0%}; "
            f"the first is {first.utterance}: {first.reason}"
        )


def vocabulary(
    corpus: TrainingSet,
    train_words: Iterable[Sequence[str]],
    model: NgramModel,
    settings: TrainSettings,
) -> set[str]:
    """The words of the training speech, of the language `model`, and of the corpus's own LM if asked for.

    Words that only the corpus's own LM has, and its own dictionary not, stay out: nobody ever says them
    (AN4's unigram has five such), and a guessed pronunciation would only compete with words that are said.
    """
    words = {word for sentence in train_words for word in sentence}
    words.update(set(model.words) - RESERVED)
    if CORPUS_LM in settings.lms and corpus.language_model is not None:
        listed = arpa_words(corpus.language_model, corpus.normalise)
        if corpus.dictionary is not None:
            listed &= read_dictionary(corpus.dictionary, corpus.normalise).entries.keys()
        words.update(listed)
    return words


def arpa_words(path: Path, normalise: Callable[[str], str]) -> set[str]:
    """The normalised unigrams of an ARPA file, those that are one word; without `<s>` and its like."""
    found: set[str] = set()
    inside = False
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise InputError("a language model that cannot be read", path) from error
    for line in lines[lines.index("\\data\\") if "\\data\\" in lines else 0 :]:
        if line.startswith("\\"):
            inside = line.strip() == "\\1-grams:"
        elif inside and len(fields := line.split()) >= 2 and not fields[1].startswith("<"):
            word = normalise(fields[1])
            if word and " " not in word:
                found.add(word)
    return found


def pronounce(
    corpus: TrainingSet, words: Iterable[str], sentences: Iterable[Sequence[str]] = ()
) -> tuple[Pronunciations, int]:
    """Pronunciations of `words`, as said in `sentences`, and how many had to be guessed."""
    report = lexicon_for(
        sorted(words), corpus.dictionary, corpus.language, corpus.normalise, sentences=sentences
    )
    return {w: p for w, p in report.lexicon.entries.items() if p}, len(report.from_g2p)


def own_language_model(corpus: TrainingSet, words: Pronunciations, target: Path) -> tuple[int, ...]:
    """The corpus's ARPA file, cleaned, at `target`; its n-gram counts."""
    if corpus.language_model is None:
        raise InputError(f"the corpus {corpus.name} has no language model of its own")
    return clean_arpa(corpus.language_model, target, words.keys(), corpus.normalise).ngrams


def trigram(model: NgramModel, words: Pronunciations, target: Path) -> tuple[int, ...]:
    """`model`, without n-grams that hold a word that is not among `words`, at `target`; n-gram counts."""
    whole = target.with_name(target.name + ".whole")
    write_arpa(model, whole)
    report = clean_arpa(whole, target, words.keys())
    whole.unlink()
    return report.ngrams
