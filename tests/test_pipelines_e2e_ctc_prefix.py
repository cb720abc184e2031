"""CTC's prefix probabilities against the sum over all paths."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from pipelines.e2e.ctc_prefix import CtcPrefixScorer, Prefixes
from pipelines.e2e.tokens import collapse

TOKENS, FRAMES = 3, 5


def log_posteriors(seed: int, frames: int = FRAMES) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (2 * torch.randn(frames, TOKENS, generator=generator)).double().log_softmax(-1)


def by_paths(log_probs: torch.Tensor) -> dict[tuple[int, ...], float]:
    """P of each sentence of tokens."""
    found: dict[tuple[int, ...], float] = {}
    probs = log_probs.double().exp().numpy()
    for path in itertools.product(range(TOKENS), repeat=len(probs)):
        sentence = tuple(collapse(path))
        found[sentence] = found.get(sentence, 0.0) + float(
            np.prod([p[i] for p, i in zip(probs, path, strict=True)])
        )
    return found


def grown(scorer: CtcPrefixScorer, prefix: tuple[int, ...]) -> Prefixes:
    prefixes = scorer.begin()
    for token in prefix:
        prefixes = scorer.extend(prefixes, torch.tensor([token]))
    return prefixes


@pytest.mark.parametrize("seed", range(4))
def test_prefix_probabilities_are_sums_over_all_paths(seed: int) -> None:
    log_probs = log_posteriors(seed)
    sentences = by_paths(log_probs)
    scorer = CtcPrefixScorer(log_probs)
    for prefix in [(), (1,), (2,), (1, 1), (1, 2), (2, 1, 1), (1, 1, 1), (1, 2, 1, 2), (1, 1, 1, 1)]:
        scores = scorer.scores(grown(scorer, prefix))[0].exp().tolist()
        assert scores[0] == pytest.approx(sentences.get(prefix, 0.0), abs=1e-12)
        for token in range(1, TOKENS):
            longer = (*prefix, token)
            total = sum(p for s, p in sentences.items() if s[: len(longer)] == longer)
            assert scores[token] == pytest.approx(total, rel=1e-9, abs=1e-12)


def test_beginnings_side_by_side_are_scored_as_alone() -> None:
    scorer = CtcPrefixScorer(log_posteriors(1, 9))
    pair = scorer.extend(scorer.begin().of(torch.tensor([0, 0])), torch.tensor([2, 1]))
    pair = scorer.extend(pair.of(torch.tensor([1, 0])), torch.tensor([1, 1]))
    for row, prefix in enumerate([(1, 1), (2, 1)]):
        torch.testing.assert_close(scorer.scores(pair)[row], scorer.scores(grown(scorer, prefix))[0])


def test_a_long_and_sure_utterance_stays_a_number() -> None:
    path = torch.tensor([1, 0, 2, 0] * 400)
    log_probs = (60.0 * torch.nn.functional.one_hot(path, TOKENS)).double().log_softmax(-1)
    scorer = CtcPrefixScorer(log_probs)
    prefixes = scorer.begin()
    for token in (1, 2) * 400:
        best = scorer.scores(prefixes)[0]
        assert int(best.argmax()) == token and float(best[token]) == pytest.approx(0.0, abs=1e-6)
        prefixes = scorer.extend(prefixes, torch.tensor([token]))
    assert float(scorer.scores(prefixes)[0, 0]) == pytest.approx(0.0, abs=1e-6)
