"""A pruned model is a model, and what goes is what costs least."""

from __future__ import annotations

import math
import random
from itertools import product
from pathlib import Path

import kenlm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import InputError
from pipelines.ngram import BEGIN, END, Entry, NgramModel, estimate, perplexity, write_arpa
from pipelines.ngram_prune import pruned, weighted


def _corpus(sentences: int = 300, seed: int = 5) -> list[list[str]]:
    draw = random.Random(seed)
    words = [f"w{i}" for i in range(25)]
    weights = [1 / (i + 1) for i in range(25)]
    return [draw.choices(words, weights, k=draw.randint(0, 8)) for _ in range(sentences)]


def assert_proper(model: NgramModel) -> None:
    """Brute force over the vocabulary in every context that the model holds, and in one it does not."""
    predicted = [i for i, word in enumerate(model.words) if word != BEGIN]
    contexts = {gram[:-1] for table in model.tables for gram in table} | {(0,) * (model.order - 1)}
    for context in contexts:
        total = math.fsum(10 ** model.query(word, context) for word in predicted)
        assert total == pytest.approx(1.0, abs=1e-9), context


@pytest.mark.parametrize("threshold", [0.0, 1e-6, 1e-4, 1e-2, math.inf])
@pytest.mark.parametrize("order", [2, 3, 4])
def test_sums_to_one_whatever_goes(order: int, threshold: float) -> None:
    model = pruned(estimate(_corpus(), order), threshold)
    assert_proper(model)
    for table, above in zip(model.tables, model.tables[1:], strict=False):
        assert {gram[:-1] for gram in above} <= set(table)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from("abc"), max_size=4), min_size=1, max_size=6).filter(any),
    st.floats(0.0, 0.5),
)
def test_tiny_models_stay_proper(sentences: list[list[str]], threshold: float) -> None:
    assert_proper(pruned(estimate(sentences, 3), threshold))


def test_nothing_goes_at_zero_and_everything_at_infinity() -> None:
    model = estimate(_corpus(), 3)
    same, unigram = pruned(model, 0.0), pruned(model, math.inf)
    assert unigram.counts == model.counts[:1]
    for word, history in product(model.words[2:8], [("w0", "w1"), (BEGIN,), ("w3", "w24")]):
        assert same.log10(word, history) == pytest.approx(model.log10(word, history), abs=1e-9)


def test_the_loss_is_the_relative_entropy_when_one_bigram_goes() -> None:
    """Each bigram alone, taken out by hand: D by summing over the vocabulary, weighted by P(history)."""
    model = estimate(_corpus(40), 2)
    losses = {}
    for gone in model.tables[1]:
        fewer = {gram: entry for gram, entry in model.tables[1].items() if gram != gone}
        without = weighted(NgramModel(model.words, (model.tables[0], fewer)))
        history = 10 ** model.query(2 if gone[0] == 1 else gone[0], ())
        words = [i for i, word in enumerate(model.words) if word != BEGIN]
        p = [model.query(word, gone[:1]) for word in words]
        q = [without.query(word, gone[:1]) for word in words]
        divergence = history * math.fsum(10**a * (a - b) for a, b in zip(p, q, strict=True)) * math.log(10)
        losses[gone] = math.expm1(divergence)
    ranked = sorted(losses.values())
    threshold = (ranked[len(ranked) // 2] + ranked[len(ranked) // 2 + 1]) / 2
    assert set(pruned(model, threshold).tables[1]) == {g for g, loss in losses.items() if loss >= threshold}


def test_less_is_worse_and_kenlm_agrees(tmp_path: Path) -> None:
    model, apart = estimate(_corpus(), 3), _corpus(60)
    small = pruned(model, 1e-3)
    assert small.counts[2] < 0.7 * model.counts[2]
    full = perplexity(model, apart).value
    assert full < perplexity(small, apart).value < perplexity(pruned(model, math.inf), apart).value
    write_arpa(small, tmp_path / "small.arpa")
    read = kenlm.Model(str(tmp_path / "small.arpa"))
    for sentence in apart:
        history = [BEGIN]
        for word, their in zip([*sentence, END], read.full_scores(" ".join(sentence)), strict=True):
            assert small.log10(word, history) == pytest.approx(their[0], abs=2e-5)
            history.append(word)


def test_more_than_the_whole_probability_is_refused() -> None:
    words = ("<unk>", "<s>", "</s>", "a")
    unigrams = {(i,): Entry(math.log10(1 / 3), 0.0) for i in (0, 2, 3)}
    bigrams = {(3, 3): Entry(math.log10(0.8), 0.0), (3, 2): Entry(math.log10(0.5), 0.0)}
    with pytest.raises(InputError, match=r"after 'a' have a probability of 1\.3"):
        weighted(NgramModel(words, (unigrams, bigrams)))
    with pytest.raises(InputError, match="0 or more"):
        pruned(NgramModel(words, (unigrams,)), -1.0)
