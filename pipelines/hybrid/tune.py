"""The weight of the language model and the word insertion penalty, chosen on dev speech alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import jiwer
import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter

from pipelines.features import Features
from pipelines.fst import Arcs, const_fst
from pipelines.grammar import WordTable
from pipelines.hybrid.adapt import Adaptation, Recogniser
from pipelines.hybrid.graph import with_insertion_penalty
from pipelines.hybrid.graphs import Graphs
from pipelines.hybrid.model import Stage, Tuned
from pipelines.hybrid.parallel import Step
from pipelines.hybrid.settings import SAT, SI
from pipelines.search import Beam, LogLikelihoods, Search

WEIGHTS = (6.0, 8.0, 10.0, 12.0, 14.0, 17.0, 20.0)
PENALTIES = (-1.5, -0.75, 0.0, 0.75, 1.5)
BEAM = Beam()

Rates: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class DevSpeech:
    """Features (frames, D), references and speakers, utterance by utterance."""

    features: tuple[Features, ...]
    references: tuple[str, ...]
    speakers: tuple[str, ...]


def tune_all(
    stages: Mapping[str, Stage], graphs: Graphs, dev: DevSpeech, step: Step
) -> dict[str, dict[str, Tuned]]:
    """For each model and each language model; the adapted model after the one that its first pass uses."""
    order = sorted(stages, key=lambda name: name == SAT)
    tuned: dict[str, dict[str, Tuned]] = {name: {} for name in stages}
    for i, (name, lm) in enumerate((name, lm) for name in order for lm in graphs.lms):
        share = i / (len(order) * len(graphs.lms))
        step(share, f"tuning {name} with the language model '{lm}'", "tuning")
        graph = graphs.of(stages[name].model, lm)
        if name == SAT:
            scores = _adapted_scores(stages, graph, tuned[SI][lm], dev)
        else:
            model = stages[name].model
            scores = [model.log_likelihoods(model.front.whole(x)) for x in dev.features]
        tuned[name][lm] = tune(graph, graphs.words, scores, dev.references)
    return tuned


def _adapted_scores(
    stages: Mapping[str, Stage], graph: Arcs, first: Tuned, dev: DevSpeech
) -> list[LogLikelihoods]:
    """Of the adapted model, on dev speech that `first` settings of the first pass adapt."""
    si, sat = stages[SI].model, stages[SAT].model
    search = Search(const_fst(with_insertion_penalty(graph, first.penalty)), BEAM)
    adaptation = Adaptation(Recogniser(si, search, first.weight), Recogniser(sat, search, first.weight))
    features = [si.front.whole(x) for x in dev.features]
    return [sat.log_likelihoods(x) for x in adaptation.adapted(features, dev.speakers)]


def tune(graph: Arcs, words: WordTable, scores: Sequence[LogLikelihoods], references: Sequence[str]) -> Tuned:
    """The weight, then the penalty with it; see `flattest` for the choice. `scores` (frames, labels)."""
    heard = [(s, r) for s, r in zip(scores, references, strict=True) if r]
    if not heard:
        return Tuned()
    rates = np.full((len(PENALTIES), len(WEIGHTS)), np.inf)

    def row(i: int, columns: Sequence[int]) -> None:
        search = Search(const_fst(with_insertion_penalty(graph, PENALTIES[i])), BEAM)
        for j in columns:
            rates[i, j] = _wer(search, words, heard, WEIGHTS[j])

    middle = len(PENALTIES) // 2
    row(middle, range(len(WEIGHTS)))
    j = flattest(rates[middle])
    for i in range(len(PENALTIES)):
        if i != middle:
            row(i, [j])
    i = flattest(rates[:, j])
    return Tuned(WEIGHTS[j], PENALTIES[i], float(rates[i, j]))


def flattest(rates: Rates) -> int:
    """The index of the lowest of `rates` (n,) averaged with their neighbours.

    A small dev set is noisy: one lucky point says less than the low ground it should lie in.
    """
    return int(uniform_filter(rates, size=3, mode="nearest").argmin())


def _wer(
    search: Search, words: WordTable, heard: Sequence[tuple[LogLikelihoods, str]], weight: float
) -> float:
    """In %."""
    hypotheses = [words.text(search.decode(scores / np.float32(weight)).words) for scores, _ in heard]
    return 100.0 * float(jiwer.wer([reference for _, reference in heard], hypotheses))
