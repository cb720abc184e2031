"""The loop of a training: step by step, resumable after each checkpoint to the very same curve.

Whatever is random in a step is drawn from generators seeded by (seed, step): a checkpoint holds no
generator.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from data.errors import InputError
from pipelines.e2e.augment import Augmentation
from pipelines.e2e.checkpoint import read_state, write_state
from pipelines.e2e.course import Score
from pipelines.e2e.crossing import Crossing, Cut, find_cuts
from pipelines.e2e.features import LogMel
from pipelines.e2e.pace import Pace
from pipelines.e2e.selection import Judge
from pipelines.e2e.settings import TrainSettings
from pipelines.e2e.speech import Batch, Speech, make_batch
from pipelines.e2e.tokens import Tokens
from pipelines.e2e.train import DivergedError, Step, Trainer
from pipelines.protocol import Progress, StoppedError

_APART = 7_368_787  # ranks drop different units
EPOCHS, BUDGET, PATIENCE = "epochs", "budget", "patience"


@dataclass(eq=False)
class Fit:
    """What the loop works with; `kept` is the step of the last checkpoint, `judge` None scores nothing."""

    trainer: Trainer
    speech: Speech
    front: LogMel
    tokens: Tokens
    steps: list[Step]
    checkpoint: Path
    progress: Progress
    pace: Pace
    judge: Judge | None = None
    kept: int | None = None

    def run(self) -> str:
        """Trains, from the checkpoint on where there is one; returns what ended it."""
        if self.checkpoint.exists():
            self.kept = read_state(self.checkpoint, self.trainer)
        self.trainer.network.train()
        self.pace.begin(self.trainer.course.position)
        for step in self.steps[self.kept or 0 :]:
            if ending := self._ending():
                break
            self._take(step)
        else:
            ending = EPOCHS
        if not self.trainer.course.losses:
            raise InputError(
                f"e2e: the budget was spent before the first step, after {self.pace.now:.0f} s; give more"
            )
        self._finish()
        return ending

    @property
    def weights(self) -> dict[str, Tensor]:
        """The averaged weights: those with the fewest errors on dev, or the last where nothing was scored."""
        return self.trainer.best or self.trainer.average

    def _ending(self) -> str:
        patience = self.trainer.settings.patience
        if patience and self.trainer.course.since_best >= patience:
            return PATIENCE
        return BUDGET if self.pace.over else ""

    def _take(self, step: Step) -> None:
        course, s = self.trainer.course, self.trainer.settings
        course.position = self.pace.position(step.index)
        self._update(step)
        done = step.index + 1
        last = done == len(self.steps)
        epoch_over = last or self.steps[done].epoch > step.epoch
        if self.judge and (last or (epoch_over and (step.epoch + 1) % max(1, s.score_epochs) == 0)):
            self._score(done)
        self.pace.tick()
        if self.pace.watch is not None:
            course.seconds.append(self.pace.now)
        if done % s.checkpoint_steps == 0 or last:
            self._keep(done)
        try:
            self.progress(max(done, course.position), len(self.steps), self._note(step))
        except StoppedError:
            if self.kept != done:
                self._keep(done)
            raise

    def _update(self, step: Step) -> None:
        s = self.trainer.settings
        rng = np.random.default_rng((s.seed, 1, step.index))
        batch = self._batch(step, rng)
        with torch.random.fork_rng():
            torch.manual_seed(s.seed * 1_000_003 + step.index + _APART * self.trainer.ranks.rank)
            try:
                self.trainer.step(batch, step, bool(rng.random() < s.windowed))
            except DivergedError as error:
                kept = f"what {self.kept} steps taught is kept in {self.checkpoint}"
                raise DivergedError(f"{error}; {kept if self.kept else 'nothing is kept yet'}") from None

    def _batch(self, step: Step, rng: np.random.Generator) -> Batch:
        s = self.trainer.settings
        augmentation = disturbance(s) if step.epoch >= s.plain_epochs else None
        speeds = step.epoch >= s.flat_epochs
        return make_batch(
            self.speech,
            step.examples,
            self.front,
            speeds=speeds,
            settings=augmentation,
            rng=rng,
            views=2 if augmentation and s.agreement else 1,
            picking=self._crossing if augmentation and s.crossed else None,
        )

    @cached_property
    def _crossing(self) -> Crossing:
        """By the cuts that the checkpoint remembers, or else those found now."""
        course = self.trainer.course
        if course.cuts is None:
            course.cuts = self._cuts()
        share = self.trainer.settings.crossed
        return Crossing(self.speech, course.cuts, share, self.trainer.network.subsampling)

    def _cuts(self) -> list[list[Cut]]:
        """By the averaged weights; the first rank's in all of them, for whom a batch is to be the same."""
        found: list[list[Cut]] = []
        if self.trainer.ranks.first:
            average = copy.deepcopy(self.trainer.network).eval()
            average.load_state_dict(self.trainer.average)
            front = copy.deepcopy(self.front).to(self.trainer.device)
            found = find_cuts(self.speech, average, front, self.tokens)
        told = json.loads(self.trainer.ranks.of_first(json.dumps(found)))
        return [[(at, label) for at, label in cuts] for cuts in told]

    def _score(self, done: int) -> None:
        assert self.judge is not None
        found = self.judge.errors(self.trainer.average)
        course = self.trainer.course
        course.scores.append(Score(done, found, self.pace.now if self.pace.watch else None))
        if course.best is course.scores[-1]:
            self.trainer.best = {name: value.clone() for name, value in self.trainer.average.items()}

    def _keep(self, done: int) -> None:
        if self.trainer.ranks.first:
            write_state(self.checkpoint, self.trainer.state(done))
        self.kept = done

    def _finish(self) -> None:
        """Where the training was ended early, its last weights are scored and kept as well."""
        course = self.trainer.course
        done = len(course.losses)
        if self.judge and (not course.scores or course.scores[-1].step < done):
            self._score(done)
        if self.kept != done:
            self._keep(done)

    def _note(self, step: Step) -> str:
        course = self.trainer.course
        running = float(np.mean(course.losses[-50:]))
        told = f"epoch {step.epoch + 1} of {self.trainer.settings.epochs}, loss {running:.3f}"
        if not course.scores:
            return told
        best = min(score.errors for score in course.scores)
        return f"{told}, errors on dev {course.scores[-1].errors:.1%} (best {best:.1%})"


def disturbance(s: TrainSettings) -> Augmentation:
    return Augmentation(
        s.warp,
        noise=s.noise,
        narrow=s.narrow,
        time_masks=s.time_masks,
        masked_time=s.masked_time,
        masked_bands=s.masked_bands,
        rooms=s.rooms,
    )
