"""Confidences are posteriors: summed frame by frame over all paths inside the same word."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.confidence import confidences, posteriors
from pipelines.search import Path

FRAMES = 12


def _path(words: tuple[int, ...], starts: tuple[int, ...], cost: float) -> Path:
    return Path(words, starts, np.ones(FRAMES, np.int32), cost / 3, 2 * cost / 3, True)


def _random(seed: int) -> list[Path]:
    draw = np.random.default_rng(seed)
    paths = []
    for _ in range(6):
        starts = tuple(sorted(draw.choice(FRAMES, 4, replace=False).tolist()))
        paths.append(_path(tuple(draw.integers(1, 4, 4).tolist()), starts, draw.uniform(0, 4)))
    return sorted(paths, key=lambda path: path.cost)


def _at(path: Path, frame: int) -> int:
    said = [word for word, start in zip(path.words, path.starts, strict=True) if start <= frame]
    return said[-1] if said else 0


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("scale", [0.3, 1.0])
def test_is_the_largest_sum_over_the_frames_of_a_word(seed: int, scale: float) -> None:
    paths = _random(seed)
    weights = [np.exp(-scale * path.cost) for path in paths]
    best = paths[0]
    expected = [
        max(
            sum(w for w, p in zip(weights, paths, strict=True) if _at(p, frame) == word) / sum(weights)
            for frame in range(start, end)
        )
        for word, (start, end) in zip(best.words, best.spans, strict=True)
    ]
    found = confidences(paths, best, scale)
    assert found == pytest.approx(expected)
    assert all(0.0 <= c <= 1.0 for c in found)
    assert posteriors(paths, scale).sum() == pytest.approx(1.0)


def test_without_a_rival_a_word_is_certain() -> None:
    alone = _path((3, 3, 5), (2, 6, 6), 4000.0)
    assert confidences([alone], alone) == (1.0, 1.0, 1.0)


def test_a_word_in_doubt_has_its_rivals_share_less() -> None:
    one, other = _path((1, 2, 3), (0, 4, 8), 700.0), _path((1, 5, 3), (1, 5, 9), 700.0 + np.log(3))
    assert confidences([one, other], one) == pytest.approx((1.0, 0.75, 1.0))


def test_nothing_said_has_no_confidences() -> None:
    silent = _path((), (), 1.0)
    assert confidences([silent], silent) == ()
