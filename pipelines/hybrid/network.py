"""The networks of the DNN-HMM as acoustic models: posteriors of senones, divided by their priors.

A network learns p(senone | frames around); the search wants p(frame | senone), which is, but for a factor
that all senones of a frame share, the posterior over the prior (Bourlard and Morgan, "Connectionist speech
recognition", 1994; Hinton et al., "Deep neural networks for acoustic modeling in speech recognition", 2012).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt

from data.errors import InputError
from pipelines.features import Features
from pipelines.hybrid.network_layers import Sizes, Stack
from pipelines.hybrid.network_steps import Array, State, Step, advance, steps_of
from pipelines.search import LogLikelihoods

_RAREST = 1e-2
"""The least prior, as a share of that which a senone would have if all had the same."""


class LikelihoodStream(Protocol):
    """Features in, log-likelihoods out, some frames later; in all the same as of the whole utterance."""

    def accept(self, features: Features) -> LogLikelihoods:
        """(n, D) to (m, senones): the frames whose context is complete."""

    def finish(self) -> LogLikelihoods:
        """The rest, (k, senones); the last frame of features stands for all that would follow."""


@dataclass(frozen=True, eq=False)
class Network:
    """A trained network; it is a `Decodable`, and streams.

    `kind`, `sizes`: its architecture, see `network_layers`. `mean`, `scale`, shape (D,), normalise features.
    `log_prior`: shape (senones,).
    """

    kind: str
    sizes: Sizes
    stack: Stack
    mean: Features
    scale: Features
    log_prior: npt.NDArray[np.float32]

    @property
    def senones(self) -> int:
        return len(self.log_prior)

    @property
    def left(self) -> int:
        """Frames before that a frame's log-likelihoods depend on; an LSTM's state remembers more."""
        return self.stack.left

    @property
    def right(self) -> int:
        """Frames after that a frame's log-likelihoods depend on."""
        return self.stack.right

    def log_likelihoods(self, features: Features) -> LogLikelihoods:
        """log p(frame | senone) + constant: (frames, D) to (frames, senones), edge frames repeated.

        Raises `InputError` for features of another dimension.
        """
        self._check(features)
        if not len(features):
            return np.zeros((0, self.senones), np.float32)
        padded = np.pad(features, ((self.left, self.right), (0, 0)), "edge")
        scores, _ = self.advance(padded[None], self.start)  # (1, frames, senones)
        return np.asarray(scores[0])

    def open_stream(self) -> NetworkStream:
        return NetworkStream(self)

    @property
    def start(self) -> list[State]:
        """The states of a stream that has heard nothing."""
        return [()] * len(self._steps)

    def advance(self, x: Array, states: Sequence[State]) -> tuple[Array, list[State]]:
        """Features (B, T, D) to the log-likelihoods (B, T', senones) that they complete."""
        logits, after = advance(self._steps, (x - self.mean) * self.scale, states)
        logits -= logits.max(axis=2, keepdims=True)
        logits -= np.log(np.exp(logits).sum(axis=2, keepdims=True))
        logits -= self.log_prior
        return logits, after

    @cached_property
    def _steps(self) -> tuple[Step, ...]:
        return steps_of(self.stack)

    def _check(self, features: Features) -> None:
        if features.shape[1] != len(self.mean):
            raise InputError(
                f"this {self.kind} network was trained on features of {len(self.mean)} dimensions, "
                f"not {features.shape[1]}: give it those, or train it anew"
            )


