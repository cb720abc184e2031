"""What a tuned search costs, counted on a little dev speech: figures without noise, for gates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from pipelines.fst import Arcs
from pipelines.hybrid.graph import with_insertion_penalty
from pipelines.hybrid.model import Tuned
from pipelines.hybrid.settings import DecodeSettings
from pipelines.search import Beam, LogLikelihoods
from pipelines.search_counts import SearchCounter, SearchCounts

UTTERANCES = 3
FRAMES = 600


def counted(tuned: Tuned, graph: Arcs, scores: Sequence[LogLikelihoods]) -> Tuned:
    """`tuned` with the means over the shortest of `scores`, each (frames, labels), at the default beam."""
    usual = DecodeSettings()
    beam = Beam(usual.beam, usual.max_active)
    some = list(_shortest(scores))
    if not some:
        return tuned
    counter = SearchCounter(with_insertion_penalty(graph, tuned.penalty))
    counts = (counter.count(x / np.float32(tuned.weight), beam) for x in some)
    total = sum(counts, SearchCounts())
    return replace(
        tuned,
        tokens_per_frame=round(total.tokens_per_frame, 1),
        arcs_per_frame=round(total.arcs_per_frame, 1),
    )


def _shortest(scores: Sequence[LogLikelihoods]) -> Iterator[LogLikelihoods]:
    """Up to `UTTERANCES` with frames in them, cut where they come to `FRAMES` together."""
    left = FRAMES
    for utterance in sorted((x for x in scores if len(x)), key=len)[:UTTERANCES]:
        if left:
            yield utterance[:left]
        left = max(0, left - len(utterance))
