"""Pieces of one training side by side, each in a process of its own; what they make, they leave on disk."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

from data.errors import InputError

Step = Callable[[float, str, str], None]
"""Gets the share done, from 0 to 1, a note, and the name of the stage under way."""
Piece = Callable[[Step], None]


def side_by_side(pieces: Sequence[Piece], step: Step, jobs: int) -> None:
    """All of `pieces`; the notes are the last one's, which should be the longest.

    Raises what the first of them raised that failed: `InputError`, or RuntimeError with its words.
    """
    if jobs < 2 or len(pieces) < 2:
        for number, piece in enumerate(pieces):
            piece(_share_of(step, number, len(pieces)))
        return
    context = multiprocessing.get_context("fork")
    ends = []
    processes = []
    for piece in pieces:
        mine, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(piece, theirs), daemon=True)
        process.start()
        theirs.close()
        ends.append(mine)
        processes.append(process)
    try:
        _listen(ends, step)
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _share_of(step: Step, number: int, count: int) -> Step:
    return lambda share, note, stage: step((number + share) / count, note, stage)


def _work(piece: Piece, out: Connection) -> None:
    try:
        piece(lambda share, note, stage: out.send(("step", share, note, stage)))
        out.send(("done", 1.0, "", ""))
    except InputError as error:
        out.send(("input", 0.0, str(error), ""))
    except Exception as error:  # it is raised again where it is waited for
        out.send(("failed", 0.0, f"{type(error).__name__}: {error}", ""))


def _listen(ends: Sequence[Connection], step: Step) -> None:
    shares = [0.0] * len(ends)
    open_ends: list[Any] = list(ends)
    while open_ends:
        for end in wait(open_ends):
            number = ends.index(end)
            kind, share, note, stage = _received(end)
            if kind == "input":
                raise InputError(note)
            if kind == "failed":
                raise RuntimeError(note)
            shares[number] = share
            if kind == "done":
                open_ends.remove(end)
            elif number == len(ends) - 1:
                step(sum(shares) / len(shares), note, stage)


def _received(end: Any) -> tuple[str, float, str, str]:
    try:
        kind, share, note, stage = end.recv()
    except EOFError:
        return "failed", 0.0, "a process of the training died", ""
    return kind, share, note, stage
