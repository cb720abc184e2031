"""Kaldi data directories: `wav.scp`, `text`, and where present `utt2spk` and `segments`.

An entry of wav.scp that is a command (``... |``) is never run: its utterances are skipped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from data.layouts.shape import Layout, Reading, Skipped, by_split, is_file, keyed_lines
from data.types import Seconds, Utterance


@dataclass(frozen=True)
class _Segment:
    recording: str
    start: Seconds
    duration: Seconds | None
    fault: str | None = None


def read(folder: Path, part: str) -> Reading:
    """The utterances of the data directory `folder/part`, in the order of its `text`."""
    directory = folder / part
    recordings = {name: value.strip() for _, name, value in keyed_lines(directory / "wav.scp")}
    speakers = {name: value.strip() for _, name, value in _optional(directory / "utt2spk")}
    segments = _segments(directory / "segments")
    utterances, skipped, lines = [], [], {}
    for number, name, text in keyed_lines(directory / "text"):
        default = None if segments else _Segment(name, 0.0, None)
        segment = segments.get(name, default)
        found = _fault(segment, recordings)
        if found or segment is None:
            skipped.append(Skipped(name, found or "has no line in segments"))
            continue
        source = _locate(folder, directory, recordings[segment.recording])
        utterances.append(Utterance(name, speakers.get(name), text, source, segment.start, segment.duration))
        lines[name] = f"text:{number}"
    return Reading(tuple(utterances), tuple(skipped), lines)


def _fault(segment: _Segment | None, recordings: Mapping[str, str]) -> str | None:
    if segment is None or segment.fault:
        return segment.fault if segment else None
    entry = recordings.get(segment.recording)
    if not entry:
        return f"wav.scp has no recording {segment.recording}"
    if entry.endswith("|") or entry.startswith("|"):
        return "its wav.scp entry is a command, and asrbench runs none: write the audio to a file"
    if ".ark:" in entry:
        return "its wav.scp entry points into an archive: write the audio to a file"
    return None


def _segments(path: Path) -> dict[str, _Segment]:
    segments = {}
    for number, name, value in _optional(path):
        cells = value.split()
        try:
            start, end = float(cells[1]), float(cells[2])
        except (ValueError, IndexError):
            start, end = math.nan, math.nan
        if not (math.isfinite(start) and start >= 0) or (end != -1 and not start < end < math.inf):
            fault = f"segments:{number}: expected 'utterance recording start end', in seconds"
            segments[name] = _Segment("", 0.0, None, fault)
        else:
            # An end of -1 means the recording's end.
            segments[name] = _Segment(cells[0], start, None if end == -1 else end - start)
    return segments


def _optional(path: Path) -> list[tuple[int, str, str]]:
    return list(keyed_lines(path)) if path.is_file() else []


def _locate(folder: Path, directory: Path, entry: str) -> Path:
    """Kaldi reads relative paths from where its recipe runs: most often the folder above data/."""
    bases = (directory, folder, folder.parent)
    return next((base / entry for base in bases if is_file(base / entry)), directory / entry)


def recognise(folder: Path) -> Mapping[str, tuple[str, ...]] | None:
    if (folder / "wav.scp").is_file():
        return {"test": (".",)}
    scripts = [*folder.glob("*/wav.scp"), *folder.glob("data/*/wav.scp")]
    return by_split([str(path.parent.relative_to(folder)) for path in scripts])


LAYOUT = Layout("kaldi", read, recognise)
