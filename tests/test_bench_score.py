"""Errors against jiwer on sets, and against brute-force alignment on what hypothesis comes up with."""

from __future__ import annotations

from functools import cache

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.score import align, count, scored
from data.text import normaliser
from results.records import UtteranceRow

WORDS = st.lists(st.sampled_from(["a", "b", "cc", "d"]), max_size=6)


def fewest(reference: tuple[str, ...], hypothesis: tuple[str, ...]) -> int:
    """The fewest edits, by trying everything."""

    @cache
    def rest(i: int, j: int) -> int:
        if i == len(reference) or j == len(hypothesis):
            return len(reference) - i + len(hypothesis) - j
        keep = rest(i + 1, j + 1) + (reference[i] != hypothesis[j])
        return min(keep, rest(i + 1, j) + 1, rest(i, j + 1) + 1)

    return rest(0, 0)


@given(WORDS.filter(bool), WORDS)
def test_counts_are_a_shortest_alignment(reference: list[str], hypothesis: list[str]) -> None:
    found = count([" ".join(reference)], [" ".join(hypothesis)])[0]
    assert found.errors == fewest(tuple(reference), tuple(hypothesis))
    assert found.words == len(reference)
    assert len(reference) - found.deletions + found.insertions == len(hypothesis)
    said, heard = " ".join(reference), " ".join(hypothesis)
    assert found.character_errors == fewest(tuple(said), tuple(heard))


@given(st.lists(st.tuples(WORDS.filter(bool), WORDS), min_size=1, max_size=8))
def test_sums_are_those_of_jiwer(pairs: list[tuple[list[str], list[str]]]) -> None:
    references, hypotheses = ([" ".join(text) for text in side] for side in zip(*pairs, strict=True))
    found, whole = count(references, hypotheses), jiwer.process_words(references, hypotheses)
    assert sum(c.substitutions for c in found) == whole.substitutions
    assert sum(c.deletions for c in found) == whole.deletions
    assert sum(c.insertions for c in found) == whole.insertions
    assert sum(c.errors for c in found) / sum(c.words for c in found) == pytest.approx(whole.wer)
    rate = sum(c.character_errors for c in found) / sum(c.characters for c in found)
    assert rate == pytest.approx(jiwer.cer(references, hypotheses))


@given(WORDS.filter(bool), WORDS)
def test_alignment_holds_every_word_once(reference: list[str], hypothesis: list[str]) -> None:
    pairs = align(" ".join(reference), " ".join(hypothesis))
    assert [said for operation, said, _ in pairs if operation != "insert"] == reference
    assert [heard for operation, _, heard in pairs if operation != "delete"] == hypothesis
    assert all((a == b) == (operation == "equal") for operation, a, b in pairs)


def test_an_empty_reference_is_refused() -> None:
    with pytest.raises(ValueError, match="empty reference"):
        count(["a", " "], ["a", "b"])


def test_mandarin_characters_without_spaces() -> None:
    assert count(["你 好 吗"], ["你 好"], spaced=False)[0].character_errors == 1


def test_rows_are_normalised_before_they_are_counted() -> None:
    rows = [
        UtteranceRow("u1", "s", 1.0, raw_hypothesis="HELLO, World!"),
        UtteranceRow("u2", "s", 1.0, error="it broke"),
    ]
    first, second = scored(rows, {"u1": "hello there", "u2": "x"}, normaliser("en"))
    assert (first.hypothesis, first.substitutions, first.reference_words) == ("hello world", 1, 2)
    assert (second.reference, second.reference_words) == ("x", 0)
