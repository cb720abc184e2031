"""The training loop: so many steps, resumable after each checkpoint to the very same curve.

Whatever is random in a step is drawn from generators seeded by (seed, step): a checkpoint holds no
generator.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from data.errors import InputError
from pipelines.e2e.augment import Augmentation
from pipelines.e2e.checkpoint import State, read_state, write_state
from pipelines.e2e.device import precision
from pipelines.e2e.features import LogMel
from pipelines.e2e.losses import ctc, flat_start
from pipelines.e2e.models.network import Network, Window
from pipelines.e2e.models.registry import name_of
from pipelines.e2e.settings import TrainSettings
from pipelines.e2e.speech import Batch, Speech, epoch_order, make_batch
from pipelines.protocol import Progress


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
    """The network under training, its optimiser, and the running average of its weights."""

    network: Network
    settings: TrainSettings
    total: int
    window: Window
    device: torch.device
    losses: list[float] = field(default_factory=list)
    symbols: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        s = self.settings
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=s.learning_rate, betas=(0.9, 0.98), weight_decay=s.weight_decay
        )
        self.average = {k: v.detach().clone() for k, v in self.network.state_dict().items()}

    def rate(self, step: int) -> float:
        """Linear warm-up, then half a cosine down to a hundredth."""
        warm = max(1, int(self.settings.warm_up * self.total))
        if step < warm:
            return self.settings.learning_rate * (step + 1) / warm
        share = (step - warm) / max(1, self.total - warm)
        return self.settings.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))

    def step(self, batch: Batch, step: Step, windowed: bool) -> float:
        """One update; returns the loss. Raises `DivergedError` before the weights are touched."""
        loss = self._loss(batch, step, windowed)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise DivergedError(
                f"the loss is {value} at step {step.index} on {', '.join(batch.ids[:4])}"
                f"{' and others' if len(batch.ids) > 4 else ''}; lower learning_rate, or check them"
            )
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip)
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate(step.index)
        self.optimiser.step()
        self._follow(step.index)
        self.losses.append(value)
        return value

    def _loss(self, batch: Batch, step: Step, windowed: bool) -> Tensor:
        lengths = batch.lengths.to(self.device)
        with precision(self.device):
            window = self.window if windowed else None
            scores = self.network(batch.features.to(self.device), lengths, window)
        labels, label_lengths = batch.labels.to(self.device), batch.label_lengths.to(self.device)
        frames = self.network.frames_out(lengths)
        if step.epoch < self.settings.flat_epochs:
            spans = self.network.frames_out(batch.spans.to(self.device))
            return flat_start(scores, frames, labels, label_lengths, spans)
        return ctc(scores, frames, labels, label_lengths)

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
        return State(step, self.network, self.optimiser, self.average, self.losses, self.kind)


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


def fit(
    trainer: Trainer,
    speech: Speech,
    front: LogMel,
    steps: list[Step],
    *,
    checkpoint: Path,
    progress: Progress,
) -> dict[str, Tensor]:
    """Trains through `steps`, from `checkpoint` on where there is one; returns the averaged weights."""
    s = trainer.settings
    start = read_state(checkpoint, trainer) if checkpoint.exists() else 0
    disturbance = Augmentation(s.warp, noise=s.noise, narrow=s.narrow, masked_bands=s.masked_bands)
    trainer.network.train()
    for step in steps[start:]:
        rng = np.random.default_rng((s.seed, 1, step.index))
        augmentation = disturbance if step.epoch >= s.plain_epochs else None
        speeds = step.epoch >= s.flat_epochs
        batch = make_batch(speech, step.examples, front, speeds=speeds, settings=augmentation, rng=rng)
        with torch.random.fork_rng():
            torch.manual_seed(s.seed * 1_000_003 + step.index)
            trainer.step(batch, step, bool(rng.random() < s.windowed))
        done = step.index + 1
        if done % s.checkpoint_steps == 0 or done == len(steps):
            write_state(checkpoint, trainer.state(done))
        running = float(np.mean(trainer.losses[-50:]))
        progress(done, len(steps), f"epoch {step.epoch + 1} of {s.epochs}, loss {running:.3f}")
    return trainer.average
