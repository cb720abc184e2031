"""Forced alignment against all paths, by enumeration."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import InputError
from pipelines.e2e.alignment import aligned_words, forced_align
from pipelines.e2e.tokens import Tokens, collapse, make_tokens

VOCABULARY = 3


def posteriors(frames: int, seed: int, tokens: int = VOCABULARY) -> np.ndarray:
    scores = np.random.default_rng(seed).normal(0, 2, (frames, tokens))
    return (scores - np.log(np.exp(scores).sum(-1, keepdims=True))).astype(np.float32)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 6), st.lists(st.integers(1, VOCABULARY - 1), max_size=4), st.integers(0, 99))
def test_the_path_is_the_best_of_all_that_collapse_to_the_text(
    frames: int, ids: list[int], seed: int
) -> None:
    log_probs = posteriors(frames, seed)
    scores = {
        path: sum(float(log_probs[t, i]) for t, i in enumerate(path))
        for path in itertools.product(range(VOCABULARY), repeat=frames)
        if collapse(path) == ids
    }
    if not scores:
        with pytest.raises(InputError, match="too few"):
            forced_align(log_probs, ids)
        return
    found = forced_align(log_probs, ids)
    path = [0] * frames
    for run in found.runs:
        path[run.start : run.end] = [run.token] * (run.end - run.start)
    assert found.score == pytest.approx(max(scores.values()), abs=1e-4)
    assert scores[tuple(path)] == pytest.approx(found.score, abs=1e-4)
    assert [run.token for run in found.runs] == ids


@pytest.mark.parametrize("kind", ["characters", "ideographs"])
def test_long_texts_find_their_words(kind: str) -> None:
    words = ["ab", "b", "aab", "bb"] * 20
    tokens: Tokens = make_tokens(["ab", "b a", "bb"], kind, "en", 0)
    path: list[int] = []
    spans = []
    for word in words:
        ids = [t for i in tokens.encode(word) for t in (i, i, 0)]
        spans.append((word, len(path), len(path) + len(ids) - 1))
        path += [*ids, *([tokens.space] if tokens.spaced else [])]
    log_probs = posteriors(len(path), 1, len(tokens)) / 4
    log_probs[np.arange(len(path)), path] += 9.0
    log_probs = log_probs - np.log(np.exp(log_probs).sum(-1, keepdims=True))
    found = aligned_words(log_probs.astype(np.float32), " ".join([*words, "é"]), tokens)
    assert [(w.text, w.start, w.end) for w in found] == spans


def test_posteriors_that_are_no_numbers_are_refused() -> None:
    log_probs = posteriors(4, 1)
    log_probs[2, 1] = np.nan
    with pytest.raises(InputError, match="no number"):
        forced_align(log_probs, [1])
