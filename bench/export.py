"""Hands on the model of a finished run: a folder with all that decoding needs, small, with its card."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.cells import Task, blocks
from bench.experiment import stored_experiment
from bench.model_card import User, card_of, page_of
from bench.training import BESIDE, CARD, PAGE, model_hash, models_root
from data.errors import InputError, did_you_mean
from pipelines.compact import compact
from pipelines.registry import load_class
from results.records import Cell, RunRecord
from results.store import MODELS, RunFolder

LIMIT = 16 * 2**20
"""Bytes of the largest file that may be handed on."""


@dataclass(frozen=True)
class Choice:
    """Which of a run's models: that of a pipeline, or of an entry's `seed` (None: its first).

    `corpus`: the measured one, where there are several.
    """

    pipeline: str
    seed: int | None = None
    corpus: str = ""


def export(run: RunFolder, choice: Choice, to: Path, name: str = "", limit: int = LIMIT) -> Path:
    """Writes ``to/name`` (default: CORPUS-PIPELINE) at once or not at all, and returns it.

    Raises `InputError` where the run has no such model, it is gone or another by now, a file is too large,
    or the folder is there already.
    """
    record = run.record()
    cell = chosen(record, choice)
    name = name or f"{cell.corpus}-{cell.pipeline}"
    if not re.fullmatch(r"\w[\w.+-]*", name):
        raise InputError(f"a model's name takes letters, digits, dots and dashes alone, not '{name}'")
    if (to / name).exists():
        raise InputError("is there already; delete it, or choose another --name", to / name)
    model = _model(record, cell, _source(run, cell))
    part = to / f".{name}.part"
    shutil.rmtree(part, ignore_errors=True)
    try:
        _write(part, name, model, limit)
        part.rename(to / name)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return to / name


def chosen(record: RunRecord, choice: Choice) -> Cell:
    """The first cell of the run with a model that `choice` names."""
    named = [c for c in record.cells if choice.pipeline in (c.pipeline, c.entry)]
    if not named:
        known = {c.entry or c.pipeline for c in record.cells}
        hint = did_you_mean(choice.pipeline, known) or f" (there are: {', '.join(sorted(known))})"
        raise InputError(f"run {record.run} has no pipeline '{choice.pipeline}'{hint}")
    seeds = sorted({c.seed for c in named if c.seed is not None})
    if choice.seed is not None and choice.seed not in seeds:
        there = f"there are: {', '.join(map(str, seeds))}" if seeds else "it was trained with none"
        raise InputError(f"pipeline {choice.pipeline} has no seed {choice.seed} ({there})")
    named = [c for c in named if choice.seed in (None, c.seed) and choice.corpus in ("", c.corpus)]
    trained = [c for c in named if c.training and c.status != "failed"]
    if not trained:
        raise InputError(
            f"run {record.run} has no trained model of {choice.pipeline} {choice.corpus}".rstrip()
        )
    corpora = sorted({c.corpus for c in trained})
    if len(corpora) > 1:
        raise InputError(
            f"pipeline {choice.pipeline} has a model for each of {', '.join(corpora)}: add --corpus"
        )
    return trained[0]


def _source(run: RunFolder, cell: Cell) -> Path:
    """The folder of a cell's model, beside its run or under the models of this machine."""
    if "model" in cell.training:
        raise InputError(f"pipeline {cell.pipeline} took the finished model '{cell.training['model']}'")
    folder = str(cell.training.get("model_dir", ""))
    places = [root / folder for root in (run.path.resolve().parent / "models", models_root())]
    found = next((place for place in places if folder and place.is_dir()), None)
    if found is None:
        raise InputError(f"the model of {cell.pipeline} is gone; train it again", places[-1])
    if model_hash(found) != cell.training.get("model_hash"):
        raise InputError(f"is not the model that {cell.pipeline} was measured with; run it again", found)
    return found


def _write(part: Path, name: str, model: _Model, limit: int) -> None:
    files = model.files(model.task)
    for file in files:
        compact(model.source / file, part / file)
        if (size := (part / file).stat().st_size) > limit:
            what = f"has {size / 2**20:.1f} MiB even when made small, more than {limit / 2**20:g}"
            raise InputError(f"{what}: not exported", model.source / file)
    card = card_of(name, model.record, (model.cell, model.task), model.users(files), model.about)
    halved = any(file.endswith(".safetensors") for file in files)
    card |= {"weights": "float16" if halved else "", "model_hash": model_hash(part)}
    place = name if part.parent.resolve() == MODELS.resolve() else f"{part.parent.resolve().name}/{name}"
    (part / CARD).write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (part / PAGE).write_text(page_of(card, place), encoding="utf-8")


@dataclass(frozen=True)
class _Model:
    """A cell's model in its folder `source`, and what the run asked for, by the keys of cells."""

    record: RunRecord
    cell: Cell
    source: Path
    tasks: Mapping[str, Task]
    pipeline: Any

    @property
    def task(self) -> Task:
        return self.tasks[self.cell.key]

    def files(self, task: Task) -> Sequence[str]:
        """Those that decode as `task` does; where the pipeline does not say, all that belong to the model."""
        if hasattr(self.pipeline, "model_files"):
            return list(self.pipeline.model_files(self.source, task.pipeline.spec.decode))
        found = [path for path in sorted(self.source.rglob("*")) if path.is_file()]
        return [str(path.relative_to(self.source)) for path in found if path.name not in BESIDE]

    @property
    def about(self) -> Mapping[str, Any]:
        return self.pipeline.model_facts(self.source) if hasattr(self.pipeline, "model_facts") else {}

    def users(self, files: Sequence[str]) -> list[User]:
        """The cells of the run, sweeps left out, that decode with this model and no other files."""
        return [
            (cell, self.tasks[cell.key])
            for cell in self.record.cells
            if cell.training.get("model_hash") == self.cell.training["model_hash"]
            and cell.status == "ok"
            and not cell.sweep
            and cell.key in self.tasks
            and set(self.files(self.tasks[cell.key])) <= set(files)
        ]


def _model(record: RunRecord, cell: Cell, source: Path) -> _Model:
    asked = stored_experiment(record.config, record.run)
    tasks = {task.cell.key: task for block in blocks(asked) for task in block.tasks}
    if cell.key not in tasks:
        raise InputError(f"run {record.run} does not say what {cell.key} was asked for")
    return _Model(record, cell, source, tasks, load_class(tasks[cell.key].pipeline.spec.use))
