"""Audio that has arrived and is still needed, of all streams in one tensor on the network's device."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from data.types import Samples

Ints = npt.NDArray[np.int64]


class Waiting:
    """A row of samples for each slot: those of its next hop first, zeros behind the last that arrived.

    A hop reads `need` samples and lets `hop` of them go; there is `room` for so many more than `need`.
    """

    def __init__(self, need: int, hop: int, room: int, device: torch.device) -> None:
        self.need, self.hop, self.room = need, hop, room
        self._audio = torch.zeros(0, need + room, device=device)  # (slots, need + room)

    def grow(self, slots: int) -> None:
        self._audio = F.pad(self._audio, (0, 0, 0, slots - len(self._audio)))

    def clear(self, slots: Tensor) -> None:
        self._audio[slots] = 0.0

    def add(self, slots: Ints, held: Ints, samples: Samples, lengths: Ints) -> None:
        """Puts `samples` (all streams' one after another, `lengths` (N,) each) behind the `held` (N,)."""
        device, width = self._audio.device, self._audio.shape[1]
        shift = slots * width + held - (np.cumsum(lengths) - lengths)  # (N,) from a sample to its place
        moved = torch.repeat_interleave(
            torch.from_numpy(shift).to(device), torch.from_numpy(lengths).to(device), output_size=len(samples)
        )
        place = moved + torch.arange(len(samples), device=device)
        self._audio.view(-1)[place] = torch.from_numpy(samples).to(device)

    def take(self, slots: Tensor) -> Tensor:
        """(N, need): the samples of the next hop of each."""
        rows = self._audio[slots]  # (N, need + room)
        self._audio[slots] = F.pad(rows[:, self.hop :], (0, self.hop))
        return rows[:, : self.need]
