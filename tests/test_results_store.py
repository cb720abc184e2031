"""Runs on disk: what is written comes back, whole or not at all."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from data.errors import InputError
from results.records import FORMAT, Cell, RepeatRow, RunRecord, Trial, UtteranceRow
from results.store import RunFolder, find_run, load_run, stored_runs, write_whole

ROW = UtteranceRow(
    "u<1>", None, 1.5, raw_hypothesis="<b>ü</b>", reference="a", hypothesis="b", substitutions=1
)
TRIAL = Trial(4, 0, 5.0, 3, 0, (0.1, 0.2), (0.001,), 0.0, 1, 1, 10, "meets")
CELL = Cell(
    "null",
    "c",
    "test",
    "clean",
    "capacity",
    rows=(ROW,),
    repeats=(RepeatRow(0, 1.5, 0.1, 9),),
    trials=(TRIAL,),
)
RECORD = RunRecord("r1", "e", "2026-11-21T00:00:00Z", {"a": 1}, {}, {}, {}, {"s": 1}, {"c": {}}, {}, (CELL,))


def stored(root: Path, record: RunRecord = RECORD) -> RunFolder:
    folder = RunFolder.create(root, record)
    for number, cell in enumerate(record.cells):
        folder.add(number, cell)
    return folder


def test_a_run_comes_back_as_it_was(tmp_path: Path) -> None:
    stored(tmp_path)
    assert load_run("r1", tmp_path) == RECORD


def test_by_id_path_and_latest(tmp_path: Path) -> None:
    stored(tmp_path)
    stored(tmp_path, replace(RECORD, run="r2"))
    assert find_run("latest", tmp_path).path.name == "r2"
    assert load_run(str(tmp_path / "r1"), tmp_path / "elsewhere").run == "r1"
    assert load_run(str(tmp_path / "r1" / "record.json"), tmp_path / "elsewhere").run == "r1"
    assert [run.path.name for run in stored_runs(tmp_path)] == ["r1", "r2"]


def test_a_later_state_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    folder = stored(tmp_path)
    folder.add(0, replace(CELL, reason="again"))
    assert [cell.reason for cell in folder.cells().values()] == ["again"]


@pytest.mark.parametrize("name", ["r3", "latest", "nowhere/at/all"])
def test_an_unknown_run_is_one_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError) as caught:
        load_run(name, tmp_path)
    assert "\n" not in str(caught.value)


def test_a_hint_for_a_near_miss(tmp_path: Path) -> None:
    stored(tmp_path, replace(RECORD, run="20261121-quick"))
    with pytest.raises(InputError, match="did you mean '20261121-quick'"):
        load_run("20261121-quik", tmp_path)


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    path = stored(tmp_path).path / "record.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": FORMAT + 1}))
    with pytest.raises(InputError, match="newer asrbench"):
        load_run("r1", tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"format": 0}', '{"format": 1}'])
def test_a_damaged_header_is_one_line(tmp_path: Path, content: str) -> None:
    (stored(tmp_path).path / "record.json").write_text(content)
    with pytest.raises(InputError):
        load_run("r1", tmp_path)


def test_a_cut_off_cell_is_one_line(tmp_path: Path) -> None:
    folder = stored(tmp_path)
    path = folder.path / "cells" / "0000.jsonl.gz"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match="damaged"):
        folder.record()


def test_a_part_of_a_file_is_never_seen(tmp_path: Path) -> None:
    folder = stored(tmp_path)
    (folder.path / "cells" / ".0001.jsonl.gz.77.part").write_bytes(b"half")
    assert len(folder.record().cells) == 1


def test_a_full_disk_keeps_the_earlier_file(tmp_path: Path) -> None:
    """The limit on a file's size stands in for the disk: a refusal to write, in a process of its own."""
    path = tmp_path / "file"
    write_whole(path, b"before")
    code = (
        "import sys; from pathlib import Path; from results.store import write_whole\n"
        "from data.errors import InputError\n"
        "try: write_whole(Path(sys.argv[1]), b'x' * 100_000)\n"
        "except InputError as error: print(error); sys.exit(2)"
    )

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    command = [sys.executable, "-c", code, str(path)]
    done = subprocess.run(command, preexec_fn=limited, check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "cannot be written" in done.stdout
    assert path.read_bytes() == b"before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
