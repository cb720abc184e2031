"""Viterbi beam search over any decoding graph, by kaldi-decoder's FasterDecoder: at once, or as a stream.

All that the search knows of an acoustic model are its log-likelihoods: float32 of shape (frames, states),
where input label i of the graph is column i - 1. Scale them beforehand by the inverse of the weight of the
language model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import kaldi_decoder
import kaldifst
import numpy as np
import numpy.typing as npt

LogLikelihoods: TypeAlias = npt.NDArray[np.float32]
UNLIMITED = 2**31 - 1


class Decodable(Protocol):
    """An acoustic model, as the decoder sees it."""

    def log_likelihoods(self, features: npt.NDArray[np.float32]) -> LogLikelihoods:
        """Features of shape (frames, dimensions) to log-likelihoods of shape (frames, states)."""


@dataclass(frozen=True)
class Beam:
    """`beam` in units of the scaled log-likelihoods; from `min_active` to `max_active` tokens a frame."""

    beam: float = 13.0
    max_active: int = UNLIMITED
    min_active: int = 20


@dataclass(frozen=True, eq=False)
class Path:
    """The best path: output labels, the frame at which each came out, and each frame's input label.

    `words` and `starts` are of one length; word i spans the frames [starts[i], starts[i + 1]), the last one
    up to the end. `labels` has shape (frames,). `cost` is the negated log score; `final` tells whether a
    final state of the graph was reached (if not, the best partial path is given).
    """

    words: tuple[int, ...]
    starts: tuple[int, ...]
    labels: npt.NDArray[np.int32]
    cost: float
    final: bool

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """(start, end) in frames for each word, end exclusive."""
        return (
            tuple(zip(self.starts, (*self.starts[1:], len(self.labels)), strict=True)) if self.starts else ()
        )


class Stream:
    """One utterance under way; `advance` takes chunks of any size, which change nothing in the result."""

    def __init__(self, graph: Any, options: Any) -> None:
        self._decoder = kaldi_decoder.FasterDecoder(graph, options)
        self._decoder.init_decoding()
        self._frames = 0

    @property
    def frames(self) -> int:
        """How many frames were decoded."""
        return self._frames

    def advance(self, log_likelihoods: LogLikelihoods) -> None:
        """Goes on by a chunk of shape (frames, states), frames may be 0."""
        if len(log_likelihoods):
            chunk = np.ascontiguousarray(log_likelihoods, np.float32)
            self._decoder.advance_decoding(kaldi_decoder.DecodableCtc(chunk, self._frames))
            self._frames += len(chunk)

    def partial(self) -> tuple[int, ...]:
        """The output labels of the best path so far."""
        if not self._frames:
            return ()
        _, lattice = self._decoder.get_best_path(False)
        return tuple(kaldifst.get_linear_symbol_sequence(lattice)[2])

    def finish(self) -> Path:
        """The best path that ends in a final state of the graph, or else the best one at all."""
        if not self._frames:
            return Path((), (), np.zeros(0, np.int32), 0.0, False)
        final = bool(self._decoder.reached_final())
        _, lattice = self._decoder.get_best_path(final)
        return _read_path(lattice, final)


class Search:
    """A decoding graph (a kaldifst transducer) with a beam; one for any number of streams, one thread."""

    def __init__(self, graph: Any, beam: Beam | None = None) -> None:
        beam = beam or Beam()
        self._graph = graph  # the decoders only borrow it
        self._options = kaldi_decoder.FasterDecoderOptions(
            beam=beam.beam, max_active=beam.max_active, min_active=min(beam.min_active, beam.max_active - 1)
        )

    def decode(self, log_likelihoods: LogLikelihoods) -> Path:
        """A whole utterance, shape (frames, states)."""
        stream = self.start()
        stream.advance(log_likelihoods)
        return stream.finish()

    def start(self) -> Stream:
        return Stream(self._graph, self._options)


def _read_path(lattice: Any, final: bool) -> Path:
    """Walks the linear lattice as text: its binding has no arc iterator."""
    words: list[int] = []
    starts: list[int] = []
    labels: list[int] = []
    cost = 0.0
    for line in lattice.to_str().splitlines():
        fields = line.split()
        if len(fields) >= 4:
            label, word = int(fields[2]), int(fields[3])
            if word:
                words.append(word)
                starts.append(len(labels))
            if label:
                labels.append(label)
        cost += _cost(fields)
    return Path(tuple(words), tuple(starts), np.array(labels, np.int32), cost, final)


def _cost(fields: Sequence[str]) -> float:
    """Of an arc's or a final state's line: graph and acoustic cost, which are absent where both are zero."""
    if len(fields) not in (2, 5):
        return 0.0
    graph, acoustic = fields[-1].split(",")
    return float(graph) + float(acoustic)
