"""Settings for hybrids of the language of tones, and what a training tells whom."""

from __future__ import annotations

CONFIG = {"lms": ["trigram"], "generation": "mono", "gaussians": 60, "iterations": 8, "members": 2, "jobs": 1}
TRIPHONES = {"tri_iterations": 9, "leaves": 40, "min_gain": 50.0, "min_occupancy": 20.0}


class KilledError(Exception):
    """Raised where a training is to end before its time."""


def quiet(done: float, total: float, note: str = "", *, stage: str = "") -> None:
    assert 0.0 <= done <= total, note
