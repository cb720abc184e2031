"""Common Voice: `PART.tsv` with client_id, path and sentence, and the recordings in `clips/`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from data.audio import AUDIO_SUFFIXES
from data.errors import InputError
from data.layouts.shape import Layout, Reading, Skipped, find_audio, is_file, numbered_lines
from data.types import Utterance

_COLUMNS = ("client_id", "path", "sentence")
_SPLITS = {"train": "train", "dev": "dev", "validation": "dev", "test": "test"}


def read(folder: Path, part: str) -> Reading:
    """The rows of `part.tsv`. The speaker is the client_id, the id the clip's name without suffix."""
    table = folder / f"{part}.tsv"
    rows = numbered_lines(table)
    header = next(rows, (1, ""))[1].split("\t")
    missing = [column for column in _COLUMNS if column not in header]
    if missing:
        raise InputError(f"the header lacks {', '.join(missing)}", table, 1)
    speaker, path, sentence = (header.index(column) for column in _COLUMNS)
    utterances, skipped, lines = [], [], {}
    for number, row in rows:
        cells = row.split("\t")
        place = f"{table.name}:{number}"
        if len(cells) <= max(speaker, path, sentence) or "/" in cells[path] or not cells[path]:
            skipped.append(Skipped(place, f"{place}: too few columns, or a path that is no file name"))
            continue
        source = _clip(folder / "clips", cells[path])
        utterances.append(Utterance(source.stem, cells[speaker] or None, cells[sentence], source))
        lines[source.stem] = place
    return Reading(tuple(utterances), tuple(skipped), lines)


def _clip(clips: Path, name: str) -> Path:
    """The clip as named, or as re-encoded under another suffix; older releases leave the suffix out."""
    named = clips / name
    if is_file(named):
        return named
    stem = named.with_suffix("") if named.suffix in AUDIO_SUFFIXES else named
    return find_audio(stem, (".mp3", *AUDIO_SUFFIXES)) or named


def recognise(folder: Path) -> Mapping[str, tuple[str, ...]] | None:
    if not (folder / "clips").is_dir():
        return None
    parts = [path.stem for path in sorted(folder.glob("*.tsv")) if path.stem in _SPLITS]
    if not parts and (folder / "validated.tsv").is_file():
        return {"test": ("validated",)}
    return {_SPLITS[part]: (part,) for part in parts} or None


LAYOUT = Layout("commonvoice", read, recognise)
