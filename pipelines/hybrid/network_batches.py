"""What a network's training sees at a time: pieces of utterances of like length, with their context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from pipelines.features import Features
from pipelines.hybrid.gmm import States

IGNORED = -1
"""The label of a frame that only fills a batch up."""


@dataclass(frozen=True)
class Piece:
    """Frames `begin` to `end` of an utterance."""

    utterance: int
    begin: int
    end: int


@dataclass(frozen=True)
class Masks:
    """SpecAugment (Park et al., Interspeech 2019) on normalised features: stretches set to their mean, 0.

    `time` stretches of up to `frames` frames, `bands` of up to `dimensions` neighbouring dimensions.
    """

    time: int = 2
    frames: int = 12
    bands: int = 1
    dimensions: int = 8


@dataclass(frozen=True)
class Batches:
    """How utterances are cut: pieces of at most `longest` frames, about `frames` in a batch.

    `left` and `right` frames of context go with each.
    """

    longest: int
    frames: int
    left: int
    right: int


def pieces(lengths: Sequence[int], longest: int) -> list[Piece]:
    """Each utterance in as few even pieces as `longest` allows."""
    found = []
    for utterance, frames in enumerate(lengths):
        count = -(-frames // longest)
        bounds = [frames * i // max(1, count) for i in range(count + 1)]
        found += [Piece(utterance, a, b) for a, b in pairwise(bounds)]
    return found


def epoch_batches(cut: Sequence[Piece], frames: int, rng: np.random.Generator) -> list[list[Piece]]:
    """All pieces once, those of like length together, batches in random order."""
    lengths = np.array([piece.end - piece.begin for piece in cut])
    order = np.argsort(lengths * rng.uniform(0.9, 1.1, len(cut)), kind="stable")
    batches: list[list[Piece]] = [[]]
    for i in order:
        longest = max(int(lengths[i]), max((p.end - p.begin for p in batches[-1]), default=0))
        if batches[-1] and longest * (len(batches[-1]) + 1) > frames:
            batches.append([])
        batches[-1].append(cut[i])
    return [batches[i] for i in rng.permutation(len(batches))]


def assemble(
    batch: Sequence[Piece], features: Sequence[Features], senones: Sequence[States], around: Batches
) -> tuple[Features, npt.NDArray[np.int64]]:
    """(B, left + T + right, D), edge frames repeated, and labels (B, T), `IGNORED` behind a piece's end."""
    longest = max(piece.end - piece.begin for piece in batch)
    labels = np.full((len(batch), longest), IGNORED, np.int64)
    rows = []
    for row, piece in enumerate(batch):
        x = features[piece.utterance]
        wanted = np.arange(piece.begin - around.left, piece.begin + longest + around.right)
        rows.append(x[np.clip(wanted, 0, len(x) - 1)])
        labels[row, : piece.end - piece.begin] = senones[piece.utterance][piece.begin : piece.end]
    return np.stack(rows), labels


def mask(x: Features, masks: Masks, rng: np.random.Generator) -> None:
    """Masks normalised features (B, T, D) in place."""
    _, frames, dimensions = x.shape
    for row in x:
        for _ in range(masks.time):
            begin, end = _stretch(frames, masks.frames, rng)
            row[begin:end] = 0.0
        for _ in range(masks.bands):
            begin, end = _stretch(dimensions, masks.dimensions, rng)
            row[:, begin:end] = 0.0


def _stretch(size: int, most: int, rng: np.random.Generator) -> tuple[int, int]:
    width = int(rng.integers(0, min(most, size) + 1))
    begin = int(rng.integers(0, size - width + 1))
    return begin, begin + width
