"""From posteriors to text: greedy, pyctcdecode's beam with kenlm, or the search over the token graph."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import kenlm
import numpy as np
import numpy.typing as npt
from pyctcdecode import Alphabet, BeamSearchDecoderCTC, LanguageModel  # type: ignore[attr-defined]

from data.errors import InputError
from pipelines.e2e.token_graph import TokenGraph, arpa_words
from pipelines.e2e.tokens import BLANK, Tokens, collapse
from pipelines.search import Beam, Search, Stream

LogProbs = npt.NDArray[np.float32]
_UNKNOWN = -40.0  # what a word outside the vocabulary costs: as closed as the token graph


@dataclass(frozen=True)
class Weights:
    """score = log P(tokens) + lm_weight * ln P(words) + insertion * words; tuned on dev."""

    lm_weight: float = 0.8
    insertion: float = 0.5


class DecoderStream(Protocol):
    """One utterance under way."""

    def advance(self, log_probs: LogProbs) -> None:
        """Goes on by posteriors (T, tokens), natural logarithms."""

    def partial(self) -> str: ...
    def finish(self) -> str: ...


class Decoder(Protocol):
    """`decode` takes a whole utterance (T, tokens), `start` opens a stream."""

    def decode(self, log_probs: LogProbs) -> str: ...
    def start(self) -> DecoderStream: ...


class GreedyStream:
    """Keeps the tokens so far and the last frame's, so that a run over two chunks counts once."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._last = BLANK
        self._ids: list[int] = []

    def advance(self, log_probs: LogProbs) -> None:
        best = [int(i) for i in log_probs.argmax(-1)] if len(log_probs) else []
        for i in best:
            if i not in (self._last, BLANK):
                self._ids.append(i)
            self._last = i

    def partial(self) -> str:
        return self._tokens.decode(self._ids)

    def finish(self) -> str:
        return self.partial()


class Greedy:
    """The best token of each frame."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def decode(self, log_probs: LogProbs) -> str:
        return self._tokens.decode(collapse([int(i) for i in log_probs.argmax(-1)])) if len(log_probs) else ""

    def start(self) -> GreedyStream:
        return GreedyStream(self._tokens)


class BeamStream(GreedyStream):
    """Partials are greedy; the end is searched with the language model."""

    def __init__(self, tokens: Tokens, decoder: PrefixBeam) -> None:
        super().__init__(tokens)
        self._decoder = decoder
        self._chunks: list[LogProbs] = []

    def advance(self, log_probs: LogProbs) -> None:
        super().advance(log_probs)
        self._chunks.append(log_probs)

    def finish(self) -> str:
        return self._decoder.decode(np.concatenate(self._chunks)) if self._chunks else ""


def _quiet() -> Any:
    """kenlm's settings without its progress bar, which would break the caller's."""
    config = kenlm.Config()
    config.show_progress = False
    config.arpa_complain = kenlm.ARPALoadComplain.NONE
    return config


class PrefixBeam:
    """CTC prefix beam search by pyctcdecode, words scored by kenlm."""

    def __init__(self, tokens: Tokens, arpa: Path, weights: Weights, width: int = 64) -> None:
        self._tokens, self._width = tokens, width
        logging.getLogger("pyctcdecode").setLevel(logging.ERROR)  # it warns of every small vocabulary
        try:
            scorer = kenlm.Model(str(arpa), _quiet())
        except OSError as error:
            raise InputError(
                "kenlm, which the beam decoder asks, cannot use this language model; "
                "it wants bigrams at least: take another lm, or decoder = 'wfst'",
                arpa,
            ) from error
        model = LanguageModel(
            scorer,
            arpa_words(arpa),
            alpha=weights.lm_weight,
            beta=weights.insertion,
            unk_score_offset=_UNKNOWN,
        )
        alphabet = Alphabet.build_alphabet(list(tokens.symbols))
        self._decoder: Any = BeamSearchDecoderCTC(alphabet, model)

    def reweigh(self, weights: Weights) -> None:
        self._decoder.reset_params(alpha=weights.lm_weight, beta=weights.insertion)

    def decode(self, log_probs: LogProbs) -> str:
        if not len(log_probs):
            return ""
        return " ".join(str(self._decoder.decode(log_probs, beam_width=self._width)).split())

    def start(self) -> BeamStream:
        return BeamStream(self._tokens, self)


class GraphStream:
    """The search over the token graph, a chunk at a time."""

    def __init__(self, stream: Stream, decoder: GraphSearch) -> None:
        self._stream, self._decoder = stream, decoder

    def advance(self, log_probs: LogProbs) -> None:
        self._stream.advance(self._decoder.scale(log_probs))

    def partial(self) -> str:
        return self._decoder.text(self._stream.partial())

    def finish(self) -> str:
        return self._decoder.text(self._stream.finish().words)


class GraphSearch:
    """Viterbi over T o L o G by kaldi-decoder; `beam` is in natural logs of the network's scale."""

    def __init__(
        self, graph: TokenGraph, weights: Weights, beam: float = 14.0, max_active: int = 3000
    ) -> None:
        self._words, self._scale = graph.words, 1.0 / weights.lm_weight
        self._graph = graph.searchable(weights.insertion, weights.lm_weight)
        self._search = Search(self._graph, Beam(beam * self._scale, max_active))

    def scale(self, log_probs: LogProbs) -> LogProbs:
        return log_probs * np.float32(self._scale)

    def text(self, labels: tuple[int, ...]) -> str:
        return self._words.text(labels)

    def decode(self, log_probs: LogProbs) -> str:
        return self.text(self._search.decode(self.scale(log_probs)).words)

    def start(self) -> GraphStream:
        return GraphStream(self._search.start(), self)
