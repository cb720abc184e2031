"""From ARPA to G: words renamed, words without pronunciation taken out, scores those of the model."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import kaldifst
import numpy as np
import pytest

from data.errors import InputError
from pipelines.fst import arcs_of, vector_fst
from pipelines.grammar import WordTable, clean_arpa, grammar_graph
from pipelines.ngram import BEGIN, END, estimate, write_arpa

LIKE_AN4 = """A comment that says "\\data\\" is the mark of the beginning
\\1-grams:
\\data\\
ngram 1=5
ngram 2=1

\\1-grams:
-0.5\t<UNK>\t0.0
-0.5\t</s>\t-99.0
-99.0\t<s>\t0.0
-0.5\tYES\t0.0
-0.5\tNO\t0.0

\\2-grams:
0.0000 <s> </s>
\\end\\
"""


def _cost(grammar: object, words: WordTable, sentence: list[str]) -> float:
    """The cost of `sentence`, back-off arcs taken only where no n-gram exists."""
    arcs = arcs_of(grammar)
    labels = arcs.ilabel.copy()
    labels[labels == words.backoff] = 0
    plain = vector_fst(
        type(arcs)(arcs.source, labels, arcs.olabel, arcs.weight, arcs.target, arcs.final, arcs.start)
    )
    line = kaldifst.make_linear_acceptor([words.labels[w] for w in sentence])
    kaldifst.arcsort(plain, "ilabel")
    both = kaldifst.shortest_path(kaldifst.compose(line, plain))
    found = arcs_of(both)
    return float(found.weight.sum() + found.final[np.isfinite(found.final)].sum())


def test_g_scores_as_the_model_does(tmp_path: Path) -> None:
    text = [list(s) for s in ("abca", "abd", "ab", "cab", "dd", "abcabc", "bca")]
    model = estimate(text, order=3)
    write_arpa(model, tmp_path / "lm.arpa")
    words = WordTable(("a", "b", "c", "d"))
    grammar = grammar_graph(tmp_path / "lm.arpa", words)
    for sentence in [*text, *map(list, itertools.product("abcd", repeat=2))]:
        expected = 0.0
        for i, word in enumerate([*sentence, END]):
            expected -= model.log10(word, [BEGIN, *sentence[:i]]) * math.log(10)
        assert _cost(grammar, words, sentence) <= expected + 1e-3  # a back-off may be cheaper than an n-gram


def test_an4_s_unigram_is_cleaned(tmp_path: Path) -> None:
    (tmp_path / "an4.ug.lm").write_text(LIKE_AN4)
    report = clean_arpa(tmp_path / "an4.ug.lm", tmp_path / "clean.arpa", {"yes"}, str.lower)
    assert report.removed_words == ("<UNK>", "NO")
    assert report.ngrams == (3,)
    assert report.removed_ngrams == 3
    grammar = grammar_graph(tmp_path / "clean.arpa", WordTable(("yes",)))
    assert _cost(grammar, WordTable(("yes",)), ["yes"]) == pytest.approx(1.0 * math.log(10), abs=1e-3)


def test_words_that_become_one_share_their_probability(tmp_path: Path) -> None:
    arpa = "\\data\\\nngram 1=4\n\n\\1-grams:\n-99\t<s>\n-1\t</s>\n-1\tYes\n-1\tYES\n\n\\end\\\n"
    (tmp_path / "a").write_text(arpa)
    clean_arpa(tmp_path / "a", tmp_path / "b", {"yes"}, str.lower)
    assert f"{math.log10(0.2):.7g}\tyes" in (tmp_path / "b").read_text()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("nothing of the kind", "cut short"),
        ("\\data\\\n\\1-grams:\n-1 a b c d\n\\end\\\n", ":3: not an n-gram"),
    ],
)
def test_broken_files_are_named(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "broken.arpa").write_text(content)
    with pytest.raises(InputError, match=message):
        clean_arpa(tmp_path / "broken.arpa", tmp_path / "out", set())
