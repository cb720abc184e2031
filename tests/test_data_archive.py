"""Archives by strangers: what climbs out, links out, or swells is refused, and leaves nothing outside."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from data.archive import unpack
from data.errors import InputError


def tar_of(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for info, content in members:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inner = tmp_path / "deep" / "folder"
    inner.mkdir(parents=True)
    return inner


@pytest.mark.parametrize(
    "bad",
    [
        member("../escaped.txt"),
        member("a/../../escaped.txt"),
        member("/asrbench-escaped.txt"),
        member("link", tarfile.SYMTYPE, "../../escaped.txt"),
        member("link", tarfile.SYMTYPE, "/etc/passwd"),
        member("link", tarfile.LNKTYPE, "../../escaped.txt"),
        member("device", tarfile.CHRTYPE),
        member("pipe", tarfile.FIFOTYPE),
    ],
    ids=lambda info: f"{info.name}-{info.linkname}",
)
def test_tars_that_climb_out(tmp_path: Path, folder: Path, bad: tarfile.TarInfo) -> None:
    archive = tar_of(tmp_path / "bad.tar.gz", (member("good.txt"), b"good"), (bad, b""))
    with pytest.raises(InputError, match=r"bad\.tar\.gz: .*" + bad.name.strip("./a")[:6]) as caught:
        unpack(archive, folder)
    assert "\n" not in str(caught.value)
    assert {path.name for path in tmp_path.rglob("*")} <= {"bad.tar.gz", "deep", "folder", "good.txt", "a"}
    assert not Path("/asrbench-escaped.txt").exists()


@pytest.mark.parametrize("name", ["../escaped.txt", "/asrbench-escaped.txt", "a/../../../escaped.txt"])
def test_zips_that_climb_out(tmp_path: Path, folder: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as packed:
        packed.writestr("good.txt", "good")
        packed.writestr(name, "bad")
    with pytest.raises(InputError, match="climbs out of the archive's folder"):
        unpack(tmp_path / "bad.zip", folder)
    assert list(folder.iterdir()) == [] and not list(tmp_path.rglob("escaped.txt"))


def test_zips_with_links(tmp_path: Path, folder: Path) -> None:
    link = zipfile.ZipInfo("link")
    link.create_system = 3
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as packed:
        packed.writestr(link, "/etc/passwd")
    with pytest.raises(InputError, match="'link' is a link or a device"):
        unpack(tmp_path / "bad.zip", folder)


def test_bombs(tmp_path: Path, folder: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("zeros", bytes(20_000_000))
    with pytest.raises(InputError, match="unpacks to more than"):
        unpack_with_small_limit(tmp_path / "bomb.zip", folder)
    bomb = tar_of(tmp_path / "bomb.tar.gz", (member("zeros"), bytes(20_000_000)))
    with pytest.raises(InputError, match="unpacks to more than"):
        unpack_with_small_limit(bomb, folder)


def unpack_with_small_limit(archive: Path, folder: Path) -> None:
    unpack(archive, folder, max_bytes=10_000_000)


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"\x1f\x8b\x08" + b"garbage" * 20])
def test_what_is_no_archive(tmp_path: Path, folder: Path, content: bytes) -> None:
    (tmp_path / "x.tar.gz").write_bytes(content)
    with pytest.raises(InputError, match=r"x\.tar\.gz: is (neither|a broken)"):
        unpack(tmp_path / "x.tar.gz", folder)


def test_a_cut_archive(tmp_path: Path, folder: Path) -> None:
    archive = tar_of(tmp_path / "x.tar.gz", (member("a"), bytes(range(256)) * 4000))
    archive.write_bytes(archive.read_bytes()[:-2000])
    with pytest.raises(InputError, match="is a broken archive"):
        unpack(archive, folder)


def test_inner_tars_and_inner_links(tmp_path: Path, folder: Path) -> None:
    inner = tar_of(tmp_path / "S0002.tar.gz", (member("train/S0002/a.wav"), b"sound"))
    tar_of(
        tmp_path / "outer.tgz",
        (member("d/wav/S0002.tar.gz"), inner.read_bytes()),
        (member("d/data/b.txt"), b"text"),
        (member("d/link.txt", tarfile.SYMTYPE, "data/b.txt"), b""),
    )
    unpack(tmp_path / "outer.tgz", folder)
    assert (folder / "d" / "wav" / "train" / "S0002" / "a.wav").read_bytes() == b"sound"
    assert not (folder / "d" / "wav" / "S0002.tar.gz").exists()
    assert (folder / "d" / "link.txt").read_text() == "text"
