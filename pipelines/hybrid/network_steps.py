"""A trained network step by step in numpy: what a stream runs.

For a chunk of ten frames the products are so small that torch spends more time on calling, and on getting an
LSTM's weights into order, than on multiplying; numpy takes about half the time. Batch normalisation is by
then a scale and an offset. The convolution's own kernel stays torch's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from pipelines.hybrid.network_layers import (
    SKIP,
    Convolved,
    Factored,
    Norm,
    Output,
    Recurrent,
    Skipped,
    Spliced,
    Stack,
)

Array: TypeAlias = npt.NDArray[np.float32]
State: TypeAlias = tuple[Array, ...]
"""What a step carries from chunk to chunk; the first dimension of each array is the batch's."""


class Step(Protocol):
    """A layer: (B, T, in) that follows what the state has seen, to (B, T', out); T' is 0 at times."""

    def __call__(self, x: Array, state: State) -> tuple[Array, State]: ...


class Windowed(Protocol):
    """A layer without memory: (B, context + T, in) to (B, T, out)."""

    @property
    def context(self) -> int: ...

    def __call__(self, x: Array) -> Array: ...


def steps_of(stack: Stack) -> tuple[Step, ...]:
    """The layers of a stack that is not trained any more."""
    return tuple(_step(layer) for layer in stack.layers)


def advance(steps: Sequence[Step], x: Array, states: Sequence[State]) -> tuple[Array, list[State]]:
    """x (B, T, D) through all steps; the states at the start are ()."""
    after = []
    for step, state in zip(steps, states, strict=True):
        x, held = step(x, state)
        after.append(held)
    return x, after


def _step(layer: nn.Module) -> Step:
    match layer:
        case Spliced():
            return Held(SplicedStep(layer.taps, _affine(layer.affine), _norm(layer.norm)))
        case Factored():
            narrow, affine = _matrix(layer.narrow), _affine(layer.affine)
            return Held(FactoredStep(layer.dilation, narrow, affine, _norm(layer.norm)))
        case Output():
            return Held(OutputStep(_affine(layer.affine)))
        case Skipped():
            return Held(SkippedStep(layer.context))
        case Convolved():
            return Held(ConvolvedStep(layer))
        case Recurrent():
            return RecurrentStep(layer)
    raise TypeError(f"no step for a {type(layer).__name__}")


@dataclass(frozen=True, eq=False)
class Affine:
    """`matrix` (in, out) and `bias` (out,)."""

    matrix: Array
    bias: Array

    def of(self, x: Array) -> Array:
        """(B, T, in) to (B, T, out)."""
        y: Array = x.reshape(-1, x.shape[2]) @ self.matrix
        y += self.bias
        return y.reshape(x.shape[0], x.shape[1], len(self.bias))


class Held:
    """Gives a windowed layer the last frames of what came before."""

    def __init__(self, layer: Windowed) -> None:
        self._layer = layer

    def __call__(self, x: Array, state: State) -> tuple[Array, State]:
        context = self._layer.context
        if not context:
            return self._layer(x), ()
        full = np.concatenate([*state, x], axis=1) if state else x
        begin = max(0, full.shape[1] - context)
        if not begin:
            # too little for a frame; the layer still tells how wide its frames are
            empty = self._layer(np.zeros((len(x), context, x.shape[2]), np.float32))
            return empty, (full,)
        return self._layer(full), (full[:, begin:],)


@dataclass(frozen=True, eq=False)
class SplicedStep:
    """`network_layers.Spliced`; `norm` is the scale and the offset of its batch normalisation."""

    taps: int
    affine: Affine
    norm: tuple[Array, Array]

    @property
    def context(self) -> int:
        return self.taps - 1

    def __call__(self, x: Array) -> Array:
        return _active(self.affine.of(_spliced(x, self.taps, 1)), self.norm)


@dataclass(frozen=True, eq=False)
class FactoredStep:
    """`network_layers.Factored`; `narrow` is (2 width, bottleneck)."""

    dilation: int
    narrow: Array
    affine: Affine
    norm: tuple[Array, Array]

    @property
    def context(self) -> int:
        return 2 * self.dilation

    def __call__(self, x: Array) -> Array:
        d = self.dilation
        wide = _spliced(x, 2, d)  # (B, d + T, 2 width)
        narrow = wide.reshape(-1, wide.shape[2]) @ self.narrow
        narrow = narrow.reshape(*wide.shape[:2], self.narrow.shape[1])
        y = _active(self.affine.of(_spliced(narrow, 2, d)), self.norm)
        y += np.float32(SKIP) * x[:, d : x.shape[1] - d]
        return y


