"""The networks of the DNN-HMM: time-delay, convolutional and recurrent, all from one kind of layer.

A layer takes (B, context + T, in) and gives (B, T, out): it never pads. So a whole utterance, a training
piece and a stream's chunk are one case, and a stream need only hold the last `context` frames of each
layer's input (see `network_steps`, which is what runs when the training is over).

`tdnn`: factored time-delay layers with skip connections (Povey et al., "Semi-orthogonal low-rank matrix
factorization for deep neural networks", Interspeech 2018). `cnn`: two convolutions over mel bins and
time before such layers. `lstm`: LSTM layers with projections between them, whose outputs come `delay`
frames late (Sak et al., "Long short-term memory recurrent neural network architectures for large scale
acoustic modeling", Interspeech 2014).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SKIP = 0.66
"""The share of its input that a factored layer adds to its output, as in Kaldi's TDNN-F."""
_SPLICE = 2  # frames on each side that the first layer sees


class Layer(nn.Module):
    """(B, context + T, in) -> (B, T, out)."""

    context: int = 0


class Norm(nn.Module):
    """Batch normalisation of the last axis: in use a fixed scale and offset, whatever the chunk."""

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(dimensions)

    def forward(self, x: Tensor) -> Tensor:
        flat: Tensor = self.norm(x.reshape(-1, x.shape[-1]))
        return flat.view(x.shape)


def spliced(x: Tensor, taps: int, dilation: int) -> Tensor:
    """(B, (taps - 1) dilation + T, D) -> (B, T, taps D): frames t, t + dilation, ... side by side."""
    frames = x.shape[1] - (taps - 1) * dilation
    return torch.cat([x[:, k * dilation : k * dilation + frames] for k in range(taps)], 2)


class Spliced(Layer):
    """An affine layer over neighbouring frames, with ReLU and batch normalisation."""

    def __init__(self, inputs: int, outputs: int, taps: int, dropout: float) -> None:
        super().__init__()
        self.context, self.taps = taps - 1, taps
        self.affine = nn.Linear(taps * inputs, outputs)
        self.norm = Norm(outputs)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.dropout(self.norm(F.relu(self.affine(spliced(x, self.taps, 1)))))
        return out


class Factored(Layer):
    """TDNN-F: frames t - d and t into a bottleneck, its t and t + d out again, and a skip connection."""

    def __init__(self, width: int, bottleneck: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.context, self.dilation = 2 * dilation, dilation
        self.narrow = nn.Linear(2 * width, bottleneck, bias=False)
        self.affine = nn.Linear(2 * bottleneck, width)
        self.norm = Norm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, every: int = 1) -> Tensor:
        """x (B, context + T, width) -> (B, T, width); all counted in steps of `every` frames."""
        d = self.dilation // every
        narrow = self.narrow(spliced(x, 2, d))  # (B, d + T, bottleneck)
        y = self.dropout(self.norm(F.relu(self.affine(spliced(narrow, 2, d)))))
        out: Tensor = torch.add(y, x[:, d : x.shape[1] - d], alpha=SKIP)
        return out

    @torch.no_grad()
    def orthonormalise(self) -> None:
        """One step of the bottleneck's rows towards M M^T = a^2 I with a free scale a (Povey 2018, 2.2)."""
        m = self.narrow.weight
        p = m @ m.T
        scale = (p * p).sum() / p.trace()  # a^2
        m -= 0.5 / scale * ((p - scale * torch.eye(len(p))) @ m)


