"""CTC prefix beam search by pyctcdecode, words scored by kenlm."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pyctcdecode import Alphabet, BeamSearchDecoderCTC, LanguageModel  # type: ignore[attr-defined]

from pipelines.confidence import confidences
from pipelines.e2e.decoder import GreedyStream, LogProbs, Weights
from pipelines.e2e.hot_words import NO_HOT_WORDS, HotWords
from pipelines.e2e.hypothesis import HeardWord, Hypothesis, hypothesis
from pipelines.e2e.token_graph import arpa_words
from pipelines.e2e.tokens import Tokens
from pipelines.e2e.word_scores import UNKNOWN, open_kenlm
from pipelines.search import Path as Alternative


@dataclass(frozen=True)
class _Beam:
    """One of the word sequences that are left at the end; higher scores are better."""

    words: tuple[HeardWord, ...]
    score: float


class BeamStream(GreedyStream):
    """Partials are greedy; the end is searched with the language model."""

    def __init__(self, tokens: Tokens, decoder: PrefixBeam) -> None:
        super().__init__(tokens)
        self._decoder = decoder
        self._chunks: list[LogProbs] = []

    def advance(self, log_probs: LogProbs, best: Sequence[int] | None = None) -> None:
        super().advance(log_probs, best)
        self._chunks.append(log_probs)

    def finish(self) -> Hypothesis:
        return self._decoder.hear(np.concatenate(self._chunks)) if self._chunks else Hypothesis("")


class PrefixBeam:
    """`width` prefixes a frame. With `nbest`, words come with confidences by so many of those at the end."""

    def __init__(
        self,
        tokens: Tokens,
        arpa: Path,
        weights: Weights,
        width: int = 64,
        *,
        nbest: int = 0,
        hot: HotWords = NO_HOT_WORDS,
    ) -> None:
        self._tokens, self._width, self._nbest, self._hot = tokens, width, nbest, hot
        logging.getLogger("pyctcdecode").setLevel(logging.ERROR)  # it warns of every small vocabulary
        model = LanguageModel(
            open_kenlm(arpa),
            arpa_words(arpa),
            alpha=weights.lm_weight,
            beta=weights.insertion,
            unk_score_offset=UNKNOWN,
        )
        alphabet = Alphabet.build_alphabet(list(tokens.symbols))
        self._decoder: Any = BeamSearchDecoderCTC(alphabet, model)

    def reweigh(self, weights: Weights) -> None:
        self._decoder.reset_params(alpha=weights.lm_weight, beta=weights.insertion)

    def decode(self, log_probs: LogProbs) -> str:
        return self.hear(log_probs).text

    def hear(self, log_probs: LogProbs) -> Hypothesis:
        if not len(log_probs):
            return Hypothesis("")
        beams = self._beams(log_probs)
        words = beams[0].words
        if self._nbest and words:
            sure = _confidences(beams[: self._nbest], len(log_probs))
            words = tuple(replace(w, confidence=c) for w, c in zip(words, sure, strict=True))
        return hypothesis(words)

    def start(self) -> BeamStream:
        return BeamStream(self._tokens, self)

    def _beams(self, log_probs: LogProbs) -> list[_Beam]:
        """Best first. Where that one alone counts, those that differ from it long ago alone are dropped."""
        found = self._decoder.decode_beams(
            log_probs,
            beam_width=self._width,
            prune_history=not self._nbest,
            hotwords=self._hot.words,
            hotword_weight=self._hot.bonus,
        )
        return [
            _Beam(tuple(HeardWord(word, *frames) for word, frames in words), float(score))
            for _, _, words, _, score in found
        ]


def _confidences(beams: Sequence[_Beam], frames: int) -> tuple[float, ...]:
    """Of the words of the first one."""
    labels: dict[str, int] = {}
    paths = [
        Alternative(
            words=tuple(labels.setdefault(w.text, len(labels)) for w in beam.words),
            starts=tuple(w.start for w in beam.words),
            labels=np.zeros(frames, np.int32),
            graph_cost=0.0,
            acoustic_cost=-beam.score,
            final=True,
        )
        for beam in beams
    ]
    return confidences(paths, paths[0])
