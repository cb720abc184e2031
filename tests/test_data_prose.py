"""Books to sentences."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.errors import InputError
from data.prose import prose_sentences
from data.text import normaliser

BOOK = """[A Book by A. Writer 1816]

VOLUME I

CHAPTER I.

Chapter 12. The Sea

Mr. Woodhouse, of No. 4, said to J. B.
Smith: "It is _very_ late. Why
do we not go?" "Oh!" he said.

He stayed... and so
did she--alone

THE END
"""


def test_lines_are_joined_and_sentences_cut(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text(BOOK)
    found = [" ".join(words) for words in prose_sentences(tmp_path / "book.txt", normaliser("en"))]
    assert found == [
        "mister woodhouse of no four said to j b smith it is very late",
        "why do we not go",
        "oh he said",
        "he stayed and so did she alone",
    ]


def test_chinese_is_cut_at_its_own_stops(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("你好。他说:“是吗?”\n她走了!\n", encoding="utf-8")
    found = ["".join(words) for words in prose_sentences(tmp_path / "book.txt", normaliser("zh"))]
    assert found == ["你好", "他说是吗", "她走了"]


def test_old_files_in_windows_latin(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_bytes("Un café “noir”.".encode("cp1252"))
    assert list(prose_sentences(tmp_path / "book.txt", normaliser("fr"))) == [["un", "café", "noir"]]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.txt: cannot be read \(No such file"):
        list(prose_sentences(tmp_path / "none.txt", str.lower))
