"""Modified Kneser-Ney: probabilities sum to one, and the kenlm module reads back the very same numbers."""

from __future__ import annotations

import math
import random
from itertools import pairwise, product
from pathlib import Path

import kenlm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import InputError
from pipelines.ngram import BEGIN, END, UNKNOWN, estimate, perplexity, write_arpa


def _corpus(sentences: int = 400, seed: int = 5) -> list[list[str]]:
    """Skewed text, so that no count of counts vanishes."""
    draw = random.Random(seed)
    words = [f"w{i}" for i in range(40)]
    weights = [1 / (i + 1) for i in range(40)]
    return [draw.choices(words, weights, k=draw.randint(0, 8)) for _ in range(sentences)]


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_sums_to_one_in_every_context(order: int) -> None:
    model = estimate(_corpus(), order)
    predicted = [word for word in model.words if word != BEGIN]
    contexts = {gram[:-1] for table in model.tables for gram in table} | {(7, 3, 9), (0,)}
    for context in contexts:
        history = [model.words[i] for i in context]
        total = math.fsum(10 ** model.log10(word, history) for word in predicted)
        assert total == pytest.approx(1.0, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.sampled_from("abc"), max_size=4), min_size=1, max_size=6), st.integers(1, 3))
def test_tiny_corpora_sum_to_one_too(sentences: list[list[str]], order: int) -> None:
    if not any(sentences):
        with pytest.raises(InputError, match="empty"):
            estimate(sentences, order)
        return
    model = estimate(sentences, order)
    predicted = [word for word in model.words if word != BEGIN]
    for history in product([*model.words], repeat=order - 1):
        assert math.fsum(10 ** model.log10(w, history) for w in predicted) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("order", [2, 3, 5])
def test_kenlm_reads_the_same_numbers(tmp_path: Path, order: int) -> None:
    model = estimate(_corpus(), order)
    write_arpa(model, tmp_path / "lm.arpa")
    read = kenlm.Model(str(tmp_path / "lm.arpa"))
    assert read.order == order
    for sentence in [*_corpus(50, seed=9), ["w1", "strange", "w2"]]:
        history = [BEGIN]
        theirs = [score for score, _, _ in read.full_scores(" ".join(sentence))]
        for word, their in zip([*sentence, END], theirs, strict=True):
            assert model.log10(word, history) == pytest.approx(their, abs=2e-5)
            history.append(word)


def test_chen_and_goodman_by_hand() -> None:
    """Counts too small for discounts of their own take 0.5, 1, 1.5; the rest can be worked out by hand."""
    model = estimate([["a", "b"], ["a", "b"], ["a", "c"]], order=2)
    # unigram continuation counts: a 1 (after <s>), b 1, c 1, </s> 2 (after b, c); freed 3 * 0.5 + 1 of 5
    unigram = (1 - 0.5) / 5 + 2.5 / 5 / 5
    freed = (1.0 + 0.5) / 3
    assert 10 ** model.log10("b", ["a"]) == pytest.approx((2 - 1.0) / 3 + freed * unigram)
    assert 10 ** model.log10(UNKNOWN) == pytest.approx(2.5 / 5 / 5)


def test_discounts_follow_the_counts_of_counts() -> None:
    model = estimate(_corpus(), order=2)
    bigrams = [("<s>", *s, "</s>") for s in _corpus()]
    counts: dict[tuple[str, str], int] = {}
    for ids in bigrams:
        for pair in pairwise(ids):
            counts[pair] = counts.get(pair, 0) + 1
    t = [0, *(sum(c == k for c in counts.values()) for k in (1, 2, 3, 4))]
    y = t[1] / (t[1] + 2 * t[2])
    assert model.discounts[1].one == pytest.approx(1 - 2 * y * t[2] / t[1])
    assert model.discounts[1].many == pytest.approx(3 - 4 * y * t[4] / t[3])


def test_perplexity_leaves_unknown_words_out() -> None:
    model = estimate([["a", "b"], ["a"]], order=2)
    found = perplexity(model, [["a", "zebra"]])
    assert (found.words, found.unknown) == (2, 1)
    expected = -(model.log10("a", [BEGIN]) + model.log10(END, [UNKNOWN])) / 2
    assert found.value == pytest.approx(10**expected)


def test_reserved_words_are_refused() -> None:
    with pytest.raises(InputError, match="reserved"):
        estimate([["a", "<s>"]], order=2)


def test_a_given_vocabulary_is_kept_whole() -> None:
    """Unseen words get their share, words outside are `<unk>`, and everything sums to one."""
    vocabulary = {"w0", "w1", "w2", "w3", "unseen", "new"}
    model = estimate(_corpus(), 3, vocabulary)
    assert set(model.words) == vocabulary | {BEGIN, END, UNKNOWN}
    assert model.log10("unseen") == pytest.approx(model.log10("new"))
    assert model.log10(UNKNOWN) >= model.log10("w3") > model.log10("unseen")
    predicted = [word for word in model.words if word != BEGIN]
    for history in (["w0", "w1"], [BEGIN, UNKNOWN], ["new", "w2"], []):
        assert math.fsum(10 ** model.log10(w, history) for w in predicted) == pytest.approx(1.0, abs=1e-9)
    found = perplexity(model, [["w0", "w9"]])
    assert (found.words, found.unknown, found.unknown_share) == (2, 1, pytest.approx(1 / 3))
