"""Chunk by chunk the front end makes what it makes of the whole."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.hybrid.front import FrontEnd

DRAW = np.random.default_rng(4)
FRONTS = {
    "deltas": FrontEnd(),
    "projected": FrontEnd(DRAW.normal(size=(6, 4 * 7 + 1)), statics=4),
    "other widths": FrontEnd(DRAW.normal(size=(5, 3 * 3 + 1)), statics=3, context=1),
}


@pytest.mark.parametrize("front", FRONTS.values(), ids=FRONTS)
@pytest.mark.parametrize("frames", [0, 1, 3, 50])
@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_chunks_come_to_the_whole(front: FrontEnd, frames: int, size: int) -> None:
    x = np.random.default_rng(frames).normal(size=(frames, 12)).astype(np.float32)
    stream, parts = front.stream(), []
    for begin in range(0, frames + 1, size):
        parts.append(stream.accept(x[begin : begin + size]))
        seen = min(begin + size, frames)
        assert sum(map(len, parts)) == max(0, seen - front.look_ahead)
    parts.append(stream.finish())
    np.testing.assert_allclose(np.concatenate(parts), front.whole(x), atol=1e-5)


def test_the_projection_sees_statics_of_neighbours_alone() -> None:
    front = FRONTS["projected"]
    x = DRAW.normal(size=(20, 12)).astype(np.float32)
    deltas, near, far = x.copy(), x.copy(), x.copy()
    deltas[:, 4:] += 1
    near[13, 0] += 1
    far[14, 0] += 1
    np.testing.assert_array_equal(front.whole(deltas), front.whole(x))
    assert not np.allclose(front.whole(near)[10], front.whole(x)[10])
    np.testing.assert_array_equal(front.whole(far)[10], front.whole(x)[10])


def test_the_offset_is_added() -> None:
    matrix = np.zeros((2, 4 * 7 + 1))
    matrix[:, -1] = (3.0, -1.0)
    made = FrontEnd(matrix, statics=4).whole(np.ones((5, 12), np.float32))
    np.testing.assert_allclose(made, np.tile([3.0, -1.0], (5, 1)))
