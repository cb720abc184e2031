"""The table that the load generator and the recogniser share during a scenario.

The schedule lies in it before the scenario begins; then the generator only raises `handed`, the number of
chunks that it has handed over, and stamps them, and the recogniser stamps what it has done. So the generator
can never block on a slow recogniser, and a chunk costs it a few nanoseconds.
"""

from __future__ import annotations

import mmap
import os

import numpy as np
import numpy.typing as npt

from bench.plan import CHUNK
from bench.pool import anonymous_file

_HANDED, _STOP, _OVER = 0, 1, 2
_HEADER = 4 * 8


class Board:
    """`chunks` (n,) of `CHUNK`; `handed_at` and `done_at` (n,), clock seconds, NaN where not yet."""

    def __init__(self, descriptor: int, count: int) -> None:
        self.descriptor = descriptor
        self.count = count
        self._map = mmap.mmap(descriptor, _size(count))
        self._flags = np.frombuffer(self._map, np.int64, 3)
        self._origin = np.frombuffer(self._map, np.float64, 1, 3 * 8)
        self.chunks: npt.NDArray[np.void] = np.frombuffer(self._map, CHUNK, count, _HEADER)
        after = _HEADER + count * CHUNK.itemsize
        self.handed_at = np.frombuffer(self._map, np.float64, count, after)
        self.done_at = np.frombuffer(self._map, np.float64, count, after + 8 * count)

    @classmethod
    def of(cls, chunks: npt.NDArray[np.void]) -> Board:
        descriptor = anonymous_file()
        os.ftruncate(descriptor, _size(len(chunks)))
        board = cls(descriptor, len(chunks))
        board.chunks[:] = chunks
        board.handed_at[:] = np.nan
        board.done_at[:] = np.nan
        return board

    @property
    def origin(self) -> float:
        """The clock's reading at the plan's second 0."""
        return float(self._origin[0])

    @origin.setter
    def origin(self, value: float) -> None:
        self._origin[0] = value

    @property
    def handed(self) -> int:
        return int(self._flags[_HANDED])

    @handed.setter
    def handed(self, value: int) -> None:
        self._flags[_HANDED] = value

    @property
    def stopped(self) -> bool:
        """Somebody has given up: the generator hands nothing over any more."""
        return bool(self._flags[_STOP])

    def stop(self) -> None:
        self._flags[_STOP] = 1

    @property
    def over(self) -> bool:
        """The generator has handed over all that it will."""
        return bool(self._flags[_OVER])

    def finish(self) -> None:
        self._flags[_OVER] = 1

    def close(self) -> None:
        os.close(self.descriptor)  # the mapping goes with the last array that looks into it


def _size(count: int) -> int:
    return _HEADER + count * (CHUNK.itemsize + 16)
