"""Runs on disk: a folder with `record.json` and one gzipped JSON-lines file for each cell.

Every file appears whole or not at all, so that a kill at any moment loses at most the cell in work.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from data.errors import InputError, did_you_mean
from results.records import Cell, RepeatRow, RunRecord, Trial, UtteranceRow
from results.upgrade import upgrade

BASELINES = Path(__file__).parent / "baselines"
MODELS = Path(__file__).parent / "models"
_PARTS: dict[str, type[Any]] = {"rows": UtteranceRow, "repeats": RepeatRow, "trials": Trial}
_HEADER = "record.json"
_DONE = "finished"


def default_root() -> Path:
    """Where runs and models are kept: $ASRBENCH_RUNS, or ``asrbench-runs`` in the current folder."""
    return Path(os.environ.get("ASRBENCH_RUNS") or "asrbench-runs")


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file that a reader sees complete or not at all. `InputError` where the disk refuses."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        what = f"cannot be written ({error.strerror or error}); what was finished before is kept"
        raise InputError(what, path) from error


@dataclass(frozen=True)
class RunFolder:
    """One stored run. Cells can be added while it is in work; `finish` says that none is missing."""

    path: Path

    @classmethod
    def create(cls, root: Path, record: RunRecord) -> RunFolder:
        """A new folder ``root/run`` with the header of `record`."""
        folder = cls(root / record.run)
        folder.write_header(record)
        return folder

    def write_header(self, record: RunRecord) -> None:
        header = asdict(replace(record, cells=()))
        del header["cells"]
        write_whole(self.path / _HEADER, json.dumps(header, indent=1, ensure_ascii=False).encode())

    def add(self, number: int, cell: Cell) -> None:
        """Stores a cell, in place of an earlier state of it; `number` is its place in the run."""
        write_whole(self._cells / f"{number:04d}.jsonl.gz", gzip.compress(_dumped(cell), mtime=0))

    def cells(self) -> dict[int, Cell]:
        """The stored cells by their place. Raises `InputError` for a damaged file."""
        return {int(path.name[:4]): _read_cell(path) for path in sorted(self._cells.glob("*.jsonl.gz"))}

    def header(self) -> RunRecord:
        """The record without its cells."""
        path = self.path / _HEADER
        try:
            header = json.loads(path.read_bytes())
        except OSError as error:
            raise InputError(f"is no asrbench run ({error.strerror})", path) from error
        except ValueError as error:
            raise InputError(f"is damaged: {error}", path) from error
        if not isinstance(header, dict):
            raise InputError("is no asrbench run", path)
        record: RunRecord = _made(RunRecord, upgrade(header, path), path)
        return record

    def record(self) -> RunRecord:
        return replace(self.header(), cells=tuple(self.cells().values()))

    def finish(self) -> None:
        write_whole(self.path / _DONE, b"")

    @property
    def finished(self) -> bool:
        return (self.path / _DONE).exists()

    @property
    def _cells(self) -> Path:
        return self.path / "cells"


def stored_runs(root: Path) -> list[RunFolder]:
    """The runs under `root`, the oldest first."""
    found = [RunFolder(path.parent) for path in root.glob(f"*/{_HEADER}")]
    return sorted(found, key=lambda run: ((run.path / _HEADER).stat().st_mtime_ns, run.path.name))


def find_run(name: str, root: Path | None = None) -> RunFolder:
    """The run that a person names by id, by path, or as ``latest``; committed baselines by their id.

    Raises `InputError` with the nearest id where there is none.
    """
    place = root or default_root()
    if name == "latest":
        runs = stored_runs(place)
        if not runs:
            raise InputError("holds no run yet; begin with: asrbench run quick", place)
        return runs[-1]
    for path in (place / name, BASELINES / name, Path(name), Path(name).parent):
        if (path / _HEADER).is_file() and (path.name == Path(name).name or Path(name).name == _HEADER):
            return RunFolder(path)
    known = [run.path.name for run in stored_runs(place)]
    hint = did_you_mean(name, known) or f" (there are {len(known)} runs in {place})"
    raise InputError(f"there is no run '{name}'{hint}")


def load_run(name: str, root: Path | None = None) -> RunRecord:
    """The record of a run with all its stored cells."""
    return find_run(name, root).record()


def _dumped(cell: Cell) -> bytes:
    head = asdict(replace(cell, rows=(), repeats=(), trials=()))
    lines = [{"cell": {key: value for key, value in head.items() if key not in _PARTS}}]
    for part in _PARTS:
        lines += [{part: asdict(entry)} for entry in getattr(cell, part)]
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()


def _read_cell(path: Path) -> Cell:
    try:
        lines = [json.loads(line) for line in gzip.decompress(path.read_bytes()).decode().splitlines()]
        head = dict(lines[0]["cell"])
    except (OSError, EOFError, ValueError, KeyError, IndexError, TypeError) as error:
        raise InputError(f"is damaged: {error}", path) from error
    for part, kind in _PARTS.items():
        head[part] = tuple(_entries(lines[1:], part, kind, path))
    cell: Cell = _made(Cell, head, path)
    return cell


def _entries(lines: list[Any], part: str, kind: type[Any], path: Path) -> Iterator[Any]:
    for line in lines:
        if part in line:
            values = {key: tuple(v) if isinstance(v, list) else v for key, v in line[part].items()}
            yield _made(kind, values, path)


def _made(kind: type[Any], values: dict[str, Any], path: Path) -> Any:
    """A dataclass from stored values; fields that a later asrbench added within a format are passed over."""
    names = {entry.name for entry in fields(kind)}
    try:
        return kind(**{key: value for key, value in values.items() if key in names})
    except TypeError as error:
        raise InputError(f"is damaged: {error}", path) from error
