"""Intervals and tests over speech. Everything random is seeded; counts are arrays, one entry an utterance."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
from scipy.stats import binom

from bench.score import Pair

Counts = npt.NDArray[np.float64]
RESAMPLES = 10_000
_BLOCK = 1_000  # resamples at a time, which bounds the memory


@dataclass(frozen=True)
class Interval:
    """A rate in percent with its 95 % interval, from so many `groups`: speakers, or utterances."""

    value: float
    low: float
    high: float
    groups: int


def bootstrap_by_speaker(
    errors: Counts, words: Counts, speakers: Sequence[str | None], seed: int, resamples: int = RESAMPLES
) -> Interval:
    """Percentile bootstrap of 100 * sum(errors) / sum(words), resampling speakers; arguments of shape (n,).

    Utterances are resampled where fewer than two speakers are known (Bisani & Ney 2004, speakers as blocks).
    """
    sums = by_group(np.stack([errors, words], axis=1), speakers)  # (g, 2)
    low, high = _percentiles(sums, seed, resamples)
    return Interval(100 * float(sums[:, 0].sum() / sums[:, 1].sum()), low, high, len(sums))


def paired_bootstrap(
    a: Counts,
    b: Counts,
    words: Counts,
    speakers: Sequence[str | None],
    *,
    seed: int,
    resamples: int = RESAMPLES,
) -> Interval:
    """The same of the difference a minus b, in percent absolute, over the same utterances."""
    return bootstrap_by_speaker(a - b, words, speakers, seed, resamples)


def quantile_interval(values: Sequence[float], percent: float) -> tuple[float | None, float | None]:
    """95 % interval of a percentile by order statistics (David & Nagaraja 2003, section 7.1).

    None at an end that so few values cannot bound: the 99th percentile of 100 values has no upper end.
    """
    ordered = np.sort(np.asarray(values, dtype=float))  # (n,)
    below, above = (int(binom.ppf(level, len(ordered), percent / 100)) for level in (0.025, 0.975))
    low = float(ordered[below - 1]) if below >= 1 else None
    high = float(ordered[above]) if above < len(ordered) else None
    return low, high


def by_group(values: Counts, speakers: Sequence[str | None]) -> Counts:
    """Sums of `values`, shape (n, k), within each speaker, shape (g, k); unknown speakers stay apart."""
    known = {speaker for speaker in speakers if speaker is not None}
    if len(known) < 2:
        return values
    keys = [("", str(i)) if speaker is None else (speaker, "") for i, speaker in enumerate(speakers)]
    places = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    sums = np.zeros((len(places), values.shape[1]))
    np.add.at(sums, [places[key] for key in keys], values)
    return sums


def _percentiles(sums: Counts, seed: int, resamples: int) -> tuple[float, float]:
    generator = np.random.default_rng(seed)
    groups = len(sums)
    rates = []
    for first in range(0, resamples, _BLOCK):
        size = min(_BLOCK, resamples - first)
        drawn = generator.multinomial(groups, np.full(groups, 1 / groups), size=size)  # (size, g)
        totals = drawn @ sums  # (size, 2)
        rates.append(100 * totals[:, 0] / np.maximum(totals[:, 1], 1))
    low, high = np.percentile(np.concatenate(rates), [2.5, 97.5])
    return float(low), float(high)


@dataclass(frozen=True)
class MatchedPairs:
    """A MAPSSWE test: `p` two-tailed, NaN where it says nothing; mean and deviation by segment."""

    segments: int
    mean: float
    deviation: float
    z: float
    p: float

    def smallest_detectable(self, words: float) -> float:
        """The difference in percent absolute that this set shows with a power of 0.8 at the 5 % level."""
        factor = NormalDist().inv_cdf(0.975) + NormalDist().inv_cdf(0.8)
        return 100 * factor * self.deviation * math.sqrt(self.segments) / words


def mapsswe(segments: Sequence[tuple[int, int]]) -> MatchedPairs:
    """Matched-pair sentence-segment word error test (Gillick & Cox 1989), over (errors a, errors b).

    z = mean difference / (deviation / sqrt(n)), against the normal distribution, as NIST's sclite has it.
    """
    differences = np.array([a - b for a, b in segments], dtype=float)
    n = len(differences)
    if n == 0 or not differences.any():
        return MatchedPairs(n, 0.0, 0.0, 0.0, 1.0)
    mean = float(differences.mean())
    deviation = float(differences.std(ddof=1)) if n > 1 else 0.0
    if deviation == 0.0:
        return MatchedPairs(n, mean, 0.0, math.nan, math.nan)
    z = mean * math.sqrt(n) / deviation
    return MatchedPairs(n, mean, deviation, z, math.erfc(abs(z) / math.sqrt(2)))


def segments(a: Sequence[Pair], b: Sequence[Pair], correct: int = 2) -> list[tuple[int, int]]:
    """Errors of two alignments of one reference, by segment.

    Segments end at the utterance's ends and where both are right for `correct` words in a row; a segment
    without an error is none.
    """
    found: list[tuple[int, int]] = []
    errors_a = errors_b = right = 0
    for (slips_a, slips_b), is_word in _elements(a, b):
        if slips_a or slips_b:
            if right >= correct and (errors_a or errors_b):
                found.append((errors_a, errors_b))
                errors_a = errors_b = 0
            errors_a, errors_b, right = errors_a + slips_a, errors_b + slips_b, 0
        else:
            right += is_word
    return [*found, (errors_a, errors_b)] if errors_a or errors_b else found


def _elements(a: Sequence[Pair], b: Sequence[Pair]) -> Iterable[tuple[tuple[int, int], bool]]:
    """Errors of both in every gap and every word of the reference, in order; the flag marks words."""
    sides = _slips(a), _slips(b)
    if len(sides[0]) != len(sides[1]):
        raise ValueError("two alignments of different references")
    for place, pair in enumerate(zip(*sides, strict=True)):
        yield pair, place % 2 == 1


def _slips(pairs: Sequence[Pair]) -> list[int]:
    """Errors by place: insertions before word 0, word 0, insertions before word 1, and so on."""
    slips = [0]
    for operation, _, _ in pairs:
        if operation == "insert":
            slips[-1] += 1
        else:
            slips += [int(operation != "equal"), 0]
    return slips


def holm(ps: Sequence[float]) -> list[float]:
    """Holm's (1979) adjusted p-values, in order; a NaN stays NaN and counts for nothing."""
    known = [index for index in np.argsort(ps, kind="stable") if not math.isnan(ps[index])]
    adjusted = [math.nan] * len(ps)
    largest = 0.0
    for rank, index in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - rank) * ps[index]))
        adjusted[index] = largest
    return adjusted
