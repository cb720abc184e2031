"""An utterance in the search, from its first frame to its transcript; a stream of several, cut at pauses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from data.types import Transcript, Word
from pipelines.alternatives import Alternatives
from pipelines.endpoint import Endpointer
from pipelines.features import FRAME_SECONDS
from pipelines.grammar import WordTable
from pipelines.hybrid.tying import Tying
from pipelines.hybrid.word_graph import Pronunciations
from pipelines.hybrid.word_times import word_spans
from pipelines.search import LogLikelihoods, Search, Stream

_ENDPOINT_FRAMES = 10  # between two looks for an endpoint, which trace the best path back


@dataclass(frozen=True, eq=False)
class Listening:
    """How streams are searched, and what their words are.

    `endpointer` None: a stream is one utterance. `alternatives` None: the best path is taken at its word,
    and log-likelihoods are forgotten as soon as they are searched.
    """

    search: Search
    words: WordTable
    pronunciations: Pronunciations
    tying: Tying
    endpointer: Endpointer | None = None
    alternatives: Alternatives | None = None

    def start(self) -> Listener:
        return Listener(self)


class Listener:
    """One stream under way. After an endpoint the search starts anew; words keep the stream's times."""

    def __init__(self, listening: Listening) -> None:
        self._listening = listening
        self._stream: Stream = listening.search.start()
        self._said: tuple[Word, ...] = ()  # before the last endpoint
        self._begin = 0  # frames before the last endpoint
        self._kept: list[LogLikelihoods] = []

    def accept(self, scores: LogLikelihoods) -> None:
        """Goes on by scaled log-likelihoods (frames, labels); chunks of any size give the same words."""
        endpointer = self._listening.endpointer
        if endpointer is None:
            self._search(scores)
            return
        for piece in self._pieces(scores):
            self._search(piece)
            if not self._frames % _ENDPOINT_FRAMES and endpointer.over(self._stream):
                self._end()
                self._stream = self._listening.search.start()

    def text(self) -> str:
        """What was heard so far."""
        under_way = self._listening.words.text(self._stream.partial())
        if not self._said:
            return under_way
        return " ".join([*(word.text for word in self._said), *under_way.split()])

    def finish(self) -> Transcript:
        self._end()
        return Transcript(" ".join(word.text for word in self._said), self._said)

    @property
    def _frames(self) -> int:
        return self._begin + self._stream.frames

    def _pieces(self, scores: LogLikelihoods) -> Iterator[LogLikelihoods]:
        """Each up to the next look for an endpoint."""
        first = _ENDPOINT_FRAMES - self._frames % _ENDPOINT_FRAMES
        yield from np.split(scores, range(first, len(scores), _ENDPOINT_FRAMES))

    def _search(self, scores: LogLikelihoods) -> None:
        self._stream.advance(scores)
        if self._listening.alternatives is not None:
            self._kept.append(scores)

    def _end(self) -> None:
        path, sure = self._stream.finish(), None
        if self._listening.alternatives is not None and len(path.labels):
            path, sure = self._listening.alternatives.judged(path, np.concatenate(self._kept))
        own = self._listening
        texts = [own.words.words[label - 1] for label in path.words]
        spans = word_spans(path, texts, own.pronunciations, own.tying)
        self._said += tuple(
            Word(
                text,
                (self._begin + start) * FRAME_SECONDS,
                (self._begin + end) * FRAME_SECONDS,
                None if sure is None else sure[i],
            )
            for i, (text, (start, end)) in enumerate(zip(texts, spans, strict=True))
        )
        self._begin += self._stream.frames
        self._kept = []
