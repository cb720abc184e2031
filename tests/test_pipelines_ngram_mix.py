"""A mixture is a model, exact where its parts hold the n-gram; EM finds the share of each."""

from __future__ import annotations

import math
import random
from itertools import pairwise
from pathlib import Path

import kenlm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import InputError
from pipelines.ngram import BEGIN, END, UNKNOWN, NgramModel, estimate, perplexity, write_arpa
from pipelines.ngram_mix import interpolated, tuned_weights
from pipelines.ngram_prune import pruned


def _text(words: str, sentences: int, seed: int) -> list[list[str]]:
    """Each word is mostly followed by the one after it in `words`."""
    draw = random.Random(seed)
    text = []
    for _ in range(sentences):
        at, sentence = draw.randrange(len(words)), []
        for _ in range(draw.randint(1, 9)):
            sentence.append(words[at])
            at = (at + 1) % len(words) if draw.random() < 0.6 else draw.randrange(len(words))
        text.append(sentence)
    return text


def assert_proper(model: NgramModel) -> None:
    predicted = [i for i, word in enumerate(model.words) if word != BEGIN]
    contexts = {gram[:-1] for table in model.tables for gram in table}
    for context in contexts:
        total = math.fsum(10 ** model.query(word, context) for word in predicted)
        assert total == pytest.approx(1.0, abs=1e-9), context


def test_known_ngrams_have_the_mean_of_their_probabilities() -> None:
    one, two = estimate(_text("abcdef", 200, 1), 3), estimate(_text("fedcba", 150, 2), 2)
    mixed = interpolated([one, two], [0.3, 0.7])
    assert mixed.order == 3
    assert_proper(mixed)
    for gram in [gram for table in mixed.tables for gram in table if gram != (1,)]:
        word, history = mixed.words[gram[-1]], [mixed.words[i] for i in gram[:-1]]
        mean = 0.3 * 10 ** one.log10(word, history) + 0.7 * 10 ** two.log10(word, history)
        assert 10 ** mixed.log10(word, history) == pytest.approx(mean)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from("abc"), max_size=4), min_size=1, max_size=5).filter(any),
    st.lists(st.lists(st.sampled_from("bcde"), max_size=4), min_size=1, max_size=5).filter(any),
    st.floats(0.0, 1.0),
    st.floats(0.0, 0.1),
)
def test_a_mixture_of_anything_sums_to_one(
    one: list[list[str]], two: list[list[str]], share: float, threshold: float
) -> None:
    mixed = interpolated([estimate(one, 2), pruned(estimate(two, 3), threshold)], [share, 1 - share])
    assert_proper(mixed)
    assert_proper(pruned(mixed, threshold))


def test_words_that_one_model_lacks_share_its_unknown() -> None:
    one, two = estimate([["a", "b"]], 1), estimate([["c"]], 1)
    mixed = interpolated([one, two], [1, 1])
    expected = 0.5 * 10 ** one.log10("a") + 0.5 * 10 ** two.log10(UNKNOWN) / 3  # <unk>, a, b
    assert 10 ** mixed.log10("a") == pytest.approx(expected)


def test_kenlm_reads_the_mixture(tmp_path: Path) -> None:
    mixed = interpolated([estimate(_text("abcd", 80, 3), 3), estimate(_text("dbxy", 80, 4), 4)], [0.5, 0.5])
    write_arpa(mixed, tmp_path / "mixed.arpa")
    read = kenlm.Model(str(tmp_path / "mixed.arpa"))
    for sentence in [*_text("abcdxy", 40, 5), ["a", "strange", "b"]]:
        history = [BEGIN]
        for word, their in zip([*sentence, END], read.full_scores(" ".join(sentence)), strict=True):
            assert mixed.log10(word, history) == pytest.approx(their[0], abs=2e-5)
            history.append(word)


def test_em_never_lowers_the_likelihood_and_finds_the_best_share() -> None:
    models = [estimate(_text("abcdef", 200, 1), 3), estimate(_text("fedcba", 200, 2), 3)]
    dev = [*_text("abcdef", 30, 6), *_text("fedcba", 10, 7)]

    def likelihood(weights: tuple[float, ...]) -> float:
        total = 0.0
        for sentence in dev:
            words = [BEGIN, *sentence, END]
            for i in range(1, len(words)):
                each = [10 ** model.log10(words[i], words[:i]) for model in models]
                total += math.log(math.fsum(w * p for w, p in zip(weights, each, strict=True)))
        return total

    found = [likelihood(tuned_weights(models, dev, rounds)) for rounds in (0, 1, 2, 3, 5, 10, 200)]
    assert all(later >= earlier - 1e-9 for earlier, later in pairwise(found))
    best = max(likelihood((share / 100, 1 - share / 100)) for share in range(101))
    assert found[-1] >= best - 1e-3
    weights = tuned_weights(models, dev)
    assert sum(weights) == pytest.approx(1.0) and weights[0] > 0.6


def test_the_mixture_beats_its_parts_on_mixed_text() -> None:
    models = [estimate(_text("abcdef", 200, 1), 3), estimate(_text("fedcba", 200, 2), 3)]
    dev = [*_text("abcdef", 30, 6), *_text("fedcba", 10, 7)]
    mixed = perplexity(interpolated(models, tuned_weights(models, dev)), dev).value
    assert mixed < min(perplexity(model, dev).value for model in models)


def test_a_text_of_strangers_leaves_the_weights_equal() -> None:
    models = [estimate([["a"]], 1), estimate([["b"]], 1)]
    assert tuned_weights(models, []) == (0.5, 0.5)


@pytest.mark.parametrize("weights", [(1.0,), (0.0, 0.0), (-1.0, 2.0)])
def test_weights_that_make_no_mixture(weights: tuple[float, ...]) -> None:
    models = [estimate([["a"]], 1), estimate([["b"]], 1)]
    with pytest.raises(InputError, match="2 language models need"):
        interpolated(models, weights)
