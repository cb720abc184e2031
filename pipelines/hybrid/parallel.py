"""Pieces of one training side by side, each in a process of its own."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, TypeAlias

from threadpoolctl import threadpool_limits

from data.errors import InputError

Step: TypeAlias = Callable[[float, str, str], None]
"""Gets the share done, from 0 to 1, a note, and the name of the stage under way."""
Piece: TypeAlias = Callable[[Step], Any]
"""Work whose result can be sent from one process to another; large ones are better left on disk."""


def side_by_side(pieces: Sequence[Piece], step: Step, jobs: int) -> list[Any]:
    """The results of all of `pieces`, up to `jobs` of them at a time.

    Raises what the first of them raised that failed: `InputError`, or RuntimeError with its words.
    """
    if jobs < 2 or len(pieces) < 2:
        return [piece(_share_of(step, number, len(pieces))) for number, piece in enumerate(pieces)]
    crew = _Crew(pieces, step)
    try:
        return crew.work(jobs)
    finally:
        crew.stop()


def _share_of(step: Step, number: int, count: int) -> Step:
    return lambda share, note, stage: step((number + share) / count, note, stage)


class _Crew:
    """Processes at work; each talks through a pipe."""

    def __init__(self, pieces: Sequence[Piece], step: Step) -> None:
        self._pieces, self._step = pieces, step
        self._ends: dict[Any, int] = {}
        self._processes: list[Any] = []
        self._shares = [0.0] * len(pieces)
        self._results: dict[int, Any] = {}

    def work(self, jobs: int) -> list[Any]:
        while len(self._results) < len(self._pieces):
            while len(self._ends) < jobs and len(self._processes) < len(self._pieces):
                self._start(len(self._processes))
            for end in wait(list(self._ends)):
                self._hear(end)
        return [self._results[number] for number in range(len(self._pieces))]

    def stop(self) -> None:
        for process in self._processes:
            process.terminate()
            process.join()

    def _start(self, number: int) -> None:
        context = multiprocessing.get_context("fork")  # the pieces need what is in memory
        mine, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(self._pieces[number], theirs), daemon=True)
        process.start()
        theirs.close()
        self._ends[mine] = number
        self._processes.append(process)

    def _hear(self, end: Any) -> None:
        kind, content = _received(end)
        number = self._ends[end]
        if kind == "input":
            raise InputError(content)
        if kind == "failed":
            raise RuntimeError(content)
        if kind == "done":
            self._results[number] = content
            del self._ends[end]
            self._shares[number] = 1.0
            return
        self._shares[number], note, stage = content
        self._step(sum(self._shares) / len(self._shares), note, stage)


def _work(piece: Piece, out: Connection) -> None:
    try:
        # OpenMP's threads do not survive the fork, and waiting for them would not end
        with threadpool_limits(1):
            result = piece(lambda share, note, stage: out.send(("step", (share, note, stage))))
        out.send(("done", result))
    except InputError as error:
        out.send(("input", str(error)))
    except Exception as error:  # it is raised again where it is waited for
        out.send(("failed", f"{type(error).__name__}: {error}"))


def _received(end: Any) -> tuple[str, Any]:
    try:
        kind, content = end.recv()
    except EOFError:
        return "failed", "a process of the training died"
    return kind, content
