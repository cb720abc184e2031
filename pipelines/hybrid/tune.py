"""The weight of the language model and the word insertion penalty, chosen on dev speech alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import TypeAlias

import jiwer
import numpy as np
import numpy.typing as npt
from scipy.ndimage import convolve1d

from pipelines.features import Features
from pipelines.fst import Arcs, const_fst
from pipelines.grammar import WordTable
from pipelines.hybrid.adapt import Adaptation, Heard, Recogniser
from pipelines.hybrid.counts import counted
from pipelines.hybrid.graph import with_insertion_penalty
from pipelines.hybrid.graphs import Graphs, tied_as
from pipelines.hybrid.model import AcousticModel, Tuned
from pipelines.hybrid.parallel import Step, side_by_side
from pipelines.hybrid.settings import SI, hears_adapted
from pipelines.search import Beam, LogLikelihoods, Search

WEIGHTS = (9.0, 12.0, 15.0, 19.0, 24.0, 30.0)
NETWORK_WEIGHTS = (4.0, 5.5, 7.0, 9.0, 12.0, 15.0)  # a network's log-likelihoods differ less
PENALTIES = (-2.0, -1.0, 0.0, 1.0, 2.0)
ROUNDS = 3
BEAM = Beam(max_active=2000)  # as good to choose by, and several times as fast with many words

Rates: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class DevSpeech:
    """Features (frames, D), references and speakers, utterance by utterance."""

    features: tuple[Features, ...]
    references: tuple[str, ...]
    speakers: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Tuner:
    """Tunes models on dev speech; `pair` are the models of a first pass and of the adapted speech, if any."""

    graphs: Graphs
    dev: DevSpeech
    pair: tuple[AcousticModel, AcousticModel] | None = None

    def tune(
        self, models: Mapping[str, Heard], first: Mapping[str, Tuned], step: Step, jobs: int
    ) -> dict[str, dict[str, Tuned]]:
        """For each of `models` and each language model.

        Those of adapted speech follow a first pass whose tuning, by language model, is `first`.
        """
        wanted = [(name, lm) for name in models for lm in self.graphs.lms]
        pieces = [partial(self._tuned, name, models[name], lm, first.get(lm, Tuned())) for name, lm in wanted]
        found = side_by_side(pieces, step, jobs)
        tuned: dict[str, dict[str, Tuned]] = {name: {} for name in models}
        for (name, lm), result in zip(wanted, found, strict=True):
            tuned[name][lm] = result
        return tuned

    def _tuned(self, name: str, model: Heard, lm: str, first: Tuned, step: Step) -> Tuned:
        step(0.0, f"tuning {name} with the language model '{lm}'", "tuning")
        graph = self.graphs.of(name, model, lm)
        features = [model.front.whole(x) for x in self.dev.features]
        if hears_adapted(name):
            features = self._adapted(features, graph, first)
        scores = [model.log_likelihoods(x) for x in features]
        weights = NETWORK_WEIGHTS if tied_as(name) != name and name != SI else WEIGHTS
        tuned = tune(graph, self.graphs.words, scores, self.dev.references, weights)
        return counted(tuned, graph, scores)

    def _adapted(self, features: Sequence[Features], graph: Arcs, first: Tuned) -> list[Features]:
        assert self.pair is not None
        si, sat = self.pair
        search = Search(const_fst(with_insertion_penalty(graph, first.penalty)), BEAM)
        adaptation = Adaptation(
            Recogniser(si, search, first.weight), Recogniser(sat, search, first.weight), sat
        )
        return adaptation.adapted(features, self.dev.speakers)


def tune(
    graph: Arcs,
    words: WordTable,
    scores: Sequence[LogLikelihoods],
    references: Sequence[str],
    weights: Sequence[float] = WEIGHTS,
) -> Tuned:
    """One of `weights` and a penalty, each chosen with the other until they stay. `scores` (frames, labels).

    Of weights less than one word of dev apart it is the lowest.
    """
    heard = [(s, r) for s, r in zip(scores, references, strict=True) if r]
    if not heard:
        return Tuned()
    one_word = 100.0 / sum(len(reference.split()) for _, reference in heard)

    @cache
    def rate(i: int, j: int) -> float:
        search = Search(const_fst(with_insertion_penalty(graph, PENALTIES[i])), BEAM)
        return _wer(search, words, heard, weights[j])

    i = len(PENALTIES) // 2
    for _ in range(ROUNDS):
        j = lowest(smoothed([rate(i, other) for other in range(len(weights))]), one_word)
        before, i = i, mildest(smoothed([rate(other, j) for other in range(len(PENALTIES))]))
        if i == before:
            break
    return Tuned(weights[j], PENALTIES[i], rate(i, j))


def smoothed(rates: npt.ArrayLike) -> Rates:
    """`rates` (n,) averaged with their neighbours, each counting twice as much as one of them.

    A small dev set is noisy: one lucky point says less than the low ground it should lie in.
    """
    return convolve1d(np.asarray(rates, np.float64), [0.25, 0.5, 0.25], mode="nearest")  # type: ignore[no-any-return]


def lowest(rates: Rates, hair: float) -> int:
    """The first of `rates` (n,) that are less than a `hair` above the best.

    Weights rise along them, and the higher, the more of the graph lies within the beam: time without gain.
    """
    return int(np.flatnonzero(rates < rates.min() + hair)[0])


def mildest(rates: Rates) -> int:
    """The best of `rates`, one of each penalty; of equals that of the smallest penalty."""
    return min(range(len(rates)), key=lambda i: (rates[i], abs(PENALTIES[i])))


def _wer(
    search: Search, words: WordTable, heard: Sequence[tuple[LogLikelihoods, str]], weight: float
) -> float:
    """In %."""
    hypotheses = [words.text(search.decode(scores / np.float32(weight)).words) for scores, _ in heard]
    return 100.0 * float(jiwer.wer([reference for _, reference in heard], hypotheses))
