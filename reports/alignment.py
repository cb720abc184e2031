"""Aligned utterances: each word with its mark, so that an error is seen with and without colour."""

from __future__ import annotations

from dataclasses import dataclass

from reports.figures import Figures, Group
from reports.wording import kind_of
from results.values import AlignedUtterance

NAMES = {"equal": "correct", "substitute": "substitution", "delete": "deletion", "insert": "insertion"}
MARKS = {"equal": "", "substitute": "S", "delete": "D", "insert": "I"}


@dataclass(frozen=True)
class Pair:
    """One position: the word said above, the word recognised below."""

    operation: str
    name: str
    mark: str
    reference: str
    hypothesis: str


@dataclass(frozen=True)
class Aligned:
    utterance: str
    speaker: str
    condition: str
    errors: str
    pairs: tuple[Pair, ...]


@dataclass(frozen=True)
class Worst:
    """The worst utterances of one pipeline in one condition."""

    pipeline: str
    condition: str
    kind: str
    count: str
    utterances: tuple[Aligned, ...]


def worst(figures: Figures, group: Group) -> tuple[Worst, ...]:
    """The group's aligned utterances by pipeline and condition, in the summary's order."""
    found: dict[tuple[str, str], list[AlignedUtterance]] = {}
    for u in figures.summary.utterances:
        if (u.run, u.corpus, u.split) == (group.run, group.corpus, group.split):
            found.setdefault((u.condition, u.pipeline), []).append(u)
    return tuple(_of(pipeline, condition, listed) for (condition, pipeline), listed in found.items())


def _of(pipeline: str, condition: str, utterances: list[AlignedUtterance]) -> Worst:
    count = counted(len(utterances), "utterance")
    return Worst(pipeline, condition, kind_of(pipeline), count, tuple(aligned(u) for u in utterances))


def counted(number: int, thing: str) -> str:
    """`1 error`, `2 errors`."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def aligned(utterance: AlignedUtterance) -> Aligned:
    """One utterance ready to be shown."""
    pairs = tuple(Pair(op, NAMES[op], MARKS[op], said, heard) for op, said, heard in utterance.pairs)
    words = sum(1 for pair in pairs if pair.operation != "insert")
    errors = f"{counted(utterance.errors, 'error')} in {counted(words, 'word')}"
    return Aligned(utterance.utterance, utterance.speaker or "", utterance.condition, errors, pairs)
