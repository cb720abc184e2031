"""The weights of a language model, tuned on dev."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from pipelines.e2e.decoder import Weights
from pipelines.e2e.graph_search import GraphSearch
from pipelines.e2e.language import Heard, errors, tune_graph
from pipelines.e2e.pace import Pace
from pipelines.e2e.token_graph import token_graph
from pipelines.e2e.tokens import Tokens, tokens_of
from pipelines.ngram import estimate, write_arpa

TOKENS = tokens_of(["ab"])
TEXT = [["a"], ["a", "b"], ["ab"], ["ab", "a"], ["a", "b", "a"], ["b"], ["aa", "b"]]


def clear(text: str, tokens: Tokens, contrast: float) -> np.ndarray:
    """Each token of `text` in a frame of its own, a blank after it, some noise in all."""
    ids = [i for token in tokens.encode(text) for i in (token, 0)]
    noise = np.random.default_rng(len(text)).normal(0, 1, (len(ids), len(tokens)))
    x = np.eye(len(tokens))[ids] * contrast + noise
    return (x - np.log(np.exp(x).sum(-1, keepdims=True))).astype(np.float32)


@pytest.fixture
def arpa(tmp_path: Path) -> Path:
    write_arpa(estimate(TEXT), tmp_path / "trigram.arpa")
    return tmp_path / "trigram.arpa"


@pytest.mark.parametrize(("limit", "tried"), [(None, 21), (35.0, 3), (5.0, 1)])
def test_weights_are_tuned_by_dev_while_there_is_time(arpa: Path, limit: float | None, tried: int) -> None:
    graph, made, now = token_graph(arpa, TOKENS), [], itertools.count(0.0, 10.0)
    heard = [Heard(clear(text, TOKENS, contrast=3.0), text) for text in ("ab a", "a b", "b")]

    def search(weights: Weights) -> GraphSearch:
        made.append(weights)
        return GraphSearch(graph, weights)

    found = tune_graph(heard, search, Pace(0, lambda: next(now), limit))
    assert len(made) == len(set(made)) <= tried and len(made) >= min(tried, 14)

    def wrong(weights: Weights) -> int:
        said = [GraphSearch(graph, weights).decode(h.log_probs) for h in heard]
        return errors([h.reference for h in heard], said)

    assert wrong(found) == min(map(wrong, made))
