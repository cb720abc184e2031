"""LSTM-CTC: a plain stack of LSTMs over stacked frames, in both directions or forward alone.

Frames are stacked and subsampled as in Sak et al., "Fast and accurate recurrent neural network acoustic
models for speech recognition" (Interspeech 2015). The causal form gives a frame's posteriors `delay`
frames late, which is all the future that it sees (output delay, ibid. and Graves et al., ICML 2006).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from data.errors import InputError
from pipelines.e2e.models.layers import backwards, keep_between, lstm_on, recurrent_sizes
from pipelines.e2e.models.network import Memory, OneForm, Sizes


@dataclass(frozen=True)
class Shape(Sizes):
    """`hidden` is of one direction of one layer, `stack` the feature frames joined to one."""

    layers: int = 3
    hidden: int = 256
    stack: int = 4
    dropout: float = 0.15
    causal: bool = False
    delay: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.layers, self.hidden) < 1 or self.stack not in (4, 8) or self.delay < 0:
            raise InputError("lstm: layers and hidden want 1 or more, stack 4 or 8, delay 0 or more")


class StackedLstm(OneForm):
    """See the module."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape, self.subsampling = shape, shape.stack
        self.causal, self.delay = shape.causal, shape.delay if shape.causal else 0
        width = shape.hidden if shape.causal else 2 * shape.hidden
        inputs = [shape.mels * shape.stack, *[width] * (shape.layers - 1)]
        self.ahead = nn.ModuleList([nn.LSTM(n, shape.hidden, batch_first=True) for n in inputs])
        backward = [] if shape.causal else inputs
        self.back = nn.ModuleList([nn.LSTM(n, shape.hidden, batch_first=True) for n in backward])
        self.dropout = nn.Dropout(shape.dropout)
        self.output = nn.Linear(width, shape.tokens)
        self._carried = recurrent_sizes(shape.layers, shape.hidden, ("hidden", "cell"))

    @property
    def carried(self) -> Mapping[str, tuple[int, ...]]:
        return self._carried

    def hop(self, features: Tensor, first: Tensor, total: Tensor, memory: Memory) -> Tensor:
        """See `Hops.scores`."""
        rate = self.subsampling
        x = keep_between(features, first * rate, total * rate)  # (B, T * stack, mels)
        x = x.reshape(len(x), -1, rate * x.shape[2])  # (B, T, stack * mels)
        for i in range(len(self.ahead)):
            x = self._layer(i, self.dropout(x) if i else x, total, memory)
        return self.output(self.dropout(x))  # type: ignore[no-any-return]

    def _layer(self, i: int, x: Tensor, total: Tensor, memory: Memory) -> Tensor:
        y = lstm_on(cast(nn.LSTM, self.ahead[i]), x, memory, i)  # (B, T, H)
        if self.causal:
            return y
        return torch.cat([y, backwards(cast(nn.LSTM, self.back[i]), x, total)], -1)  # (B, T, 2H)
