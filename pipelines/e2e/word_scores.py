"""What an n-gram model adds to sentences that grow by tokens: a word's score as soon as it is over."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.errors import InputError
from pipelines.e2e.decoder import Weights
from pipelines.e2e.tokens import Tokens

UNKNOWN = -40.0
"""What a word outside the vocabulary costs, in natural logs: as closed as the token graph."""


def open_kenlm(arpa: Path) -> Any:
    """kenlm's model, without its progress bar, which would break the caller's."""
    try:
        import kenlm  # here, since where it has no wheel all other decoders have to work
    except ModuleNotFoundError as error:
        raise InputError(
            "this decoder needs the package kenlm, which is not installed; install it, or take another one"
        ) from error
    config = kenlm.Config()
    config.show_progress = False
    config.arpa_complain = kenlm.ARPALoadComplain.NONE
    try:
        return kenlm.Model(str(arpa), config)
    except OSError as error:
        raise InputError(
            "kenlm, which this decoder asks, cannot use this language model; "
            "it wants bigrams at least: take another lm, or decoder = 'wfst'",
            arpa,
        ) from error


def _blank() -> Any:
    import kenlm

    return kenlm.State()


@dataclass(frozen=True, eq=False)
class Written:
    """A sentence under way: kenlm's state after its whole words, and the tokens of the word begun."""

    history: Any
    open: tuple[int, ...] = ()


class WordScores:
    """weights.lm_weight * ln P(word) + weights.insertion for each word."""

    def __init__(self, arpa: Path, weights: Weights, tokens: Tokens) -> None:
        self._model, self._weights, self._tokens = open_kenlm(arpa), weights, tokens

    @property
    def insertion(self) -> float:
        return self._weights.insertion

    def begin(self) -> Written:
        history = _blank()
        self._model.BeginSentenceWrite(history)
        return Written(history)

    def closing(self, written: Written) -> tuple[float, float]:
        """What it adds that the word under way is over, and that with it the sentence is."""
        over, after = self._over(written)
        return over, over + self._weights.lm_weight * self._score("</s>", after.history)[0]

    def extend(self, written: Written, token: int) -> Written:
        if not self._tokens.begins(token):
            return Written(written.history, (*written.open, token))
        opened = () if self._tokens.is_space(token) else (token,)
        return Written(self._over(written)[1].history, opened)

    def _over(self, written: Written) -> tuple[float, Written]:
        """What the word under way adds, and the sentence after it."""
        if not written.open:
            return 0.0, written
        score, after = self._score(self._tokens.decode(written.open), written.history)
        return self._weights.lm_weight * score + self._weights.insertion, Written(after)

    def _score(self, word: str, history: Any) -> tuple[float, Any]:
        """ln P(word | history), and the history after it."""
        after = _blank()
        score = math.log(10.0) * self._model.BaseScore(history, word, after)
        return score if word in self._model or word == "</s>" else score + UNKNOWN, after
