"""What a training hands on: acoustic models, where they stand, what was tuned."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipelines.features import Features
from pipelines.hybrid.fmllr import FmllrStatistics
from pipelines.hybrid.front import FrontEnd
from pipelines.hybrid.gmm import Doubles, Mixtures, States
from pipelines.hybrid.tying import Tying
from pipelines.search import LogLikelihoods

DEFAULT_WEIGHT, DEFAULT_PENALTY = 10.0, 0.0


@dataclass(frozen=True, eq=False)
class AcousticModel:
    """Mixtures for the senones of a tying, over what `front` makes of the features.

    `self_loops`, shape (labels,): the probability of staying in a state. `everyone`: what is known of all
    speakers together before anything is known of one, for a model of adapted speech.
    """

    tying: Tying
    mixtures: Mixtures
    self_loops: Doubles
    front: FrontEnd = field(default_factory=FrontEnd)
    everyone: FmllrStatistics | None = None

    @property
    def look_ahead(self) -> int:
        """Frames of features beyond a frame that its likelihoods wait for."""
        return self.front.look_ahead

    def log_likelihoods(self, features: Features) -> LogLikelihoods:
        """Of the labels: (frames, D) of the front end's output to (frames, labels)."""
        return self.mixtures.log_likelihoods(features)[:, self.tying.label_senone]


@dataclass(frozen=True, eq=False)
class Stage:
    """Where a training stands after a generation: `alignments`, labels (frames,), for each utterance.

    `transforms`: the fMLLR matrix (D, D + 1) of each speaker, where there are any.
    """

    name: str
    model: AcousticModel
    alignments: tuple[States | None, ...]
    log_likelihood: float = float("-inf")  # per frame, of the alignment that the last estimation used
    transforms: dict[str, Doubles] = field(default_factory=dict)


@dataclass(frozen=True)
class Tuned:
    """`weight` divides the log-likelihoods; `penalty` is a cost for each word, in the graph's own units.

    `wer` on dev in %, with these; None where there was no dev speech, and the two are defaults.
    `tokens_per_frame` and `arcs_per_frame`: what the search costs with these and its default beam.
    """

    weight: float = DEFAULT_WEIGHT
    penalty: float = DEFAULT_PENALTY
    wer: float | None = None
    tokens_per_frame: float | None = None
    arcs_per_frame: float | None = None


def fused_tuning(network: Tuned, mixtures: Tuned) -> Tuned:
    """Of both together, with a share of `network.weight / mixtures.weight` for the mixtures: their mean."""
    return Tuned(2 * network.weight, (network.penalty + mixtures.penalty) / 2)
