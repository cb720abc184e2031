"""The updates of a training in their order, and what one of them does to the network."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from data.errors import InputError
from pipelines.e2e.checkpoint import State
from pipelines.e2e.course import Course
from pipelines.e2e.device import precision
from pipelines.e2e.features import HOP_S
from pipelines.e2e.losses import ctc, disagreement, flat_start
from pipelines.e2e.models.network import Network, Window
from pipelines.e2e.models.registry import name_of
from pipelines.e2e.ranks import Ranks
from pipelines.e2e.settings import TrainSettings
from pipelines.e2e.speech import Batch, Speech, epoch_order


class DivergedError(InputError):
    """The loss stopped being a number; the last good checkpoint stays."""


@dataclass(frozen=True)
class Step:
    """One update: `epoch` and `index` count from 0, `examples` are indices into the speech."""

    epoch: int
    index: int
    examples: tuple[int, ...]


@dataclass(eq=False)
class Trainer:
    """The network under training, its optimiser, the running average of its weights, and the best so far."""

    network: Network
    settings: TrainSettings
    total: int
    window: Window
    device: torch.device
    symbols: tuple[str, ...] = ()
    course: Course = field(default_factory=Course)
    best: dict[str, Tensor] = field(default_factory=dict)
    ranks: Ranks = field(default_factory=Ranks)

    def __post_init__(self) -> None:
        s = self.settings
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=s.learning_rate, betas=(0.9, 0.98), weight_decay=s.weight_decay
        )
        self.average = {k: v.detach().clone() for k, v in self.network.state_dict().items()}

    def rate(self, position: float) -> float:
        """Linear warm-up, then half a cosine down to a hundredth."""
        warm = max(1, int(self.settings.warm_up * self.total))
        if position < warm:
            return self.settings.learning_rate * min(1.0, (position + 1) / warm)
        share = (position - warm) / max(1, self.total - warm)
        return self.settings.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))

    def step(self, batch: Batch, step: Step, windowed: bool) -> float:
        """One update by the batch that all ranks share; returns its loss.

        Raises `DivergedError` before the weights are touched, `InputError` where the device has no room.
        """
        self.optimiser.zero_grad(set_to_none=True)
        (value,) = self.ranks.total(self._learn(batch, step, windowed))
        if not math.isfinite(value):
            raise DivergedError(
                f"the loss is {value} at step {step.index} on {_named(batch.ids)}; lower learning_rate,"
                " or check them"
            )
        self.ranks.add_gradients(self.network.parameters())
        nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip)
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate(self.course.position)
        self.optimiser.step()
        self.ranks.average(self.network.buffers())
        self._follow(step.index)
        self.course.losses.append(value)
        return value

    def _learn(self, batch: Batch, step: Step, windowed: bool) -> float:
        """Gradients of this rank's rows, in two halves where the device has no room for them at once."""
        own = self.ranks.mine(range(len(batch)))
        found = self._gradients(batch, own, step, windowed)
        if found is not None:
            return found
        self.optimiser.zero_grad(set_to_none=True)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        halves = [self._gradients(batch, half, step, windowed) for half in (own[::2], own[1::2])]
        if None in halves:
            name, frames = batch.rows(own).largest
            raise InputError(
                f"the device has not memory enough for {(len(own) + 1) // 2} utterances at once; the largest,"
                f" {name}, has {frames * HOP_S:.1f} s: lower batch_seconds, or leave it out"
            )
        return sum(half or 0.0 for half in halves)

    def _gradients(self, batch: Batch, rows: Sequence[int], step: Step, windowed: bool) -> float | None:
        """Adds those of the rows' share in the batch's loss, and returns it; None where memory ran out."""
        if not rows:
            return 0.0
        part = batch if len(rows) == len(batch) else batch.rows(rows)
        try:
            loss = self._loss(part, step, windowed) * (self._extent(part, step) / self._extent(batch, step))
            loss.backward()  # type: ignore[no-untyped-call]
        except torch.OutOfMemoryError:
            return None
        return float(loss.detach())

    def _extent(self, batch: Batch, step: Step) -> int:
        """What the loss is a mean over: frames in the flat start, then tokens."""
        if step.epoch < self.settings.flat_epochs:
            return int(self.network.frames_out(batch.lengths).sum())
        return int(batch.label_lengths.sum())

    def _loss(self, batch: Batch, step: Step, windowed: bool) -> Tensor:
        """A mean over tokens, in the flat start over frames, of all views of the rows."""
        views = len(batch.features)
        lengths = batch.lengths.to(self.device).repeat(views)  # (V * B,)
        with precision(self.device):
            window = self.window if windowed else None
            features = batch.features.flatten(0, 1).to(self.device)  # (V * B, F, 80)
            encoded = self.network.encode(features, lengths, window)
            scores = self.network.scores_of(encoded)
        labels = batch.labels.to(self.device).repeat(views, 1)
        label_lengths = batch.label_lengths.to(self.device).repeat(views)
        frames = self.network.frames_out(lengths)
        if step.epoch < self.settings.flat_epochs:
            spans = self.network.frames_out(batch.spans.to(self.device).repeat(views, 1))
            return flat_start(scores, frames, labels, label_lengths, spans)
        loss = ctc(scores, frames, labels, label_lengths)
        loss = self.network.full_loss(loss, encoded, frames, labels, label_lengths)
        if views == 1:
            return loss
        apart = disagreement(scores.reshape(views, len(batch), *scores.shape[1:]), frames[: len(batch)])
        return loss + self.settings.agreement * apart / batch.label_lengths.sum()

    @torch.no_grad()
    def _follow(self, step: int) -> None:
        decay = min(self.settings.ema, (1 + step) / (10 + step))
        weights = self.network.state_dict()
        torch._foreach_lerp_(list(self.average.values()), [weights[k] for k in self.average], 1 - decay)

    @property
    def kind(self) -> dict[str, str]:
        """What a checkpoint must share to go on from: architecture, sizes, tokens."""
        return {
            "architecture": name_of(self.network),
            "sizes": json.dumps(asdict(self.network.shape)),
            "tokens": json.dumps(self.symbols, ensure_ascii=False),
        }

    def state(self, step: int) -> State:
        return State(
            step, self.network, self.optimiser, self.average, self.best, self.course.to_json(), self.kind
        )


def plan(speech: Speech, settings: TrainSettings) -> list[Step]:
    """All steps of a training, in order; the same for the same speech and settings."""
    return list(_steps(speech, settings))


def _steps(speech: Speech, settings: TrainSettings) -> Iterator[Step]:
    index = 0
    for epoch in range(settings.epochs):
        rng = np.random.default_rng((settings.seed, epoch))
        short_first = epoch < settings.short_first_epochs
        for chosen in epoch_order(speech.examples, settings.batch_seconds, short_first, rng):
            yield Step(epoch, index, tuple(chosen))
            index += 1


def _named(ids: tuple[str, ...], most: int = 12) -> str:
    more = f" and {len(ids) - most} more" if len(ids) > most else ""
    return ", ".join(ids[:most]) + more
