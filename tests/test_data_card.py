"""Cards: every mistake in one names its file, its line, and the nearest right word."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.card import CARDS, read_card
from data.corpus import known_corpora
from data.errors import InputError

GOOD = """\
name = "mine"
title = "My speech"
languages = ["en"]
licence = "CC0-1.0"
layout = "kaldi"
sample_rate = 16000

[splits]
test = "data/test"
"""


def card(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_small_card(tmp_path: Path) -> None:
    found = read_card(card(tmp_path, GOOD))
    assert (found.name, found.folder, found.language, found.splits) == (
        "mine",
        "mine",
        "en",
        {"test": ("data/test",)},
    )
    assert found.conditions == ("clean",) and found.hold_out is None


@pytest.mark.parametrize("name", known_corpora())
def test_cards_that_come_along(name: str) -> None:
    found = read_card(CARDS / f"{name}.toml")
    assert found.name == name and "test" in found.splits
    assert all(source.url.startswith("https://") for source in found.sources)
    assert found.sources or found.homepage


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('lisence = "MIT"', "mine.toml:1: unknown key 'lisence'; did you mean 'licence'?"),
        (
            'conditions = ["clean", "telefone"]',
            "mine.toml:1: unknown condition 'telefone'; did you mean 'telephone'?",
        ),
        ("hours = 3", "mine.toml:1: 'hours' is for an embedded corpus"),
        ("hours = true", "mine.toml:1: 'hours' has to be a number above 0"),
        ('dictionary = "/etc/passwd"', "mine.toml:1: 'dictionary' has to stay inside the corpus folder"),
        ('general_text = "../books"', "mine.toml:1: 'general_text' has to stay below the corpus root"),
        ('folder = "../other"', "mine.toml:1: 'folder' has to stay inside the corpus folder"),
        ("notes = 3", "mine.toml:1: 'notes' has to be a string"),
        ("hold_out = {speaker = 3}", "unknown key 'speaker'; did you mean 'speakers'?"),
        ("hold_out = {speakers = 0}", "'speakers' has to be at least 1"),
        ('hold_out = {split = "test"}', "holds out 'test', which [splits] already has"),
        ("source = [{sha256 = 'x'}]", "every [[source]] needs a 'url'"),
        ("= broken", "is not TOML"),
    ],
)
def test_mistakes_on_a_line(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_card(card(tmp_path, f"{line}\n{GOOD}"))
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'layout = "kaldi"',
            'layout = "kalid"',
            "mine.toml:5: unknown layout 'kalid'; did you mean 'kaldi'?",
        ),
        ("sample_rate = 16000", "sample_rate = 16", "mine.toml:6: a sampling rate of 16 Hz cannot be meant"),
        ("sample_rate = 16000", "sample_rate = true", "mine.toml:6: 'sample_rate' has to be a whole number"),
        ('licence = "CC0-1.0"\n', "", "mine.toml: lacks 'licence'"),
        ('languages = ["en"]', "languages = [1]", "mine.toml:3: 'languages' has to be a string, or a list"),
        ('name = "mine"', 'name = "../mine"', "mine.toml:1: 'name' takes letters"),
    ],
)
def test_mistakes_in_what_is_required(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_card(card(tmp_path, GOOD.replace(old, new)))
    assert message in str(caught.value)


def test_missing_and_undecodable_cards(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.toml: cannot be read"):
        read_card(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b'title = "\xe9"')
    with pytest.raises(InputError, match="is not UTF-8"):
        read_card(tmp_path / "latin.toml")
