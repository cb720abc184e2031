"""The decoder of an attention encoder-decoder: an LSTM that spells token by token where it attends.

Chorowski et al., "Attention-based models for speech recognition" (NIPS 2015, equations 5 to 9): the weights
of the last step, convolved, are part of the next step's energies, so that attention moves on as speech does.
In each step the LSTM reads the last token and what is attended to. A sentence begins and ends with the token
that CTC takes as its blank.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from data.errors import InputError
from pipelines.e2e.models.layers import real_frames
from pipelines.e2e.models.network import Sizes

END = 0
"""Begins and ends every sentence; for CTC this token is the blank."""
_LOCATIONS, _KERNEL = 10, 51
_SHARPNESS = 2.0


@dataclass(frozen=True)
class SpellerSizes(Sizes):
    """`attention_weight` is the share of its loss, `smoothing` how much of a target goes to all tokens."""

    attention_weight: float = 0.6
    cells: int = 256
    spelling_dropout: float = 0.2
    smoothing: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.attention_weight <= 1 or not 0 <= self.smoothing < 1:
            raise InputError("e2e: attention_weight lies above 0 and up to 1, smoothing from 0 to below 1")
        if self.cells < 2 or not 0 <= self.spelling_dropout < 1:
            raise InputError("e2e: cells want 2 or more, spelling_dropout lies from 0 to below 1")


@dataclass(frozen=True, eq=False)
class Listened:
    """What is attended to: encoded (B, T, D), their keys (B, T, A), and which frames count (B, T)."""

    encoded: Tensor
    keys: Tensor
    real: Tensor


@dataclass(frozen=True, eq=False)
class Spelling:
    """Where N sentences stand: the LSTM's hidden and cell (N, H), the last weights of attention (N, T)."""

    hidden: Tensor
    cell: Tensor
    weights: Tensor

    def of(self, rows: Tensor) -> Spelling:
        """Those of `rows` (M,)."""
        return Spelling(self.hidden[rows], self.cell[rows], self.weights[rows])


class Speller(nn.Module):
    """See the module; `width` is D, that of what is attended to."""

    def __init__(self, sizes: SpellerSizes, width: int) -> None:
        super().__init__()
        hidden, attended = sizes.cells, sizes.cells // 2
        self.embedding = nn.Embedding(sizes.tokens, hidden)
        self.key, self.query = nn.Linear(width, attended), nn.Linear(hidden, attended, bias=False)
        self.locate = nn.Conv1d(1, _LOCATIONS, _KERNEL, padding=_KERNEL // 2, bias=False)
        self.location = nn.Linear(_LOCATIONS, attended, bias=False)
        self.energy = nn.Linear(attended, 1, bias=False)
        self.recurrent = nn.LSTMCell(hidden + width, hidden)
        self.dropout = nn.Dropout(sizes.spelling_dropout)
        self.output = nn.Linear(hidden + width, sizes.tokens)

    def forward(self, encoded: Tensor, frames: Tensor, labels: Tensor) -> Tensor:
        """encoded (B, T, D) of which `frames` (B,) count, labels (B, L) -> (B, L + 1, tokens).

        Scores of each label, and of the end, given the true ones before it.
        """
        listened = self.listen(encoded, frames)
        spelling = self.begin(listened)
        before = nn.functional.pad(labels, (1, 0), value=END)  # (B, L + 1)
        read = self.dropout(self.embedding(before))  # (B, L + 1, H)
        steps = []
        for i in range(before.shape[1]):
            step, spelling = self._step(read[:, i], spelling, listened)
            steps.append(step)
        scores: Tensor = self.output(self.dropout(torch.stack(steps, 1)))
        return scores

    def listen(self, encoded: Tensor, frames: Tensor) -> Listened:
        """encoded (B, T, D) of which `frames` (B,) count; the first always does."""
        real = real_frames(encoded.shape[1], torch.zeros_like(frames), frames.clamp(min=1))
        return Listened(encoded, self.key(encoded), real)

    def begin(self, listened: Listened) -> Spelling:
        """Before the first token, attention lies evenly on all frames."""
        zeros = listened.encoded.new_zeros(len(listened.encoded), self.recurrent.hidden_size)
        even = listened.real / listened.real.sum(1, keepdim=True)  # (B, T)
        return Spelling(zeros, zeros, even.to(zeros.dtype))

    def spell(self, before: Tensor, spelling: Spelling, listened: Listened) -> tuple[Tensor, Spelling]:
        """before (N,), the last token of each -> scores of the next (N, tokens), and where that leads.

        `listened` is of N utterances, or of the one that all N sentences are about.
        """
        step, after = self._step(self.embedding(before), spelling, listened)
        return self.output(step), after

    def _step(self, read: Tensor, spelling: Spelling, listened: Listened) -> tuple[Tensor, Spelling]:
        """read (N, H) -> (N, H + D)."""
        weights = self._attend(spelling, listened)  # (N, T)
        context = (weights[:, None] @ listened.encoded)[:, 0]  # (N, D)
        state = spelling.hidden, spelling.cell
        hidden, cell = self.recurrent(torch.cat([read, context], -1), state)  # (N, H) each
        return torch.cat([hidden, context], -1), Spelling(hidden, cell, weights)

    def _attend(self, spelling: Spelling, listened: Listened) -> Tensor:
        """(N, T): a distribution over the frames that count."""
        place = self.locate(spelling.weights[:, None]).transpose(1, 2)  # (N, T, locations)
        query = self.query(spelling.hidden)[:, None]  # (N, 1, A)
        energy = self.energy(torch.tanh(listened.keys + query + self.location(place)))[:, :, 0]  # (N, T)
        weights: Tensor = (_SHARPNESS * energy).masked_fill(~listened.real, -torch.inf).softmax(-1)
        return weights
