"""JSONL manifests: an object a line, with our field names or NeMo's.

audio | audio_filepath, text, and optionally id, speaker, duration, offset | start. Other keys are ignored.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data.layouts.shape import Layout, Reading, Skipped, by_split, numbered_lines
from data.types import Utterance

_AUDIO = ("audio", "audio_filepath")
_START = ("offset", "start")
_LONGEST = 1e9  # seconds
_Row = Mapping[str, Any]


def read(folder: Path, part: str) -> Reading:
    """The rows of the manifest `folder/part`; audio paths are relative to the manifest, or absolute."""
    manifest = folder / part
    rows, skipped = _rows(manifest)
    files = Counter(_first(row, _AUDIO) for _, row in rows)
    utterances, lines = [], {}
    for number, row in rows:
        place = f"{manifest.name}:{number}"
        segmented = _first(row, _START) is not None or files[_first(row, _AUDIO)] > 1
        utterance = _utterance(manifest.parent, row, segmented)
        utterances.append(utterance)
        lines[utterance.id] = place
    return Reading(tuple(utterances), tuple(skipped), lines)


def _rows(manifest: Path) -> tuple[list[tuple[int, _Row]], list[Skipped]]:
    rows: list[tuple[int, _Row]] = []
    skipped = []
    for number, line in numbered_lines(manifest):
        row, fault = _parsed(line)
        if row is None:
            skipped.append(Skipped(f"{manifest.name}:{number}", f"{manifest.name}:{number}: {fault}"))
        else:
            rows.append((number, row))
    return rows, skipped


def _parsed(line: str) -> tuple[_Row | None, str]:
    """The row of a line, or None and what is wrong with it."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        return None, f"is not JSON ({error})"
    if not isinstance(row, dict):
        return None, "is not a JSON object"
    if not isinstance(_first(row, _AUDIO), str) or not isinstance(row.get("text"), str):
        return None, "needs 'audio' (or 'audio_filepath') and 'text', as strings"
    for key in ("duration", *_START):
        value = row.get(key)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is not None and not (number and 0 <= value < _LONGEST):
            return None, f"'{key}' has to be a number of seconds"
    return row, ""


def _utterance(base: Path, row: _Row, segmented: bool) -> Utterance:
    """`duration` counts only where it selects a segment: otherwise it is a rounded note on the whole file."""
    audio = str(_first(row, _AUDIO))
    start = float(_first(row, _START) or 0.0)
    name = audio.removesuffix(Path(audio).suffix) + (f"-{round(start * 1000)}" if segmented else "")
    speaker = row.get("speaker")
    duration = row.get("duration")
    return Utterance(
        id=str(row.get("id") or name),
        speaker=None if speaker in (None, "") else str(speaker),
        text=row["text"],
        source=base / audio,
        start=start,
        duration=float(duration) if segmented and duration else None,
    )


def _first(row: _Row, keys: tuple[str, ...]) -> Any:
    return next((row[key] for key in keys if row.get(key) is not None), None)


def recognise(folder: Path) -> Mapping[str, tuple[str, ...]] | None:
    manifests = [*folder.glob("*.jsonl"), *folder.glob("*manifest*.json")]
    parts = by_split([path.name for path in manifests])
    # A lone manifest is something to be tested on, unless its name says otherwise.
    named = parts is not None and set(parts) & {"train", "dev", "test"}
    return {"test": (manifests[0].name,)} if len(manifests) == 1 and not named else parts


LAYOUT = Layout("manifest", read, recognise)
