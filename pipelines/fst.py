"""Weighted transducers as flat arrays, and the way to OpenFst's binary files and back.

kaldifst hands out an arc at a time; whole graphs of some million arcs want numpy. The two layouts are
OpenFst's own (`vector-fst.h` and `const-fst.h`, format version 2, standard arcs: tropical weights).
"""

from __future__ import annotations

import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import kaldifst
import numpy as np
import numpy.typing as npt

Ints: TypeAlias = npt.NDArray[np.int32]
Floats: TypeAlias = npt.NDArray[np.float32]

_MAGIC = 2125659606
_ARC = np.dtype([("ilabel", "<i4"), ("olabel", "<i4"), ("weight", "<f4"), ("target", "<i4")])
_STATE = np.dtype(
    [("final", "<f4"), ("position", "<u4"), ("arcs", "<u4"), ("iepsilons", "<u4"), ("oepsilons", "<u4")]
)


@dataclass(frozen=True, eq=False)
class Arcs:
    """A transducer of S states and A arcs, with costs as weights (infinite: not final), 0 for epsilon.

    `source`, `ilabel`, `olabel`, `weight` and `target` have shape (A,), `final` has shape (S,).
    """

    source: Ints
    ilabel: Ints
    olabel: Ints
    weight: Floats
    target: Ints
    final: Floats
    start: int = 0

    @property
    def states(self) -> int:
        return len(self.final)

    def by_source(self) -> Arcs:
        """The same, arcs sorted by their source."""
        order = np.argsort(self.source, kind="stable")
        source, ilabel, olabel = self.source[order], self.ilabel[order], self.olabel[order]
        return Arcs(source, ilabel, olabel, self.weight[order], self.target[order], self.final, self.start)


def arcs_of(fst: Any) -> Arcs:
    """The arrays of a `kaldifst.StdVectorFst`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fst"
        fst.write(str(path))
        return _parse(path.read_bytes())


def vector_fst(arcs: Arcs) -> Any:
    """A mutable `kaldifst.StdVectorFst`, for kaldifst's operations."""
    return _read(_vector_bytes(arcs.by_source()), kaldifst.StdVectorFst)


def const_fst(arcs: Arcs) -> Any:
    """An immutable `kaldifst.StdConstFst`: one block of memory, the fastest to search."""
    return _read(_const_bytes(arcs.by_source()), kaldifst.StdConstFst)


def _read(content: bytes, kind: Any) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fst"
        path.write_bytes(content)
        return kind.read(str(path))


def _parse(content: bytes) -> Arcs:
    start, source, table, final = parse_vector(content, _ARC)
    ilabel, olabel, weight, target = (table[name].copy() for name in ("ilabel", "olabel", "weight", "target"))
    return Arcs(source, ilabel, olabel, weight, target, final[:, 0].copy(), start)


def parse_vector(content: bytes, arc: np.dtype[Any]) -> tuple[int, Ints, npt.NDArray[Any], Floats]:
    """Start, source of each arc (A,), the arcs (A,) of the kind `arc`, final weights (S, floats in a weight).

    `arc` has two labels, a weight of one float or more, and the target, all of four bytes.
    """
    offset, start, states = _parse_header(content)
    counts = np.empty(states, np.int64)
    words = np.frombuffer(content, "<i4", offset=offset)  # all fields are multiples of 4 bytes
    size = arc.itemsize // 4
    floats = size - 3
    position = 0
    positions = np.empty(states, np.int64)
    for state in range(states):
        positions[state] = position
        count = int(words[position + floats])
        counts[state] = count
        position += floats + 2 + size * count
    heads = positions[:, None] + np.arange(floats + 2)
    final = words[heads[:, :floats]].view("<f4")
    keep = np.ones(position, bool)
    keep[heads] = False
    source = np.repeat(np.arange(states, dtype=np.int32), counts)
    return start, source, words[:position][keep].view(arc), final


def _parse_header(content: bytes) -> tuple[int, int, int]:
    offset = 4
    for _ in range(2):  # the kinds of the transducer and of its arcs
        (length,) = struct.unpack_from("<i", content, offset)
        offset += 4 + length
    _, _, _, start, states, _ = struct.unpack_from("<iiQqqq", content, offset)
    return offset + 40, start, states


def _header(kind: bytes, version: int, arcs: Arcs) -> bytes:
    names = b"".join(struct.pack("<i", len(name)) + name for name in (kind, b"standard"))
    # properties: expanded (1), and mutable (2) for the vector kind; the rest unknown
    properties = 3 if kind == b"vector" else 1
    numbers = (version, 0, properties, arcs.start, arcs.states, len(arcs.source))
    return struct.pack("<i", _MAGIC) + names + struct.pack("<iiQqqq", *numbers)


def _table(arcs: Arcs) -> npt.NDArray[Any]:
    table = np.empty(len(arcs.source), _ARC)
    table["ilabel"], table["olabel"] = arcs.ilabel, arcs.olabel
    table["weight"], table["target"] = arcs.weight, arcs.target
    return table


def _vector_bytes(arcs: Arcs) -> bytes:
    counts = np.bincount(arcs.source, minlength=arcs.states)
    before = np.concatenate([[0], np.cumsum(counts)])
    words = np.zeros(3 * arcs.states + 4 * len(arcs.source), "<i4")
    positions = 3 * np.arange(arcs.states) + 4 * before[:-1]
    words[positions] = np.ascontiguousarray(arcs.final, "<f4").view("<i4")
    words[positions + 1] = counts
    keep = np.ones(len(words), bool)
    keep[np.concatenate([positions, positions + 1, positions + 2])] = False
    words[keep] = _table(arcs).view("<i4")
    return _header(b"vector", 2, arcs) + words.tobytes()


def _const_bytes(arcs: Arcs) -> bytes:
    states = np.zeros(arcs.states, _STATE)
    states["final"] = arcs.final
    states["arcs"] = np.bincount(arcs.source, minlength=arcs.states)
    states["position"] = np.concatenate([[0], np.cumsum(states["arcs"])[:-1]])
    states["iepsilons"] = np.bincount(arcs.source[arcs.ilabel == 0], minlength=arcs.states)
    states["oepsilons"] = np.bincount(arcs.source[arcs.olabel == 0], minlength=arcs.states)
    return _header(b"const", 2, arcs) + states.tobytes() + _table(arcs).tobytes()
