"""The audio of a measurement in one anonymous file that all its processes read.

It is read, not mapped: what a recogniser has in hand counts as its memory, the rest of the test set does not.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from data.types import Audio, Samples, Seconds

_BYTES = 4  # of a float32 sample


@dataclass(frozen=True)
class Stretch:
    """Where one utterance lies: its first sample in the file, its samples, its rate in Hz."""

    first: int
    samples: int
    sample_rate: int

    @property
    def seconds(self) -> Seconds:
        return self.samples / self.sample_rate


class AudioPool:
    """Utterances by their index. The file has no name and vanishes with the last process that holds it."""

    def __init__(self, descriptor: int, stretches: Sequence[Stretch]) -> None:
        self.descriptor = descriptor
        self.stretches = tuple(stretches)

    @classmethod
    def of(cls, audios: Sequence[Audio]) -> AudioPool:
        descriptor = anonymous_file()
        stretches, first = [], 0
        with os.fdopen(os.dup(descriptor), "wb") as file:
            for audio in audios:
                file.write(np.ascontiguousarray(audio.samples, dtype=np.float32).tobytes())
                stretches.append(Stretch(first, len(audio.samples), audio.sample_rate))
                first += len(audio.samples)
        return cls(descriptor, stretches)

    def read(self, index: int, first: int, samples: int) -> Samples:
        """`samples` float32 samples of utterance `index` from its sample `first`, an array of its own."""
        piece = np.empty(samples, dtype=np.float32)  # (samples,)
        if samples:
            os.preadv(self.descriptor, [piece.data], (self.stretches[index].first + first) * _BYTES)
        return piece

    def audio(self, index: int) -> Audio:
        stretch = self.stretches[index]
        return Audio(self.read(index, 0, stretch.samples), stretch.sample_rate)

    def close(self) -> None:
        os.close(self.descriptor)


def anonymous_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("asrbench-audio")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
