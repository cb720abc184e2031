"""What a training hands on: the acoustic model, where it stands, what was tuned."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.hybrid.gmm import Doubles, Mixtures, States
from pipelines.hybrid.topology import Topology

DEFAULT_WEIGHT, DEFAULT_PENALTY = 10.0, 0.0


@dataclass(frozen=True, eq=False)
class AcousticModel:
    """Mixtures for the states of a topology, and each state's probability of staying, shape (states,)."""

    topology: Topology
    mixtures: Mixtures
    self_loops: Doubles


@dataclass(frozen=True, eq=False)
class Stage:
    """Where a training stands after `iteration`; `alignments` has an entry for each utterance."""

    iteration: int
    model: AcousticModel
    alignments: tuple[States | None, ...]
    log_likelihood: float  # per frame, of the alignment that the last estimation used


@dataclass(frozen=True)
class Tuned:
    """`weight` divides the log-likelihoods; `penalty` is a cost for each word, in the graph's own units.

    `wer` on dev in %, with these; None where there was no dev speech, and the two are defaults.
    """

    weight: float = DEFAULT_WEIGHT
    penalty: float = DEFAULT_PENALTY
    wer: float | None = None
