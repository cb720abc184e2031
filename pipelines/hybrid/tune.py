"""The weight of the language model and the word insertion penalty, chosen on dev speech alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import jiwer
import numpy as np

from pipelines.fst import Arcs, const_fst
from pipelines.grammar import WordTable
from pipelines.hybrid.graph import with_insertion_penalty
from pipelines.hybrid.model import DEFAULT_PENALTY, Tuned
from pipelines.search import Beam, LogLikelihoods, Search

WEIGHTS = (6.0, 8.0, 10.0, 12.0, 14.0, 17.0)
PENALTIES = (-1.0, -0.5, 0.0, 0.5, 1.0)


@dataclass(frozen=True, eq=False)
class DevSpeech:
    """Log-likelihoods (frames, states) and references, utterance by utterance."""

    log_likelihoods: tuple[LogLikelihoods, ...]
    references: tuple[str, ...]


def tune(
    graph: Arcs, words: WordTable, dev: DevSpeech, beam: Beam, step: Callable[[str], None] = lambda note: None
) -> Tuned:
    """Every weight without a penalty, then every penalty at the best weight, then the weights beside it.

    A small dev set is noisy: a weight is judged by its errors averaged with those of its neighbours.
    """
    if not any(dev.references):
        return Tuned()
    rates: dict[tuple[float, float], float] = {}

    def try_all(penalties: Sequence[float], weights: Sequence[float]) -> None:
        for penalty in penalties:
            step(f"tuning the weight of the language model, penalty {penalty:g}")
            search = Search(const_fst(with_insertion_penalty(graph, penalty)), beam)
            for weight in weights:
                if (penalty, weight) not in rates:
                    rates[penalty, weight] = _wer(search, words, dev, weight)

    try_all((DEFAULT_PENALTY,), WEIGHTS)
    weight = min(WEIGHTS, key=lambda w: _smoothed(rates, DEFAULT_PENALTY, w))
    try_all(PENALTIES, (weight,))
    penalty = min(PENALTIES, key=lambda p: (rates[p, weight], abs(p)))
    try_all((penalty,), WEIGHTS)
    weight = min(WEIGHTS, key=lambda w: _smoothed(rates, penalty, w))
    return Tuned(weight, penalty, rates[penalty, weight])


def _smoothed(rates: Mapping[tuple[float, float], float], penalty: float, weight: float) -> float:
    """Half the rate itself, half the mean of its neighbours' (one at either end)."""
    at = WEIGHTS.index(weight)
    around = [rates[penalty, w] for w in (*WEIGHTS[max(0, at - 1) : at], *WEIGHTS[at + 1 : at + 2])]
    return 0.5 * rates[penalty, weight] + 0.5 * float(np.mean(around))


def _wer(search: Search, words: WordTable, dev: DevSpeech, weight: float) -> float:
    """In %, over the utterances that have a reference."""
    pairs = [
        (reference, words.text(search.decode(scores / np.float32(weight)).words))
        for reference, scores in zip(dev.references, dev.log_likelihoods, strict=True)
        if reference
    ]
    references, hypotheses = zip(*pairs, strict=True)
    return 100.0 * float(jiwer.wer(list(references), list(hypotheses)))
