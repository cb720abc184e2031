"""The harness's handles on the processes that a scenario needs: the recogniser, and the load generator."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from subprocess import TimeoutExpired
from types import TracebackType
from typing import Any, Self

from bench import clock
from bench.board import Board
from bench.channel import PeerGone
from bench.child import Child, spawn
from bench.hardware import Cores, choose_cores
from bench.options import MeasurementError, NotAskedForError, Options, Target
from bench.plan import Plan
from bench.pool import AudioPool
from data.errors import InputError
from data.types import Audio, Seconds
from pipelines.registry import MissingPackage

PATIENCE: Seconds = 120.0  # beyond a scenario's own length, before a silent recogniser is given up
PARTING: Seconds = 5.0  # for a pipeline to close itself


class Recogniser:
    """A recogniser in a process of its own, with the audio it is to hear. Use it in a `with` block.

    Raises `InputError` where it cannot be loaded, `MissingPackage` where a package is not installed, and
    `MeasurementError` where it fails or dies while it is measured.
    """

    def __init__(self, target: Target, audios: Sequence[Audio], options: Options) -> None:
        if not audios:
            raise InputError("there is no utterance to measure with")
        self.target = target
        self.options = options
        self.cores: Cores = choose_cores(options.core, options.load_core)
        self.pool = AudioPool.of(audios)
        self._wake_read, self._wake_write = os.pipe()
        self._generator: Child | None = None
        inherited = (self.pool.descriptor, self._wake_read)
        self._child = spawn("bench.worker", inherited, self.cores.recogniser, options.threads)
        self.loaded: dict[str, Any] = {}

    def __enter__(self) -> Self:
        stretches = [(s.first, s.samples, s.sample_rate) for s in self.pool.stretches]
        message = {
            "use": self.target.use,
            "model_dir": None if self.target.model_dir is None else str(self.target.model_dir.resolve()),
            "decode": dict(self.target.decode),
            "threads": self.options.threads,
            "stretches": stretches,
        }
        try:
            self.loaded = self.call("load", message, timeout=self.options.start_timeout)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._part()
        self.close()

    def _part(self) -> None:
        """Lets the pipeline close itself; one that takes too long is ended all the same."""
        try:
            self._child.channel.send({"command": "close"})
            self._child.process.wait(PARTING)
        except (PeerGone, TimeoutExpired):
            pass

    @property
    def process_id(self) -> int:
        return self._child.process.pid

    def require_streaming(self) -> None:
        """Raises `NotAskedForError` for one that, as it is loaded, has no streaming mode."""
        if not self.loaded["streaming"]:
            raise NotAskedForError(f"pipeline {self.target.name} does not stream")

    def call(
        self,
        command: str,
        message: Mapping[str, Any],
        on_progress: Callable[[int], None] | None = None,
        timeout: Seconds | None = None,
    ) -> dict[str, Any]:
        """Runs a command in the recogniser's process and returns its answer."""
        report = on_progress is not None
        self._send({**message, "command": command, "report": report})
        while "answer" not in (received := self._receive(timeout)):
            if on_progress is not None:
                on_progress(received["progress"])
        return self._checked(received)

    def play(
        self, plan: Plan, on_wait: Callable[[Seconds], None] | None = None
    ) -> tuple[dict[str, Any], Board]:
        """Plays a schedule from the generator's process; the recogniser's answer, and the stamped board."""
        board = Board.of(plan.chunks)
        try:
            answer = self._play(plan, board, on_wait)
        finally:
            board.stop()
            board.close()
        return self._checked(answer), board

    def _play(self, plan: Plan, board: Board, on_wait: Callable[[Seconds], None] | None) -> dict[str, Any]:
        generator = self._started_generator()
        items = [play.item for play in plan.plays]
        wishes = {"group": self.options.advance_batch, "give_up": self.options.give_up_seconds}
        message = {"command": "serve", "chunks": board.count, "items": items, **wishes}
        self._send(message, board.descriptor)
        ready = self._receive(self.options.start_timeout)
        if "answer" in ready:
            return ready
        begun = clock.now()
        generator.channel.send({"chunks": board.count}, board.descriptor)
        end = begun + plan.seconds + self.options.give_up_seconds + PATIENCE
        while not self._child.channel.ready(0.5):
            if on_wait is not None:
                on_wait(clock.now() - begun)
            if generator.process.poll() is not None:
                raise MeasurementError(f"the load generator {generator.fate()}: {generator.last_words()}")
            if clock.now() > end:
                raise MeasurementError(f"{self.target.name} did not answer within {end - begun:.0f} s")
        answer = self._receive(None)
        board.stop()
        generator.channel.receive()
        return answer

    def _started_generator(self) -> Child:
        if self._generator is None:
            self._generator = spawn("bench.load", (self._wake_write,), self.cores.load, threads=1)
        return self._generator

    def _send(self, message: Mapping[str, Any], descriptor: int | None = None) -> None:
        try:
            self._child.channel.send(message, descriptor)
        except PeerGone as error:
            raise self._death() from error

    def _receive(self, timeout: Seconds | None) -> dict[str, Any]:
        if timeout is not None and not self._child.channel.ready(timeout):
            raise MeasurementError(f"{self.target.name} did not answer within {timeout:.0f} s")
        try:
            return self._child.channel.receive()[0]
        except PeerGone as error:
            raise self._death() from error

    def _death(self) -> MeasurementError:
        words = self._child.fate()
        last = self._child.last_words()
        return MeasurementError(
            f"{self.target.name}: the recogniser {words}" + (f"; it said: {last}" if last else "")
        )

    def _checked(self, answer: dict[str, Any]) -> dict[str, Any]:
        if "error" not in answer:
            return answer
        kinds: dict[str, type[Exception]] = {"missing": MissingPackage, "input": InputError}
        if answer["kind"] in kinds:
            raise kinds[answer["kind"]](answer["error"])
        raise MeasurementError(f"{self.target.name}: {answer['error']}")

    def close(self) -> None:
        """Ends its processes and lets go of the audio. May be called twice."""
        for child in (self._child, self._generator):
            if child is not None:
                child.end()
        if self._wake_read >= 0:
            self.pool.close()
            os.close(self._wake_read)
            os.close(self._wake_write)
            self._wake_read = -1
