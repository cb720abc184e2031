"""How sure the recogniser is of a word: the posterior probability that it is being said.

Wessel, Schlüter, Macherey and Ney, "Confidence measures for large vocabulary continuous speech recognition"
(2001), their C_max over a list of n best paths: at each frame the posteriors of all paths that are inside the
same word are added up, and the word gets the largest such sum over its frames. A path is inside the word that
came out last. The list holds every word sequence once, by its best alignment: in a sum over the raw lattice
sequences with many alignments would win, because the acoustic costs are scaled down.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipelines.search import Path


def confidences(paths: Sequence[Path], path: Path, scale: float = 1.0) -> tuple[float, ...]:
    """For each word of `path`, in [0, 1], given the n best `paths` (of distinct words, `path` among them).

    `scale` multiplies all costs: at 1 the language model has the weight 1, as in the search. What lies beyond
    the list counts as impossible, so a short list makes words too sure.
    """
    shares = posteriors(paths, scale)
    found = []
    for word, (start, end) in zip(path.words, _spans(path), strict=True):
        inside = np.zeros(end - start)
        for other, share in zip(paths, shares, strict=True):
            for begin, stop in _spans_of(other, word):
                inside[max(begin - start, 0) : max(stop - start, 0)] += share
        found.append(min(1.0, float(inside.max())))
    return tuple(found)


def posteriors(paths: Sequence[Path], scale: float = 1.0) -> npt.NDArray[np.float64]:
    """Of each path, given that one of them is right."""
    costs = scale * np.array([path.cost for path in paths])
    shares = np.exp(costs.min(initial=np.inf) - costs)
    return np.asarray(shares / shares.sum())


def _spans_of(path: Path, word: int) -> list[tuple[int, int]]:
    return [span for other, span in zip(path.words, _spans(path), strict=True) if other == word]


def _spans(path: Path) -> list[tuple[int, int]]:
    """Of one frame at least: two words may come out of the graph at once."""
    return [(start, max(end, start + 1)) for start, end in path.spans]
