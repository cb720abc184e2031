"""Decoding by the search over the token graph, which the hybrid's search does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pipelines.alternatives import Alternatives
from pipelines.e2e.decoder import LogProbs, Weights
from pipelines.e2e.hot_words import NO_HOT_WORDS, HotWords
from pipelines.e2e.hypothesis import HeardWord, Hypothesis, by_word, hypothesis, runs_of
from pipelines.e2e.token_graph import TokenGraph
from pipelines.e2e.tokens import Tokens
from pipelines.search import Beam, Path, Search, Stream


class GraphSearch:
    """Viterbi over T o L o G by kaldi-decoder; `beam` is in natural logs of the network's scale."""

    def __init__(
        self,
        graph: TokenGraph,
        weights: Weights,
        beam: float = 14.0,
        max_active: int = 3000,
        hot: HotWords = NO_HOT_WORDS,
    ) -> None:
        self.words, self.lm_weight = graph.words, weights.lm_weight
        self._graph = graph.searchable(weights.insertion, weights.lm_weight, hot)
        self.search = Search(self._graph, Beam(beam / weights.lm_weight, max_active))

    def scale(self, log_probs: LogProbs) -> LogProbs:
        return log_probs * np.float32(1.0 / self.lm_weight)

    def decode(self, log_probs: LogProbs) -> str:
        return self.words.text(self.search.decode(self.scale(log_probs)).words)


class GraphDecoder:
    """The words of the best path with their times.

    With `nbest`, words come with confidences by so many word sequences that cost at most `lattice_beam` more
    than the best, in natural logs of the network's scale, as are the posteriors.
    """

    def __init__(
        self, search: GraphSearch, tokens: Tokens, *, nbest: int = 0, lattice_beam: float = 6.0
    ) -> None:
        self._search, self._tokens = search, tokens
        self._alternatives: Alternatives | None = None
        if nbest:
            scale = search.lm_weight
            self._alternatives = Alternatives(
                search.search, nbest, lattice_beam / scale, True, scale=scale, timed=self._timed
            )

    def hear(self, log_probs: LogProbs) -> Hypothesis:
        stream = self.start()
        stream.advance(log_probs)
        return stream.finish()

    def start(self) -> GraphStream:
        return GraphStream(self._search.search.start(), self)

    def scale(self, log_probs: LogProbs) -> LogProbs:
        return self._search.scale(log_probs)

    def text(self, labels: tuple[int, ...]) -> str:
        return self._search.words.text(labels)

    @property
    def keeps(self) -> bool:
        """Whether the end asks for all that was heard."""
        return self._alternatives is not None

    def judged(self, path: Path, scores: list[LogProbs]) -> Hypothesis:
        """`scores`: the chunks of the whole utterance, scaled, where they were to be kept."""
        sure: tuple[float, ...] | None = None
        if self._alternatives is not None and len(path.labels):
            path, sure = self._alternatives.judged(path, np.concatenate(scores))
        texts = [self._search.words.words[label - 1] for label in path.words]
        return hypothesis(
            [
                HeardWord(text, start, end, None if sure is None else sure[i])
                for i, (text, (start, end)) in enumerate(zip(texts, self._spans(path), strict=True))
            ]
        )

    def _spans(self, path: Path) -> tuple[tuple[int, int], ...]:
        """From a word's first token to the end of its last one.

        Where these do not fit (a path cut off inside a word), the frames at which the words came out of the
        graph are given instead: of `ab` and `a` none comes out before it is clear which one it is.
        """
        said = by_word(runs_of((path.labels - 1).tolist()), self._tokens)
        if len(said) != len(path.words):
            return path.spans
        return tuple((runs[0].start, runs[-1].end) for runs in said)

    def _timed(self, path: Path) -> Path:
        return replace(path, starts=tuple(start for start, _ in self._spans(path)))


class GraphStream:
    """A chunk at a time; chunks of any size give the same words."""

    def __init__(self, stream: Stream, decoder: GraphDecoder) -> None:
        self._stream, self._decoder = stream, decoder
        self._kept: list[LogProbs] = []

    def advance(self, log_probs: LogProbs, best: Sequence[int] | None = None) -> None:
        scores = self._decoder.scale(log_probs)
        self._stream.advance(scores)
        if self._decoder.keeps:
            self._kept.append(scores)

    def partial(self) -> str:
        return self._decoder.text(self._stream.partial())

    def finish(self) -> Hypothesis:
        return self._decoder.judged(self._stream.finish(), self._kept)
