"""One's own audio: every recording beside a text file of the same name (`hello.wav`, `hello.txt`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from data.audio import AUDIO_SUFFIXES
from data.errors import InputError
from data.layouts.shape import Layout, Reading, Skipped, by_split, find_audio, numbered_lines
from data.types import Utterance


def read(folder: Path, part: str) -> Reading:
    """All pairs below `folder/part`; a folder between that and the files names the speaker."""
    base = folder / part
    utterances, skipped, lines = [], [], {}
    for text in sorted(base.rglob("*.txt")):
        source = find_audio(text.with_suffix(""), AUDIO_SUFFIXES)
        name = str(text.relative_to(base).with_suffix(""))
        if source is None:
            skipped.append(Skipped(name, f"no recording beside {text.relative_to(base)}"))
            continue
        words = " ".join(line.strip() for _, line in numbered_lines(text))
        speaker = text.parent.name if text.parent != base else None
        utterances.append(Utterance(name, speaker, words, source))
        lines[name] = str(text.relative_to(base))
    if not utterances:
        raise InputError("holds no recording with a text file of the same name", base)
    return Reading(tuple(utterances), tuple(skipped), lines)


def recognise(folder: Path) -> Mapping[str, tuple[str, ...]] | None:
    pairs = [path for path in folder.rglob("*.txt") if find_audio(path.with_suffix(""), AUDIO_SUFFIXES)]
    if not pairs:
        return None
    tops = {path.relative_to(folder).parts[0] for path in pairs}
    named = [top for top in tops if top in ("train", "dev", "test")]
    return by_split(named) if named else {"test": (".",)}


LAYOUT = Layout("pairs", read, recognise)
