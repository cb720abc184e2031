"""PocketSphinx with the general English model that its package carries: a recogniser that others made.

Settings: `sessions`, how many decoders are made ready at loading (more are made when needed, in their time);
`lm` and `dict`, files that replace the model's own; `beam`, its main pruning beam.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import soxr
from pocketsphinx import Decoder, get_model_path

from data.errors import InputError, did_you_mean
from data.types import Audio, Samples, Transcript, Word
from pipelines.protocol import (
    Capabilities,
    Chunk,
    Config,
    Progress,
    Session,
    SessionOverError,
    TrainingSet,
)

RATE = 16_000
FRAMES_PER_SECOND = 100
SETTINGS = ("sessions", "lm", "dict", "beam")
READY = 6


class PocketSphinxSession:
    """One utterance on a decoder of its own, which goes back to the others when the session is closed."""

    def __init__(self, owner: PocketSphinxPipeline) -> None:
        self._owner = owner
        self._decoder: Any = owner.borrow()
        self._decoder.start_utt()
        self._resampler: soxr.ResampleStream | None = None
        self.over = False

    def feed(self, chunk: Chunk) -> Transcript:
        """The transcript so far. Raises `SessionOverError` after the last chunk."""
        if self.over or self._decoder is None:
            raise SessionOverError("the session was fed after its last chunk")
        pcm = _pcm(self._at_model_rate(chunk))
        if pcm:
            self._decoder.process_raw(pcm)
        if chunk.last:
            self.over = True
            self._decoder.end_utt()
        return transcript(self._decoder, final=chunk.last)

    def _at_model_rate(self, chunk: Chunk) -> Samples:
        if chunk.sample_rate == RATE:
            return chunk.samples
        if self._resampler is None:
            self._resampler = soxr.ResampleStream(chunk.sample_rate, RATE, 1, dtype="float32")
        return np.asarray(self._resampler.resample_chunk(_finite(chunk.samples), last=chunk.last))

    def close(self) -> None:
        """May be called twice, and before the last chunk."""
        if self._decoder is not None:
            if not self.over:
                self._decoder.end_utt()
            self._owner.give_back(self._decoder)
        self._decoder = None
        self.over = True


class PocketSphinxPipeline:
    """One decoder per live session; whole utterances go through the first one with batch cepstral means."""

    capabilities = Capabilities(
        streaming=True, word_times=True, languages=("en",), sample_rate=RATE, look_ahead_ms=0.0
    )

    def __init__(self, config: Config) -> None:
        self._settings = _settings(config)
        self._free = [self._decoder() for _ in range(max(1, int(config.get("sessions", READY))))]
        self._cepstral_mean = self._free[0].get_cmn(False)

    @classmethod
    def train(cls, corpus: TrainingSet, config: Config, model_dir: Path, progress: Progress) -> None:
        raise InputError("PocketSphinx brings its own model; there is nothing to train here")

    @classmethod
    def load(cls, model_dir: Path | None, config: Config) -> Self:
        """Raises `InputError` for an unknown setting or a file that is not there."""
        for key in config:
            if key not in SETTINGS:
                raise InputError(f"pocketsphinx has no setting {key!r}{did_you_mean(key, SETTINGS)}")
        return cls(config)

    def _decoder(self) -> Any:
        return Decoder(samprate=float(RATE), loglevel="FATAL", **self._settings)

    def borrow(self) -> Any:
        """A decoder in its first state: cepstral mean and noise of its last utterance are forgotten."""
        decoder = self._free.pop() if self._free else self._decoder()
        decoder.set_cmn(self._cepstral_mean)
        with warnings.catch_warnings():  # it says that this is unnecessary, but it alone forgets the noise
            warnings.simplefilter("ignore", DeprecationWarning)
            decoder.start_stream()
        return decoder

    def give_back(self, decoder: Any) -> None:
        self._free.append(decoder)

    def transcribe(self, batch: Sequence[Audio]) -> list[Transcript]:
        return [self._transcribe(audio) for audio in batch]

    def _transcribe(self, audio: Audio) -> Transcript:
        samples = _finite(audio.samples)
        if audio.sample_rate != RATE and len(samples):
            samples = np.asarray(soxr.resample(samples, audio.sample_rate, RATE), dtype=np.float32)
        pcm = _pcm(samples)
        if not pcm:
            return Transcript("")
        decoder = self.borrow()
        decoder.start_utt()
        decoder.process_raw(pcm, full_utt=True)
        decoder.end_utt()
        result = transcript(decoder, final=True)
        self.give_back(decoder)
        return result

    def open_session(self) -> PocketSphinxSession:
        return PocketSphinxSession(self)

    def advance(self, sessions: Sequence[Session], chunks: Sequence[Chunk]) -> list[Transcript]:
        pairs = zip(sessions, chunks, strict=True)
        return [_own(session).feed(chunk) for session, chunk in pairs]

    def synchronize(self) -> None:
        """There is no device."""

    def facts(self) -> Mapping[str, float | str]:
        files = [Path(self._settings[key]) for key in ("hmm", "lm", "dict")]
        return {"model_bytes": float(sum(map(_bytes, files))), "device": "cpu", "threads": 1.0}

    def close(self) -> None:
        """Lets the decoders go; may be called twice."""
        self._free.clear()


def _settings(config: Config) -> dict[str, Any]:
    model = Path(get_model_path()) / "en-us"
    own = {"hmm": model / "en-us", "lm": model / "en-us.lm.bin", "dict": model / "cmudict-en-us.dict"}
    files = {key: Path(config.get(key, path)) for key, path in own.items()}
    for key, path in files.items():
        if not path.exists():
            raise InputError(f"pocketsphinx: there is no such file for {key!r}", path)
    beam = {"beam": float(config["beam"])} if "beam" in config else {}
    return {**{key: str(path) for key, path in files.items()}, **beam}


def transcript(decoder: Any, final: bool) -> Transcript:
    """What the decoder holds; alternative pronunciations such as ``the(2)`` lose their number."""
    hypothesis = decoder.hyp()
    if hypothesis is None:
        return Transcript("", final=final)
    words = tuple(_words(decoder.seg() or ())) if final else ()
    return Transcript(hypothesis.hypstr, words, final)


def _words(segments: Iterable[Any]) -> Iterable[Word]:
    for segment in segments:
        if segment.word[0] not in "<[+":
            start, end = segment.start_frame / FRAMES_PER_SECOND, (segment.end_frame + 1) / FRAMES_PER_SECOND
            yield Word(segment.word.partition("(")[0], start, end, float(min(1.0, segment.prob)))


def _own(session: Session) -> PocketSphinxSession:
    if not isinstance(session, PocketSphinxSession):
        raise TypeError(f"not a session of PocketSphinx: {type(session).__name__}")
    return session


def _finite(samples: Samples) -> Samples:
    if not np.isfinite(samples).all():
        raise InputError("the audio holds NaN or infinite samples")
    return samples


def _pcm(samples: Samples) -> bytes:
    clipped = np.clip(_finite(samples), -1.0, 32767 / 32768)  # (n,)
    return bytes((clipped * 32768).astype("<i2").tobytes())


def _bytes(path: Path) -> int:
    if path.is_dir():
        return sum(_bytes(inner) for inner in path.iterdir())
    return path.stat().st_size
