"""Fast Conformer: a Conformer whose frames are 80 ms long, by depthwise-separable convolutions.

Rekesh et al., "Fast Conformer with linearly scalable attention for efficient speech recognition" (ASRU
2023, section 3.1): three convolutions over time and bands halve both, all but the first depthwise-separable,
and the kernels of the layers shrink to 9. Frames so long want tokens to match, word pieces say: CTC gives a
token for a frame at most.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from data.errors import InputError
from pipelines.e2e.models import conformer
from pipelines.e2e.models.conformer import Conformer, Halving


@dataclass(frozen=True)
class Shape(conformer.Shape):
    """`channels` are of the convolutions that subsample."""

    subsampling: int = 8
    width: int = 176
    layers: int = 8
    kernel: int = 9
    chunk: int = 2
    left: int = 32
    channels: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.channels < 1:
            raise InputError("fast_conformer: channels want 1 or more")


class Separable(nn.Module):
    """Halves the frames and the bands; output j sees inputs 2j - 1 to 2j + 1: none later than its own two.

    A frame lies flat: all bands of the first channel, then of the next. With `outputs` it is projected.
    """

    left = 1

    def __init__(self, inputs: int, bands: int, channels: int, outputs: int = 0) -> None:
        super().__init__()
        self.channels, self.inputs = inputs, inputs * bands
        groups = inputs if inputs == channels else 1
        self.over = nn.Conv2d(inputs, channels, 3, stride=2, padding=(0, 1), groups=groups)
        self.mix = nn.Conv2d(channels, channels, 1) if groups > 1 else nn.Identity()
        self.outer: nn.Module = nn.Identity()
        if outputs:
            flat = channels * halved(bands)
            self.outer = nn.Sequential(nn.Linear(flat, outputs), nn.LayerNorm(outputs))
        for layer in (self.over, self.mix):
            keep_spread(layer)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, 1 + 2T, inputs) -> (B, T, outputs)."""
        planes = x.reshape(*x.shape[:2], self.channels, -1).transpose(1, 2)  # (B, C, 1 + 2T, bands)
        y = F.relu(self.mix(self.over(planes)))  # (B, channels, T, bands / 2)
        return self.outer(y.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


def keep_spread(layer: nn.Module) -> None:
    """Weights that keep the variance of what goes through (He et al., ICCV 2015, equation 10).

    torch's own would leave of what changes over time a fifth of what does not, three halvings on.
    """
    if isinstance(layer, nn.Conv2d):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        assert layer.bias is not None
        nn.init.zeros_(layer.bias)


def halved(bands: int) -> int:
    return (bands + 1) // 2


class FastConformer(Conformer):
    """See the module."""

    def halvings(self, shape: conformer.Shape) -> list[Halving]:
        assert isinstance(shape, Shape)
        found: list[Halving] = []
        inputs, bands, left = 1, shape.mels, shape.subsampling
        while left > 1:
            found.append(Separable(inputs, bands, shape.channels, shape.width if left == 2 else 0))
            inputs, bands, left = shape.channels, halved(bands), left // 2
        return found
