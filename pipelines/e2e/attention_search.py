"""Beam search of a speller, with CTC's prefix scores in the same pass.

Watanabe et al., "Hybrid CTC/attention architecture for end-to-end speech recognition" (IEEE JSTSP 2017,
section III-C, one-pass decoding): all sentences of the beam grow by a token at a time, in one forward pass,
and score (1 - w) ln P(attention) + w ln P(CTC begins so), words by an n-gram model as soon as they are over.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from data.errors import InputError
from pipelines.e2e.alignment import aligned_words
from pipelines.e2e.ctc_prefix import NOWHERE, CtcPrefixScorer, Prefixes
from pipelines.e2e.decoder import DecoderStream, LogProbs
from pipelines.e2e.hypothesis import Hypothesis
from pipelines.e2e.models.joint import Joint
from pipelines.e2e.models.speller import END, Listened, Spelling
from pipelines.e2e.tokens import Tokens
from pipelines.e2e.word_scores import WordScores, Written

_REWARDS = 3  # words whose insertion bonus may still lift a sentence over a finished one


@dataclass(frozen=True, eq=False)
class _Beam:
    """N sentences under way: their tokens, ln P of attention (N,), of the language model (N,), and states.

    `written` is empty without a language model, `prefixes` None without CTC.
    """

    sentences: list[tuple[int, ...]]
    attention: Tensor
    language: Tensor
    spelling: Spelling
    prefixes: Prefixes | None
    written: list[Written]


@dataclass(frozen=True, eq=False)
class _Next:
    """Scores (N, tokens) of each sentence of a beam with each token more, END standing for its end."""

    attention: Tensor
    language: Tensor
    total: Tensor
    spelling: Spelling


@dataclass(frozen=True, eq=False)
class _Utterance:
    """What is searched: the encoded frames (T, D), as the speller and as CTC hears them."""

    frames: int
    listened: Listened
    log_probs: Tensor
    prefix_scorer: CtcPrefixScorer | None


class AttentionSearch:
    """`width` sentences at a time, none with more tokens than frames; `ctc_weight` as w in the module."""

    def __init__(
        self,
        network: Joint,
        tokens: Tokens,
        words: WordScores | None = None,
        *,
        ctc_weight: float = 0.4,
        width: int = 10,
    ) -> None:
        self._network, self._tokens, self._words = network, tokens, words
        self._ctc_weight, self._width = ctc_weight, width
        self._begins = torch.tensor([tokens.begins(i) for i in range(len(tokens))])

    def start(self) -> DecoderStream:
        raise InputError(
            "e2e: decoder 'attention' hears whole utterances alone; for streams take greedy, beam or wfst"
        )

    @torch.inference_mode()
    def hear(self, encoded: LogProbs) -> Hypothesis:
        """encoded (T, D), as `Network.encode` gives them; words have times where the network has CTC."""
        if not len(encoded):
            return Hypothesis("")
        utterance = self._listen(torch.from_numpy(encoded))
        text = self._tokens.decode(self._search(utterance))
        if not self._network.has_ctc:
            return Hypothesis(text)
        try:
            return Hypothesis(text, aligned_words(utterance.log_probs.cpu().numpy(), text, self._tokens))
        except InputError:  # attention alone may write more than CTC finds room for
            return Hypothesis(text)

    def _listen(self, encoded: Tensor) -> _Utterance:
        encoded = encoded.to(self._network.speller.embedding.weight.device)[None]  # (1, T, D)
        frames = torch.tensor([encoded.shape[1]], device=encoded.device)
        log_probs = self._network.scores_of(encoded)[0].log_softmax(-1)  # (T, tokens)
        scorer = CtcPrefixScorer(log_probs) if self._ctc_weight else None
        return _Utterance(len(log_probs), self._network.speller.listen(encoded, frames), log_probs, scorer)

    def _search(self, utterance: _Utterance) -> tuple[int, ...]:
        """The best sentence. Scores but for `insertion` fall, hence none overtakes what lies above them."""
        beam = self._begin(utterance)
        best, found = NOWHERE, beam.sentences[0]
        margin = _REWARDS * max(0.0, self._words.insertion) if self._words else 0.0
        for _ in range(utterance.frames + 1):
            scored = self._score(beam, utterance)
            end, row = scored.total[:, END].max(0)
            if float(end) > best:
                best, found = float(end), beam.sentences[int(row)]
            scored.total[:, END] = NOWHERE
            if float(scored.total.max()) + margin <= best:
                break
            beam = self._grow(beam, scored, utterance)
        return found

    def _begin(self, utterance: _Utterance) -> _Beam:
        zero = utterance.log_probs.new_zeros(1, dtype=torch.float64)
        prefixes = utterance.prefix_scorer.begin() if utterance.prefix_scorer else None
        written = [self._words.begin()] if self._words else []
        return _Beam([()], zero, zero, self._network.speller.begin(utterance.listened), prefixes, written)

    def _score(self, beam: _Beam, utterance: _Utterance) -> _Next:
        before = [sentence[-1] if sentence else END for sentence in beam.sentences]
        last = torch.tensor(before, device=beam.attention.device)
        scores, spelling = self._network.speller.spell(last, beam.spelling, utterance.listened)
        attention = beam.attention[:, None] + scores.double().log_softmax(-1)  # (N, tokens)
        language = beam.language[:, None] + self._language(beam).to(attention.device)
        total = (1 - self._ctc_weight) * attention + language
        if utterance.prefix_scorer and beam.prefixes:
            total = total + self._ctc_weight * utterance.prefix_scorer.scores(beam.prefixes)
        return _Next(attention, language, total, spelling)

    def _language(self, beam: _Beam) -> Tensor:
        """(N, tokens): what words that are over with each token add."""
        added = torch.zeros(len(beam.sentences), len(self._begins), dtype=torch.float64)
        if self._words:
            for row, written in zip(added, beam.written, strict=True):
                over, end = self._words.closing(written)
                row[self._begins] = over
                row[END] = end
        return added

    def _grow(self, beam: _Beam, scored: _Next, utterance: _Utterance) -> _Beam:
        """The `width` best sentences of a token more."""
        flat = scored.total.flatten()
        best = flat.topk(min(self._width, int((flat > NOWHERE).sum()))).indices
        rows, tokens = best // scored.total.shape[1], best % scored.total.shape[1]  # (M,) each
        chosen = list(zip(rows.tolist(), tokens.tolist(), strict=True))
        prefixes = None
        if utterance.prefix_scorer and beam.prefixes:
            prefixes = utterance.prefix_scorer.extend(beam.prefixes.of(rows), tokens)
        return _Beam(
            [(*beam.sentences[row], token) for row, token in chosen],
            scored.attention[rows, tokens],
            scored.language[rows, tokens],
            scored.spelling.of(rows),
            prefixes,
            [self._words.extend(beam.written[row], token) for row, token in chosen] if self._words else [],
        )
