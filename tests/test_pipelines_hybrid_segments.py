"""Phones and contexts of alignments, against the phones that were laid out and a loop over frames."""

from __future__ import annotations

import numpy as np
import pytest
from spoken import random_tying

from pipelines.hybrid.segments import contexts, retied, segments
from pipelines.hybrid.topology import left_to_right
from pipelines.hybrid.tying import Tying, context_independent

TOPOLOGY = left_to_right(["A", "B_B", "B_E", "C"], silence_states=5)
PLAIN, IN_CONTEXT, OTHER = context_independent(TOPOLOGY), random_tying(TOPOLOGY, 3), random_tying(TOPOLOGY, 4)


def _laid_out(seed: int, tying: Tying) -> tuple[np.ndarray, list[tuple[int, int, int, int]], list[int]]:
    """Labels, the context of each frame, and the phones; phones that follow themselves among them."""
    draw = np.random.default_rng(seed)
    phones = draw.integers(0, 5, 30).tolist()
    rows = []
    for left, phone, right in zip([0, *phones], phones, [*phones[1:], 0], strict=False):
        for position in range(TOPOLOGY.lengths[phone]):
            rows += [(left, phone, right, position)] * int(draw.integers(1, 4))
    labels = [int(tying.label(*(np.array(x) for x in row))) for row in rows]
    return np.array(labels, np.int32), rows, phones


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("tying", [PLAIN, IN_CONTEXT])
def test_phones_and_contexts_are_those_laid_out(seed: int, tying: Tying) -> None:
    labels, rows, phones = _laid_out(seed, tying)
    assert contexts(labels, tying).tolist() == [list(row) for row in rows]
    found = segments(labels, tying)
    assert found.phones.tolist() == phones
    assert (found.begins[0], found.ends[-1]) == (0, len(labels))
    np.testing.assert_array_equal(found.begins[1:], found.ends[:-1])
    for phone, begin, end in zip(found.phones, found.begins, found.ends, strict=True):
        positions = tying.label_position[labels[begin:end]]
        assert positions[0] == 0
        assert (np.diff(positions) >= 0).all()
        assert {row[1] for row in rows[begin:end]} == {phone}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("old", "new"), [(PLAIN, IN_CONTEXT), (IN_CONTEXT, OTHER), (OTHER, PLAIN)])
def test_states_tied_anew_are_those_of_the_same_contexts(seed: int, old: Tying, new: Tying) -> None:
    labels, rows, _ = _laid_out(seed, old)
    there = retied(labels, old, new)
    assert there.tolist() == [int(new.label(*(np.array(x) for x in row))) for row in rows]
    np.testing.assert_array_equal(retied(there, new, old), labels)


def test_a_path_cut_off_inside_a_phone_begins_there() -> None:
    labels, rows, phones = _laid_out(0, IN_CONTEXT)
    cut = next(i for i, row in enumerate(rows) if row[3] == 1)
    found = segments(labels[cut:], IN_CONTEXT)
    assert found.phones.tolist() == phones
    assert found.begins[0] == 0


def test_nothing_has_no_phones() -> None:
    none = np.zeros(0, np.int32)
    assert len(segments(none, PLAIN).phones) == 0
    assert contexts(none, PLAIN).shape == (0, 4)
    assert len(retied(none, PLAIN, IN_CONTEXT)) == 0
