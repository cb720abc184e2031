"""The weight of the language model and the word insertion penalty, chosen on dev speech alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import jiwer
import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter

from pipelines.fst import Arcs, const_fst
from pipelines.grammar import WordTable
from pipelines.hybrid.graph import with_insertion_penalty
from pipelines.hybrid.model import Tuned
from pipelines.search import Beam, LogLikelihoods, Search

WEIGHTS = (6.0, 8.0, 10.0, 12.0, 14.0, 17.0, 20.0)
PENALTIES = (-1.5, -0.75, 0.0, 0.75, 1.5)

Rates: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class DevSpeech:
    """Log-likelihoods (frames, states) and references, utterance by utterance."""

    log_likelihoods: tuple[LogLikelihoods, ...]
    references: tuple[str, ...]


def tune(
    graph: Arcs, words: WordTable, dev: DevSpeech, beam: Beam, step: Callable[[str], None] = lambda note: None
) -> Tuned:
    """Every weight with every penalty; see `flattest` for the choice."""
    if not any(dev.references):
        return Tuned()
    rates = np.zeros((len(PENALTIES), len(WEIGHTS)))
    for i, penalty in enumerate(PENALTIES):
        step(f"tuning the weight of the language model, penalty {penalty:g}")
        search = Search(const_fst(with_insertion_penalty(graph, penalty)), beam)
        rates[i] = [_wer(search, words, dev, weight) for weight in WEIGHTS]
    i, j = flattest(rates)
    return Tuned(WEIGHTS[j], PENALTIES[i], float(rates[i, j]))


def flattest(rates: Rates) -> tuple[int, int]:
    """Row and column of the lowest rate averaged with its neighbours' (up to eight), shape (rows, columns).

    A small dev set is noisy: one lucky point says less than the low ground it should lie in.
    """
    smooth = uniform_filter(rates, size=3, mode="nearest")
    i, j = np.unravel_index(int(smooth.argmin()), rates.shape)
    return int(i), int(j)


def _wer(search: Search, words: WordTable, dev: DevSpeech, weight: float) -> float:
    """In %, over the utterances that have a reference."""
    pairs = [
        (reference, words.text(search.decode(scores / np.float32(weight)).words))
        for reference, scores in zip(dev.references, dev.log_likelihoods, strict=True)
        if reference
    ]
    references, hypotheses = zip(*pairs, strict=True)
    return 100.0 * float(jiwer.wer(list(references), list(hypotheses)))
