"""Forced alignment as a service: where given words lie in their audio, by a trained model's Viterbi path."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from data.errors import InputError
from data.types import Samples, Utterance, Word
from pipelines.features import (
    FRAME_SECONDS,
    Features,
    FeatureSettings,
    Normalisation,
    Normaliser,
    raw_features,
)
from pipelines.hybrid import store
from pipelines.hybrid.align import Alignment, align
from pipelines.hybrid.model import AcousticModel
from pipelines.hybrid.positions import known_phones
from pipelines.hybrid.prepare import Dropped, hear, pronounce
from pipelines.hybrid.settings import GENERATIONS, SAT, SI
from pipelines.hybrid.word_graph import Pronunciations, WordGraph, word_graph
from pipelines.protocol import TrainingSet


@dataclass(frozen=True, eq=False)
class ForcedAligner:
    """A speaker-independent model with the features that it was trained on."""

    model: AcousticModel
    features: FeatureSettings
    normalisation: Normalisation
    pronunciations: Pronunciations

    @classmethod
    def load(cls, model_dir: Path) -> Self:
        """The best speaker-independent GMM of a trained hybrid. Raises `InputError` for any other folder."""
        description = store.load_json(model_dir / store.MODEL)
        known = description["tuned"]
        name = [g for g in (*GENERATIONS, SI) if g in known and g != SAT][-1]
        settings, normalisation = store.load_features(model_dir / store.FEATURES)
        pronunciations = store.pronunciations_of(description)
        model = store.load_acoustic(model_dir / store.acoustic_file(name))
        return cls(model, settings, normalisation, pronunciations)

    def align(
        self, audio: Sequence[Samples], sentences: Sequence[Sequence[str]]
    ) -> list[tuple[Word, ...] | None]:
        """The words of each sentence with their times; None where audio is too short for its words.

        `audio`: samples (n,) at the model's rate. KeyError for a word that has no pronunciation.
        """
        return self.align_raw([raw_features(samples, self.features) for samples in audio], sentences)

    def align_raw(
        self, raw: Sequence[Features], sentences: Sequence[Sequence[str]]
    ) -> list[tuple[Word, ...] | None]:
        """`align` of raw features (frames, D), as `pipelines.features.raw_features` makes them."""
        graphs = [word_graph(words, self.pronunciations, self.model.tying) for words in sentences]
        found = align(self.model, graphs, [self._front(x) for x in raw])
        return [
            None if alignment is None else words_of(alignment, graph, words)
            for alignment, graph, words in zip(found, graphs, sentences, strict=True)
        ]

    def with_words(self, corpus: TrainingSet, words: Iterable[str]) -> ForcedAligner:
        """The same with pronunciations of further words, from the corpus's dictionary or guessed.

        A word with a phone that the model was not trained on gets none.
        """
        missing = set(words) - self.pronunciations.keys()
        if not missing:
            return self
        fresh, _ = pronounce(corpus, missing)
        fitted = {**self.pronunciations, **_known(fresh, self.model.tying.topology.phones)}
        return ForcedAligner(self.model, self.features, self.normalisation, fitted)

    def refusal(self, words: Sequence[str]) -> str:
        """Why no audio can be aligned with `words`; empty where there is no reason."""
        strange = [word for word in words if word not in self.pronunciations]
        if strange:
            return f"'{strange[0]}' cannot be said with the phones that the model was trained on"
        return "" if words else "its reference has no words"

    def _front(self, raw: Features) -> Features:
        normaliser = Normaliser(self.normalisation, self.features.prior_frames)
        return self.model.front.whole(normaliser.accept(raw))


def _known(pronunciations: Pronunciations, phones: Sequence[str]) -> Pronunciations:
    """Word by word, so that one that cannot be said costs no other."""
    found: dict[str, Sequence[Sequence[str]]] = {}
    for word, variants in pronunciations.items():
        with suppress(InputError):
            found |= known_phones({word: variants}, phones)
    return found


def words_of(alignment: Alignment, graph: WordGraph, words: Sequence[str]) -> tuple[Word, ...]:
    """Each word from its first frame to its last, in seconds."""
    spoken = graph.words[alignment.positions]  # (frames,)
    spans: dict[int, tuple[int, int]] = {}
    for frame, word in enumerate(spoken.tolist()):
        begin, _ = spans.get(word, (frame, frame))
        spans[word] = (begin, frame + 1)
    return tuple(
        Word(text, spans[i][0] * FRAME_SECONDS, spans[i][1] * FRAME_SECONDS) for i, text in enumerate(words)
    )


@dataclass(frozen=True)
class CorpusAlignment:
    """The reference words of utterances by id, and those utterances that have none, with why."""

    words: Mapping[str, tuple[Word, ...]]
    dropped: tuple[Dropped, ...]


def align_corpus(
    model_dir: Path, corpus: TrainingSet, utterances: Sequence[Utterance]
) -> Mapping[str, tuple[Word, ...]]:
    """The reference words of `utterances` by id; those that cannot be read or aligned are left out."""
    return corpus_alignment(model_dir, corpus, utterances).words


def corpus_alignment(
    model_dir: Path,
    corpus: TrainingSet,
    utterances: Sequence[Utterance],
    step: Callable[[int], None] = lambda done: None,
) -> CorpusAlignment:
    """Raises `InputError` for a folder without a hybrid; `step` is told how many utterances were read."""
    plain = ForcedAligner.load(model_dir)
    heard = hear(corpus, utterances, plain.features, step)
    aligner = plain.with_words(corpus, (word for words in heard.words for word in words))
    reasons = [aligner.refusal(words) for words in heard.words]
    usable = [i for i, reason in enumerate(reasons) if not reason]
    times = aligner.align_raw([heard.raw[i] for i in usable], [heard.words[i] for i in usable])
    found: dict[str, tuple[Word, ...]] = {}
    for i, aligned in zip(usable, times, strict=True):
        if aligned is None:
            reasons[i] = f"{len(heard.raw[i]) * FRAME_SECONDS:.2f} s is too short for its words"
        else:
            found[heard.utterances[i].id] = aligned
    failed = [
        Dropped(utterance.id, f"{utterance.source}: {reason}")
        for utterance, reason in zip(heard.utterances, reasons, strict=True)
        if reason
    ]
    return CorpusAlignment(found, (*heard.dropped, *failed))
