"""The empty recogniser: it hears nothing, so what a scenario measures on it is the cost of the harness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from data.errors import InputError
from data.types import Audio, Transcript
from pipelines.protocol import (
    Capabilities,
    Chunk,
    Config,
    Progress,
    Session,
    SessionOverError,
    TrainingSet,
)

_PARTIAL = Transcript("", final=False)
_FINAL = Transcript("")


class NullSession:
    """Remembers only whether it is over."""

    __slots__ = ("over",)

    def __init__(self) -> None:
        self.over = False

    def close(self) -> None:
        self.over = True


class NullPipeline:
    """Answers every audio with the empty transcript."""

    capabilities = Capabilities(streaming=True, look_ahead_ms=0.0)

    @classmethod
    def train(cls, corpus: TrainingSet, config: Config, model_dir: Path, progress: Progress) -> None:
        raise InputError("the null pipeline has nothing to train")

    @classmethod
    def load(cls, model_dir: Path | None, config: Config) -> Self:
        for key in config:
            raise InputError(f"the null pipeline has no setting {key!r}")
        return cls()

    def transcribe(self, batch: Sequence[Audio]) -> list[Transcript]:
        return [_FINAL] * len(batch)

    def open_session(self) -> NullSession:
        return NullSession()

    def advance(self, sessions: Sequence[Session], chunks: Sequence[Chunk]) -> list[Transcript]:
        return [_advance(session, chunk) for session, chunk in zip(sessions, chunks, strict=True)]

    def synchronize(self) -> None:
        """There is no device."""

    def facts(self) -> Mapping[str, float | str]:
        return {"model_bytes": 0.0, "parameters": 0.0, "device": "cpu", "threads": 1.0}

    def close(self) -> None:
        """Nothing is held."""


def _advance(session: Session, chunk: Chunk) -> Transcript:
    if not isinstance(session, NullSession):
        raise TypeError(f"not a session of the null pipeline: {type(session).__name__}")
    if session.over:
        raise SessionOverError("the session was fed after its last chunk")
    session.over = chunk.last
    return _FINAL if chunk.last else _PARTIAL
