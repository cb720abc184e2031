"""The recogniser's process: a fresh interpreter, pinned to its core, that serves the harness's commands.

Nothing heavy is imported before the thread counts are set (`bench.child.spawn` does that in the environment).
"""

from __future__ import annotations

import gc
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

from bench import clock
from bench.board import Board
from bench.channel import Channel, PeerGone
from bench.child import begin
from bench.meter import Meter, peak_memory_bytes
from bench.pool import AudioPool, Stretch
from bench.serve import Desk, alone, group_size
from data.errors import InputError
from data.types import Audio, Seconds, Transcript
from pipelines.protocol import Pipeline
from pipelines.registry import MissingPackage, load_class


class Worker:
    """One loaded pipeline and the audio it is fed with. Each command returns the answer to send back."""

    def __init__(self, channel: Channel, pool_descriptor: int, wake: int) -> None:
        self._channel = channel
        self._pool_descriptor = pool_descriptor
        self._wake = wake
        self._meter = Meter()
        self._pipeline: Pipeline | None = None
        self._pool = AudioPool(pool_descriptor, ())
        self._speakers: list[str | None] | None = None

    @property
    def pipeline(self) -> Pipeline:
        if self._pipeline is None:
            raise RuntimeError("nothing is loaded")
        return self._pipeline

    def load(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Loads `use`; the time is from a fresh interpreter to ready, imports included."""
        self._pool = AudioPool(self._pool_descriptor, [Stretch(*entry) for entry in message["stretches"]])
        begun = clock.now()
        found = load_class(message["use"])
        model_dir = None if message["model_dir"] is None else Path(message["model_dir"])
        self._pipeline = found.load(model_dir, message["decode"])
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(message["threads"])
        self.pipeline.synchronize()
        seconds = clock.now() - begun
        self._meter.start()
        able = self.pipeline.capabilities  # of what is loaded; its class may promise more
        return {
            "load_seconds": seconds,
            "facts": self._facts(),
            "streaming": able.streaming,
            "look_ahead_ms": able.look_ahead_ms if able.streaming else None,
            "speaker_labels": getattr(able, "speaker_labels", False),
        }

    def transcribe(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Batches of utterance indices; for each utterance started, finished, seconds, text, error.

        `speakers`, where there are any, holds the label of each utterance.
        """
        rows: dict[int, tuple[Any, ...]] = {}
        self._speakers = message.get("speakers")
        with quiet():
            self._meter.start()
            for done, batch in enumerate(message["batches"]):
                rows.update(zip(batch, self._batch(batch), strict=True))
                if message["report"]:
                    self._channel.send({"progress": done + 1})
        return {"rows": [[index, *row] for index, row in rows.items()], **self._used()}

    def _batch(self, batch: list[int]) -> list[tuple[Any, ...]]:
        audios = [self._audio(index) for index in batch]
        begun = clock.now()
        try:
            texts = [transcript.text for transcript in self._transcribe(audios)]
        except Exception as error:
            if len(batch) > 1:  # find the one that cannot be used; the others do not pay for it
                return self._divided(batch)
            return [(begun, clock.now(), 0.0, "", one_line(error))]
        done = clock.now()
        total = sum(audio.seconds for audio in audios) or 1.0
        shares = [audio.seconds / total for audio in audios]
        return [
            (begun, done, (done - begun) * share, text, None)
            for share, text in zip(shares, texts, strict=True)
        ]

    def _divided(self, batch: list[int]) -> list[tuple[Any, ...]]:
        """One by one; what belongs to one speaker once more together, without what was refused."""
        alone = {index: self._batch([index])[0] for index in batch}
        good = [index for index, row in alone.items() if row[-1] is None]
        if self._speakers is not None and 1 < len(good) < len(batch):
            alone |= zip(good, self._batch(good), strict=True)
        return list(alone.values())

    def _audio(self, index: int) -> Audio:
        audio = self._pool.audio(index)
        return audio if self._speakers is None else replace(audio, speaker=self._speakers[index])

    def _transcribe(self, audios: list[Audio]) -> list[Transcript]:
        transcripts = self.pipeline.transcribe(audios)
        self.pipeline.synchronize()
        if len(transcripts) != len(audios):
            raise RuntimeError(f"transcribe gave {len(transcripts)} transcripts for {len(audios)} audios")
        return transcripts

    def alone(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Utterances in chunks, one after another at full speed: text and seconds of each."""
        results = []
        with quiet():
            for item in message["items"]:
                results.append(alone(self.pipeline, self._pool, item, message["chunk_ms"]))
                if message["report"]:
                    self._channel.send({"progress": len(results)})
        return {"results": results}

    def serve(self, message: Mapping[str, Any], descriptor: int) -> dict[str, Any]:
        """A board's worth of streams; answers `ready` first, so that the generator may begin."""
        board = Board(descriptor, message["chunks"])
        group = group_size(message["group"], self.pipeline.facts().get("device", "cpu"))
        desk = Desk(self.pipeline, self._pool, board, message["items"], group, message["give_up"])
        try:
            with quiet():
                self._meter.start()
                self._channel.send({"ready": True})
                served = desk.run(self._wake)
        finally:
            board.stop()
            board.close()
        outcomes = [astuple(outcome) for outcome in served.outcomes]
        times: dict[str, Seconds | None] = {"work": served.work, "gave_up": served.gave_up}
        return {"outcomes": outcomes, "group": group, **times, **self._used()}

    def _used(self) -> dict[str, Any]:
        return {
            "peak_memory_bytes": peak_memory_bytes(),
            "cpu_seconds": self._meter.cpu_seconds(),
            "energy_joules": self._meter.energy_joules(),
            "facts": self._facts(),
        }

    def _facts(self) -> dict[str, float | str]:
        return dict(self.pipeline.facts())

    def close(self) -> None:
        if self._pipeline is not None:
            self._pipeline.close()


@contextmanager
def quiet() -> Iterator[None]:
    """No garbage collection while something is timed."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def one_line(error: BaseException) -> str:
    """An error as a line for a cell: its own words where they are meant for people, else its type as well."""
    words = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    if isinstance(error, InputError):
        return words
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def answer(worker: Worker, message: Mapping[str, Any], descriptor: int | None) -> dict[str, Any]:
    """Runs one command; what goes wrong becomes an `error` line and its `kind`."""
    try:
        if message["command"] == "serve":
            assert descriptor is not None
            return worker.serve(message, descriptor)
        commands = {"load": worker.load, "transcribe": worker.transcribe, "alone": worker.alone}
        return commands[message["command"]](message)
    except PeerGone:
        raise
    except Exception as error:
        traceback.print_exc()
        kind = (
            "missing"
            if isinstance(error, MissingPackage)
            else "input"
            if isinstance(error, InputError)
            else ""
        )
        return {"error": one_line(error), "kind": kind}


def main() -> None:
    """Arguments: the descriptors of the channel, the watch, the pool and the wake pipe, and the core."""
    channel_fd, watch, pool, wake = (int(argument) for argument in sys.argv[1:5])
    begin(watch, sys.argv[5])
    worker = Worker(Channel.from_descriptor(channel_fd), pool, wake)
    try:
        while True:
            message, descriptor = worker._channel.receive()
            if message["command"] == "close":
                worker.close()
                return
            worker._channel.send({"answer": True, **answer(worker, message, descriptor)})
    except PeerGone:
        pass


if __name__ == "__main__":
    main()
