"""What an architecture is to training and to streams: sizes, a forward pass, and hops that carry state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from data.errors import InputError


@dataclass(frozen=True)
class Sizes:
    """What every network has: `tokens` includes the blank."""

    tokens: int
    mels: int = 80

    def __post_init__(self) -> None:
        """Raises `InputError` for sizes that cannot be."""


@dataclass(frozen=True)
class Window:
    """In frames of posteriors: `chunk` are emitted at a time, seeing `right` more."""

    chunk: int
    right: int


class Memory(ABC):
    """What the streams of one batch carry from hop to hop, by name; each entry (B, ...)."""

    @abstractmethod
    def __getitem__(self, name: str) -> Tensor: ...
    @abstractmethod
    def __setitem__(self, name: str, value: Tensor) -> None: ...

    def joined(self, name: str, x: Tensor) -> Tensor:
        """The kept frames before x (B, T, D); the last of both are kept for the next hop."""
        kept = self[name]  # (B, K, D)
        both = torch.cat([kept, x], 1)  # (B, K + T, D)
        if kept.shape[1]:
            self[name] = both[:, -kept.shape[1] :]
        return both


class Slots(Memory):
    """Rows `slots` (B,) of the tensors that all streams share."""

    def __init__(self, pool: Mapping[str, Tensor], slots: Tensor) -> None:
        self._pool, self._slots = pool, slots

    def __getitem__(self, name: str) -> Tensor:
        return self._pool[name][self._slots]

    def __setitem__(self, name: str, value: Tensor) -> None:
        pool = self._pool[name]
        pool[self._slots] = value.to(pool.dtype)


class Beginning(Memory):
    """Zeros, as before the first frame; nothing is kept, for a whole utterance comes in one hop."""

    def __init__(self, carried: Mapping[str, tuple[int, ...]], like: Tensor) -> None:
        self._carried, self._like = carried, like

    def __getitem__(self, name: str) -> Tensor:
        return self._like.new_zeros(len(self._like), *self._carried[name])

    def __setitem__(self, name: str, value: Tensor) -> None:
        pass


class Hops(Protocol):
    """A network's form over streams: `chunk` frames of posteriors at a time, `lag` frames behind its input.

    `carried` names the state of one stream with its shape; all of it is zero before the first hop.
    """

    @property
    def chunk(self) -> int: ...
    @property
    def lag(self) -> int: ...
    @property
    def carried(self) -> Mapping[str, tuple[int, ...]]: ...

    def scores(self, features: Tensor, first: Tensor, total: Tensor, memory: Memory) -> Tensor:
        """features (B, chunk * subsampling, mels) from frame `first` (B,) of posteriors on.

        Utterances have `total` (B,) frames. Gives (B, chunk, tokens) from frame `first - lag` on; what
        lies before frame 0 or beyond the last is to be ignored.
        """


class Network(nn.Module, ABC):
    """Log-mel frames in, scores of tokens out (`log_softmax` is the caller's).

    `output` is the last layer; `has_ctc` says whether those scores have learned to be CTC's.
    """

    shape: Sizes
    subsampling: int
    output: nn.Module

    @property
    def has_ctc(self) -> bool:
        return True

    def encode(self, features: Tensor, lengths: Tensor, window: Window | None = None) -> Tensor:
        """As `forward`, but (B, T, D), of which `scores_of` and `full_loss` make the rest."""
        return self(features, lengths, window)  # type: ignore[no-any-return]

    def scores_of(self, encoded: Tensor) -> Tensor:
        """encoded (B, T, D) -> (B, T, tokens)."""
        return encoded

    def full_loss(
        self, loss: Tensor, encoded: Tensor, frames: Tensor, labels: Tensor, label_lengths: Tensor
    ) -> Tensor:
        """`loss` is of the scores; what the network learns from beside it is added here.

        encoded (B, T, D), frames (B,), labels (B, L), label_lengths (B,); all is a mean over the labels.
        """
        return loss

    def frames_out(self, feature_frames: Tensor) -> Tensor:
        """How many frames of posteriors come of so many feature frames."""
        return torch.div(feature_frames, self.subsampling, rounding_mode="floor")

    @property
    @abstractmethod
    def streams(self) -> bool:
        """Whether there is a form over streams."""

    @abstractmethod
    def look_ahead_frames(self, window: Window) -> int | None:
        """Feature frames after those of a posterior frame itself that it may depend on in a stream.

        None where that is the whole utterance.
        """

    @abstractmethod
    def hops(self, window: Window) -> Hops:
        """The form over streams. Raises `InputError` where there is none."""


class OneForm(Network):
    """A network that computes a whole utterance as one hop over it: a stream gives the same by construction.

    `delay` frames of posteriors lie between a frame's input and its output. In the offline form the
    delay is 0 and nothing is carried.
    """

    causal: bool
    delay: int

    @property
    @abstractmethod
    def carried(self) -> Mapping[str, tuple[int, ...]]:
        """The state of one stream, by name."""

    @property
    def step(self) -> int:
        """A hop takes a multiple of so many frames of posteriors."""
        return 1

    @abstractmethod
    def hop(self, features: Tensor, first: Tensor, total: Tensor, memory: Memory) -> Tensor:
        """See `Hops.scores`; any number of frames."""

    def forward(self, features: Tensor, lengths: Tensor, window: Window | None = None) -> Tensor:
        """features (B, F, mels), of which `lengths` (B,) frames count -> (B, F // subsampling, tokens)."""
        frames = features.shape[1] // self.subsampling
        x = F.pad(features[:, : frames * self.subsampling], (0, 0, 0, self.delay * self.subsampling))
        total = self.frames_out(lengths)
        scores = self.hop(x, torch.zeros_like(total), total, Beginning(self.carried, x))
        return scores[:, self.delay :]

    @property
    def streams(self) -> bool:
        return self.causal

    def look_ahead_frames(self, window: Window) -> int | None:
        """A hop's first frame sees the most: to the end of its step, and `delay` frames on."""
        return (self.step - 1 + self.delay) * self.subsampling if self.causal else None

    def hops(self, window: Window) -> Hops:
        if not self.causal:
            raise InputError("e2e: this network was trained in its offline form; train with causal = true")
        return _OneFormHops(self, -(-window.chunk // self.step) * self.step)


@dataclass(frozen=True, eq=False)
class _OneFormHops:
    network: OneForm
    chunk: int

    @property
    def lag(self) -> int:
        return self.network.delay

    @property
    def carried(self) -> Mapping[str, tuple[int, ...]]:
        return self.network.carried

    def scores(self, features: Tensor, first: Tensor, total: Tensor, memory: Memory) -> Tensor:
        return self.network.hop(features, first, total, memory)
