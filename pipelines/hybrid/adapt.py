"""Two passes: what the first one heard tells how a speaker's features are to be turned for the second.

Gales 1998, "Maximum likelihood linear transformations for HMM-based speech recognition"; the passes are those
of Kaldi's steps/decode_fmllr.sh, with best paths in place of lattices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pipelines.features import Features
from pipelines.hybrid.front import FrontEnd
from pipelines.hybrid.generations import transform_of
from pipelines.hybrid.gmm import Doubles, States
from pipelines.hybrid.model import AcousticModel
from pipelines.hybrid.transforms import apply
from pipelines.hybrid.tying import Tying
from pipelines.search import LogLikelihoods, Path, Search

PASSES = 2  # estimations of a transform


class Heard(Protocol):
    """An acoustic model whatever it is made of."""

    @property
    def front(self) -> FrontEnd: ...
    @property
    def tying(self) -> Tying: ...
    @property
    def self_loops(self) -> Doubles: ...
    @property
    def look_ahead(self) -> int: ...

    def log_likelihoods(self, features: Features) -> LogLikelihoods:
        """Of the labels: (frames, D) of the front end's output to (frames, labels)."""


@dataclass(frozen=True, eq=False)
class Recogniser:
    """A model with the graph it is searched in; `weight` divides its log-likelihoods."""

    model: Heard
    search: Search
    weight: float

    def path(self, features: Features) -> Path:
        """The best one for the front end's output (frames, D)."""
        return self.search.decode(self.model.log_likelihoods(features) / np.float32(self.weight))

    def labels(self, features: Features) -> States:
        """Those of the best path, (frames,)."""
        return self.path(features).labels - 1


@dataclass(frozen=True, eq=False)
class Adaptation:
    """`first` hears speech as it is, `second`, which searches with the adapted `model`, what is adapted."""

    first: Recogniser
    second: Recogniser
    model: AcousticModel

    def transform(self, features: Sequence[Features]) -> Doubles:
        """fMLLR (D, D + 1) of the one who said all of `features`, each (frames, D) of the front end."""
        transform = transform_of(self.model, features, [self.first.labels(x) for x in features])
        for _ in range(PASSES - 1):
            labels = [self.second.labels(apply(transform, x)) for x in features]
            transform = transform_of(self.model, features, labels)
        return transform

    def adapted(self, features: Sequence[Features], speakers: Sequence[str]) -> list[Features]:
        """Each utterance through its speaker's transform, estimated on all that the speaker said here."""
        mine: dict[str, list[int]] = {}
        for i, speaker in enumerate(speakers):
            mine.setdefault(speaker, []).append(i)
        turned: dict[int, Features] = {}
        for said in mine.values():
            transform = self.transform([features[i] for i in said])
            turned.update({i: apply(transform, features[i]) for i in said})
        return [turned[i] for i in range(len(features))]
