"""The phones of an alignment, and the same alignment in the states of another tying."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.hybrid.gmm import States
from pipelines.hybrid.tying import Tying


@dataclass(frozen=True, eq=False)
class Segments:
    """The phones (N,) that `labels` (frames,) go through, each in frames [begins[i], ends[i])."""

    phones: npt.NDArray[np.int64]
    begins: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]


def segments(labels: States, tying: Tying) -> Segments:
    """A phone begins where a first state is entered; a path cut off inside a phone begins there too."""
    if not len(labels):
        none = np.zeros(0, np.int64)
        return Segments(none, none, none)
    changed = np.diff(labels, prepend=-1) != 0
    phones = tying.label_phone[labels]
    starts = changed & ((tying.label_position[labels] == 0) | (np.diff(phones, prepend=-1) != 0))
    starts[0] = True
    begins = np.flatnonzero(starts)
    return Segments(phones[begins].astype(np.int64), begins, np.append(begins[1:], len(labels)))


def contexts(labels: States, tying: Tying) -> npt.NDArray[np.int32]:
    """(left phone, phone, right phone, position) of each frame: (frames, 4); silence at the edges."""
    found = segments(labels, tying)
    padded = np.concatenate([[0], found.phones, [0]])
    row = np.repeat(np.arange(len(found.phones)), found.ends - found.begins)
    columns = (padded[row], padded[row + 1], padded[row + 2], tying.label_position[labels])
    rows: npt.NDArray[np.int32] = np.stack(columns, axis=1).astype(np.int32)
    return rows


def retied(labels: States, old: Tying, new: Tying) -> States:
    """The alignment's states as `new` ties them; both have the same phones."""
    left, phone, right, position = contexts(labels, old).T
    found: States = new.label(left, phone, right, position)
    return found
