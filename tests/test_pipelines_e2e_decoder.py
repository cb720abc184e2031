"""Greedy, beam and token-graph decoding against brute force over all paths."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import InputError
from pipelines.e2e.decoder import Greedy, Weights
from pipelines.e2e.graph_search import GraphDecoder, GraphSearch
from pipelines.e2e.hot_words import HotWords, hot_words
from pipelines.e2e.hypothesis import by_word, runs_of
from pipelines.e2e.phones import Sounds
from pipelines.e2e.prefix_beam import PrefixBeam
from pipelines.e2e.token_graph import arpa_words, expand, read_token_graph, token_graph
from pipelines.e2e.tokens import Tokens, collapse, make_tokens, spoken_tokens, tokens_of
from pipelines.fst import Arcs, const_fst
from pipelines.nbest import nbest
from pipelines.ngram import NgramModel, estimate, write_arpa
from pipelines.search import Beam, Search

TOKENS = tokens_of(["ab", "b'"])  # blank, space, apostrophe, a, b
TEXT = [["a"], ["a", "b"], ["ab"], ["b", "b'"], ["ab", "a"], ["a", "b", "a"], ["b"], ["aa", "b"]]
MARKED = {kind: make_tokens([" ".join(s) for s in TEXT], kind, "en", 8) for kind in ("ideographs", "pieces")}
SOUNDS = Sounds(
    {
        "a": (("▁A",),),
        "b": (("▁B",),),
        "b'": (("▁B",),),
        "ab": (("▁A", "B"), ("▁B", "A")),
        "aa": (("▁A", "A"),),
    }
)
PHONES = spoken_tokens(SOUNDS)
WEIGHTS = Weights(lm_weight=0.7, insertion=0.6)


def log_softmax(x: np.ndarray) -> np.ndarray:
    return (x - np.log(np.exp(x).sum(-1, keepdims=True))).astype(np.float32)


def posteriors(frames: int, seed: int, tokens: Tokens = TOKENS) -> np.ndarray:
    return log_softmax(np.random.default_rng(seed).normal(0, 2.5, (frames, len(tokens))))


def clear(text: str, tokens: Tokens, contrast: float = 8.0) -> np.ndarray:
    """Each token of `text` in a frame of its own, a blank after it, some noise in all."""
    ids = [i for token in tokens.encode(text) for i in (token, 0)]
    noise = np.random.default_rng(len(text)).normal(0, 1, (len(ids), len(tokens)))
    return log_softmax(np.eye(len(tokens))[ids] * contrast + noise)


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


def brute_force(
    log_probs: np.ndarray, model: NgramModel, weights: Weights, tokens: Tokens = TOKENS
) -> dict[str, tuple[float, float]]:
    """For each text of known words: the score of its best path, and of all its paths together."""
    vocabulary = {w for s in TEXT for w in s}
    best: dict[str, tuple[float, float]] = {}
    for path in itertools.product(range(len(tokens)), repeat=len(log_probs)):
        ids = collapse(path)
        if tokens.spaced and ids and tokens.is_space(ids[-1]):
            ids.pop()  # a space may follow the last word
        text = tokens.decode(ids)
        if tokens.encode(text) == ids and all(w in vocabulary for w in text.split()):
            acoustic = float(sum(log_probs[t, i] for t, i in enumerate(path)))
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


@pytest.mark.parametrize("kind", ["ideographs", "pieces"])
@pytest.mark.parametrize("seed", range(4))
def test_the_graph_of_a_marked_alphabet_finds_the_best_of_all_paths(
    seed: int, kind: str, model: NgramModel, arpa: Path
) -> None:
    tokens = MARKED[kind]
    log_probs = posteriors(5, seed, tokens)
    scores = brute_force(log_probs, model, WEIGHTS, tokens)
    heard = GraphSearch(token_graph(arpa, tokens), WEIGHTS, beam=1000.0).decode(log_probs)
    best = max(one for one, _ in scores.values())
    assert scores[heard][0] == pytest.approx(best, abs=2e-3)


@pytest.mark.parametrize("seed", range(6))
def test_words_that_sound_alike_are_told_apart_by_the_language_model(
    seed: int, model: NgramModel, arpa: Path
) -> None:
    """Two words share a sound, one has two: the best of all paths, and all words that sound so."""
    log_probs = posteriors(5, seed, PHONES)
    best = -math.inf
    for path in itertools.product(range(len(PHONES)), repeat=len(log_probs)):
        groups = by_word(runs_of(path), PHONES)
        said = [tuple(PHONES.symbols[run.token] for run in group) for group in groups]
        fitting = [[word for word, found in SOUNDS.words.items() if sound in found] for sound in said]
        acoustic = float(sum(log_probs[t, i] for t, i in enumerate(path)))
        for words in itertools.product(*fitting):
            best = max(best, acoustic + lm_score(model, list(words), WEIGHTS))
    search = GraphSearch(token_graph(arpa, PHONES), WEIGHTS, beam=1000.0)
    found = search.search.decode(search.scale(log_probs))
    assert -found.cost * WEIGHTS.lm_weight == pytest.approx(best, abs=2e-3)


@pytest.mark.parametrize("tokens", [TOKENS, *MARKED.values()], ids=lambda tokens: tokens.kind)
@pytest.mark.parametrize("wide", [1, 2, 3])
def test_parting_wide_states_changes_no_path(tokens: Tokens, wide: int) -> None:
    """Over random graphs with back-off: the best paths cost the same."""
    rng = np.random.default_rng(wide)
    for seed in range(20):
        spelled = random_graph(rng, len(tokens))
        whole, parted = (Search(const_fst(expand(spelled, w)), Beam(1000.0)) for w in (100, wide))
        log_probs = posteriors(7, seed, tokens)
        one, other = whole.decode(log_probs), parted.decode(log_probs)
        assert other.cost == pytest.approx(one.cost, abs=1e-3) and other.final == one.final
        assert collapse((other.labels - 1).tolist()) == collapse((one.labels - 1).tolist())


def random_graph(rng: np.random.Generator, tokens: int) -> Arcs:
    """Six states, each with many tokens to go on by, and an epsilon to a later one."""
    rows = [
        (s, int(label), int(rng.integers(3)), int(rng.integers(6)))
        for s in range(6)
        for label in rng.choice(np.arange(2, tokens + 1), tokens - 2, replace=False)
    ]
    rows += [(s, 0, 0, int(rng.integers(s + 1, 6))) for s in range(5)]
    source, ilabel, olabel, target = (np.array(column, np.int32) for column in zip(*rows, strict=True))
    weight = rng.uniform(0, 3, len(rows)).astype(np.float32)
    return Arcs(source, ilabel, olabel, weight, target, rng.uniform(0, 3, 6).astype(np.float32))


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


@pytest.mark.parametrize("tokens", [TOKENS, *MARKED.values()], ids=lambda tokens: tokens.kind)
@pytest.mark.parametrize("text", ["a b a", "ab a", "b b'", "aa b"])
def test_all_decoders_agree_where_the_posteriors_are_clear(text: str, tokens: Tokens, arpa: Path) -> None:
    log_probs = clear(text, tokens)
    assert PrefixBeam(tokens, arpa, WEIGHTS).decode(log_probs) == text
    assert GraphSearch(token_graph(arpa, tokens), WEIGHTS).decode(log_probs) == text
    assert Greedy(tokens).hear(log_probs).text == text


def test_the_language_model_decides_between_equals(model: NgramModel, arpa: Path) -> None:
    shaped = np.eye(len(TOKENS))[TOKENS.encode("a b")] * 9
    shaped[0, TOKENS.encode("b")] = 9  # "a b" was seen, "b b" was not
    log_probs = log_softmax(shaped)
    assert PrefixBeam(TOKENS, arpa, WEIGHTS).decode(log_probs) == "a b"
    assert GraphSearch(token_graph(arpa, TOKENS), WEIGHTS).decode(log_probs) == "a b"


@pytest.mark.parametrize("tokens", [TOKENS, *MARKED.values()], ids=lambda tokens: tokens.kind)
@pytest.mark.parametrize("seed", range(3))
def test_hot_words_add_their_bonus_wherever_they_are_said(
    seed: int, tokens: Tokens, model: NgramModel, arpa: Path
) -> None:
    log_probs, hot = posteriors(5, seed, tokens), HotWords(("b", "aa"), 2.5)
    scores = {
        text: one + hot.bonus * sum(word in hot.words for word in text.split())
        for text, (one, _) in brute_force(log_probs, model, WEIGHTS, tokens).items()
    }
    search = GraphSearch(token_graph(arpa, tokens), WEIGHTS, 1000.0, hot=hot)
    assert scores[search.decode(log_probs)] == pytest.approx(max(scores.values()), abs=2e-3)


def test_hot_words_decide_in_the_graph_and_in_the_beam(arpa: Path) -> None:
    shaped = np.eye(len(TOKENS))[TOKENS.encode("ab a")] * 9
    shaped[1, TOKENS.encode("a b")] = 9  # "ab a" or "a  a"
    log_probs = log_softmax(shaped)
    graph = token_graph(arpa, TOKENS)
    for words, text in ((("a",), "a a"), (("ab",), "ab a")):
        hot = HotWords(words, 8.0)
        assert GraphSearch(graph, WEIGHTS, hot=hot).decode(log_probs) == text
        assert PrefixBeam(TOKENS, arpa, WEIGHTS, hot=hot).decode(log_probs) == text


def test_phrases_are_hot_by_their_words_which_must_be_known() -> None:
    vocabulary = ["new", "york", "delhi"]
    found = hot_words(["New York", "new Delhi"], 2.0, vocabulary, str.lower)
    assert found == HotWords(("new", "york", "delhi"), 2.0)
    with pytest.raises(InputError, match=r"lacks the hot word 'yorck'.*'york'.*text"):
        hot_words(["New Yorck"], 2.0, vocabulary, str.lower)


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


@pytest.mark.parametrize("kind", ["characters", "ideographs"])
def test_mandarin_characters_are_tokens_and_words(kind: str, tmp_path: Path) -> None:
    sentences = ["我 们 好", "你 好", "我 用 wifi 好"]
    tokens = make_tokens(sentences, kind, "zh-CN", 0)
    write_arpa(estimate([s.split() for s in sentences]), tmp_path / "lm.arpa")
    assert set(arpa_words(tmp_path / "lm.arpa")) == {"我", "们", "好", "你", "用", "wifi"}
    beam = PrefixBeam(tokens, tmp_path / "lm.arpa", WEIGHTS)
    graph = GraphSearch(token_graph(tmp_path / "lm.arpa", tokens), WEIGHTS)
    for text in [*sentences, "好 好"]:
        log_probs = clear(text, tokens, 12.0)
        assert (
            beam.decode(log_probs) == graph.decode(log_probs) == Greedy(tokens).hear(log_probs).text == text
        )
    frames = {text: len(clear(text, tokens)) // 2 for text in sentences}
    spaces = kind == "characters"
    assert frames == {text: len(text if spaces else text.replace(" ", "")) for text in sentences}
