"""Word and character errors: normalised texts, aligned and counted by jiwer (Levenshtein, unit costs)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import jiwer

from data.text import Normaliser
from results.records import UtteranceRow

Operation = Literal["equal", "substitute", "delete", "insert"]
Pair = tuple[Operation, str, str]


@dataclass(frozen=True)
class Counts:
    """Errors of one hypothesis; `words` and `characters` are those of the reference."""

    substitutions: int
    deletions: int
    insertions: int
    words: int
    character_errors: int
    characters: int

    @property
    def errors(self) -> int:
        return self.substitutions + self.deletions + self.insertions


def count(references: Sequence[str], hypotheses: Sequence[str], spaced: bool = True) -> list[Counts]:
    """The errors of each pair of normalised texts, in order.

    An empty reference has no error rate: whoever calls leaves it out (`ValueError` otherwise). Character
    errors count the spaces between words, as jiwer does, unless the language is written without (`spaced`).
    """
    if any(not reference.strip() for reference in references):
        raise ValueError("an empty reference cannot be scored")
    if not references:
        return []
    words = _aligned(jiwer.process_words(list(references), list(hypotheses)))
    said, heard = (
        [text if spaced else text.replace(" ", "") for text in side] for side in (references, hypotheses)
    )
    characters = _aligned(jiwer.process_characters(said, heard))
    return [Counts(*w[:3], w[3], sum(c[:3]), c[3]) for w, c in zip(words, characters, strict=True)]


def _aligned(output: Any) -> list[tuple[int, int, int, int]]:
    """Substitutions, deletions, insertions and reference length of each pair."""
    found = []
    for reference, chunks in zip(output.references, output.alignments, strict=True):
        spans = {"substitute": 0, "delete": 0, "insert": 0, "equal": 0}
        for chunk in chunks:
            spans[chunk.type] += max(
                chunk.ref_end_idx - chunk.ref_start_idx, chunk.hyp_end_idx - chunk.hyp_start_idx
            )
        found.append((spans["substitute"], spans["delete"], spans["insert"], len(reference)))
    return found


def align(reference: str, hypothesis: str) -> tuple[Pair, ...]:
    """The words of two normalised texts side by side; `reference` is not empty."""
    output = jiwer.process_words([reference], [hypothesis])
    heard, said = output.hypotheses[0], output.references[0]
    pairs: list[Any] = []
    for chunk in output.alignments[0]:
        left = said[chunk.ref_start_idx : chunk.ref_end_idx]
        right = heard[chunk.hyp_start_idx : chunk.hyp_end_idx]
        size = max(len(left), len(right))
        left, right = left + [""] * (size - len(left)), right + [""] * (size - len(right))
        pairs += [(chunk.type, a, b) for a, b in zip(left, right, strict=True)]
    return tuple(pairs)


def scored(
    rows: Sequence[UtteranceRow], references: dict[str, str], normaliser: Normaliser
) -> tuple[UtteranceRow, ...]:
    """The rows with normalised texts and counts; `references` are normalised, by utterance id.

    A row with an error keeps its reference but no counts: it is skipped, and counted as such.
    """
    named = [replace(row, reference=references[row.utterance]) for row in rows]
    heard = [replace(row, hypothesis=normaliser(row.raw_hypothesis)) for row in named if row.error is None]
    counts = count([r.reference for r in heard], [r.hypothesis for r in heard], normaliser.unit == "word")
    done = iter([_counted(row, found) for row, found in zip(heard, counts, strict=True)])
    return tuple(row if row.error is not None else next(done) for row in named)


def _counted(row: UtteranceRow, found: Counts) -> UtteranceRow:
    return replace(
        row,
        substitutions=found.substitutions,
        deletions=found.deletions,
        insertions=found.insertions,
        reference_words=found.words,
        character_errors=found.character_errors,
        reference_characters=found.characters,
    )
