"""The way of each training as its record tells it: losses, times, scores on dev.

Records may come from strangers: a curve that does not hold together is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reports.figures import in_order
from results.records import Cell, RunRecord

_MOST = 1e12  # no step, second or loss is beyond


@dataclass(frozen=True)
class Score:
    """After `step` updates, `errors` a token of dev; `seconds` None where nobody told the time."""

    step: float
    errors: float
    seconds: float | None


@dataclass(frozen=True)
class Course:
    """The mean `loss` of the pieces that end at `steps`; `seconds` at each, or empty."""

    steps: tuple[float, ...]
    loss: tuple[float, ...]
    seconds: tuple[float, ...]
    scores: tuple[Score, ...]
    ended: str

    @property
    def best(self) -> Score | None:
        """The first of those with the fewest errors."""
        return min(self.scores, key=lambda score: score.errors, default=None)

    @property
    def timed(self) -> bool:
        return bool(self.seconds) and all(score.seconds is not None for score in self.scores)

    def piece_of(self, step: float) -> int:
        """Which piece a step belongs to, the last one for steps beyond."""
        return next((i for i, end in enumerate(self.steps) if end >= step), len(self.steps) - 1)


@dataclass(frozen=True)
class Training:
    """One training, named by the first pipeline that uses its model; `others` do too."""

    pipeline: str
    others: tuple[str, ...]
    entry: str
    seed: int | None
    corpus: str
    seconds: float | None  # with language models and tuning
    course: Course

    @property
    def label(self) -> str:
        """What tells it from the other trainings of its entry."""
        return self.pipeline if self.seed is None else f"seed {self.seed}"


def trainings(record: RunRecord) -> tuple[Training, ...]:
    """Every training that left a curve, once, in the order of the run."""
    courses: dict[tuple[str, ...], Course] = {}
    users: dict[tuple[str, ...], list[Cell]] = {}
    for cell in record.cells:
        if course := course_of(cell.training):
            courses.setdefault(_model(cell), course)
            users.setdefault(_model(cell), []).append(cell)
    return tuple(_training(cells, courses[model]) for model, cells in users.items())


def _training(cells: list[Cell], course: Course) -> Training:
    first = cells[0]
    name, *others = in_order(_plain(cell) for cell in cells)
    seconds: Any = first.training.get("seconds")
    known = float(seconds) if _is_number(seconds) else None
    return Training(name, tuple(others), first.entry or name, first.seed, first.corpus, known, course)


def _model(cell: Cell) -> tuple[str, ...]:
    """What two cells with the same model share; of finished models two may lie in folders of one name."""
    told = (cell.training.get(key) for key in ("model_dir", "model_hash"))
    return tuple(str(name) for name in told if name) or (cell.corpus, _plain(cell))


def _plain(cell: Cell) -> str:
    """The pipeline without the setting of a sweep, which decodes with the same model."""
    return cell.pipeline.partition("@")[0]


def course_of(training: Mapping[str, Any]) -> Course | None:
    """The curve among the facts of a training; None where there is none, or a damaged one."""
    try:
        curve = training["curve"]
        steps, seconds = _rising(curve["steps"]), _rising(curve["seconds"])
        loss = _numbers(curve["loss"])
        scores = tuple(_score(score) for score in _listed(curve["dev"]))
        _rising([score.step for score in scores])
        ended = str(curve.get("ended") or "")
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    fits = len(loss) == len(steps) and len(seconds) in (0, len(steps))
    return Course(steps, loss, seconds, scores, ended) if steps and fits else None


def _score(told: Mapping[str, Any]) -> Score:
    step, errors = _rising([told["step"]])[0], _rising([told["errors"]])[0]
    seconds = told.get("seconds")
    return Score(step, errors, None if seconds is None else _rising([seconds])[0])


def _rising(values: Any) -> tuple[float, ...]:
    """Numbers from zero on that never fall. Raises `TypeError` and `ValueError` for others."""
    found = _numbers(values)
    if any(b < a for a, b in zip((0.0, *found), found, strict=False)):
        raise ValueError("falls")
    return found


def _numbers(values: Any) -> tuple[float, ...]:
    found = _listed(values)
    if not all(_is_number(value) for value in found):
        raise ValueError("holds something else than numbers")
    return tuple(float(value) for value in found)


def _listed(values: Any) -> list[Any]:
    if not isinstance(values, list | tuple):
        raise TypeError("is no list")
    return list(values)


def _is_number(value: Any) -> bool:
    """Finite, and of a size that can be drawn."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _MOST
