"""The training speech as features in memory, and the batches that an epoch makes of it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from data.errors import InputError
from data.types import Utterance
from pipelines.e2e.augment import SPEEDS, Augmentation, at_speed, disturb, mask, pad
from pipelines.e2e.features import HOP_S, LogMel
from pipelines.e2e.losses import speech_span
from pipelines.e2e.tokens import Tokens
from pipelines.protocol import Progress, TrainingSet


@dataclass(frozen=True, eq=False)
class Example:
    """`variants` are raw features (F, 80), float16, one for each speed; `labels` are token ids."""

    id: str
    variants: tuple[Tensor, ...]
    labels: tuple[int, ...]
    speaker: str = ""

    @property
    def seconds(self) -> float:
        return len(self.variants[0]) * HOP_S


@dataclass(frozen=True, eq=False)
class Batch:
    """features (V, B, F, 80) normalised, lengths (B,) in feature frames, labels (B, L), label_lengths (B,).

    The V views of an utterance are disturbed differently, but frame t is the same moment in each. `spans`
    (B, 2): where the speech begins and ends, in feature frames.
    """

    ids: tuple[str, ...]
    features: Tensor
    lengths: Tensor
    labels: Tensor
    label_lengths: Tensor
    spans: Tensor

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, chosen: Sequence[int]) -> Batch:
        """Those rows alone, without the padding that none of them needs."""
        at = torch.tensor(chosen)
        lengths, label_lengths = self.lengths[at], self.label_lengths[at]
        features, labels = (
            self.features[:, at, : int(lengths.max())],
            self.labels[at, : int(label_lengths.max())],
        )
        ids = tuple(self.ids[i] for i in chosen)
        return Batch(ids, features, lengths, labels, label_lengths, self.spans[at])

    @property
    def largest(self) -> tuple[str, int]:
        """The id of the longest utterance and its feature frames."""
        row = int(self.lengths.argmax())
        return self.ids[row], int(self.lengths[row])


@dataclass(frozen=True, eq=False)
class Speech:
    """What training runs over, and how many utterances were dropped as too short for their tokens."""

    examples: tuple[Example, ...]
    too_short: int


def needed_frames(labels: Sequence[int]) -> int:
    """The frames that CTC needs at least: one a token, and a blank between equal neighbours."""
    return len(labels) + sum(a == b for a, b in itertools.pairwise(labels))


def load_speech(
    corpus: TrainingSet,
    utterances: Sequence[Utterance],
    tokens: Tokens,
    front: LogMel,
    progress: Progress,
    *,
    subsampling: int,
    threads: int = 1,
) -> Speech:
    """Features of all utterances at all speeds; raises `InputError` where none is left to learn from."""
    kept: list[Example] = []
    pool = ThreadPoolExecutor(threads)
    try:
        for n, example in enumerate(pool.map(partial(_example, corpus, tokens, front), utterances)):
            if _long_enough(example, subsampling):
                kept.append(example)
            progress(n + 1, len(utterances), "features")
    finally:
        pool.shutdown(cancel_futures=True)
    if not kept:
        raise InputError("no utterance of the training split is long enough for its text")
    return Speech(tuple(kept), len(utterances) - len(kept))


def _example(corpus: TrainingSet, tokens: Tokens, front: LogMel, utterance: Utterance) -> Example:
    samples = torch.from_numpy(corpus.audio(utterance).samples)
    if not bool(samples.isfinite().all()):
        raise InputError(f"utterance {utterance.id}: samples that are no numbers", utterance.source)
    variants = tuple(front.raw(at_speed(samples, front.sample_rate, s)).half() for s in SPEEDS)
    labels = tuple(tokens.encode(corpus.normalise(utterance.text)))
    return Example(utterance.id, variants, labels, utterance.speaker or utterance.id)


def _long_enough(example: Example, subsampling: int) -> bool:
    frames = min(map(len, example.variants)) // subsampling
    return bool(example.labels) and frames >= needed_frames(example.labels)


class Picking(Protocol):
    """What an example is heard as in a batch."""

    def pick(self, index: int, speed: int, rng: np.random.Generator) -> tuple[Tensor, tuple[int, ...]]:
        """Raw features (F, 80) at one of `SPEEDS`, and their labels."""


@dataclass(frozen=True, eq=False)
class AsSaid:
    """Every example as it was said."""

    speech: Speech

    def pick(self, index: int, speed: int, rng: np.random.Generator) -> tuple[Tensor, tuple[int, ...]]:
        example = self.speech.examples[index]
        return example.variants[speed].float(), example.labels


def epoch_order(
    examples: Sequence[Example], batch_seconds: float, short_first: bool, rng: np.random.Generator
) -> list[list[int]]:
    """Batches of indices, of similar durations, each at most `batch_seconds` long when padded."""
    jitter = rng.uniform(0.9, 1.1, len(examples))
    order = np.argsort([e.seconds * j for e, j in zip(examples, jitter, strict=True)], kind="stable")
    batches: list[list[int]] = [[]]
    longest = 0.0
    for i in order.tolist():
        longest = max(longest, examples[i].seconds)
        if batches[-1] and longest * (len(batches[-1]) + 1) > batch_seconds:
            batches.append([])
            longest = examples[i].seconds
        batches[-1].append(i)
    if not short_first:
        batches = [batches[i] for i in rng.permutation(len(batches))]
    return batches


def make_batch(
    speech: Speech,
    chosen: Sequence[int],
    front: LogMel,
    *,
    speeds: bool,
    settings: Augmentation | None,
    rng: np.random.Generator,
    views: int = 1,
    picking: Picking | None = None,
) -> Batch:
    """Picks a speed for each utterance, disturbs and masks each of its views apart, pads.

    `settings` None leaves it at the speed alone, `picking` None at what was said.
    """
    picking = picking or AsSaid(speech)
    heard: list[list[Tensor]] = [[] for _ in range(views)]
    spans, spelt = [], []
    for i in chosen:
        raw, own = picking.pick(i, int(rng.integers(len(SPEEDS))) if speeds else 0, rng)
        spelt.append(torch.tensor(own))
        spans.append(speech_span(raw))
        for view in heard:
            view.append(front.normalise(_disturbed(raw, speech, settings, rng)))
    lengths = torch.tensor([len(x) for x in heard[0]])
    padded = [pad(view)[0] for view in heard]
    if settings is not None:
        padded = [mask(x, lengths, settings, rng) for x in padded]
    return Batch(
        tuple(speech.examples[i].id for i in chosen),
        torch.stack(padded),
        lengths,
        torch.nn.utils.rnn.pad_sequence(spelt, batch_first=True),
        torch.tensor([len(x) for x in spelt]),
        torch.tensor(spans),
    )


def _disturbed(
    raw: Tensor, speech: Speech, settings: Augmentation | None, rng: np.random.Generator
) -> Tensor:
    """raw (F, 80) -> (F, 80), with another utterance to babble behind it."""
    if settings is None:
        return raw
    other = speech.examples[int(rng.integers(len(speech.examples)))].variants[0].float()
    return disturb(raw, other, settings, rng)
