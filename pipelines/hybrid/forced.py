"""Forced alignment as a service: where given words lie in their audio, by a trained model's Viterbi path."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from data.types import Samples, Utterance, Word
from pipelines.features import FRAME_SECONDS, Features, FeatureSettings, Normalisation, features
from pipelines.hybrid import store
from pipelines.hybrid.align import Alignment, align
from pipelines.hybrid.model import AcousticModel
from pipelines.hybrid.positions import known_phones
from pipelines.hybrid.prepare import hear, pronounce
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
        pronunciations = {w: tuple(map(tuple, p)) for w, p in description["pronunciations"].items()}
        model = store.load_acoustic(model_dir / store.acoustic_file(name))
        return cls(model, settings, normalisation, pronunciations)

    def align(
        self, audio: Sequence[Samples], sentences: Sequence[Sequence[str]]
    ) -> list[tuple[Word, ...] | None]:
        """The words of each sentence with their times; None where audio is too short for its words.

        `audio`: samples (n,) at the model's rate. KeyError for a word that has no pronunciation.
        """
        graphs = [word_graph(words, self.pronunciations, self.model.tying) for words in sentences]
        heard = [self._front(samples) for samples in audio]
        found = align(self.model, graphs, heard)
        return [
            None if alignment is None else words_of(alignment, graph, words)
            for alignment, graph, words in zip(found, graphs, sentences, strict=True)
        ]

    def with_words(self, corpus: TrainingSet, words: Iterable[str]) -> ForcedAligner:
        """The same with pronunciations of further words, from the corpus's dictionary or guessed."""
        missing = set(words) - self.pronunciations.keys()
        if not missing:
            return self
        fresh, _ = pronounce(corpus, missing)
        fitted = known_phones(fresh, self.model.tying.topology.phones)
        return ForcedAligner(self.model, self.features, self.normalisation, {**self.pronunciations, **fitted})

    def _front(self, samples: Samples) -> Features:
        return self.model.front.whole(features(samples, self.features, self.normalisation))


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


def align_corpus(
    model_dir: Path, corpus: TrainingSet, utterances: Sequence[Utterance]
) -> dict[str, tuple[Word, ...]]:
    """The reference words of `utterances` by id; those that cannot be read or aligned are left out."""
    plain = ForcedAligner.load(model_dir)
    heard = hear(corpus, utterances, plain.features)
    aligner = plain.with_words(corpus, (word for words in heard.words for word in words))
    audio = [corpus.audio(utterance).samples for utterance in heard.utterances]
    found = aligner.align(audio, heard.words)
    return {u.id: words for u, words in zip(heard.utterances, found, strict=True) if words is not None}
