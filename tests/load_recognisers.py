"""Recognisers of known behaviour for the tests of the harness, loaded as ``"load_recognisers:Class"``."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import replace

import numpy as np

from data.errors import InputError
from data.types import Transcript
from pipelines.null import NullPipeline, NullSession
from pipelines.protocol import Capabilities, SessionOverError


class CountingSession:
    def __init__(self):
        self.samples = 0
        self.sum = 0.0
        self.over = False

    def close(self):
        self.over = True


def heard(samples, total):
    """A text that only the same samples, all of them and in order, can give."""
    return f"{samples} samples {total:.3f}"


class CountingPipeline(NullPipeline):
    """Says how many samples it was given, and a running hash of them that depends on their order."""

    def transcribe(self, batch):
        results = []
        for audio in batch:
            session = CountingSession()
            self.take(session, audio.samples)
            results.append(Transcript(heard(session.samples, session.sum)))
        return results

    def take(self, session, samples):
        weights = np.arange(session.samples, session.samples + len(samples)) % 7 + 1
        session.sum += float(np.dot(samples.astype(np.float64), weights))
        session.samples += len(samples)

    def open_session(self):
        return CountingSession()

    def advance(self, sessions, chunks):
        results = []
        for session, chunk in zip(sessions, chunks, strict=True):
            if session.over:
                raise SessionOverError("over")
            self.take(session, chunk.samples)
            session.over = chunk.last
            results.append(Transcript(heard(session.samples, session.sum), final=chunk.last))
        return results


class BusyPipeline(NullPipeline):
    """Works for `milliseconds` of processor time on every chunk."""

    def __init__(self, milliseconds):
        self.milliseconds = milliseconds

    @classmethod
    def load(cls, model_dir, config):
        return cls(config["milliseconds"])

    def advance(self, sessions, chunks):
        for _ in sessions:
            end = time.thread_time() + self.milliseconds / 1000
            while time.thread_time() < end:
                pass
        return super().advance(sessions, chunks)


class FragilePipeline(NullPipeline):
    """Refuses loud audio, and dies of louder."""

    def transcribe(self, batch):
        for audio in batch:
            peak = float(np.abs(audio.samples).max(initial=0.0))
            if peak > 5:
                os.kill(os.getpid(), signal.SIGKILL)
            if peak > 1:
                raise ValueError("the audio is\ntoo loud")
        return super().transcribe(batch)

    def advance(self, sessions, chunks):
        self.transcribe(chunks)
        return super().advance(sessions, chunks)


class PickyPipeline(CountingPipeline):
    """Hears loud audio in a stream, but says that its text is not to be trusted."""

    def advance(self, sessions, chunks):
        results = super().advance(sessions, chunks)
        for session, chunk in zip(sessions, chunks, strict=True):
            session.loud = getattr(session, "loud", False) or np.abs(chunk.samples).max(initial=0.0) > 1
        return [
            replace(result, error="too loud" if session.loud else None)
            for session, result in zip(sessions, results, strict=True)
        ]


class OfflineOnlyPipeline(NullPipeline):
    capabilities = Capabilities(streaming=False)


class UnloadablePipeline(NullPipeline):
    @classmethod
    def load(cls, model_dir, config):
        raise InputError("the model is not there", "model.bin")


class ProbePipeline(NullPipeline):
    """States as facts what its process looks like."""

    def facts(self):
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        return {
            **super().facts(),
            "process": float(os.getpid()),
            "openmp": os.environ.get("OMP_NUM_THREADS", ""),
            "cores": ",".join(map(str, cores)),
            "torch": "yes" if "torch" in sys.modules else "no",
        }


class ForgetfulPipeline(NullPipeline):
    """Breaks promises: sessions share what they have heard, and never end."""

    def __init__(self):
        self.count = 0

    @classmethod
    def load(cls, model_dir, config):
        return cls()

    def transcribe(self, batch):
        return [Transcript(str(len(audio.samples))) for audio in reversed(batch)]

    def open_session(self):
        return NullSession()

    def advance(self, sessions, chunks):
        results = []
        for chunk in chunks:
            self.count += len(chunk.samples)
            results.append(Transcript(str(self.count), final=chunk.last))
        return results


class NotAPipeline:
    pass


class AdaptingPipeline(NullPipeline):
    """Says who speaks and how many utterances came with it; loud audio is refused."""

    capabilities = Capabilities(streaming=True)

    @classmethod
    def load(cls, model_dir, config):
        made = cls()
        if config.get("adapt"):
            made.capabilities = Capabilities(streaming=False, speaker_labels=True)
        return made

    def transcribe(self, batch):
        if any(float(np.abs(audio.samples).max(initial=0.0)) > 1 for audio in batch):
            raise ValueError("too loud")
        return [Transcript(f"{audio.speaker} of {len(batch)}") for audio in batch]
