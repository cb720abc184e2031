"""Viterbi beam search over any decoding graph, by kaldi-decoder's FasterDecoder: at once, or as a stream.

For more than the best path there is `Search.lattice`, by kaldi-decoder's LatticeSimpleDecoder, on whole
utterances alone.

All that the search knows of an acoustic model are its log-likelihoods: float32 of shape (frames, states),
where input label i of the graph is column i - 1. Scale them beforehand by the inverse of the weight of the
language model.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import kaldi_decoder
import kaldifst
import numpy as np
import numpy.typing as npt

from pipelines.lattice import Lattice, empty_lattice, read_lattice

LogLikelihoods: TypeAlias = npt.NDArray[np.float32]
UNLIMITED = 2**31 - 1
_PRUNE_INTERVAL = 100
"""Frames between two prunings of a growing lattice; Kaldi's 25 takes half as long again."""


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
    up to the end. `labels` has shape (frames,). The costs are negated log scores; `final` tells whether a
    final state of the graph was reached (if not, the best partial path is given).
    """

    words: tuple[int, ...]
    starts: tuple[int, ...]
    labels: npt.NDArray[np.int32]
    graph_cost: float
    acoustic_cost: float
    final: bool

    @property
    def cost(self) -> float:
        return self.graph_cost + self.acoustic_cost

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
        self._traced: tuple[int, tuple[Sequence[int], Sequence[int]]] = (0, ((), ()))

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
        return tuple(self._best()[1])

    def trailing(self, labels: Collection[int]) -> int:
        """How many frames at the end of the best path so far have an input label among `labels`."""
        path = self._best()[0]
        return next((n for n, label in enumerate(reversed(path)) if label not in labels), len(path))

    def relative_cost(self) -> float:
        """How much the best path in a final state costs more than the best one; infinite if there is none.

        Kaldi's FinalRelativeCost: the final state's own cost counts.
        """
        if not self._frames or not self._decoder.reached_final():
            return math.inf
        paths = (self._decoder.get_best_path(ending)[1] for ending in (True, False))
        ending, best = (kaldifst.get_linear_symbol_sequence(path)[3] for path in paths)
        return max(0.0, float(ending.value1 + ending.value2 - best.value1 - best.value2))

    def finish(self) -> Path:
        """The best path that ends in a final state of the graph, or else the best one at all."""
        if not self._frames:
            return Path((), (), np.zeros(0, np.int32), 0.0, 0.0, False)
        final = bool(self._decoder.reached_final())
        _, lattice = self._decoder.get_best_path(final)
        return _read_path(lattice, final)

    def _best(self) -> tuple[Sequence[int], Sequence[int]]:
        """Input and output labels of the best path so far, traced back once for any number of questions."""
        if self._traced[0] != self._frames:
            _, lattice = self._decoder.get_best_path(False)
            _, labels, words, _ = kaldifst.get_linear_symbol_sequence(lattice)
            self._traced = (self._frames, (labels, words))
        return self._traced[1]


class Search:
    """A decoding graph (a kaldifst transducer) with a beam; one for any number of streams, one thread."""

    def __init__(self, graph: Any, beam: Beam | None = None) -> None:
        self.beam = beam = beam or Beam()
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

    def lattice(
        self, log_likelihoods: LogLikelihoods, lattice_beam: float, beam: float | None = None
    ) -> Lattice:
        """All paths of a whole utterance, (frames, states), at most `lattice_beam` worse than the best.

        LatticeSimpleDecoder knows no `max_active`: where that holds `decode` back, the best path here is at
        least as good. Wide beams take many times the time of `decode`; `beam` narrows this search alone.
        """
        if not len(log_likelihoods):
            return empty_lattice()
        config = kaldi_decoder.LatticeSimpleDecoderConfig(
            beam=self.beam.beam if beam is None else beam,
            lattice_beam=lattice_beam,
            prune_interval=_PRUNE_INTERVAL,
        )
        decoder = kaldi_decoder.LatticeSimpleDecoder(self._graph, config)
        decoder.decode(kaldi_decoder.DecodableCtc(np.ascontiguousarray(log_likelihoods, np.float32)))
        _, raw = decoder.get_raw_lattice(True)
        return read_lattice(raw, complete=math.isfinite(decoder.final_relative_cost()))


def _read_path(lattice: Any, final: bool) -> Path:
    """Walks the linear lattice as text: its binding has no arc iterator."""
    words: list[int] = []
    starts: list[int] = []
    labels: list[int] = []
    graph_cost = acoustic_cost = 0.0
    for line in lattice.to_str().splitlines():
        fields = line.split()
        if len(fields) >= 4:
            label, word = int(fields[2]), int(fields[3])
            if word:
                words.append(word)
                starts.append(len(labels))
            if label:
                labels.append(label)
        graph, acoustic = _costs(fields)
        graph_cost, acoustic_cost = graph_cost + graph, acoustic_cost + acoustic
    return Path(tuple(words), tuple(starts), np.array(labels, np.int32), graph_cost, acoustic_cost, final)


def _costs(fields: Sequence[str]) -> tuple[float, float]:
    """Of an arc's or a final state's line: graph and acoustic cost, which are absent where both are zero."""
    if len(fields) not in (2, 5):
        return 0.0, 0.0
    graph, acoustic = fields[-1].split(",")
    return float(graph), float(acoustic)
