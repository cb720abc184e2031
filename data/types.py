"""What is heard and what was said: the values that every layer passes on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Seconds: TypeAlias = float
Samples: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Audio:
    """Mono audio. `samples` has shape (n,), float32, full scale at -1 and 1; `sample_rate` is in Hz.

    `speaker` is an opaque label of who speaks, where the source says so, such as a call's channel.
    """

    samples: Samples
    sample_rate: int
    speaker: str | None = None

    @property
    def seconds(self) -> Seconds:
        return len(self.samples) / self.sample_rate


@dataclass(frozen=True)
class Word:
    """A recognised word, its time in seconds from the audio's start, its posterior in [0, 1]."""

    text: str
    start: Seconds
    end: Seconds
    confidence: float | None = None


@dataclass(frozen=True)
class Transcript:
    """What a pipeline heard; `words` is empty where it gives no times, `final` False for a partial.

    `error` is one line on why this stream's text is not to be trusted, None where all is well.
    """

    text: str
    words: tuple[Word, ...] = ()
    final: bool = True
    error: str | None = None


@dataclass(frozen=True)
class Utterance:
    """A stretch of audio and what was said in it.

    `text` is the reference as the corpus writes it; `speaker` is None where unknown. `start` and
    `duration`, in seconds, select a segment of the file `source`; `duration` None: up to its end.
    """

    id: str
    speaker: str | None
    text: str
    source: Path
    start: Seconds = 0.0
    duration: Seconds | None = None
