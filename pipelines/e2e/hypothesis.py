"""What a decoder heard: the text, and for each word its frames and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from data.types import Transcript, Word
from pipelines.e2e.tokens import BLANK, Tokens


@dataclass(frozen=True)
class Run:
    """Frames [start, end) in which CTC's path stays with one token that is not the blank."""

    token: int
    start: int
    end: int


@dataclass(frozen=True)
class HeardWord:
    """A word in the frames [start, end) of posteriors; `confidence` is a posterior in [0, 1]."""

    text: str
    start: int
    end: int
    confidence: float | None = None


@dataclass(frozen=True)
class Hypothesis:
    """`text` is the text of `words`, blanks between them."""

    text: str
    words: tuple[HeardWord, ...] = ()

    def transcript(self, frame_s: float) -> Transcript:
        """With times, given the duration of a frame in seconds."""
        words = tuple(Word(w.text, w.start * frame_s, w.end * frame_s, w.confidence) for w in self.words)
        return Transcript(self.text, words)


def hypothesis(words: Sequence[HeardWord]) -> Hypothesis:
    return Hypothesis(" ".join(word.text for word in words), tuple(words))


def runs_of(path: Sequence[int]) -> list[Run]:
    """The tokens of a path of frames, and where each of them is; see `tokens.collapse`."""
    found, at = [], 0
    for token, frames in groupby(path):
        end = at + len(list(frames))
        if token != BLANK:
            found.append(Run(token, at, end))
        at = end
    return found


def by_word(runs: Sequence[Run], tokens: Tokens) -> list[tuple[Run, ...]]:
    """The runs of each word in order; spaces belong to none."""
    words: list[list[Run]] = [[]]
    for run in runs:
        if tokens.begins(run.token):
            words.append([])
        if not tokens.is_space(run.token):
            words[-1].append(run)
    return [tuple(word) for word in words if word]
