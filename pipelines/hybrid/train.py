"""Viterbi training of the phone HMMs: realign, re-estimate, grow the mixtures; each stage is kept on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.features import Features
from pipelines.hybrid.align import Alignment, Pronunciations, WordGraph, align, word_graph
from pipelines.hybrid.clusters import first_clusters
from pipelines.hybrid.flat_start import VARIANCE_FLOOR, even_alignment, phone_hmms
from pipelines.hybrid.gmm import Doubles, States, accumulate, grow, update
from pipelines.hybrid.model import AcousticModel, Stage
from pipelines.hybrid.topology import Topology

_GROWING = 0.75  # of the iterations
_EVERY_TIME = 10  # iterations with a realignment each; later ones realign every other time
_STAY_RANGE = (0.05, 0.99)


@dataclass(frozen=True)
class Schedule:
    """`gaussians` in all, reached after three quarters of the `iterations`."""

    gaussians: int = 1000
    iterations: int = 40
    seed: int = 1

    def target(self, iteration: int, states: int) -> int:
        """How many Gaussians there may be after `iteration`."""
        share = min(1.0, (iteration + 1) / max(1, int(_GROWING * self.iterations)))
        return states + round(share * max(0, self.gaussians - states))

    def realigns(self, iteration: int) -> bool:
        return iteration < _EVERY_TIME or iteration % 2 == 0


@dataclass(frozen=True, eq=False)
class Speech:
    """What is learnt from: features (frames, D) and words, utterance by utterance.

    `copies` are utterances over again, disturbed or at another speed: (number of the utterance, features).
    They are not aligned; theirs is the utterance's own alignment, stretched to their length.
    """

    features: tuple[Features, ...]
    words: tuple[tuple[str, ...], ...]
    copies: tuple[tuple[int, Features], ...] = ()

    def __len__(self) -> int:
        return len(self.features)


def flat_start(speech: Speech, pronunciations: Pronunciations, topology: Topology) -> Stage:
    """The first stage; utterances with more states than frames are left out."""
    cut = [
        even_alignment(words, pronunciations, topology, len(x))
        for words, x in zip(speech.words, speech.features, strict=True)
    ]
    usable = [(x, states) for x, states in zip(speech.features, cut, strict=True) if states is not None]
    mixtures, stay = phone_hmms([x for x, _ in usable], [s for _, s in usable], topology)
    return Stage(-1, AcousticModel(topology, mixtures, stay), tuple(cut), float("-inf"))


def run_stages(
    stage: Stage,
    speech: Speech,
    pronunciations: Pronunciations,
    schedule: Schedule,
    keep: Callable[[Stage], None],
) -> Stage:
    """From `stage` to the last iteration of the schedule; every finished one goes to `keep`."""
    graphs = [word_graph(words, pronunciations, stage.model.topology) for words in speech.words]
    for iteration in range(stage.iteration + 1, schedule.iterations):
        stage = advance(stage, speech, graphs, schedule, iteration)
        keep(stage)
    return stage


def advance(
    stage: Stage, speech: Speech, graphs: Sequence[WordGraph], schedule: Schedule, iteration: int
) -> Stage:
    """One iteration: realign where it is due, re-estimate, grow."""
    model, alignments = stage.model, stage.alignments
    if schedule.realigns(iteration):
        found = align(model.mixtures, model.self_loops, graphs, speech.features)
        alignments = tuple(None if a is None else a.states for a in found)
        model = AcousticModel(model.topology, model.mixtures, _stay(found, graphs, model))
    features, states = _together(speech, alignments)
    statistics = accumulate(model.mixtures, features, states)
    mixtures = update(model.mixtures, statistics, np.full(features.shape[1], VARIANCE_FLOOR))
    target = schedule.target(iteration, mixtures.states)
    if target > mixtures.gaussians and iteration < schedule.iterations - 1:
        if iteration == 0:
            mixtures = first_clusters(mixtures, features, states, target, schedule.seed)
        else:
            occupancy = np.bincount(states, minlength=mixtures.states).astype(float)
            mixtures = grow(mixtures, occupancy, target, np.random.default_rng((schedule.seed, iteration)))
    model = AcousticModel(model.topology, mixtures, model.self_loops)
    return Stage(iteration, model, alignments, statistics.log_likelihood / len(features))


def _together(speech: Speech, alignments: Sequence[States | None]) -> tuple[Features, States]:
    """All frames and their states, those of the copies too."""
    heard = [*enumerate(speech.features), *speech.copies]
    aligned = [(x, _stretched(found, len(x))) for i, x in heard if (found := alignments[i]) is not None]
    return np.concatenate([x for x, _ in aligned]), np.concatenate([s for _, s in aligned])


def _stretched(states: States, frames: int) -> States:
    even: States = states[np.arange(frames) * len(states) // max(1, frames)]
    return even


def _stay(
    alignments: Sequence[Alignment | None], graphs: Sequence[WordGraph], model: AcousticModel
) -> Doubles:
    """The share of a state's frames that stay in it, with one imagined visit of two frames."""
    frames, visits = np.ones(model.topology.states) * 2, np.ones(model.topology.states)
    for alignment, graph in zip(alignments, graphs, strict=True):
        if alignment is None:
            continue
        begins = np.flatnonzero(np.diff(alignment.positions, prepend=-1))
        np.add.at(visits, graph.states[alignment.positions[begins]], 1)
        np.add.at(frames, alignment.states, 1)
    return np.clip(1.0 - visits / frames, *_STAY_RANGE)
