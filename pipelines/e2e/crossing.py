"""Utterances that go on, from a pause between two words, as another one of their speaker.

A network that hears few sentences learns them by heart; these are sentences that nobody said. After Lam
et al., "On-the-fly aligned data augmentation for sequence-to-sequence ASR" (Interspeech 2021), who exchange
single words: a whole remainder has one joint, and the network's own forced alignment says where pauses lie.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from data.errors import InputError
from pipelines.e2e.alignment import forced_align
from pipelines.e2e.augment import pad
from pipelines.e2e.decoder import LogProbs
from pipelines.e2e.features import LogMel
from pipelines.e2e.models.network import Network
from pipelines.e2e.speech import Example, Speech, needed_frames
from pipelines.e2e.tokens import Tokens

_DIP = 2.0  # nepers of power that a pause lies below its surroundings
_AROUND = 15  # feature frames to each side that these are
_SMOOTH = 5
_BATCH = 16

Cut: TypeAlias = tuple[float, int]
"""A pause between two words: at which share of the utterance, and where the second word's labels begin, with
the space before it where there is one."""
Cuts: TypeAlias = Sequence[Sequence[Cut]]


@dataclass(frozen=True, eq=False)
class Crossing:
    """`share` of the picks are crossed; `cuts` has an entry for each example of `speech`."""

    speech: Speech
    cuts: Cuts
    share: float
    subsampling: int

    def __post_init__(self) -> None:
        mates: dict[str, list[int]] = {}
        for i, (example, cuts) in enumerate(zip(self.speech.examples, self.cuts, strict=True)):
            if cuts:
                mates.setdefault(example.speaker, []).append(i)
        object.__setattr__(self, "_mates", mates)

    def pick(self, index: int, speed: int, rng: np.random.Generator) -> tuple[Tensor, tuple[int, ...]]:
        """Raw features (F, 80) at one of the speeds, and their labels."""
        example = self.speech.examples[index]
        if self.cuts[index] and rng.random() < self.share:
            mates: list[int] = getattr(self, "_mates")[example.speaker]  # noqa: B009
            other = mates[int(rng.integers(len(mates)))]
            (at, label), (onward, rest) = (_one(self.cuts[i], rng) for i in (index, other))
            before, after = example.variants[speed], self.speech.examples[other].variants[speed]
            x = torch.cat([before[: round(at * len(before))], after[round(onward * len(after)) :]])
            labels = example.labels[:label] + self.speech.examples[other].labels[rest:]
            if len(x) // self.subsampling >= needed_frames(labels):
                return x.float(), labels
        return example.variants[speed].float(), example.labels


def _one(cuts: Sequence[Cut], rng: np.random.Generator) -> Cut:
    return cuts[int(rng.integers(len(cuts)))]


@torch.inference_mode()
def find_cuts(speech: Speech, network: Network, front: LogMel, tokens: Tokens) -> list[list[Cut]]:
    """Those of each example, by `network` in its mode of evaluation, on the device of `front`."""
    found = []
    for begin in range(0, len(speech.examples), _BATCH):
        part = speech.examples[begin : begin + _BATCH]
        features, lengths = pad([front.normalise(e.variants[0].float().to(front.mean.device)) for e in part])
        lengths = lengths.to(features.device)
        scores = network.scores_of(network.encode(features, lengths)).float().log_softmax(-1)
        log_probs = scores.cpu().numpy()  # (B, T, tokens)
        frames = network.frames_out(lengths).tolist()
        found += [
            _cuts(e, p[:n], tokens, network.subsampling)
            for e, p, n in zip(part, log_probs, frames, strict=True)
        ]
    return found


def _cuts(example: Example, log_probs: LogProbs, tokens: Tokens, subsampling: int) -> list[Cut]:
    """None where the labels do not fit the frames of `log_probs` (T, tokens)."""
    try:
        runs = forced_align(log_probs, example.labels).runs
    except InputError:
        return []
    loud = np.convolve(
        example.variants[0].float().mean(1).numpy(), np.ones(_SMOOTH) / _SMOOTH, "same"
    )  # (F,)
    cuts = []
    for label in range(1, len(runs)):
        if not tokens.begins(example.labels[label]):
            continue
        first = label + tokens.is_space(example.labels[label])  # of the second word
        start = runs[label - 1].end * subsampling
        between = loud[start : max(runs[first].start * subsampling, start + 1)]
        frame = start + int(between.argmin())
        if loud[max(0, frame - _AROUND) : frame + _AROUND].max() - loud[frame] >= _DIP:
            cuts.append((round(frame / len(loud), 4), label))
    return cuts
