"""Words with their frames, and how sure the decoders are of them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.types import Word
from pipelines.e2e.decoder import Decoder, Greedy, Weights
from pipelines.e2e.graph_search import GraphDecoder, GraphSearch
from pipelines.e2e.hypothesis import HeardWord, Hypothesis, runs_of
from pipelines.e2e.prefix_beam import PrefixBeam
from pipelines.e2e.token_graph import token_graph
from pipelines.e2e.tokens import Tokens, collapse, make_tokens
from pipelines.ngram import estimate, write_arpa

SENTENCES = ["a", "a b", "ab", "b b", "ab a", "b"]
SPACED = make_tokens(SENTENCES, "characters", "en", 0)
MARKED = make_tokens(SENTENCES, "ideographs", "en", 0)
WEIGHTS = Weights(0.7, 0.0)


def log_softmax(x: np.ndarray) -> np.ndarray:
    return (x - np.log(np.exp(x).sum(-1, keepdims=True))).astype(np.float32)


def clear(tokens: Tokens, path: str) -> np.ndarray:
    """A frame a character: `.` for the blank, A and B for those that begin a word."""
    names = {".": 0} | {symbol: i for i, symbol in enumerate(tokens.symbols)}
    marks = {"A": "▁a", "B": "▁b"}
    return log_softmax(np.eye(len(tokens))[[names[marks.get(c, c)] for c in path]] * 12)


def decoders(tokens: Tokens, folder: Path) -> list[Decoder]:
    write_arpa(estimate([s.split() for s in SENTENCES]), folder / "lm.arpa")
    search = GraphSearch(token_graph(folder / "lm.arpa", tokens), WEIGHTS)
    return [
        Greedy(tokens, confidence=True),
        PrefixBeam(tokens, folder / "lm.arpa", WEIGHTS, nbest=20),
        GraphDecoder(search, tokens, nbest=20),
    ]


@given(st.lists(st.integers(0, 3), max_size=20))
def test_runs_are_the_collapsed_path_with_its_frames(path: list[int]) -> None:
    runs = runs_of(path)
    assert [run.token for run in runs] == collapse(path)
    spelled = [0] * len(path)
    for run in runs:
        spelled[run.start : run.end] = [run.token] * (run.end - run.start)
    assert spelled == path


@pytest.mark.parametrize(("tokens", "path"), [(SPACED, "..aa.b. .a.."), (MARKED, "..AA.b...A..")])
def test_all_decoders_tell_the_same_words_at_the_same_frames(
    tokens: Tokens, path: str, tmp_path: Path
) -> None:
    for decoder in decoders(tokens, tmp_path):
        heard = decoder.hear(clear(tokens, path))
        assert heard.text == "ab a"
        assert [(w.text, w.start, w.end) for w in heard.words] == [("ab", 2, 6), ("a", 9, 10)]
        assert all(w.confidence is not None and w.confidence > 0.9 for w in heard.words)


@pytest.mark.parametrize("tokens", [SPACED, MARKED])
def test_doubt_about_one_word_is_told_of_that_word(tokens: Tokens, tmp_path: Path) -> None:
    log_probs = clear(tokens, "a. .b." if tokens is SPACED else "A...B.")
    first, other = (tokens.encode(c)[0] for c in "ab")
    log_probs[0, [first, other]] = np.log([0.6, 0.4])
    for decoder in decoders(tokens, tmp_path):
        one, two = decoder.hear(log_probs).words
        assert one.confidence is not None and one.confidence < 0.95
        assert two.confidence is not None and two.confidence > 0.99
    assert Greedy(tokens, confidence=True).hear(log_probs).words[0].confidence == pytest.approx(0.6)


def test_confidences_of_search_and_beam_are_the_shares_of_what_could_have_been_said(tmp_path: Path) -> None:
    log_probs = clear(SPACED, "a. .b.")
    log_probs[0, SPACED.encode("ab")] = np.log([0.6, 0.4])
    model = estimate([s.split() for s in SENTENCES])
    _, beam, graph = decoders(SPACED, tmp_path)

    def share(word: str, p: float) -> float:
        history, total = ["<s>"], math.log(p)
        for said in (word, "b", "</s>"):
            total += WEIGHTS.lm_weight * math.log(10) * model.log10(said, history)
            history.append(said)
        return math.exp(total)

    odds = share("a", 0.6), share("b", 0.4)
    for decoder in (beam, graph):
        assert decoder.hear(log_probs).words[0].confidence == pytest.approx(odds[0] / sum(odds), abs=0.01)


def test_frames_become_seconds() -> None:
    heard = Hypothesis("ab", (HeardWord("ab", 2, 6, 0.5),))
    assert heard.transcript(0.04).words == (Word("ab", 0.08, 0.24, 0.5),)
    assert Greedy(SPACED).hear(np.zeros((0, len(SPACED)), np.float32)) == Hypothesis("")
