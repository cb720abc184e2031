"""What a corpus is, in one number: hashes over texts and the contents of audio files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from data.errors import InputError
from data.types import Utterance


def split_fingerprint(utterances: Iterable[Utterance]) -> str:
    """SHA-256, in hexadecimal, over all that makes up the utterances but where their files lie."""
    digest = hashlib.sha256()
    for utterance in utterances:
        fields = (
            utterance.id,
            utterance.speaker or "",
            utterance.text,
            repr(utterance.start),
            repr(utterance.duration),
            file_digest(utterance.source),
        )
        digest.update("\0".join(fields).encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's contents; read once in a process as long as its size and date stay the same."""
    try:
        state = path.stat()
        return _digest(path, state.st_size, state.st_mtime_ns)
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", path) from error


@lru_cache(maxsize=1_000_000)
def _digest(path: Path, size: int, modified: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
