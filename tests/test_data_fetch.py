"""Downloads from a server on loopback: whole, cut, resumed, refused, and wrong."""

from __future__ import annotations

import hashlib
import io
import re
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from corpus_fixtures import write_text

from data.card import Card, Source
from data.errors import InputError
from data.fetch import fetch


@dataclass
class Server:
    """What the server has, how many bytes it gives before it hangs up, and what it was asked."""

    files: dict[str, bytes] = field(default_factory=dict)
    cut_after: list[int] = field(default_factory=list)  # one for each answer, then never
    ranges: bool = True
    asked: list[str | None] = field(default_factory=list)
    url: str = ""
    stalled: threading.Event | None = None  # where set: after a cut, silence until it is set


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            state.asked.append(wanted)
            if self.path not in state.files:
                self.send_error(404)
                return
            body = state.files[self.path]
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted and state.ranges else 0
            if start >= len(body):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(body)}")
                self.end_headers()
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            end = start + state.cut_after.pop(0) if state.cut_after else len(body)
            self.wfile.write(body[start:end])
            if end < len(body) and state.stalled is not None:
                self.wfile.flush()
                state.stalled.wait()

        def log_message(self, *_: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{httpd.server_port}"
    yield state
    httpd.shutdown()
    httpd.server_close()


def archive(*names: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name in names:
            content = np.random.default_rng(0).bytes(30_000)
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def card(server: Server, *paths: str, sha256: str | None = None) -> Card:
    sources = tuple(Source(server.url + path, sha256) for path in paths)
    return Card("toy", "Toy", ("en",), "CC0-1.0", "pairs", 16_000, {"test": (".",)}, "toy", sources=sources)


class Watch:
    """A progress callback that remembers."""

    def __init__(self) -> None:
        self.calls: list[tuple[float, float, str]] = []

    def __call__(self, done: float, total: float, note: str = "") -> None:
        self.calls.append((done, total, note))


def test_download_and_unpack(server: Server, tmp_path: Path) -> None:
    server.files = {"/a.tar.gz": archive("Top/a.wav"), "/b.tar.gz": archive("Top/sub/b.wav")}
    watch = Watch()
    fetched = fetch(card(server, "/a.tar.gz", "/b.tar.gz"), tmp_path, watch)
    assert fetched.folder == tmp_path / "toy"
    assert sorted(str(p.relative_to(fetched.folder)) for p in fetched.folder.rglob("*.wav")) == [
        "a.wav",
        "sub/b.wav",
    ]
    digest = hashlib.sha256(server.files["/a.tar.gz"]).hexdigest()
    assert fetched.checksums[server.url + "/a.tar.gz"] == digest
    size = len(server.files["/a.tar.gz"])
    assert (size, size, "downloading a.tar.gz") in watch.calls
    assert [path.name for path in (tmp_path / "downloads").iterdir()] == []
    asked = len(server.asked)
    assert fetch(card(server, "/a.tar.gz"), tmp_path, watch).folder == fetched.folder
    assert len(server.asked) == asked  # what is there is not fetched again


def test_a_cut_connection_is_resumed(server: Server, tmp_path: Path) -> None:
    body = archive("Top/a.wav")
    server.files, server.cut_after = {"/a.tar.gz": body}, [10_000]
    fetch(card(server, "/a.tar.gz", sha256=hashlib.sha256(body).hexdigest()), tmp_path, Watch())
    assert server.asked == [None, "bytes=10000-"]
    assert (tmp_path / "toy" / "a.wav").stat().st_size == 30_000


def test_a_half_finished_download_goes_on_in_the_next_call(server: Server, tmp_path: Path) -> None:
    body = archive("Top/a.wav")
    server.files, server.cut_after = {"/a.tar.gz": body}, [10_000, 5_000, 5_000]
    with pytest.raises(InputError, match="20000 bytes are kept: run the same command again"):
        fetch(card(server, "/a.tar.gz"), tmp_path, Watch())
    assert not (tmp_path / "toy").exists()
    fetch(card(server, "/a.tar.gz", sha256=hashlib.sha256(body).hexdigest()), tmp_path, Watch())
    assert server.asked[-1] == "bytes=20000-"


def test_a_server_without_ranges_starts_anew(server: Server, tmp_path: Path) -> None:
    body = archive("Top/a.wav")
    server.files, server.cut_after, server.ranges = {"/a.tar.gz": body}, [10_000], False
    fetch(card(server, "/a.tar.gz", sha256=hashlib.sha256(body).hexdigest()), tmp_path, Watch())
    assert (tmp_path / "toy" / "a.wav").is_file()


@pytest.mark.parametrize("surplus", [0, 7])
def test_a_part_that_is_whole_or_too_long(server: Server, tmp_path: Path, surplus: int) -> None:
    body = archive("Top/a.wav")
    server.files = {"/a.tar.gz": body}
    part = tmp_path / "downloads" / "toy" / "a.tar.gz.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(body + bytes(surplus))
    fetch(card(server, "/a.tar.gz", sha256=hashlib.sha256(body).hexdigest()), tmp_path, Watch())
    assert (tmp_path / "toy" / "a.wav").is_file()


def test_an_interrupted_unpacking_is_done_again(server: Server, tmp_path: Path) -> None:
    """As a kill leaves it: the archive is whole, the folder is not."""
    whole = tmp_path / "downloads" / "toy" / "a.tar.gz"
    whole.parent.mkdir(parents=True)
    whole.write_bytes(archive("Top/a.wav"))
    write_text(tmp_path / "toy.unfinished" / "Top" / "half.wav", "half")
    fetch(card(server, "/a.tar.gz"), tmp_path, Watch())
    assert server.asked == []
    assert sorted(path.name for path in tmp_path.rglob("*.wav")) == ["a.wav"]


def test_a_wrong_checksum_is_one_line_and_leaves_nothing(server: Server, tmp_path: Path) -> None:
    server.files = {"/a.tar.gz": archive("Top/a.wav")}
    with pytest.raises(InputError, match="wrong checksum") as caught:
        fetch(card(server, "/a.tar.gz", sha256="0" * 64), tmp_path, Watch())
    assert "\n" not in str(caught.value) and server.url in str(caught.value)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_an_archive_that_climbs_out(server: Server, tmp_path: Path) -> None:
    server.files = {"/a.tar.gz": archive("ok.wav", "../../escaped.wav")}
    with pytest.raises(InputError, match=r"'\.\./\.\./escaped\.wav' climbs out"):
        fetch(card(server, "/a.tar.gz"), tmp_path / "cache", Watch())
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_refusals(server: Server, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the server answered 404"):
        fetch(card(server, "/none.tar.gz"), tmp_path, Watch())
    assert len(server.asked) == 1
    dead = Card(
        "toy", "Toy", ("en",), "x", "pairs", 16_000, {}, sources=(Source("http://127.0.0.1:9/a.tgz"),)
    )
    with pytest.raises(InputError, match="connection lost"):
        fetch(dead, tmp_path, Watch())
    local = Card("toy", "Toy", ("en",), "x", "pairs", 16_000, {}, sources=(Source("file:///etc/passwd"),))
    with pytest.raises(InputError, match="only http and https"):
        fetch(local, tmp_path, Watch())
    nowhere = Card("toy", "Toy", ("en",), "x", "pairs", 16_000, {}, homepage="https://example.org")
    with pytest.raises(InputError, match=r"get it from https://example\.org"):
        fetch(nowhere, tmp_path, Watch())


def test_a_cache_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")
    server.files = {"/a.tar.gz": archive("Top/a.wav")}
    with pytest.raises(InputError, match="cannot be written"):
        fetch(card(server, "/a.tar.gz"), tmp_path / "cache", Watch())


def test_a_full_disk(server: Server, tmp_path: Path) -> None:
    """/dev/full takes nothing: what a download meets on a disk without room."""
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    server.files = {"/a.tar.gz": archive("Top/a.wav")}
    part = tmp_path / "downloads" / "toy" / "a.tar.gz.part"
    part.parent.mkdir(parents=True)
    part.symlink_to("/dev/full")
    with pytest.raises(InputError, match="No space left on device"):
        fetch(card(server, "/a.tar.gz"), tmp_path, Watch())


CARD = """\
name = "toy"
title = "Toy"
languages = ["en"]
licence = "CC0-1.0"
layout = "pairs"
sample_rate = 16000
splits = {{test = "."}}
source = [{{url = "{url}/a.tar.gz", sha256 = "{sha256}"}}]
"""


def get(path: Path, cache: Path) -> subprocess.Popen[str]:
    """`asrbench corpus get` as a process."""
    command = [
        sys.executable,
        "-c",
        "from bench.cli import main; main()",
        "corpus",
        "get",
        str(path),
        "--into",
        str(cache),
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_killed_download_goes_on(server: Server, tmp_path: Path) -> None:
    body = archive("Top/a.wav")
    digest = hashlib.sha256(body).hexdigest()
    server.files, server.cut_after, server.stalled = {"/a.tar.gz": body}, [10_000], threading.Event()
    path = write_text(tmp_path / "toy.toml", CARD.format(url=server.url, sha256=digest))
    part = tmp_path / "cache" / "downloads" / "toy" / "a.tar.gz.part"
    first = get(path, tmp_path / "cache")
    while first.poll() is None and not (part.is_file() and part.stat().st_size == 10_000):
        time.sleep(0.02)
    first.kill()
    assert first.wait() == -signal.SIGKILL, first.stderr and first.stderr.read()
    server.stalled.set()
    second = get(path, tmp_path / "cache")
    out, err = second.communicate()
    assert second.returncode == 0, err
    assert digest in out and server.asked == [None, "bytes=10000-"]
    assert (tmp_path / "cache" / "toy" / "a.wav").is_file()


def test_a_wrong_checksum_ends_with_two_and_one_line(server: Server, tmp_path: Path) -> None:
    server.files = {"/a.tar.gz": archive("Top/a.wav")}
    path = write_text(tmp_path / "toy.toml", CARD.format(url=server.url, sha256="0" * 64))
    process = get(path, tmp_path / "cache")
    _, err = process.communicate()
    assert process.returncode == 2
    assert [line for line in err.splitlines() if "wrong checksum" in line] and "Traceback" not in err
