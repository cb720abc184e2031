"""Greedy, beam and token-graph decoding against brute force over all paths."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import InputError
from pipelines.e2e.decoder import Greedy, Weights
from pipelines.e2e.graph_search import GraphDecoder, GraphSearch
from pipelines.e2e.prefix_beam import PrefixBeam
from pipelines.e2e.token_graph import arpa_words, read_token_graph, token_graph
from pipelines.e2e.tokens import Tokens, collapse, read_tokens, tokens_of
from pipelines.nbest import nbest
from pipelines.ngram import NgramModel, estimate, write_arpa

TOKENS = tokens_of(["ab", "b'"])  # blank, space, apostrophe, a, b
TEXT = [["a"], ["a", "b"], ["ab"], ["b", "b'"], ["ab", "a"], ["a", "b", "a"], ["b"], ["aa", "b"]]
WEIGHTS = Weights(lm_weight=0.7, insertion=0.6)


def log_softmax(x: np.ndarray) -> np.ndarray:
    return (x - np.log(np.exp(x).sum(-1, keepdims=True))).astype(np.float32)


def posteriors(frames: int, seed: int) -> np.ndarray:
    return log_softmax(np.random.default_rng(seed).normal(0, 2.5, (frames, len(TOKENS))))


@pytest.fixture(scope="module")
def model() -> NgramModel:
    return estimate(TEXT)


@pytest.fixture(scope="module")
def arpa(model: NgramModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lm") / "trigram.arpa"
    write_arpa(model, path)
    return path


def lm_score(model: NgramModel, words: list[str], weights: Weights) -> float:
    history, total = ["<s>"], 0.0
    for word in [*words, "</s>"]:
        total += model.log10(word, history) * math.log(10) * weights.lm_weight
        history.append(word)
    return total + weights.insertion * len(words)


def brute_force(log_probs: np.ndarray, model: NgramModel, weights: Weights) -> dict[str, tuple[float, float]]:
    """For each text of known words: the score of its best path, and of all its paths together."""
    vocabulary = {w for s in TEXT for w in s}
    best: dict[str, tuple[float, float]] = {}
    for path in itertools.product(range(len(TOKENS)), repeat=len(log_probs)):
        text = "".join(TOKENS.symbols[i] for i in collapse(path))
        words = text.split(" ") if text else []
        if words and words[-1] == "":
            words.pop()  # a space may follow the last word
        if all(w in vocabulary for w in words):
            acoustic = float(sum(log_probs[t, i] for t, i in enumerate(path)))
            text = " ".join(words)
            one, every = best.get(text, (-math.inf, -math.inf))
            best[text] = (max(one, acoustic), float(np.logaddexp(every, acoustic)))
    return {
        text: (a + lm_score(model, text.split(), weights), b + lm_score(model, text.split(), weights))
        for text, (a, b) in best.items()
    }


@given(st.lists(st.integers(0, 3), max_size=12))
def test_collapse_is_groupby_without_blanks(path: list[int]) -> None:
    assert collapse(path) == [k for k, _ in itertools.groupby(path) if k != 0]


@given(st.lists(st.integers(0, 4), max_size=20), st.lists(st.integers(0, 20), max_size=4))
def test_greedy_in_pieces_equals_greedy_at_once(path: list[int], cuts: list[int]) -> None:
    log_probs = log_softmax(np.eye(len(TOKENS))[path].reshape(-1, len(TOKENS)) * 9)
    greedy = Greedy(TOKENS)
    stream = greedy.start()
    for piece in np.split(log_probs, sorted(cuts)):
        stream.advance(piece)
    assert stream.partial() == stream.finish().text == greedy.hear(log_probs).text


@pytest.mark.parametrize("seed", range(12))
def test_the_token_graph_finds_the_best_of_all_paths(seed: int, model: NgramModel, arpa: Path) -> None:
    log_probs = posteriors(6, seed)
    scores = brute_force(log_probs, model, WEIGHTS)
    heard = GraphSearch(token_graph(arpa, TOKENS), WEIGHTS, beam=1000.0).decode(log_probs)
    best = max(one for one, _ in scores.values())
    assert scores[heard][0] == pytest.approx(best, abs=2e-3)


@pytest.mark.parametrize("seed", range(4))
def test_the_best_texts_of_the_token_graph_are_the_best_of_all(
    seed: int, model: NgramModel, arpa: Path
) -> None:
    log_probs = posteriors(6, seed)
    scores = brute_force(log_probs, model, WEIGHTS)
    search = GraphSearch(token_graph(arpa, TOKENS), WEIGHTS, beam=1000.0)
    found = nbest(search.search.lattice(search.scale(log_probs), 20.0), 5)
    best = sorted((one for one, _ in scores.values()), reverse=True)[:5]
    assert [-path.cost * WEIGHTS.lm_weight for path in found] == pytest.approx(best, abs=5e-3)
    assert [scores[search.words.text(path.words)][0] for path in found] == pytest.approx(best, abs=5e-3)


@pytest.mark.parametrize("seed", range(6))
def test_the_search_in_pieces_equals_the_search_at_once(seed: int, arpa: Path) -> None:
    search = GraphSearch(token_graph(arpa, TOKENS), WEIGHTS)
    log_probs = posteriors(30, seed)
    decoder = GraphDecoder(search, TOKENS, nbest=50)
    stream = decoder.start()
    assert stream.partial() == ""
    for piece in np.array_split(log_probs, 7):
        stream.advance(piece)
        assert set(stream.partial().split()) <= {w for s in TEXT for w in s}
    heard = stream.finish()
    assert heard == decoder.hear(log_probs)
    assert heard.text == search.decode(log_probs)


@pytest.mark.parametrize("text", ["a b a", "ab a", "b b'", "aa b"])
def test_the_prefix_beam_and_the_graph_agree_where_the_posteriors_are_clear(text: str, arpa: Path) -> None:
    ids = [i for c in text for i in (TOKENS.encode(c)[0], 0)]
    rng = np.random.default_rng(len(text))
    log_probs = log_softmax(np.eye(len(TOKENS))[ids] * 8 + rng.normal(0, 1, (len(ids), len(TOKENS))))
    assert PrefixBeam(TOKENS, arpa, WEIGHTS).decode(log_probs) == text
    assert GraphSearch(token_graph(arpa, TOKENS), WEIGHTS).decode(log_probs) == text


def test_the_language_model_decides_between_equals(model: NgramModel, arpa: Path) -> None:
    shaped = np.eye(len(TOKENS))[TOKENS.encode("a b")] * 9
    shaped[0, TOKENS.encode("b")] = 9  # "a b" was seen, "b b" was not
    log_probs = log_softmax(shaped)
    assert PrefixBeam(TOKENS, arpa, WEIGHTS).decode(log_probs) == "a b"
    assert GraphSearch(token_graph(arpa, TOKENS), WEIGHTS).decode(log_probs) == "a b"


def test_a_repeated_letter_needs_a_blank(arpa: Path) -> None:
    search = GraphSearch(token_graph(arpa, TOKENS), Weights(0.01, 0.0))
    a, blank = TOKENS.encode("a")[0], 0

    def frames(*ids: int) -> np.ndarray:
        return log_softmax(np.eye(len(TOKENS))[list(ids)] * 12)

    assert search.decode(frames(blank, a, a, a, blank)) == "a"
    assert search.decode(frames(a, blank, a, blank)) == "aa"


def test_a_graph_survives_its_file_and_a_broken_one_is_named(arpa: Path, tmp_path: Path) -> None:
    graph = token_graph(arpa, TOKENS)
    graph.write(tmp_path / "graph.npz")
    again = read_token_graph(tmp_path / "graph.npz")
    assert again.words == graph.words
    log_probs = posteriors(20, 3)
    assert GraphSearch(again, WEIGHTS).decode(log_probs) == GraphSearch(graph, WEIGHTS).decode(log_probs)
    (tmp_path / "broken.npz").write_bytes(b"PK no")
    with pytest.raises(InputError, match="train the model again"):
        read_token_graph(tmp_path / "broken.npz")


def test_words_that_cannot_be_spelled_are_left_out(tmp_path: Path) -> None:
    write_arpa(estimate([["a", "xyz"], ["b"]]), tmp_path / "lm.arpa")
    assert token_graph(tmp_path / "lm.arpa", TOKENS).words.words == ("a", "b")
    write_arpa(estimate([["xyz"]]), tmp_path / "none.arpa")
    with pytest.raises(InputError, match="no word"):
        token_graph(tmp_path / "none.arpa", TOKENS)


def test_mandarin_characters_are_tokens_and_words(tmp_path: Path) -> None:
    text = "我 们 好"
    tokens = tokens_of([text, "你 好"])
    assert len(tokens) == 6 and tokens.decode(tokens.encode(text)) == text
    write_arpa(estimate([text.split(), ["你", "好"]]), tmp_path / "lm.arpa")
    assert arpa_words(tmp_path / "lm.arpa") == ("我", "们", "好", "你")
    spoken = [i for c in "你 好" for i in (tokens.encode(c)[0], 0)]
    log_probs = log_softmax(np.eye(len(tokens))[spoken] * 12)
    assert GraphSearch(token_graph(tmp_path / "lm.arpa", tokens), WEIGHTS).decode(log_probs) == "你 好"


@settings(max_examples=50)
@given(st.text(alphabet="ab' ", min_size=1, max_size=12))
def test_tokens_spell_and_read_back(text: str) -> None:
    assert TOKENS.decode(TOKENS.encode(text)) == " ".join(text.split())


def test_alphabets_are_read_back_and_must_not_be_empty(tmp_path: Path) -> None:
    TOKENS.write(tmp_path / "tokens.json")
    assert read_tokens(tmp_path / "tokens.json") == TOKENS == Tokens(("", " ", "'", "a", "b"))
    with pytest.raises(InputError, match="empty"):
        tokens_of(["", "  "])
    (tmp_path / "tokens.json").write_text("[]")
    with pytest.raises(InputError, match="alphabet"):
        read_tokens(tmp_path / "tokens.json")
