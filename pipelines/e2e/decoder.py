"""From posteriors to text: what every decoder does, and the greedy one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pipelines.e2e.hypothesis import HeardWord, Hypothesis, Run, by_word, hypothesis, runs_of
from pipelines.e2e.tokens import BLANK, Tokens

LogProbs = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Weights:
    """score = log P(tokens) + lm_weight * ln P(words) + insertion * words; tuned on dev."""

    lm_weight: float = 0.8
    insertion: float = 0.5


class DecoderStream(Protocol):
    """One utterance under way."""

    def advance(self, log_probs: LogProbs, best: Sequence[int] | None = None) -> None:
        """Goes on by posteriors (T, tokens), natural logs; `best`: each frame's best token, if known."""

    def partial(self) -> str: ...
    def finish(self) -> Hypothesis: ...


class Decoder(Protocol):
    """`hear` takes a whole utterance (T, tokens), `start` opens a stream."""

    def hear(self, log_probs: LogProbs) -> Hypothesis: ...
    def start(self) -> DecoderStream: ...


class GreedyStream:
    """Keeps the tokens so far and the last frame's, so that a run over two chunks counts once."""

    def __init__(self, tokens: Tokens, confidence: bool = False) -> None:
        self._tokens, self._confidence = tokens, confidence
        self._last = BLANK
        self._ids: list[int] = []
        self._path: list[int] = []
        self._scores: list[float] = []  # of each frame's token

    def advance(self, log_probs: LogProbs, best: Sequence[int] | None = None) -> None:
        if best is None:
            best = log_probs.argmax(-1).tolist() if len(log_probs) else []
        for i in best:
            if i not in (self._last, BLANK):
                self._ids.append(i)
            self._last = i
        self._path += best
        if self._confidence and best:
            self._scores += log_probs.max(-1).tolist()

    def partial(self) -> str:
        return self._tokens.decode(self._ids)

    def finish(self) -> Hypothesis:
        words = [self._word(runs) for runs in by_word(runs_of(self._path), self._tokens)]
        return hypothesis([word for word in words if word.text])

    def _word(self, runs: tuple[Run, ...]) -> HeardWord:
        text = self._tokens.decode(run.token for run in runs)
        return HeardWord(text, runs[0].start, runs[-1].end, self._sure(runs) if self._confidence else None)

    def _sure(self, runs: tuple[Run, ...]) -> float:
        """A word is as sure as the least sure of its tokens, a token as its best frame."""
        return float(np.exp(min(max(self._scores[run.start : run.end]) for run in runs)))


class Greedy:
    """The best token of each frame. With `confidence`, words come with their least posterior."""

    def __init__(self, tokens: Tokens, confidence: bool = False) -> None:
        self._tokens, self._confidence = tokens, confidence

    def hear(self, log_probs: LogProbs) -> Hypothesis:
        stream = self.start()
        stream.advance(log_probs)
        return stream.finish()

    def start(self) -> GreedyStream:
        return GreedyStream(self._tokens, self._confidence)
