from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from bench import clock

ROOT = Path(clock.__file__).parent.parent


def test_it_never_runs_backwards():
    stamps = [clock.now() for _ in range(1000)]
    assert stamps == sorted(stamps)


def test_it_sleeps_until_a_moment_and_never_less():
    due = clock.now() + 0.02
    assert clock.sleep_until(due) >= due


def test_a_moment_that_is_past_is_not_slept_for():
    assert clock.sleep_until(clock.now() - 1e6) <= clock.now()


def test_another_process_reads_the_same_clock():
    before = clock.now()
    code = "from bench import clock; print(repr(clock.now()))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert before <= float(other.stdout) <= clock.now()


def test_it_states_its_resolution_and_the_step_that_it_really_shows():
    assert 0 < clock.resolution() <= 0.02
    assert clock.step() > 0


def test_the_date_is_utc_and_sorts_as_text():
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", clock.wall_stamp())


def test_no_other_module_of_the_harness_looks_at_a_watch():
    import ast

    for folder in ("bench", "pipelines", "results", "reports"):
        for path in (ROOT / folder).rglob("*.py"):
            if path == ROOT / "bench/clock.py":
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
                assert "time" not in names, path
