"""Which files of a corpus can really be decoded: found out once, before hours are spent on the rest."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from data.audio import read_audio
from data.collection import Corpus
from data.corpus import Notify
from data.errors import InputError
from data.layouts.shape import Skipped
from data.types import Seconds, Utterance

_State = tuple[str, int, int]  # path, size in bytes, time of change in ns


def verified(corpus: Corpus, progress: Notify = lambda *_: None, cache: Path | None = None) -> Corpus:
    """The corpus without the utterances whose audio cannot be decoded; they are added to its `skipped`.

    With `cache`, a folder, files that were found sound are not decoded again until they change.
    """
    memory = cache / "verified" / f"{corpus.name}.json" if cache is not None else None
    sound = _remembered(memory)
    states = {utterance.source: _state(utterance.source) for utterance in _everyone(corpus)}
    doubtful = [utterance for utterance in _everyone(corpus) if _key(utterance, states) not in sound]
    found = _decode(doubtful, corpus.name, progress)
    broken = {name: reason for name, reason in found.items() if isinstance(reason, str)}
    sound |= {_key(utterance, states) for utterance in doubtful if utterance.id not in broken}
    if memory is not None and doubtful:
        _remember(memory, sound)
    splits = {
        split: tuple(utterance for utterance in members if utterance.id not in broken)
        for split, members in corpus.splits.items()
    }
    skipped = tuple(Skipped(name, reason) for name, reason in broken.items())
    return replace(corpus, splits=splits, skipped=corpus.skipped + skipped)


def decoded_durations(corpus: Corpus, progress: Notify) -> dict[str, Seconds | str]:
    """Seconds of every utterance by id, or why its audio cannot be decoded."""
    return _decode(_everyone(corpus), corpus.name, progress)


def _everyone(corpus: Corpus) -> list[Utterance]:
    return [utterance for members in corpus.splits.values() for utterance in members]


def _decode(utterances: list[Utterance], name: str, progress: Notify) -> dict[str, Seconds | str]:
    found: dict[str, Seconds | str] = {}
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        for done, (utterance, result) in enumerate(
            zip(utterances, pool.map(_seconds, utterances), strict=True), start=1
        ):
            found[utterance.id] = result
            progress(done, len(utterances), f"decoding {name}")
    return found


def _seconds(utterance: Utterance) -> Seconds | str:
    try:
        return read_audio(utterance.source, utterance.start, utterance.duration).seconds
    except InputError as error:
        return str(error)


def _state(path: Path) -> _State:
    try:
        status = path.stat()
    except OSError:
        return str(path), -1, -1
    return str(path), status.st_size, status.st_mtime_ns


def _key(utterance: Utterance, states: dict[Path, _State]) -> str:
    return json.dumps([*states[utterance.source], utterance.start, utterance.duration])


def _remembered(memory: Path | None) -> set[str]:
    """What an earlier call found sound; a memory that is lost or damaged costs time alone."""
    try:
        return set(json.loads(memory.read_text(encoding="utf-8"))) if memory is not None else set()
    except (OSError, ValueError, TypeError):
        return set()


def _remember(memory: Path, sound: set[str]) -> None:
    """Written beside and renamed, so that it is whole or absent; a disk that refuses it changes no result."""
    fresh = memory.with_suffix(f".{os.getpid()}.tmp")
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(json.dumps(sorted(sound)), encoding="utf-8")
        fresh.replace(memory)
    except OSError:
        fresh.unlink(missing_ok=True)
