"""A stream is over when Kaldi's rules say so, and not before."""

from __future__ import annotations

import math

import kaldifst
import numpy as np
import pytest

from pipelines.endpoint import Endpointer, EndpointRule
from pipelines.search import Search

KALDI = Endpointer({1}, 0.01)


@pytest.mark.parametrize(
    ("trailing", "frames", "relative_cost", "over"),
    [
        (499, 499, 0.0, False),  # nothing but silence, for less than five seconds
        (500, 500, math.inf, True),
        (49, 300, 0.0, False),
        (50, 300, 2.0, True),  # speech, half a second of silence, and a likely end
        (50, 300, 2.1, False),
        (99, 300, 8.0, False),
        (100, 300, 8.0, True),
        (100, 300, 8.1, False),
        (199, 300, math.inf, False),
        (200, 300, math.inf, True),  # no end of the grammar in sight
        (200, 200, 0.0, False),  # only silence so far
        (0, 1999, 0.0, False),
        (0, 2000, math.inf, True),
    ],
)
def test_keeps_the_rules_of_kaldi(trailing: int, frames: int, relative_cost: float, over: bool) -> None:
    assert KALDI.heard(trailing, frames, relative_cost) is over


@pytest.mark.parametrize(("relative_cost", "expected"), [(1.0, None), (4.0, 4)])
def test_ends_a_stream_after_speech_and_silence(relative_cost: float, expected: int | None) -> None:
    """Silence (label 1) before and after a word (label 2); ending after it costs 3."""
    graph = kaldifst.compile("0 0 1 0\n0 1 2 7\n1 1 1 0\n0\n1 3\n")
    rules = (EndpointRule(silence=0.02, relative_cost=relative_cost),)
    endpointer, stream = Endpointer({1}, 0.01, rules), Search(graph).start()
    assert not endpointer.over(stream)
    ends = []
    for label in (1, 1, 2, 1, 1, 1):
        stream.advance(np.where(np.arange(1, 3) == label, 0, -20).astype(np.float32)[None])
        ends.append(endpointer.over(stream))
    assert (ends.index(True) if any(ends) else None) == expected
