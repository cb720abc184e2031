"""Grapheme-to-phoneme, on a small part of CMUdict."""

from __future__ import annotations

from pathlib import Path

import pytest

from data import g2p


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(g2p, "_WORDS", 4000)


def test_an_alignment_spells_the_word_and_its_phones() -> None:
    entries = g2p.sample(500, seed=3)
    aligned = g2p.align(entries)
    assert len(aligned) > 490
    whole = {("".join(u[0] for u in path), tuple(p for u in path for p in u[1])) for path in aligned}
    assert whole <= set(entries)


def test_probabilities_after_any_history_sum_to_one() -> None:
    model = g2p.estimate(g2p.align(g2p.sample(300, seed=3)))
    units = {unit for found in model.counts.values() for unit in found}
    history = max(model.counts, key=len)
    for start in range(len(history) + 1):
        total = sum(model._probability(history[start:], unit) for unit in units)
        assert total == pytest.approx(1.0)


def test_regular_words_are_said_right_and_the_kept_model_agrees(small: None, tmp_path: Path) -> None:
    first = g2p.trained(tmp_path)
    kept = g2p.trained(tmp_path)
    assert first("dinner") == ("D", "IH", "N", "ER")
    for word in ("kelverton", "tarnbrook", "xq", "bé"):
        assert first(word) == kept(word) != ()
    assert first("") == first("éé") == ()
