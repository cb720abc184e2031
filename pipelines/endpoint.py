"""When a stream has been quiet for long enough: the rules of Kaldi's online-endpoint.h."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

from data.types import Seconds
from pipelines.search import Stream


@dataclass(frozen=True)
class EndpointRule:
    """All of it must hold: speech was heard (if `speech`), then at least `silence` seconds of none; a path
    that ends in a final state costs at most `relative_cost` more than the best; `length` seconds went by.
    """

    speech: bool = True
    silence: Seconds = 0.0
    relative_cost: float = math.inf
    length: Seconds = 0.0

    def holds(self, trailing: Seconds, length: Seconds, relative_cost: float) -> bool:
        return (
            (trailing < length or not self.speech)
            and trailing >= self.silence
            and relative_cost <= self.relative_cost
            and length >= self.length
        )


KALDI_RULES = (
    EndpointRule(speech=False, silence=5.0),
    EndpointRule(silence=0.5, relative_cost=2.0),
    EndpointRule(silence=1.0, relative_cost=8.0),
    EndpointRule(silence=2.0),
    EndpointRule(speech=False, length=20.0),
)


@dataclass(frozen=True)
class Endpointer:
    """An utterance is over as soon as one of `rules` holds.

    `silence_labels` are the graph's input labels of silence; a frame lasts `frame` seconds.
    """

    silence_labels: Collection[int]
    frame: Seconds
    rules: tuple[EndpointRule, ...] = KALDI_RULES

    def heard(self, trailing_silence_frames: int, frames: int, relative_cost: float) -> bool:
        """Whether the utterance is over after `frames`; `relative_cost` is infinite if it cannot end yet."""
        trailing, length = trailing_silence_frames * self.frame, frames * self.frame
        return any(rule.holds(trailing, length, relative_cost) for rule in self.rules)

    def over(self, stream: Stream) -> bool:
        """The same of a stream under way; asks for its final cost only where the answer depends on it."""
        trailing = stream.trailing(self.silence_labels)
        if self.heard(trailing, stream.frames, math.inf):
            return True
        return self.heard(trailing, stream.frames, 0.0) and self.heard(
            trailing, stream.frames, stream.relative_cost()
        )
