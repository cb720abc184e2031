"""Downloading corpora: resumed where they stopped, checked, unpacked safely, and there only when complete."""

from __future__ import annotations

import hashlib
import http.client
import shutil
import ssl
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Protocol

from data.archive import unpack
from data.card import Card, Source
from data.errors import InputError

_BLOCK = 1 << 20
_TIMEOUT = 60  # seconds without a byte
_ATTEMPTS = 3
_LOST = (urllib.error.URLError, http.client.HTTPException, ssl.SSLError, ConnectionError, TimeoutError)


class Progress(Protocol):
    """As `pipelines.protocol.Progress`, which this layer does not know: bytes done, of bytes in all."""

    def __call__(self, done: float, total: float, note: str = "") -> None: ...


@dataclass(frozen=True)
class Fetched:
    """Where a corpus lies now, and the SHA-256 of each archive by address, as computed."""

    folder: Path
    checksums: dict[str, str]


def fetch(card: Card, cache: Path, progress: Progress) -> Fetched:
    """Downloads and unpacks the corpus of `card` into `cache / card.name`; does nothing where it is there.

    Archives are kept as ``.part`` until complete, so that a later call goes on; the corpus folder appears at
    once and whole. Raises `InputError` for a corpus that has no address, a server's refusal, a lost
    connection, a wrong checksum, a full disk, and an archive that is broken or climbs out of its folder.
    """
    folder = cache / card.name
    if folder.is_dir():
        return Fetched(folder, {})
    if not card.sources:
        raise InputError(f"corpus {card.name} cannot be downloaded by asrbench; get it from {card.homepage}")
    downloads = cache / "downloads" / card.name
    try:
        downloads.mkdir(parents=True, exist_ok=True)
        archives = [_download(source, downloads, progress) for source in card.sources]
        checksums = {
            source.url: _checked(path, source) for source, path in zip(card.sources, archives, strict=True)
        }
        _unpack_all(archives, folder, progress)
    except OSError as error:
        raise InputError(f"cannot be written ({error.strerror or error})", error.filename or cache) from error
    shutil.rmtree(downloads, ignore_errors=True)
    return Fetched(folder, checksums)


def _unpack_all(archives: list[Path], folder: Path, progress: Progress) -> None:
    """All archives into one folder, which gets its name only when it is whole."""
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    for number, archive in enumerate(archives):
        progress(number, len(archives), f"unpacking {archive.name}")
        try:
            unpack(archive, unfinished)
        except InputError:
            shutil.rmtree(unfinished, ignore_errors=True)
            archive.unlink()  # the next call downloads it anew
            raise
    tops = list(unfinished.iterdir())
    lone = tops[0] if len(tops) == 1 and tops[0].is_dir() and not tops[0].is_symlink() else unfinished
    lone.rename(folder)
    shutil.rmtree(unfinished, ignore_errors=True)
    progress(len(archives), len(archives), f"unpacked into {folder}")


def _download(source: Source, downloads: Path, progress: Progress) -> Path:
    """The whole archive, from where an earlier call stopped."""
    name = Path(urllib.parse.urlsplit(source.url).path).name or "archive"
    final, part = downloads / name, downloads / f"{name}.part"
    if final.is_file():
        return final
    for attempt in range(_ATTEMPTS):
        try:
            _transfer(source.url, part, progress)
            break
        except _LOST as error:
            refused = isinstance(error, urllib.error.HTTPError) and error.code < 500
            if refused or attempt == _ATTEMPTS - 1:
                raise InputError(_lost(error, part), source.url) from error
    part.rename(final)
    return final


def _lost(error: Exception, part: Path) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code} {error.reason}"
    kept = part.stat().st_size if part.is_file() else 0
    reason = getattr(error, "reason", None) or error or type(error).__name__
    return f"connection lost ({reason}); {kept} bytes are kept: run the same command again to go on"


def _transfer(url: str, part: Path, progress: Progress) -> None:
    """Appends to `part` what it lacks; starts anew where the server cannot resume."""
    have = part.stat().st_size if part.is_file() else 0
    if not url.startswith(("http://", "https://")):
        raise InputError("only http and https addresses are downloaded", url)
    headers = {"User-Agent": "asrbench"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        if _is_whole(error, have):
            return
        part.unlink()
        raise ConnectionError("what an earlier call kept does not fit this archive") from error
    with response:
        resumed = response.status == HTTPStatus.PARTIAL_CONTENT and _starts_at(response, have)
        done = have if resumed else 0
        length = response.headers.get("Content-Length")
        total = done + int(length) if length else 0
        with part.open("ab" if resumed else "wb") as file:
            while block := response.read1(_BLOCK):  # what has arrived, so that little is lost
                file.write(block)
                file.flush()
                done += len(block)
                progress(done, total, f"downloading {part.stem}")
    if total and done < total:
        raise ConnectionError(f"{done} of {total} bytes arrived")


def _is_whole(error: urllib.error.HTTPError, have: int) -> bool:
    """A server that has nothing beyond what is here says so: ``Content-Range: bytes */TOTAL``."""
    return str(error.headers.get("Content-Range", "")).endswith(f"/{have}")


def _starts_at(response: http.client.HTTPResponse, have: int) -> bool:
    return str(response.headers.get("Content-Range", "")).startswith(f"bytes {have}-")


def _checked(archive: Path, source: Source) -> str:
    """The archive's SHA-256; a wrong one removes it, so that the next call starts clean."""
    with archive.open("rb") as file:
        computed = hashlib.file_digest(file, "sha256").hexdigest()
    if source.sha256 is not None and computed != source.sha256.lower():
        archive.unlink()
        raise InputError(
            f"wrong checksum: sha256 is {computed}, the card says {source.sha256}; the download was removed",
            source.url,
        )
    return computed
