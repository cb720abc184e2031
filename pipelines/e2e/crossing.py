"""Utterances that go on, from a pause between two words, as another one of their speaker.

A network that hears few sentences learns them by heart; these are sentences that nobody said. After Lam
et al., "On-the-fly aligned data augmentation for sequence-to-sequence ASR" (Interspeech 2021), who exchange
single words: a whole remainder has one joint, and the network's own forced alignment says where pauses lie.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from data.errors import InputError
from pipelines.e2e.alignment import forced_align
from pipelines.e2e.augment import pad
from pipelines.e2e.decoder import LogProbs
from pipelines.e2e.features import LogMel
from pipelines.e2e.models.network import Network
from pipelines.e2e.speech import AsSaid, Example, Speech, needed_frames
from pipelines.e2e.tokens import Tokens

_DIP = 2.0  # nepers of power that a pause lies below its surroundings
_AROUND = 15  # feature frames to each side that these are
_SMOOTH = 5
_BATCH = 16
_T = TypeVar("_T")

Cut: TypeAlias = tuple[float, int]
"""A pause between two words: at which share of the utterance, and where the second word's labels begin, with
the space before it where there is one."""
Cuts: TypeAlias = Sequence[Sequence[Cut]]


@dataclass(frozen=True, eq=False)
class Crossing:
    """A `pipelines.e2e.speech.Picking` that crosses `share` of the picks, where there is something to cross.

    `cuts` has an entry for each example of `speech`. What is crossed may be longer than both utterances.
    """

    speech: Speech
    cuts: Cuts
    share: float
    subsampling: int

    @cached_property
    def _mates(self) -> dict[str, list[int]]:
        """The examples with a cut, by their speaker."""
        mates: dict[str, list[int]] = {}
        for i, (example, cuts) in enumerate(zip(self.speech.examples, self.cuts, strict=True)):
            if cuts:
                mates.setdefault(example.speaker, []).append(i)
        return mates

    def pick(self, index: int, speed: int, rng: np.random.Generator) -> tuple[Tensor, tuple[int, ...]]:
        if self.cuts[index] and rng.random() < self.share:
            x, labels = self._crossed(index, speed, rng)
            if len(x) // self.subsampling >= needed_frames(labels):
                return x.float(), labels
        return AsSaid(self.speech).pick(index, speed, rng)

    def _crossed(self, index: int, speed: int, rng: np.random.Generator) -> tuple[Tensor, tuple[int, ...]]:
        """Raw features (F, 80), float16, of the beginning of one and the end of another, and their labels."""
        example = self.speech.examples[index]
        place = _drawn(self._mates[example.speaker], rng)
        other = self.speech.examples[place]
        (at, label), (onward, rest) = (_drawn(self.cuts[i], rng) for i in (index, place))
        before, after = example.variants[speed], other.variants[speed]
        x = torch.cat([before[: round(at * len(before))], after[round(onward * len(after)) :]])
        return x, example.labels[:label] + other.labels[rest:]


def _drawn(items: Sequence[_T], rng: np.random.Generator) -> _T:
    return items[int(rng.integers(len(items)))]


@torch.inference_mode()
def find_cuts(speech: Speech, network: Network, front: LogMel, tokens: Tokens) -> list[list[Cut]]:
    """Those of each example, by `network` in its mode of evaluation, on the device of `front`."""
    device = front.mean.device
    found = []
    for begin in range(0, len(speech.examples), _BATCH):
        part = speech.examples[begin : begin + _BATCH]
        features, lengths = pad([front.normalise(e.variants[0].float().to(device)) for e in part])
        lengths = lengths.to(device)
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
    level = example.variants[0].float().mean(1).numpy()  # (F,)
    loud = np.convolve(level, np.ones(_SMOOTH) / _SMOOTH, "same")
    cuts = []
    for label in range(1, len(runs)):
        if tokens.begins(example.labels[label]):
            first = label + tokens.is_space(example.labels[label])  # of the second word
            frame = _quietest(loud, runs[label - 1].end * subsampling, runs[first].start * subsampling)
            if loud[max(0, frame - _AROUND) : frame + _AROUND].max() - loud[frame] >= _DIP:
                cuts.append((round(frame / len(loud), 4), label))
    return cuts


def _quietest(loud: npt.NDArray[Any], start: int, end: int) -> int:
    """The frame of `loud` (F,) in [start, end), or `start` where that is empty."""
    return start + int(loud[start : max(end, start + 1)].argmin())
