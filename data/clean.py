"""From what a reader found to what can be used: ids once, texts that say something, splits apart."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from data.card import HoldOut
from data.errors import InputError
from data.fingerprint import file_digest
from data.layouts.shape import Reading, Skipped
from data.types import Utterance

Splits = dict[str, tuple[Utterance, ...]]

# An utterance in two splits is kept where it matters most: the test set stays as published.
_PRECEDENCE = ("test", "dev", "train")


@dataclass(frozen=True)
class Cleaned:
    """Usable utterances by split, and the others."""

    splits: Mapping[str, tuple[Utterance, ...]]
    skipped: tuple[Skipped, ...]


def clean(
    readings: Mapping[str, Reading], normalise: Callable[[str], str], hold_out: HoldOut | None
) -> Cleaned:
    """Drops, with a reason each, what cannot be used, then takes the held-out split from train."""
    skipped = [entry for reading in readings.values() for entry in reading.skipped]
    kept = {split: _usable(reading, normalise, skipped) for split, reading in readings.items()}
    splits = _apart(kept, skipped)
    if hold_out is not None and "train" in splits:
        splits = held_out(splits, hold_out)
    return Cleaned(splits, tuple(skipped))


def held_out(splits: Splits, hold_out: HoldOut) -> Splits:
    """A new split of `hold_out.speakers` speakers of train, who leave it; the seed alone decides."""
    speakers = sorted({utterance.speaker for utterance in splits["train"] if utterance.speaker is not None})
    if len(speakers) <= hold_out.speakers:
        count = f"{hold_out.speakers} of {len(speakers)} training speakers"
        raise InputError(f"cannot hold out {count}: see [hold_out] in the card")
    chosen = set(random.Random(hold_out.seed).sample(speakers, hold_out.speakers))
    apart = tuple(utterance for utterance in splits["train"] if utterance.speaker in chosen)
    train = tuple(utterance for utterance in splits["train"] if utterance.speaker not in chosen)
    return {**splits, "train": train, hold_out.split: apart}


def _usable(reading: Reading, normalise: Callable[[str], str], skipped: list[Skipped]) -> list[Utterance]:
    """The utterances of one split whose id is new, whose text says something, whose file is there."""
    seen: dict[str, Utterance] = {}
    lines = reading.lines or {}
    for utterance in reading.utterances:
        reason = _fault(utterance, normalise)
        if utterance.id in seen:
            where = lines.get(utterance.id)
            reason = (f"{where}: " if where else "") + "this id occurs twice"
        if reason is None:
            seen[utterance.id] = utterance
        else:
            skipped.append(Skipped(utterance.id, reason))
    return list(seen.values())


def _fault(utterance: Utterance, normalise: Callable[[str], str]) -> str | None:
    if not normalise(utterance.text):
        return f"its reference is empty after normalisation ({utterance.text!r})"
    try:
        size = utterance.source.stat().st_size
    except (OSError, ValueError):
        return f"no such audio file: {utterance.source}"
    return None if size else f"empty audio file: {utterance.source}"


def _apart(kept: Mapping[str, list[Utterance]], skipped: list[Skipped]) -> Splits:
    """No utterance in two splits, by id or by audio."""
    order = sorted(
        kept, key=lambda split: _PRECEDENCE.index(split) if split in _PRECEDENCE else len(_PRECEDENCE)
    )
    shared = _sizes_in_two_splits(kept)
    ids: dict[str, str] = {}
    audios: dict[object, str] = {}
    clean_splits: Splits = {}
    for split in order:
        members = []
        for utterance in kept[split]:
            key = _audio_key(utterance, shared)
            other = ids.get(utterance.id) or (audios.get(key) if key is not None else None)
            if other is None:
                members.append(utterance)
            else:
                skipped.append(
                    Skipped(utterance.id, f"is in two splits: kept in {other}, left out of {split}")
                )
        ids.update({utterance.id: split for utterance in members})
        audios.update({_audio_key(utterance, shared): split for utterance in members})
        clean_splits[split] = tuple(members)
    return {split: clean_splits[split] for split in kept}


def _sizes_in_two_splits(kept: Mapping[str, list[Utterance]]) -> set[int]:
    """File sizes that occur in more than one split: only those files can be the same, and need reading."""
    splits: dict[int, str] = {}
    shared = set()
    for split, utterances in kept.items():
        for size in {utterance.source.stat().st_size for utterance in utterances}:
            if splits.setdefault(size, split) != split:
                shared.add(size)
    return shared


def _audio_key(utterance: Utterance, shared: set[int]) -> tuple[str | Path, float, float | None]:
    """Equal for equal audio: file contents where another split has a file of that size, else the path."""
    size = utterance.source.stat().st_size
    content = file_digest(utterance.source) if size in shared else utterance.source
    return content, utterance.start, utterance.duration
