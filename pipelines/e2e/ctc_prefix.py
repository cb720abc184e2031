"""How likely CTC finds it that an utterance begins with some tokens, for many beginnings at once.

Graves, "Supervised sequence labelling with recurrent neural networks" (2008), section 7.5.3, in the form of
Watanabe et al., "Hybrid CTC/attention architecture for end-to-end speech recognition" (IEEE JSTSP 2017),
algorithm 2. Its recursions over time are linear in probabilities, hence cumulative sums here.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pipelines.e2e.tokens import BLANK

NOWHERE = -torch.inf


@dataclass(frozen=True, eq=False)
class Prefixes:
    """N beginnings by their last token (N,), the blank for the empty one.

    `spoken` and `silent` (N, T): ln P that the frames to t spell just them, ending in a token, in a blank.
    """

    last: Tensor
    spoken: Tensor
    silent: Tensor

    def of(self, rows: Tensor) -> Prefixes:
        return Prefixes(self.last[rows], self.spoken[rows], self.silent[rows])


class CtcPrefixScorer:
    """Over one utterance's log posteriors (T, tokens), T at least 1; in double precision."""

    def __init__(self, log_probs: Tensor) -> None:
        self._log_probs = log_probs.double()
        self._probs = self._log_probs.exp()

    def begin(self) -> Prefixes:
        """The empty beginning."""
        silent = self._log_probs[:, BLANK].cumsum(0)[None]  # (1, T)
        last = torch.full((1,), BLANK, device=silent.device)
        return Prefixes(last, torch.full_like(silent, NOWHERE), silent)

    def scores(self, prefixes: Prefixes) -> Tensor:
        """(N, tokens): ln P that the utterance begins with each and one token more, or (blank) ends there."""
        anything, apart = self._before(prefixes)  # (N, T) each
        scores = self._total(anything)
        again = prefixes.last[:, None]  # a token that repeats the last wants a blank between
        scores = scores.scatter(1, again, self._total(apart).gather(1, again))
        ends = torch.logaddexp(prefixes.spoken[:, -1], prefixes.silent[:, -1])
        return torch.cat([ends[:, None], scores[:, BLANK + 1 :]], 1)

    def extend(self, prefixes: Prefixes, tokens: Tensor) -> Prefixes:
        """Each with one of `tokens` (N,) more, none of them the blank."""
        anything, apart = self._before(prefixes)
        before = torch.where((tokens == prefixes.last)[:, None], apart, anything)  # (N, T)
        spoken = _filtered(before, self._log_probs[:, tokens].T)
        silent = _filtered(_delayed(spoken), self._log_probs[:, BLANK].expand_as(spoken))
        return Prefixes(tokens, spoken, silent)

    def _before(self, prefixes: Prefixes) -> tuple[Tensor, Tensor]:
        """(N, T): ln P of the frames before t, ending in whatever, in a blank."""
        empty = torch.where(prefixes.last == BLANK, 0.0, NOWHERE).double()  # nothing said in no frames
        both = torch.logaddexp(prefixes.spoken, prefixes.silent)
        return _delayed(both, empty), _delayed(prefixes.silent, empty)

    def _total(self, before: Tensor) -> Tensor:
        """before (N, T) -> (N, tokens): ln of the sum over t of P before t times P of the token at t."""
        highest = before.amax(1, keepdim=True).clamp(min=torch.finfo(before.dtype).min)
        return highest + ((before - highest).exp() @ self._probs).log()


def _delayed(x: Tensor, first: Tensor | None = None) -> Tensor:
    """x (N, T) a frame later, `first` (N,) before it."""
    start = torch.full_like(x[:, 0], NOWHERE) if first is None else first
    return torch.cat([start[:, None], x[:, :-1]], 1)


def _filtered(entering: Tensor, staying: Tensor) -> Tensor:
    """y[t] = ln(e^y[t-1] + e^entering[t]) + staying[t], all (N, T)."""
    stayed = staying.cumsum(1)
    return stayed + torch.logcumsumexp(entering - stayed + staying, 1)
