"""The report in a real browser: phone and desk, light and dark, nothing fetched, nothing executed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from family_fixture import family_summary
from report_fixture import (
    empty_summary,
    hostile_summary,
    make_summary,
    small_summary,
    strange_summary,
)
from report_trainings import learned_summary
from report_values import HOSTILE

from reports.render import write

webdriver = pytest.importorskip("selenium.webdriver")
webdriver_wait = pytest.importorskip("selenium.webdriver.support.wait")
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (BROWSER and DRIVER), reason="needs chromium and chromedriver")

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--hide-scrollbars",
)  # fmt: skip

CONTRAST = """
const parse = colour => colour.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
  .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
  .reduce((sum, v, at) => sum + v * [.2126, .7152, .0722][at], 0);
const ground = element => {
  for (let e = element; e; e = e.parentElement) {
    const colour = parse(getComputedStyle(e).backgroundColor);
    if (colour.length < 4 || colour[3] > 0) return colour;
  }
  return [255, 255, 255];
};
const bad = [];
for (const element of document.querySelectorAll('body *')) {
  const own = [...element.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
  if (!own || element.closest('title, desc, .gap')) continue;
  const style = getComputedStyle(element);
  const ink = element.namespaceURI.endsWith('svg') ? style.fill : style.color;
  const [a, b] = [light(parse(ink)), light(ground(element))].sort((x, y) => y - x);
  const ratio = (a + .05) / (b + .05);
  const name = element.className.baseVal ?? element.className;
  if (ratio < 4.5) bad.push(`${name} ${ratio.toFixed(2)} ` + element.textContent.slice(0, 30));
}
return [...new Set(bad)];
"""
WIDTHS = """
const root = document.documentElement;
const wide = [...document.querySelectorAll('body *')].filter(e =>
  !e.closest('.scroll, pre, svg, .hidden, .skip') && e.getBoundingClientRect().right > root.clientWidth + 1);
return [root.scrollWidth, root.clientWidth, wide.map(e => e.outerHTML.slice(0, 90))];
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(executable_path=DRIVER)
    driver = webdriver.Chrome(options=options, service=service)
    driver.set_page_load_timeout(30)
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    summaries = {
        "full": make_summary(),
        "small": small_summary(),
        "empty": empty_summary(),
        "hostile": hostile_summary(),
        "strange": strange_summary(),
        "family": family_summary(("mono", "si", "sat"), (1, 2)),
        "learned": learned_summary(),
    }
    for name, summary in summaries.items():
        write(summary, folder / f"{name}.html")
    return {name: folder / f"{name}.html" for name in summaries}


def show(browser: Any, page: Path, width: int, scheme: str = "light") -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    browser.get(page.as_uri())
    loaded = "return document.readyState === 'complete' && location.href === arguments[0]"
    waiting = webdriver_wait.WebDriverWait(browser, 30)  # the driver now and then returns amid the parsing
    waiting.until(lambda b: b.execute_script(loaded, page.as_uri()))


@pytest.mark.parametrize("width", [320, 390, 820, 1280])
@pytest.mark.parametrize("name", ["full", "small", "empty", "hostile", "strange", "family", "learned"])
def test_body_never_scrolls_sideways(browser: Any, pages: dict[str, Path], name: str, width: int) -> None:
    show(browser, pages[name], width)
    browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
    scrolled, inner, wide = browser.execute_script(WIDTHS)
    assert wide == []
    assert scrolled <= inner == width


def test_nothing_is_fetched_and_nothing_complains(browser: Any, pages: dict[str, Path]) -> None:
    browser.get_log("browser")
    browser.get_log("performance")
    for page in pages.values():
        show(browser, page, 1280)
        assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert browser.get_log("browser") == []
    wire = " ".join(entry["message"] for entry in browser.get_log("performance"))
    assert '"url":"http' not in wire


def test_markup_in_the_data_is_shown_and_not_run(browser: Any, pages: dict[str, Path]) -> None:
    show(browser, pages["hostile"], 1280)
    assert browser.title == "Hybrid and end-to-end speech recognition, side by side"
    assert browser.execute_script("return document.querySelectorAll('script, img').length") == 0
    seen = browser.execute_script("return document.body.innerText")
    assert f"hybrid-{HOSTILE}" in seen  # the pipeline
    assert f"an4{HOSTILE}/test" in seen  # the corpus
    words = browser.execute_script(
        "return [...document.querySelectorAll('.said, .heard')].map(e => e.innerText)"
    )
    assert words == [HOSTILE, "</svg><img src=x>"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["full", "family", "learned"])
def test_words_stand_out_from_their_ground(
    browser: Any, pages: dict[str, Path], name: str, scheme: str
) -> None:
    show(browser, pages[name], 1280, scheme)
    browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert browser.execute_script(CONTRAST) == []
    dark = browser.execute_script(
        "return parseInt(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])"
    )
    assert (dark < 80) == (scheme == "dark")


def test_plots_take_the_scheme_and_the_width(browser: Any, pages: dict[str, Path]) -> None:
    drawn = (
        "return [...document.querySelectorAll('.plot svg')].filter(e => e.getBoundingClientRect().width > 0)"
    )
    inks = []
    for scheme in ("light", "dark"):
        show(browser, pages["full"], 1280, scheme)
        inks.append(
            browser.execute_script("return getComputedStyle(document.querySelector('.wide svg text')).fill")
        )
    assert inks[0] != inks[1]
    wide = browser.execute_script(drawn + ".map(e => e.parentElement.className)")
    show(browser, pages["full"], 390)
    narrow = browser.execute_script(drawn + ".map(e => e.parentElement.className)")
    assert (set(wide), set(narrow)) == ({"wide"}, {"narrow"})
    assert len(wide) == len(narrow) == 8
    sizes = browser.execute_script(
        "return [...document.querySelectorAll('.narrow svg text')].map(e => e.getBoundingClientRect().height)"
    )
    assert min(sizes) >= 10, "letters too small to read on a phone"


def test_errors_differ_without_colour(browser: Any, pages: dict[str, Path]) -> None:
    show(browser, pages["full"], 390)
    marks = browser.execute_script(
        "return [...document.querySelectorAll('.pairs li')].map(e => [e.className,"
        " e.querySelector('.mark')?.innerText ?? '', e.querySelector('.hidden')?.textContent.trim() ?? ''])"
    )
    found = {tuple(mark) for mark in marks if mark[0]}
    assert found >= {
        ("substitute", "S", "substitution:"),
        ("delete", "D", "deletion:"),
        ("insert", "I", "insertion:"),
    }
    lines = "return getComputedStyle(document.querySelector(arguments[0])).textDecorationLine"
    assert browser.execute_script(lines, ".pairs .delete .said") == "line-through"
    assert browser.execute_script(lines, ".pairs .substitute .heard") == "underline"
