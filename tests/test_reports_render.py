"""The report as text: well formed, complete, deterministic, self-contained, written whole or not at all."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from report_fixture import (
    empty_summary,
    hostile_summary,
    make_summary,
    small_summary,
    strange_summary,
)
from report_trainings import learned_summary
from report_values import HOSTILE, PIPELINES

from data.errors import InputError
from reports.render import render, write

VOID = {"meta", "link", "br", "img", "input", "hr", "area", "base", "col", "embed", "source", "track", "wbr"}
SUMMARIES = {
    "full": make_summary(),
    "small": small_summary(),
    "empty": empty_summary(),
    "hostile": hostile_summary(),
    "strange": strange_summary(),
    "learned": learned_summary(),
}


class Structure(HTMLParser):
    """Reads a page and keeps its elements, its text and what was closed wrongly."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.faults: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if len(attrs) != len(dict(attrs)):
            self.faults.append(f"an attribute twice on <{tag}>")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> does not close what is open, line {self.getpos()[0]}")

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return {name: render(summary) for name, summary in SUMMARIES.items()}


def parsed(page: str) -> Structure:
    structure = Structure()
    structure.feed(page)
    structure.close()
    return structure


@pytest.mark.parametrize("name", SUMMARIES)
def test_page_is_well_formed(pages: dict[str, str], name: str) -> None:
    structure = parsed(pages[name])
    assert structure.faults == []
    assert structure.open == []
    ids = Counter(attrs["id"] for _, attrs in structure.elements if attrs.get("id"))
    assert [name for name, count in ids.items() if count > 1] == []
    for tag, attrs in structure.elements:
        for reference in (attrs.get("aria-labelledby") or "").split():
            assert reference in ids, f"<{tag}> names {reference}, which is not there"
        if (attrs.get("href") or "").startswith("#"):
            assert str(attrs["href"])[1:] in ids
        if tag == "th":
            assert attrs.get("scope") in ("col", "row", "rowgroup")
    tags = Counter(tag for tag, _ in structure.elements)
    assert tags["h1"] == tags["main"] == 1
    assert tags["caption"] == tags["table"]


@pytest.mark.parametrize("name", SUMMARIES)
def test_page_names_nothing_outside_itself(pages: dict[str, str], name: str) -> None:
    page = pages[name]
    assert not re.search(r"https?:|//[a-z]|@import", page)
    for _, attrs in parsed(page).elements:
        for attribute in ("href", "src", "xlink:href", "srcset", "action"):
            assert (attrs.get(attribute) or "#").startswith(("#", "data:"))
    for address in re.findall(r"url\(([^)]*)\)", page):
        assert address.startswith("#")


@pytest.mark.parametrize("name", SUMMARIES)
def test_each_plot_is_sound_xml_with_title_and_description(pages: dict[str, str], name: str) -> None:
    plots = re.findall(r"<svg .*?</svg>", pages[name], re.DOTALL)
    assert name in ("empty", "strange") or plots
    for plot in plots:
        root = ElementTree.fromstring(plot)
        assert root.attrib["role"] == "img"
        assert [child.tag for child in root][:2] == ["title", "desc"]
        assert root[0].text
        assert root[1].text
        assert "#0" not in re.sub(r'(id|href)="[^"]*"', "", plot), "a stand-in colour is left"
        assert "<style" not in plot


def test_plot_text_is_text(pages: dict[str, str]) -> None:
    plots = " ".join(re.findall(r"<svg .*?</svg>", pages["full"], re.DOTALL))
    for word in ("hybrid-mono-trigram", "SLO 500 ms", "concurrent streams", "WER, %", "USD per audio hour"):
        assert f">{word}</text>" in plots


def test_same_summary_gives_the_same_bytes(pages: dict[str, str]) -> None:
    assert render(make_summary()) == pages["full"]


def test_every_value_and_every_probe_appears(pages: dict[str, str]) -> None:
    shown = Counter(attrs["value"] for tag, attrs in parsed(pages["full"]).elements if tag == "data")
    summary = make_summary()
    wanted = Counter(
        repr(figure) for v in summary.values for figure in (v.value, v.low, v.high) if figure is not None
    )
    assert not wanted - shown
    for point in summary.load_points:
        assert repr(point.p99) in shown
    text = " ".join(parsed(pages["full"]).text)
    for words in ("not measured", "invalid", "send lag p99 31 ms &gt; 20 ms", "8 kHz audio, 16 kHz model"):
        assert words.replace("&gt;", ">") in text
    for v in summary.values:
        assert v.metric in text


def test_every_run_pipeline_and_method_is_named(pages: dict[str, str]) -> None:
    text = " ".join(parsed(pages["full"]).text)
    for record in make_summary().runs:
        assert text.count(record.run) > 8
        assert f"asrbench run {record.experiment}" in text
    for words in (
        *PIPELINES,
        "english-whisper 1",
        "prices-2026-11",
        "36c06f1a9b",
        "AMD EPYC 7763",
        "bootstrap",
    ):
        assert words in text
    figures = re.findall(r"<figure class=\"plot\" title=\"run ([^\"]+)\"", pages["full"])
    assert set(figures) == {record.run for record in make_summary().runs}


def test_sections_stand_in_order(pages: dict[str, str]) -> None:
    for page in pages.values():
        at = [
            page.index(f'id="{name}"')
            for name in ("verdict", "figures", "comparisons", "utterances", "method")
        ]
        assert at == sorted(at)


def test_markup_in_names_and_words_stays_text(pages: dict[str, str]) -> None:
    page = pages["hostile"]
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;" in page
    assert HOSTILE in " ".join(parsed(page).text)


def test_write_replaces_whole_files_only(tmp_path: Path) -> None:
    target = tmp_path / "new" / "report.html"
    write(small_summary(), target)
    assert target.read_text(encoding="utf-8") == render(small_summary())
    write(empty_summary(), target)
    assert target.read_text(encoding="utf-8") == render(empty_summary())
    assert [path.name for path in target.parent.iterdir()] == ["report.html"]


def test_write_to_an_impossible_place_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="could not be written") as raised:
        write(empty_summary(), tmp_path / "file" / "report.html")
    assert "\n" not in str(raised.value)
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(InputError):
        write(empty_summary(), tmp_path / "folder.html")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.html"]