@dataclass(frozen=True, eq=False)
class OutputStep:
    """`network_layers.Output`."""

    affine: Affine
    context: int = 0

    def __call__(self, x: Array) -> Array:
        return self.affine.of(x)


@dataclass(frozen=True)
class SkippedStep:
    """`network_layers.Skipped`."""

    context: int

    def __call__(self, x: Array) -> Array:
        return x[:, self.context :]


@dataclass(frozen=True, eq=False)
class ConvolvedStep:
    """`network_layers.Convolved`, by torch."""

    layer: Convolved

    @property
    def context(self) -> int:
        return self.layer.context

    def __call__(self, x: Array) -> Array:
        if x.shape[1] == self.context:
            return np.zeros((len(x), 0, self.layer.outputs), np.float32)
        with torch.inference_mode():
            return np.asarray(self.layer(torch.from_numpy(x)).numpy())


class RecurrentStep:
    """An LSTM layer, whose state goes from chunk to chunk; its projection, normalised.

    Torch orders the gates input, forget, cell, output. The logistic function of x is 0.5 tanh(0.5 x) + 0.5:
    with the three gates' weights halved, one tanh serves all four.
    """

    def __init__(self, layer: Recurrent) -> None:
        self._cells = cells = layer.lstm.hidden_size
        weights = {name: _array(tensor) for name, tensor in layer.lstm.named_parameters()}
        halves = np.full(4 * cells, 0.5, np.float32)
        halves[2 * cells : 3 * cells] = 1.0
        bias = weights["bias_ih_l0"] + weights["bias_hh_l0"]
        self._inputs = Affine(np.ascontiguousarray(weights["weight_ih_l0"].T) * halves, bias * halves)
        self._recurrent = np.ascontiguousarray(weights["weight_hh_l0"].T) * halves
        scale, offset = _norm(layer.norm)
        plain = _affine(layer.projection)
        self._projection = Affine(plain.matrix * scale, plain.bias * scale + offset)

    def __call__(self, x: Array, state: State) -> tuple[Array, State]:
        n = self._cells
        output, cell = state or (np.zeros((len(x), n), np.float32), np.zeros((len(x), n), np.float32))
        driven = self._inputs.of(x)  # (B, T, 4 cells)
        outputs = np.empty((len(x), x.shape[1], n), np.float32)
        for t in range(x.shape[1]):
            gates = output @ self._recurrent
            gates += driven[:, t]
            np.tanh(gates, out=gates)
            logistic = 0.5 * gates + np.float32(0.5)
            cell = logistic[:, n : 2 * n] * cell
            cell += logistic[:, :n] * gates[:, 2 * n : 3 * n]
            output = logistic[:, 3 * n :] * np.tanh(cell)
            outputs[:, t] = output
        return self._projection.of(outputs), (output, cell)


def _spliced(x: Array, taps: int, dilation: int) -> Array:
    """(B, (taps - 1) dilation + T, D) to (B, T, taps D)."""
    frames = x.shape[1] - (taps - 1) * dilation
    return np.concatenate([x[:, k * dilation : k * dilation + frames] for k in range(taps)], axis=2)


def _active(y: Array, norm: tuple[Array, Array]) -> Array:
    """ReLU and the scale and offset of a normalisation, in place."""
    np.maximum(y, 0.0, out=y)
    y *= norm[0]
    y += norm[1]
    return y


def _matrix(linear: nn.Linear) -> Array:
    return np.ascontiguousarray(_array(linear.weight).T)


def _affine(linear: nn.Linear) -> Affine:
    return Affine(_matrix(linear), _array(linear.bias))


def _norm(norm: Norm) -> tuple[Array, Array]:
    inner = norm.norm
    mean, variance = inner.running_mean, inner.running_var
    if mean is None or variance is None:
        raise TypeError("a batch normalisation that keeps no running mean")
    scale = inner.weight / torch.sqrt(variance + inner.eps)
    return _array(scale), _array(inner.bias - mean * scale)


def _array(tensor: Tensor) -> Array:
    array: Array = tensor.detach().numpy()
    return array
