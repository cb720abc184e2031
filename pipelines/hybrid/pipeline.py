"""The hybrid recogniser behind the `Pipeline` protocol: acoustic model, lexicon and LM in one graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import soxr
from threadpoolctl import threadpool_limits

from data.errors import InputError
from data.types import Audio, Samples, Transcript, Utterance, Word
from pipelines.features import FRAME_SECONDS, Features, FeatureStream
from pipelines.hybrid.front import FrontStream
from pipelines.hybrid.listening import Listener
from pipelines.hybrid.loading import Parts, facts_of, files_of, load_parts
from pipelines.hybrid.settings import decode_settings, train_settings
from pipelines.protocol import Capabilities, Chunk, Config, Progress, Session, SessionOverError, TrainingSet
from pipelines.search import LogLikelihoods

_LOOK_AHEAD_MS = 55.0  # the deltas' four frames, and 15 ms of the window beyond its frame


class HybridSession:
    """One live stream: the memory of its features and its network, and its tokens."""

    def __init__(self, parts: Parts) -> None:
        self.listener: Listener = parts.listening.start()
        self.network = parts.open_stream()
        self.over = False
        self._features = FeatureStream(parts.features, parts.normalisation)
        self._front: FrontStream = parts.model.front.stream()
        self._sample_rate = parts.features.sample_rate
        self._resampler: soxr.ResampleStream | None = None
        self._resampled_from = self._sample_rate

    def accept(self, chunk: Chunk) -> Features:
        """What the front end makes of the frames that `chunk` completes, (frames, D)."""
        if self.over:
            raise SessionOverError("this session has had its last chunk")
        ready = self._features.accept(self._at_own_rate(chunk))
        if not chunk.last:
            return self._front.accept(ready)
        self.over = True
        rest = np.concatenate([ready, self._features.finish()])
        return np.concatenate([self._front.accept(rest), self._front.finish()])

    def close(self) -> None:
        self.over = True

    def _at_own_rate(self, chunk: Chunk) -> Samples:
        if chunk.sample_rate == self._sample_rate:
            return chunk.samples
        if self._resampler is None:
            self._resampled_from = chunk.sample_rate
            self._resampler = soxr.ResampleStream(chunk.sample_rate, self._sample_rate, 1, dtype="float32")
        if chunk.sample_rate != self._resampled_from:
            raise InputError(f"a stream of {self._resampled_from} Hz went on at {chunk.sample_rate} Hz")
        return np.asarray(self._resampler.resample_chunk(chunk.samples, last=chunk.last), np.float32)


class HybridPipeline:
    """A trained hybrid; one core, one thread."""

    capabilities = Capabilities(streaming=True, word_times=True, look_ahead_ms=_LOOK_AHEAD_MS, trainable=True)

    def __init__(self, parts: Parts) -> None:
        threadpool_limits(1, user_api="blas")  # several threads are slower at these sizes, and change results
        self._parts = parts
        if parts.adaptation is not None:
            self.capabilities = replace(
                self.capabilities, streaming=False, speaker_labels=True, look_ahead_ms=None
            )
        else:
            ahead = _LOOK_AHEAD_MS + 1000 * FRAME_SECONDS * parts.model.look_ahead
            self.capabilities = replace(self.capabilities, look_ahead_ms=ahead)

    @classmethod
    def train(cls, corpus: TrainingSet, config: Config, model_dir: Path, progress: Progress) -> None:
        from pipelines.hybrid.recipe import train_hybrid  # what learns is of no use to what decodes

        settings = train_settings(config)
        with threadpool_limits(1, user_api="blas"):
            train_hybrid(corpus, settings, model_dir, progress)

    @classmethod
    def load(cls, model_dir: Path | None, config: Config) -> Self:
        """Raises `InputError` for an unknown setting, an untrained folder, or a model that is not there."""
        settings = decode_settings(config)
        if model_dir is None:
            raise InputError("the hybrid needs a trained model")
        return cls(load_parts(model_dir, settings))

    @classmethod
    def align_corpus(
        cls, model_dir: Path, corpus: TrainingSet, utterances: Sequence[Utterance]
    ) -> Mapping[str, Sequence[Word]]:
        from pipelines.hybrid.forced import align_corpus

        return align_corpus(model_dir, corpus, utterances)

    @classmethod
    def model_files(cls, model_dir: Path, config: Config) -> Sequence[str]:
        return files_of(model_dir, decode_settings(config))

    @classmethod
    def model_facts(cls, model_dir: Path) -> Mapping[str, Any]:
        return facts_of(model_dir)

    def transcribe(self, batch: Sequence[Audio]) -> list[Transcript]:
        """A recogniser that adapts takes all that a speaker says in `batch` together."""
        if self._parts.adaptation is None:
            return [self._whole(audio) for audio in batch]
        features = [self._front_of(audio) for audio in batch]
        speakers = [audio.speaker or f"unknown {i}" for i, audio in enumerate(batch)]
        turned = self._parts.adaptation.adapted(features, speakers)
        return [self._parts.decode(x) for x in turned]

    def open_session(self) -> HybridSession:
        if not self.capabilities.streaming:
            raise InputError("a hybrid that adapts to its speakers hears them out first: it has no streams")
        return HybridSession(self._parts)

    def advance(self, sessions: Sequence[Session], chunks: Sequence[Chunk]) -> list[Transcript]:
        """The likelihoods of all sessions are one matrix product; the searches go one after another."""
        own = [_own(session) for session in sessions]
        features = [session.accept(chunk) for session, chunk in zip(own, chunks, strict=True)]
        if not own:
            return []
        parts = self._parts.scores(
            [session.network for session in own], features, [chunk.last for chunk in chunks]
        )
        return [
            self._advance(session, part, chunk)
            for session, part, chunk in zip(own, parts, chunks, strict=True)
        ]

    def synchronize(self) -> None:
        """Nothing to wait for on a CPU."""

    def facts(self) -> Mapping[str, float | str]:
        return self._parts.facts

    def close(self) -> None:
        """Nothing is held open."""

    def _whole(self, audio: Audio) -> Transcript:
        session = self.open_session()
        return self.advance([session], [Chunk(audio.samples, audio.sample_rate, last=True)])[0]

    def _front_of(self, audio: Audio) -> Features:
        return HybridSession(self._parts).accept(Chunk(audio.samples, audio.sample_rate, last=True))

    def _advance(self, session: HybridSession, scores: LogLikelihoods, chunk: Chunk) -> Transcript:
        session.listener.accept(scores)
        if chunk.last:
            return session.listener.finish()
        return Transcript(session.listener.text(), final=False)


def _own(session: Session) -> HybridSession:
    if not isinstance(session, HybridSession):
        raise TypeError("not a session of the hybrid")
    return session
