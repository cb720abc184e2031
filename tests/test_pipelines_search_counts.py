"""The counted search does what FasterDecoder does: as many arcs, and the same best cost."""

from __future__ import annotations

import kaldi_decoder
import numpy as np
import pytest

from pipelines.fst import Arcs, const_fst
from pipelines.search import Beam, LogLikelihoods, Search
from pipelines.search_counts import SearchCounter

STATES, LABELS, FRAMES = 60, 8, 25


def _graph(seed: int) -> Arcs:
    draw = np.random.default_rng(seed)
    source = np.repeat(np.arange(STATES), 5)
    target = draw.integers(0, STATES, len(source))
    ilabel = draw.integers(1, LABELS + 1, len(source))
    ilabel[(draw.random(len(source)) < 0.4) & (source < target)] = 0
    weight = draw.uniform(0, 3, len(source)).astype(np.float32)
    final = np.where(np.arange(STATES) % 3, np.inf, 1.0).astype(np.float32)
    ints = (a.astype(np.int32) for a in (source, ilabel, np.zeros(len(source))))
    return Arcs(*ints, weight, target.astype(np.int32), final)


def _log_likelihoods(seed: int) -> LogLikelihoods:
    return np.random.default_rng(seed).normal(-2, 2, (FRAMES, LABELS)).astype(np.float32)


class _Counted(kaldi_decoder.DecodableInterface):
    """Counts every likelihood that the decoder asks for."""

    def __init__(self, scores: LogLikelihoods) -> None:
        super().__init__()
        self.scores, self.asked = scores, 0

    def log_likelihood(self, frame: int, label: int) -> float:
        self.asked += 1
        return float(self.scores[frame, label - 1])

    def num_frames_ready(self) -> int:
        return len(self.scores)

    def num_indices(self) -> int:
        return self.scores.shape[1]

    def is_last_frame(self, frame: int) -> bool:
        return frame == len(self.scores) - 1


def _asked(arcs: Arcs, scores: LogLikelihoods, beam: Beam) -> int:
    options = kaldi_decoder.FasterDecoderOptions(
        beam=beam.beam, max_active=beam.max_active, min_active=beam.min_active
    )
    counted, graph = _Counted(scores), const_fst(arcs)
    kaldi_decoder.FasterDecoder(graph, options).decode(counted)
    return counted.asked


@pytest.mark.parametrize("beam", [1.0, 3.0, 6.0, 1000.0])
@pytest.mark.parametrize("seed", range(5))
def test_evaluates_the_arcs_that_the_decoder_evaluates(seed: int, beam: float) -> None:
    """The decoder looks at the arcs of the best token of each frame once more: at most five of them."""
    arcs, scores, limits = _graph(seed), _log_likelihoods(seed + 50), Beam(beam, min_active=0)
    counts = SearchCounter(arcs).count(scores, limits)
    assert 0 <= _asked(arcs, scores, limits) - counts.arcs <= 5 * FRAMES
    assert counts.frames == FRAMES
    assert counts.tokens_per_frame <= STATES


@pytest.mark.parametrize("beam", [3.0, 1000.0])
@pytest.mark.parametrize("seed", range(5))
def test_finds_the_cost_that_the_decoder_finds(seed: int, beam: float) -> None:
    arcs, scores, limits = _graph(seed), _log_likelihoods(seed + 50), Beam(beam, min_active=0)
    found = Search(const_fst(arcs), limits).decode(scores)
    cost = SearchCounter(arcs).count(scores, limits).cost
    assert cost == pytest.approx(found.cost, abs=1e-3) if found.final else cost == np.inf


def test_limits_hold_the_tokens() -> None:
    counter, scores = SearchCounter(_graph(0)), _log_likelihoods(1)
    free, few = counter.count(scores, Beam(1000.0)), counter.count(scores, Beam(1000.0, max_active=7))
    narrow, least = (
        counter.count(scores, Beam(0.01, min_active=0)),
        counter.count(scores, Beam(0.01, min_active=5)),
    )
    assert narrow.tokens_per_frame < least.tokens_per_frame <= 5 < few.tokens_per_frame <= 7
    assert few.arcs < free.arcs
