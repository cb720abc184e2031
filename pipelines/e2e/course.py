"""What a training remembers of its way beside the weights: losses, seconds, scores on dev."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from data.types import Seconds

_PIECE = 50


@dataclass(frozen=True)
class Score:
    """The averaged weights after `step` updates: `errors` a token of dev; `seconds` as in `Course`."""

    step: int
    errors: float
    seconds: Seconds | None = None


@dataclass
class Course:
    """Kept in every checkpoint.

    `losses` has one entry a step; `seconds` too, since the training began, or fewer where somebody did not
    tell the time. `position` is how far the schedule of learning rates is, in steps: beyond the steps done
    where a budget shortens the training. `cuts` are those of `pipelines.e2e.crossing`, once they were looked
    for.
    """

    losses: list[float] = field(default_factory=list)
    seconds: list[Seconds] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)
    position: float = 0.0
    cuts: list[list[tuple[float, int]]] | None = None

    @property
    def best(self) -> Score | None:
        """The first of those with the fewest errors."""
        return min(self.scores, key=lambda score: score.errors, default=None)

    @property
    def since_best(self) -> int:
        """How many scores the best has stood through; those at which nothing was heard yet do not count."""
        after = 0
        for score in self.scores:
            after = 0 if score is self.best else after + (score.errors < 1)
        return after

    def curve(self) -> dict[str, Any]:
        """For people and reports: means over pieces of the training, each with the step that it ends at."""
        ends = [min(i + _PIECE, len(self.losses)) for i in range(0, len(self.losses), _PIECE)]
        timed = len(self.seconds) == len(self.losses)
        return {
            "steps": ends,
            "loss": [round(sum(part) / len(part), 4) for part in self._pieces()],
            "seconds": [round(self.seconds[end - 1], 1) for end in ends] if timed else [],
            "dev": [asdict(score) for score in self.scores],
        }

    def _pieces(self) -> list[list[float]]:
        return [self.losses[i : i + _PIECE] for i in range(0, len(self.losses), _PIECE)]

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    def restore(self, text: str) -> None:
        """Takes over what `to_json` wrote. Raises `KeyError`, `TypeError`, `ValueError` for others."""
        stored = json.loads(text)
        self.losses, self.seconds = list(stored["losses"]), list(stored["seconds"])
        self.scores = [Score(**score) for score in stored["scores"]]
        self.position = float(stored["position"])
        if stored.get("cuts") is not None:
            self.cuts = [[(float(at), int(label)) for at, label in own] for own in stored["cuts"]]