class NetworkStream:
    """An utterance of a `Network`, chunk by chunk; each layer holds what it needs of the past."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._states = network.start
        self._last: Features | None = None

    def accept(self, features: Features) -> LogLikelihoods:
        """(n, D) to (m, senones): the frames whose context is complete."""
        self._network._check(features)
        if not len(features):
            return self._none()
        if self._last is None:
            features = np.concatenate([np.repeat(features[:1], self._network.left, axis=0), features])
        self._last = features[-1:]
        return self._advance(features)

    def finish(self) -> LogLikelihoods:
        """The rest, (k, senones); the last frame of features stands for all that would follow."""
        if self._last is None or not self._network.right:
            return self._none()
        return self._advance(np.repeat(self._last, self._network.right, axis=0))

    def _advance(self, features: Features) -> LogLikelihoods:
        scores, self._states = self._network.advance(features[None], self._states)
        return np.asarray(scores[0])

    def _none(self) -> LogLikelihoods:
        return np.zeros((0, self._network.senones), np.float32)


def accept_together(streams: Sequence[NetworkStream], chunks: Sequence[Features]) -> list[LogLikelihoods]:
    """`accept` for streams of one network; those that stand alike go through it as one batch."""
    alike: dict[object, list[int]] = {}
    for i, (stream, chunk) in enumerate(zip(streams, chunks, strict=True)):
        under_way = stream._last is not None and len(chunk)
        shapes = tuple(tuple(t.shape) for state in stream._states for t in state)
        key = (id(stream._network), chunk.shape, shapes) if under_way else i
        alike.setdefault(key, []).append(i)
    results: dict[int, LogLikelihoods] = {}
    for members in alike.values():
        if len(members) == 1:
            results[members[0]] = streams[members[0]].accept(chunks[members[0]])
        else:
            got = _accept_batch([streams[i] for i in members], [chunks[i] for i in members])
            results.update(zip(members, got, strict=True))
    return [results[i] for i in range(len(streams))]


def _accept_batch(streams: list[NetworkStream], chunks: list[Features]) -> list[LogLikelihoods]:
    """For streams under way whose chunks (n, D) and states have the same shapes."""
    network = streams[0]._network
    network._check(chunks[0])
    joined = [
        tuple(np.concatenate(arrays) for arrays in zip(*layer, strict=True))
        for layer in zip(*(stream._states for stream in streams), strict=True)
    ]
    scores, after = network.advance(np.stack(chunks), joined)  # (B, n, D) to (B, m, senones)
    for i, stream in enumerate(streams):
        stream._states = [tuple(array[i : i + 1] for array in state) for state in after]
        stream._last = chunks[i][-1:]
    return list(scores)


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Networks for the same senones whose log-likelihoods are averaged."""

    members: tuple[Network, ...]

    @property
    def senones(self) -> int:
        return self.members[0].senones

    @property
    def right(self) -> int:
        return max(network.right for network in self.members)

    def log_likelihoods(self, features: Features) -> LogLikelihoods:
        """(frames, D) to (frames, senones), edge frames repeated."""
        total = np.zeros((len(features), self.senones), np.float32)
        for network in self.members:
            total += network.log_likelihoods(features)
        return total / np.float32(len(self.members))

    def open_stream(self) -> EnsembleStream:
        return EnsembleStream(self)


class EnsembleStream:
    """The members' streams side by side; a frame comes out when the slowest has it."""

    def __init__(self, ensemble: Ensemble) -> None:
        self._streams = [network.open_stream() for network in ensemble.members]
        self._held = [np.zeros((0, ensemble.senones), np.float32) for _ in self._streams]

    def accept(self, features: Features) -> LogLikelihoods:
        return self._mean([stream.accept(features) for stream in self._streams])

    def finish(self) -> LogLikelihoods:
        return self._mean([stream.finish() for stream in self._streams])

    def _mean(self, fresh: list[LogLikelihoods]) -> LogLikelihoods:
        held = [np.concatenate(pair) for pair in zip(self._held, fresh, strict=True)]
        ready = min(map(len, held))
        self._held = [scores[ready:] for scores in held]
        total = np.zeros((ready, held[0].shape[1]), np.float32)
        for scores in held:
            total += scores[:ready]
        return total / np.float32(len(held))


def mean_of(networks: Sequence[Network]) -> Network | Ensemble:
    """The networks as one. Raises `InputError` where they do not tell the same senones apart."""
    if len({(network.senones, len(network.mean)) for network in networks}) != 1:
        raise InputError("an ensemble needs networks for the same senones and features: train them together")
    return networks[0] if len(networks) == 1 else Ensemble(tuple(networks))


def log_prior(senones: Sequence[npt.NDArray[np.int32]], count: int) -> npt.NDArray[np.float32]:
    """Log shares of the frames, shape (count,); what never or hardly occurs gets a small share."""
    frames = np.bincount(np.concatenate(senones), minlength=count).astype(np.float64)
    floored = np.maximum(frames, _RAREST * frames.sum() / count)
    return np.asarray(np.log(floored / floored.sum()), np.float32)