class Convolved(Layer):
    """A 3 x 3 convolution over time and mel bins; the bins are then halved by their maximum."""

    context = 2

    def __init__(self, maps: int, bins: int, outputs: int) -> None:
        super().__init__()
        self.maps, self.bins = maps, bins
        self.outputs = outputs * (bins // 2)
        self.conv = nn.Conv2d(maps, outputs, 3, padding=(0, 1))
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, 2 + T, maps * bins) -> (B, T, outputs * bins // 2)."""
        maps = x.view(*x.shape[:2], self.maps, self.bins).transpose(1, 2)  # (B, maps, 2 + T, bins)
        y = F.max_pool2d(F.relu(self.norm(self.conv(maps))), (1, 2))
        return y.transpose(1, 2).flatten(2)


class Recurrent(Layer):
    """A unidirectional LSTM layer, a projection of its outputs, and batch normalisation."""

    def __init__(self, inputs: int, cells: int, projection: int, dropout: float) -> None:
        super().__init__()
        # a projection inside the recurrence would take twice the time: oneDNN has no kernel for it
        self.lstm = nn.LSTM(inputs, cells, batch_first=True)
        self.projection = nn.Linear(cells, projection)
        self.norm = Norm(projection)
        self.dropout = nn.Dropout(dropout)
        weights = dict(self.lstm.named_parameters())
        nn.init.orthogonal_(weights["weight_hh_l0"])
        nn.init.ones_(weights["bias_ih_l0"][cells : 2 * cells])  # the forget gates begin open

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.dropout(self.norm(self.projection(self.lstm(x)[0])))
        return out


class Skipped(Layer):
    """Leaves out the first `context` frames: those of the warm-up, and the outputs' delay."""

    def __init__(self, context: int) -> None:
        super().__init__()
        self.context = context

    def forward(self, x: Tensor) -> Tensor:
        return x[:, self.context :]


class Output(Layer):
    """Logits of the senones, from zero weights: the first loss is that of equal chances."""

    def __init__(self, inputs: int, senones: int) -> None:
        super().__init__()
        self.affine = nn.Linear(inputs, senones)
        nn.init.zeros_(self.affine.weight)
        nn.init.zeros_(self.affine.bias)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.affine(x)
        return out


class Stack(nn.Module):
    """(B, left + T + right, D) -> logits (B, T, senones), frame t from those of t - left to t + right."""

    def __init__(self, layers: Sequence[Layer], right: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.right = right
        self.left = sum(layer.context for layer in layers) - right

    def forward(self, x: Tensor, every: int = 1) -> Tensor:
        """With `every` over 1: (B, T / every, senones) for frames 0, every, 2 every, ...

        Layers at the end whose dilation is a multiple of `every` are then computed for these frames alone.
        """
        thin = self._thin_from(every)
        for i, layer in enumerate(self.layers):
            if i == thin:
                x = x[:, ::every]
            x = layer(x, every) if i >= thin and isinstance(layer, Factored) else layer(x)
        return x

    def saves(self, every: int) -> bool:
        """Whether computing every so manieth frame costs less than computing all."""
        return self._thin_from(every) < len(self.layers) - 1

    def _thin_from(self, every: int) -> int:
        first = len(self.layers) - 1
        while (
            first and isinstance(before := self.layers[first - 1], Factored) and not before.dilation % every
        ):
            first -= 1
        return first

    def orthonormalise(self) -> None:
        for layer in self.layers:
            if isinstance(layer, Factored):
                layer.orthonormalise()


@dataclass(frozen=True)
class TdnnSizes:
    """A factored layer of `width` and `bottleneck` for each of `dilations`, in frames."""

    width: int = 320
    bottleneck: int = 80
    dilations: tuple[int, ...] = (1, 3, 3, 3, 3, 3)

    def build(self, inputs: int, senones: int, dropout: float) -> Stack:
        first = Spliced(inputs, self.width, 2 * _SPLICE + 1, dropout)
        return Stack([first, *self.rest(senones, dropout)], _SPLICE + sum(self.dilations))

    def rest(self, senones: int, dropout: float) -> list[Layer]:
        """All but the first layer."""
        factored = [Factored(self.width, self.bottleneck, d, dropout) for d in self.dilations]
        return [*factored, Output(self.width, senones)]


@dataclass(frozen=True)
class CnnSizes:
    """Two convolutions with so many `maps`, then factored layers. Features must be mel bins, low to high."""

    maps: tuple[int, int] = (16, 32)
    width: int = 320
    bottleneck: int = 80
    dilations: tuple[int, ...] = (3, 3, 3, 3)

    def build(self, inputs: int, senones: int, dropout: float) -> Stack:
        first, second = self.maps
        layers: list[Layer] = [
            Convolved(1, inputs, first),
            Convolved(first, inputs // 2, second),
            Spliced(second * (inputs // 4), self.width, 1, dropout),
        ]
        rest = TdnnSizes(self.width, self.bottleneck, self.dilations).rest(senones, dropout)
        return Stack([*layers, *rest], 2 + sum(self.dilations))


@dataclass(frozen=True)
class LstmSizes:
    """`layers` of `cells` with a `projection`; outputs `delay` frames late.

    Where it starts, it first runs over `warm_up` frames without outputs.
    """

    width: int = 256
    cells: int = 224
    projection: int = 128
    layers: int = 2
    delay: int = 8
    warm_up: int = 30

    def build(self, inputs: int, senones: int, dropout: float) -> Stack:
        widths = [self.width, *[self.projection] * self.layers]
        layers: list[Layer] = [
            Spliced(inputs, self.width, 2 * _SPLICE + 1, dropout),
            *(Recurrent(n, self.cells, self.projection, dropout) for n in widths[:-1]),
            Skipped(self.warm_up + self.delay),
            Output(self.projection, senones),
        ]
        return Stack(layers, _SPLICE + self.delay)


Sizes: TypeAlias = TdnnSizes | CnnSizes | LstmSizes
"""What an architecture is built by."""

ARCHITECTURES: dict[str, type[Sizes]] = {
    "tdnn": TdnnSizes,
    "cnn": CnnSizes,
    "lstm": LstmSizes,
}
"""By the name that an experiment uses."""


def parameters(stack: nn.Module) -> int:
    """How many weights are trained."""
    return sum(p.numel() for p in stack.parameters())
