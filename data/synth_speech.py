"""Our side of the speech engine's process: sentences in, samples and word times out."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from data.errors import InputError
from data.synth_grammar import reference, spoken
from data.synth_voices import Voice
from data.types import Samples


@dataclass(frozen=True)
class Job:
    """A sentence of the grammar, letters in capitals, and who says it."""

    sentence: str
    voice: Voice


@dataclass(frozen=True, eq=False)
class Speech:
    """`samples`: shape (n,), float32, at `rate` Hz; `words`: each with its start and end in seconds.

    Where the engine runs words together it times them as one; they share its time by their letters.
    """

    samples: Samples
    rate: int
    words: tuple[tuple[str, float, float], ...]


def speak(jobs: Sequence[Job]) -> Iterator[Speech]:
    """Says the jobs in turn, in one process of the engine. Raises InputError where the engine fails."""
    with tempfile.TemporaryFile() as inbox, tempfile.TemporaryFile() as complaints:
        for job in jobs:
            inbox.write(_line(job))
        inbox.seek(0)
        command = [sys.executable, "-m", "data.synth_worker"]
        home = Path(__file__).resolve().parent.parent
        with subprocess.Popen(
            command, stdin=inbox, stdout=subprocess.PIPE, stderr=complaints, cwd=home
        ) as worker:
            assert worker.stdout is not None
            for job in jobs:
                yield _reply(worker.stdout, job, complaints)


def _line(job: Job) -> bytes:
    voice = job.voice
    settings = {"voice": voice.name, "pitch": voice.pitch, "range": voice.inflection, "rate": voice.rate}
    return json.dumps({"text": spoken(job.sentence), **settings}).encode() + b"\n"


def _reply(stream: IO[bytes], job: Job, complaints: IO[bytes]) -> Speech:
    header = stream.readline()
    if not header:
        complaints.seek(0)
        last = complaints.read().decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
        raise InputError(f"the speech engine stopped ({last[0]}); reinstall espeakng-loader")
    reply = json.loads(header)
    samples = np.frombuffer(stream.read(2 * reply["samples"]), dtype="<i2").astype(np.float32) / 32768
    events = [(int(offset), int(sample) / reply["rate"]) for offset, sample in reply["events"]]
    words = _timed(job.sentence, events, len(samples) / reply["rate"])
    return Speech(samples, int(reply["rate"]), words)


def _timed(
    sentence: str, events: Sequence[tuple[int, float]], end: float
) -> tuple[tuple[str, float, float], ...]:
    """Words with times, from events (character offset in the spoken text, start in seconds)."""
    starts: list[float | None] = []
    at = dict(reversed(events))
    position = 0
    for token in spoken(sentence).split():
        inside = [at[offset] for offset in range(position, position + len(token)) if offset in at]
        starts.append(inside[0] if inside else None)
        position += len(token) + 1
    return tuple(_shared(reference(sentence).split(), starts, end))


def _shared(
    words: Sequence[str], starts: Sequence[float | None], end: float
) -> Iterator[tuple[str, float, float]]:
    """Gives words without a start their part, by letters, of the time of the word before."""
    first = 0
    while first < len(words):
        after = next((n for n in range(first + 1, len(words)) if starts[n] is not None), len(words))
        begin = starts[first] or 0.0
        stop = end if after == len(words) else (starts[after] or end)
        letters = sum(len(word) for word in words[first:after])
        for word in words[first:after]:
            share = (stop - begin) * len(word) / letters
            letters -= len(word)
            yield word, round(begin, 3), round(begin + share, 3)
            begin += share
        first = after
