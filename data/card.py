"""A corpus card: the TOML file that says what a corpus is, where it comes from, and how it is split."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data.degrade import CONDITIONS
from data.errors import InputError, did_you_mean
from data.layouts import LAYOUTS
from data.toml_file import read_toml

CARDS = Path(__file__).parent / "cards"


@dataclass(frozen=True)
class Source:
    """An archive to download. `sha256` is None where nobody has published or computed it."""

    url: str
    sha256: str | None = None


@dataclass(frozen=True)
class HoldOut:
    """A split that the corpus itself lacks: `speakers` of the training speakers, drawn with `seed`."""

    split: str = "dev"
    speakers: int = 5
    seed: int = 1


@dataclass(frozen=True)
class Card:
    """What is known of a corpus before any of it is read; paths in it are relative to the corpus folder.

    But `general_text`, a text file or a folder of such for language models, lies beside the corpora: it is
    relative to the folder that holds them.
    """

    name: str
    title: str
    languages: tuple[str, ...]
    licence: str
    layout: str
    sample_rate: int  # Hz
    splits: Mapping[str, tuple[str, ...]]
    folder: str = ""
    homepage: str | None = None
    sources: tuple[Source, ...] = ()
    conditions: tuple[str, ...] = ("clean",)
    normaliser: str | None = None
    dictionary: str | None = None
    language_model: str | None = None
    text: str | None = None
    general_text: str | None = None
    hold_out: HoldOut | None = None
    embedded: bool = False
    hours: float | None = None  # about so much to train on, of an embedded corpus; None: its default
    notes: str = ""
    path: Path | None = field(default=None, compare=False)

    @property
    def language(self) -> str:
        return self.languages[0]


_STRINGS = {"name", "title", "licence", "layout", "folder", "homepage", "normaliser", "dictionary"} | {
    "language_model",
    "text",
    "general_text",
    "notes",
}
_KEYS = _STRINGS | {
    "languages",
    "sample_rate",
    "splits",
    "source",
    "conditions",
    "hold_out",
    "embedded",
    "hours",
}
_REQUIRED = ("name", "title", "languages", "licence", "layout", "sample_rate", "splits")


def read_card(path: Path) -> Card:
    """The card in a TOML file. Raises `InputError` with file and line for whatever is wrong in it."""
    text, table = read_toml(path)
    return _CardReader(path, text).card(table)


@dataclass(frozen=True)
class _CardReader:
    """Checks a parsed card against its text, so that a complaint can name the line."""

    path: Path
    text: str

    def card(self, table: Mapping[str, Any]) -> Card:
        self._known(table, _KEYS)
        for key in _REQUIRED:
            if key not in table:
                raise InputError(f"lacks '{key}'", self.path)
        fields: dict[str, Any] = {key: self._typed(table, key, str) for key in _STRINGS & set(table)}
        fields["sample_rate"] = self._sample_rate(table)
        fields["languages"] = self._strings(table, "languages")
        fields["splits"] = self._splits(table)
        fields["sources"] = self._sources(table)
        fields["embedded"] = self._typed({"embedded": False, **table}, "embedded", bool)
        if "hours" in table:
            fields["hours"] = self._hours(table)
        if "conditions" in table:
            fields["conditions"] = self._conditions(table)
        if "hold_out" in table:
            fields["hold_out"] = self._hold_out(table)
        if fields["layout"] not in LAYOUTS:
            self._fail(
                "layout", f"unknown layout '{fields['layout']}'{did_you_mean(fields['layout'], LAYOUTS)}"
            )
        self._check_paths(fields)
        return Card(**{"folder": fields["name"], **fields}, path=self.path)

    def _check_paths(self, fields: Mapping[str, Any]) -> None:
        """Paths stay inside the corpus folder; `folder` and `general_text` below the corpus root."""
        if not re.fullmatch(r"[\w.+-]+", fields["name"]) or fields["name"].startswith("."):
            self._fail("name", "'name' takes letters, digits, dots and dashes alone")
        for key in ("folder", "dictionary", "language_model", "text", "general_text"):
            value = Path(fields.get(key) or "x")
            if value.is_absolute() or ".." in value.parts:
                where = "below the corpus root" if key == "general_text" else "inside the corpus folder"
                self._fail(key, f"'{key}' has to stay {where}")

    def _hours(self, table: Mapping[str, Any]) -> float:
        hours = table["hours"]
        if isinstance(hours, bool) or not isinstance(hours, int | float) or not 0 < hours <= 10_000:
            self._fail("hours", "'hours' has to be a number above 0, and at most 10000")
        if not table.get("embedded"):
            self._fail("hours", "'hours' is for an embedded corpus: other ones have what they have")
        return float(hours)

    def _sample_rate(self, table: Mapping[str, Any]) -> int:
        rate = self._typed(table, "sample_rate", int)
        if not 1000 <= rate <= 192_000:
            self._fail("sample_rate", f"a sampling rate of {rate} Hz cannot be meant")
        return int(rate)

    def _splits(self, table: Mapping[str, Any]) -> Mapping[str, tuple[str, ...]]:
        splits = self._typed(table, "splits", dict)
        return {name: self._strings(splits, name) for name in splits}

    def _sources(self, table: Mapping[str, Any]) -> tuple[Source, ...]:
        sources = []
        for entry in self._typed({"source": [], **table}, "source", list):
            if not isinstance(entry, dict) or not isinstance(entry.get("url"), str):
                self._fail("source", "every [[source]] needs a 'url'")
            self._known(entry, {"url", "sha256"})
            sources.append(Source(entry["url"], entry.get("sha256")))
        return tuple(sources)

    def _conditions(self, table: Mapping[str, Any]) -> tuple[str, ...]:
        conditions = self._strings(table, "conditions")
        for condition in conditions:
            if condition not in CONDITIONS:
                hint = did_you_mean(condition, CONDITIONS)
                self._fail("conditions", f"unknown condition '{condition}'{hint}")
        return conditions

    def _hold_out(self, table: Mapping[str, Any]) -> HoldOut:
        entry = self._typed(table, "hold_out", dict)
        self._known(entry, {"split", "speakers", "seed"})
        split = self._typed({"split": "dev", **entry}, "split", str)
        speakers = self._typed({"speakers": 5, **entry}, "speakers", int)
        seed = self._typed({"seed": 1, **entry}, "seed", int)
        if speakers < 1:
            self._fail("speakers", "'speakers' has to be at least 1")
        if split in table["splits"]:
            self._fail("hold_out", f"holds out '{split}', which [splits] already has")
        return HoldOut(split, speakers, seed)

    def _strings(self, table: Mapping[str, Any], key: str) -> tuple[str, ...]:
        value = table[key] if isinstance(table[key], list) else [table[key]]
        if not value or not all(isinstance(item, str) for item in value):
            self._fail(key, f"'{key}' has to be a string, or a list of strings")
        return tuple(value)

    def _typed(self, table: Mapping[str, Any], key: str, kind: type) -> Any:
        value = table[key]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            names = {
                str: "a string",
                int: "a whole number",
                dict: "a table",
                list: "a list",
                bool: "true or false",
            }
            self._fail(key, f"'{key}' has to be {names[kind]}")
        return value

    def _known(self, table: Mapping[str, Any], known: set[str]) -> None:
        for key in table:
            if key not in known:
                self._fail(key, f"unknown key '{key}'{did_you_mean(key, known)}")

    def _fail(self, key: str, what: str) -> None:
        """Complains at the first line that sets `key` or opens a table of that name."""
        pattern = re.compile(rf'^\s*(?:\[+\s*(?:\w+\.)*"?{re.escape(key)}"?\s*\]+|"?{re.escape(key)}"?\s*=)')
        lines = self.text.split("\n")
        line = next((number for number, text in enumerate(lines, 1) if pattern.match(text)), None)
        raise InputError(what, self.path, line)
