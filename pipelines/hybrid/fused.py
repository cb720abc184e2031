"""A network and mixtures for the same senones as one model: their log-likelihoods added up, frame by frame.

They learnt different things from the same frames, and err at different places (a log-linear combination of
streams, as in Hagen and Morris, "Recent advances in the multi-stream HMM/ANN hybrid approach", 2005).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.features import Features
from pipelines.hybrid.gmm import Mixtures
from pipelines.hybrid.network import Ensemble, LikelihoodStream, Network
from pipelines.search import LogLikelihoods


@dataclass(frozen=True, eq=False)
class Fused:
    """Both hear the same features; `share` of the mixtures' log-likelihoods is added to the network's."""

    network: Network | Ensemble
    mixtures: Mixtures
    share: float

    @property
    def senones(self) -> int:
        return self.network.senones

    @property
    def right(self) -> int:
        """Frames after a frame that its log-likelihoods depend on."""
        return self.network.right

    def log_likelihoods(self, features: Features) -> LogLikelihoods:
        """(frames, D) to (frames, senones)."""
        return self.network.log_likelihoods(features) + self.beside(features)

    def beside(self, features: Features) -> LogLikelihoods:
        """What the mixtures add, (frames, D) to (frames, senones)."""
        return np.float32(self.share) * self.mixtures.log_likelihoods(features)

    def open_stream(self) -> FusedStream:
        return FusedStream(self)


class FusedStream:
    """An utterance, chunk by chunk; the mixtures' log-likelihoods wait for the network's."""

    def __init__(self, fused: Fused) -> None:
        self._fused = fused
        self._stream: LikelihoodStream = fused.network.open_stream()
        self._waiting: LogLikelihoods = np.zeros((0, fused.senones), np.float32)

    def accept(self, features: Features) -> LogLikelihoods:
        """(n, D) to (m, senones): the frames whose context is complete."""
        self._waiting = np.concatenate([self._waiting, self._fused.beside(features)])
        return self._together(self._stream.accept(features))

    def finish(self) -> LogLikelihoods:
        """The rest, (k, senones)."""
        return self._together(self._stream.finish())

    def _together(self, ready: LogLikelihoods) -> LogLikelihoods:
        mine, self._waiting = self._waiting[: len(ready)], self._waiting[len(ready) :]
        return ready + mine
