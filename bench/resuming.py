"""Which folder a run is written to: that of an unfinished run of the same experiment, or a new one.

One process writes to a folder at a time.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from data.errors import InputError
from results.records import RunRecord
from results.store import RunFolder, stored_runs


def open_folder(root: Path, header: RunRecord, new: bool) -> tuple[RunFolder, int]:
    """The latest unfinished run of the same experiment, or a new one, and the descriptor of its lock.

    A run that goes on under another commit names both.
    """
    candidates: Sequence[RunFolder] = [] if new else stored_runs(root)[::-1]
    for folder in candidates:
        if not folder.finished and _same(folder, header) and (lock := _lock(folder)) is not None:
            stored = folder.header()
            if stored.code != header.code:
                earlier = stored.code.get("begun_at", stored.code.get("commit", ""))
                folder.write_header(replace(stored, code={**header.code, "begun_at": earlier}))
            return folder, lock
    folder = RunFolder.create(root, header)
    lock = _lock(folder)
    if lock is None:
        raise InputError("is in use by another asrbench", folder.path)
    return folder, lock


def _same(folder: RunFolder, header: RunRecord) -> bool:
    try:
        stored = folder.header()
    except InputError:
        return False
    mine, theirs = (
        (record.config, record.versions, [facts["hash"] for facts in record.corpora.values()])
        for record in (header, stored)
    )
    return mine == theirs


def _lock(folder: RunFolder) -> int | None:
    descriptor = os.open(folder.path / ".lock", os.O_CREAT | os.O_RDWR, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
