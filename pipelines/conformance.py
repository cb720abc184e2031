"""Whether a recogniser, ours or a stranger's, keeps the promises of `pipelines.protocol`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np

from data.types import Audio, Transcript
from pipelines.protocol import Capabilities, Chunk, Config, Pipeline, Session, SessionOverError
from pipelines.registry import METHODS

RATE = 16_000
CHUNKS_MS = (20, 100, 1000)


@dataclass(frozen=True)
class Finding:
    """A promise: kept (``pass``), broken (``fail``), not asked for (``skip``), or notable (``note``)."""

    check: str
    status: Literal["pass", "fail", "skip", "note"]
    detail: str = ""


class BrokenPromiseError(AssertionError):
    """A promise was broken; the message says how."""


class Noted(Exception):  # noqa: N818
    """Not a broken promise, but a user should know it."""


def check(
    pipeline: type[Pipeline] | Pipeline,
    audio: Sequence[Audio] = (),
    model_dir: Path | None = None,
    config: Config | None = None,
) -> list[Finding]:
    """Tries every promise, over `audio` (a few utterances; seeded noise and tones where none are given).

    A class is loaded with `model_dir` and `config` first. What it raises is a finding, never an error here.
    """
    findings = [_tried("has the methods of a pipeline", lambda: _shape(pipeline))]
    if findings[0].status == "fail":
        return findings
    loaded: Any = pipeline
    if isinstance(pipeline, type):
        if pipeline.capabilities.trainable and model_dir is None:
            return [
                *findings,
                Finding("loads", "skip", "it has to be trained first: name its model's folder"),
            ]
        try:
            loaded = pipeline.load(model_dir, config or {})
        except Exception as error:
            return [*findings, Finding("loads", "fail", _line(error))]
        findings.append(Finding("loads", "pass"))
    subject = _Subject(loaded, tuple(audio) or made_up_audio())
    findings += [_tried(name, test) for name, test in subject.offline()]
    if loaded.capabilities.streaming:
        findings += [_tried(name, test) for name, test in subject.streaming()]
    else:
        findings.append(Finding("streams", "skip", "it says that it does not"))
    findings.append(_tried("can be closed twice", subject.closes_twice))
    return findings


def made_up_audio() -> tuple[Audio, ...]:
    """Three seeded utterances of 0.7 to 2 s at 16 kHz: noise and tones that come and go."""
    rng = np.random.default_rng(1)
    made = []
    for seconds in (0.7, 2.0, 1.3):
        time = np.arange(int(seconds * RATE)) / RATE  # (n,)
        voice = np.sin(2 * np.pi * rng.uniform(120, 240) * time) * (np.sin(2 * np.pi * 3 * time) > 0)
        samples = 0.2 * voice + 0.01 * rng.standard_normal(len(time))
        made.append(Audio(samples.astype(np.float32), RATE))
    return tuple(made)


def _tried(name: str, test: Callable[[], None]) -> Finding:
    try:
        test()
    except Noted as note:
        return Finding(name, "note", str(note))
    except BrokenPromiseError as broken:
        return Finding(name, "fail", str(broken))
    except Exception as error:
        return Finding(name, "fail", _line(error))
    return Finding(name, "pass")


def _line(error: Exception) -> str:
    words = next(iter(str(error).strip().splitlines()), "")
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def _expect(kept: bool, broken: str) -> None:
    if not kept:
        raise BrokenPromiseError(broken)


def _shape(pipeline: object) -> None:
    lacking = [method for method in METHODS if not callable(getattr(pipeline, method, None))]
    _expect(not lacking, f"lacks {', '.join(lacking)}")
    capabilities = getattr(pipeline, "capabilities", None)
    _expect(capabilities is not None, "lacks capabilities")
    missing = [field.name for field in fields(Capabilities) if not hasattr(capabilities, field.name)]
    _expect(not missing, f"its capabilities lack {', '.join(missing)}")


@dataclass
class _Subject:
    pipeline: Pipeline
    audio: tuple[Audio, ...]

    def offline(self) -> Iterator[tuple[str, Callable[[], None]]]:
        yield "gives one final transcript for each audio", self.one_each
        yield "gives nothing for nothing", self.empty_batch
        yield "keeps the order of a batch, and its results do not depend on the batch", self.batch_is_single
        yield "is deterministic", self.deterministic
        yield "leaves the audio as it was", self.leaves_audio
        yield "gives word times within the audio", self.word_times
        yield "takes empty audio, or refuses it clearly", lambda: self.survives(_flat(0))
        yield "takes ten samples, or refuses them clearly", lambda: self.survives(_flat(10))
        yield "takes silence, or refuses it clearly", lambda: self.survives(_flat(RATE))
        yield "takes NaN samples, or refuses them clearly", lambda: self.survives(_flat(RATE, np.nan))
        yield "takes 8 kHz, or refuses it clearly", lambda: self.survives(_flat(8000, rate=8000))
        yield "takes 44.1 kHz, or refuses it clearly", lambda: self.survives(_flat(44100, rate=44100))
        yield "states facts that can be kept as JSON", self.plain_facts

    def streaming(self) -> Iterator[tuple[str, Callable[[], None]]]:
        for milliseconds in CHUNKS_MS:
            yield f"streams in chunks of {milliseconds} ms to one final", self._streamer(milliseconds)
        yield "gives the same final whatever the size of the chunks", self.any_chunks
        yield "keeps sessions apart", self.independent
        yield "keeps NaN in one stream from the others", self.spoils_no_other
        yield "says that a session is over", self.over
        yield "takes an empty last chunk", self.empty_last
        yield "lets a session be closed early and twice", self.closes_session

    def one_each(self) -> None:
        results = self.pipeline.transcribe(self.audio)
        _expect(len(results) == len(self.audio), f"{len(results)} transcripts for {len(self.audio)} audios")
        _expect(all(isinstance(result.text, str) for result in results), "a text is no string")
        _expect(all(result.final for result in results), "a transcript is not final")

    def empty_batch(self) -> None:
        results = self.pipeline.transcribe([])
        _expect(len(results) == 0, f"{len(results)} transcripts for no audio")

    def texts(self, audio: Sequence[Audio]) -> list[str]:
        return [result.text for result in self.pipeline.transcribe(audio)]

    def batch_is_single(self) -> None:
        together = self.texts(self.audio)
        alone = [self.texts([audio])[0] for audio in self.audio]
        backwards = self.texts(self.audio[::-1])[::-1]
        _expect(together == backwards or together != alone, "the order of a batch changes its results")
        if together != alone:
            _expect(sorted(together) != sorted(alone), "the transcripts of a batch come in another order")
            raise Noted(_difference(together, alone))

    def deterministic(self) -> None:
        first, second = self.texts(self.audio), self.texts(self.audio)
        _expect(first == second, _difference(first, second))

    def leaves_audio(self) -> None:
        before = [audio.samples.copy() for audio in self.audio]
        self.pipeline.transcribe(self.audio)
        same = [np.array_equal(a, b.samples) for a, b in zip(before, self.audio, strict=True)]
        _expect(all(same), "it changed the samples that it was given")

    def word_times(self) -> None:
        for audio, result in zip(self.audio, self.pipeline.transcribe(self.audio), strict=True):
            for word in result.words:
                inside = -0.1 <= word.start <= word.end <= audio.seconds + 0.1
                _expect(inside, f"{word.text!r} at {word.start} to {word.end} s of {audio.seconds:.2f} s")

    def survives(self, audio: Audio) -> None:
        """An error with a message is a clear refusal; the next good audio must come out as before."""
        before = self.texts(self.audio[:1])
        try:
            _expect(len(self.pipeline.transcribe([audio])) == 1, "no transcript came back")
        except (BrokenPromiseError, MemoryError):
            raise
        except Exception as error:
            _expect(bool(str(error).strip()), f"{type(error).__name__} without a message")
        _expect(self.texts(self.audio[:1]) == before, "the audio after it was heard differently")

    def plain_facts(self) -> None:
        facts = self.pipeline.facts()
        odd = [key for key, value in facts.items() if not isinstance(value, int | float | str)]
        _expect(not odd, f"neither a number nor a text: {', '.join(odd)}")
        json.dumps(dict(facts))

    def _streamer(self, milliseconds: int) -> Callable[[], None]:
        def run() -> None:
            for audio in self.audio:
                results = self.stream(audio, milliseconds)
                _expect(results[-1].final, "the last transcript is not final")
                _expect(not any(result.final for result in results[:-1]), "a partial says that it is final")

        return run

    def stream(self, audio: Audio, milliseconds: int) -> list[Transcript]:
        session = self.pipeline.open_session()
        results = [self.feed(session, chunk) for chunk in _chunks(audio, milliseconds)]
        session.close()
        return results

    def feed(self, session: Session, chunk: Chunk) -> Transcript:
        results = self.pipeline.advance([session], [chunk])
        _expect(len(results) == 1, f"{len(results)} transcripts for one session")
        return results[0]

    def any_chunks(self) -> None:
        for audio in self.audio:
            texts = [self.stream(audio, milliseconds)[-1].text for milliseconds in CHUNKS_MS]
            if len(set(texts)) > 1:
                raise Noted(_difference(texts[:1], texts[-1:]))

    def independent(self) -> None:
        alone = [self.stream(audio, 100)[-1].text for audio in self.audio]
        _expect((together := self.interleaved(self.audio)) == alone, _difference(together, alone))

    def spoils_no_other(self) -> None:
        alone = self.interleaved(self.audio)
        try:
            beside = self.interleaved([*self.audio, _flat(RATE, np.nan, self.audio[0].sample_rate)])
        except Exception as error:
            raise Noted(f"it ends the streams beside it: {_line(error)}") from error
        _expect(beside[:-1] == alone, _difference(beside, alone))

    def interleaved(self, audios: Sequence[Audio]) -> list[str]:
        """All at once, a session each, until the longest is over."""
        queues = [list(_chunks(audio, 100)) for audio in audios]
        sessions = [self.pipeline.open_session() for _ in queues]
        finals = [""] * len(queues)
        while any(queues):
            live = [index for index, queue in enumerate(queues) if queue]
            results = self.pipeline.advance([sessions[i] for i in live], [queues[i].pop(0) for i in live])
            _expect(len(results) == len(live), f"{len(results)} transcripts for {len(live)} sessions")
            for index, result in zip(live, results, strict=True):
                finals[index] = result.text if result.final else finals[index]
        for session in sessions:
            session.close()
        return finals

    def over(self) -> None:
        session = self.pipeline.open_session()
        chunks = list(_chunks(self.audio[0], 1000))
        for chunk in chunks:
            self.feed(session, chunk)
        try:
            self.feed(session, chunks[0])
        except SessionOverError:
            return
        finally:
            session.close()
        raise BrokenPromiseError("a session fed after its last chunk raises no SessionOverError")

    def empty_last(self) -> None:
        session = self.pipeline.open_session()
        self.feed(session, Chunk(self.audio[0].samples, self.audio[0].sample_rate))
        empty = Chunk(np.zeros(0, np.float32), self.audio[0].sample_rate, last=True)
        _expect(self.feed(session, empty).final, "the transcript is not final")
        session.close()

    def closes_session(self) -> None:
        session = self.pipeline.open_session()
        self.feed(session, next(_chunks(self.audio[1 % len(self.audio)], 100)))
        session.close()
        session.close()

    def closes_twice(self) -> None:
        self.pipeline.close()
        self.pipeline.close()


def _chunks(audio: Audio, milliseconds: int) -> Iterator[Chunk]:
    size = max(1, audio.sample_rate * milliseconds // 1000)
    for first in range(0, max(1, len(audio.samples)), size):
        piece = audio.samples[first : first + size].copy()
        yield Chunk(piece, audio.sample_rate, first + size >= len(audio.samples))


def _flat(samples: int, value: float = 0.0, rate: int = RATE) -> Audio:
    return Audio(np.full(samples, value, dtype=np.float32), rate)


def _difference(first: Sequence[str], second: Sequence[str]) -> str:
    for one, other in zip(first, second, strict=False):
        if one != other:
            return f"{one[:60]!r} here, {other[:60]!r} there"
    return ""
