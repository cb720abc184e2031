"""Unpacking archives that strangers made: nothing leaves the folder, and nothing fills the disk."""

from __future__ import annotations

import gzip
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from data.errors import InputError

MAX_BYTES = 500 * 2**30
MAX_MEMBERS = 5_000_000
MAX_RATIO = 1000  # unpacked bytes per packed byte; audio and text stay far below
_BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    RuntimeError,  # zipfile: encrypted, or packed by an unknown method
)


def unpack(archive: Path, folder: Path, max_bytes: int = MAX_BYTES) -> None:
    """Unpacks a tar (plain, gz, bz2, xz) or zip into an existing folder, and tars in it where they lie.

    Raises `InputError`, naming the member, for absolute paths, ``..``, links that point outside, devices,
    and archives that are broken or unpack to more than they plausibly hold.
    """
    _unpack_one(archive, folder, max_bytes)
    # AISHELL-1 is a tar of tars, one for each speaker.
    for inner in sorted(
        path for path in folder.rglob("*.tar.gz") if path.is_file() and not path.is_symlink()
    ):
        _unpack_one(inner, inner.parent, max_bytes)
        inner.unlink()


def _unpack_one(archive: Path, folder: Path, max_bytes: int) -> None:
    try:
        if zipfile.is_zipfile(archive):
            _unzip(archive, folder, max_bytes)
        elif tarfile.is_tarfile(archive):
            _untar(archive, folder, max_bytes)
        else:
            raise InputError("is neither a tar nor a zip archive", archive)
    except tarfile.FilterError as error:
        name = getattr(error.tarinfo, "name", "a member")
        raise InputError(f"'{name}' climbs out of the archive's folder; nothing is used", archive) from error
    except _BROKEN as error:
        raise InputError(f"is a broken archive ({error or type(error).__name__})", archive) from error


def _untar(archive: Path, folder: Path, max_bytes: int) -> None:
    with tarfile.open(archive) as tar:
        tar.extractall(folder, members=_within_limits(tar, archive, max_bytes), filter=_strict)


def _strict(member: tarfile.TarInfo, destination: str) -> tarfile.TarInfo | None:
    """Python's filter refuses devices and what leaves the folder; a leading slash it would only strip."""
    if member.name.startswith(("/", "\\")):
        raise tarfile.AbsolutePathError(member)
    return tarfile.data_filter(member, destination)


def _within_limits(tar: tarfile.TarFile, archive: Path, max_bytes: int) -> Iterator[tarfile.TarInfo]:
    """Members as they are read, as long as their sizes and their number stay plausible."""
    total = 0
    for count, member in enumerate(tar, start=1):
        total += max(0, member.size)
        _check_limits(archive, total, count, max_bytes)
        yield member


def _unzip(archive: Path, folder: Path, max_bytes: int) -> None:
    with zipfile.ZipFile(archive) as packed:
        members = packed.infolist()
        _check_limits(archive, sum(member.file_size for member in members), len(members), max_bytes)
        for member in members:
            _check_zip_member(member, archive, folder)
        for member in members:
            _extract(packed, member, folder)


def _check_zip_member(member: zipfile.ZipInfo, archive: Path, folder: Path) -> None:
    target = (folder / member.filename).resolve()
    kind = stat.S_IFMT(member.external_attr >> 16)
    if member.filename.startswith("/") or not target.is_relative_to(folder.resolve()):
        raise InputError(f"'{member.filename}' climbs out of the archive's folder; nothing is used", archive)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise InputError(f"'{member.filename}' is a link or a device; nothing is used", archive)


def _extract(packed: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    """A zip member gives at most as many bytes as its header promised: zipfile stops there, with an error."""
    target = folder / member.filename
    if member.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with packed.open(member) as source, target.open("wb") as file:
        shutil.copyfileobj(source, file)


def _check_limits(archive: Path, total: int, count: int, max_bytes: int) -> None:
    limit = min(max_bytes, max(2**20, archive.stat().st_size * MAX_RATIO))
    if total > limit or count > MAX_MEMBERS:
        raise InputError(f"unpacks to more than {limit} bytes or {MAX_MEMBERS} files: not a corpus", archive)
