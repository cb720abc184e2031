"""Language models read back from ARPA files, and mixed with new text."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.errors import InputError
from pipelines.ngram import NgramModel, estimate, write_arpa
from pipelines.ngram_adapt import adapted, read_arpa

OLD = [["the", "cat", "sat"], ["the", "mat"], ["a", "cat"], ["the", "cat"]]
NEW = [["call", "the", "doctor"], ["the", "doctor", "sat"]]


@pytest.fixture
def arpa(tmp_path: Path) -> Path:
    write_arpa(estimate(OLD), tmp_path / "old.arpa")
    return tmp_path / "old.arpa"


def same(one: NgramModel, other: NgramModel) -> None:
    for history in ((), ("<s>",), ("the",), ("the", "cat"), ("<s>", "the"), ("cat", "nobody")):
        for word in ("the", "cat", "sat", "mat", "</s>", "nobody"):
            assert one.log10(word, history) == pytest.approx(other.log10(word, history), abs=1e-5)


def test_a_model_is_read_back(arpa: Path) -> None:
    again = read_arpa(arpa)
    assert again.counts == estimate(OLD).counts and again.words[:3] == ("<unk>", "<s>", "</s>")
    same(again, estimate(OLD))


def test_a_model_without_the_unknown_word_gets_one_that_never_comes(tmp_path: Path) -> None:
    path = tmp_path / "own.arpa"
    path.write_text("\\data\\\nngram 1=2\n\n\\1-grams:\n-0.3\tyes\n-0.3\t</s>\n\n\\end\\\n")
    model = read_arpa(path)
    assert model.log10("yes") == -0.3 and model.log10("no") == -99.0
    mixed, new = adapted(path, [["no"]], 0.5), estimate([["no"]], order=1)
    unknown = 10 ** new.log10("yes") / 2  # which "yes" and all other words share
    assert 10 ** mixed.log10("yes") == pytest.approx((10**-0.3 + unknown) / 2)
    assert 10 ** mixed.log10("no") == pytest.approx(10 ** new.log10("no") / 2)


@pytest.mark.parametrize("share", [0.2, 0.7])
def test_what_both_know_is_mixed_by_their_shares(arpa: Path, share: float) -> None:
    old, new, mixed = estimate(OLD), estimate(NEW), adapted(arpa, NEW, share)
    for word, history in (("the", ()), ("sat", ()), ("the", ("<s>",))):
        parts = (1 - share) * 10 ** old.log10(word, history) + share * 10 ** new.log10(word, history)
        assert 10 ** mixed.log10(word, history) == pytest.approx(parts, rel=1e-4)
    words = [word for word in mixed.words if word != "<s>"]
    assert {"doctor", "mat"} <= set(words)
    for history in ((), ("the",), ("the", "doctor"), ("the", "cat")):
        assert sum(10 ** mixed.log10(word, history) for word in words) == pytest.approx(1.0, abs=1e-4)


def test_new_text_may_stand_alone_but_must_be_there(arpa: Path, tmp_path: Path) -> None:
    same(adapted(arpa, NEW, 1.0), estimate(NEW))
    with pytest.raises(InputError, match="text is empty"):
        adapted(arpa, [], 0.5)
    (tmp_path / "cut.arpa").write_text("\\data\\\nngram 1=2\n")
    with pytest.raises(InputError, match="cut short"):
        adapted(tmp_path / "cut.arpa", NEW, 0.5)
