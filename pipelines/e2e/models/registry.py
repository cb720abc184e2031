"""The architectures by name, and how sizes by name and value become a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, make_dataclass
from typing import Any, cast

from data.errors import InputError, did_you_mean
from pipelines.e2e.models import conformer, conv_recurrent, deep_speech_2, fast_conformer, lstm
from pipelines.e2e.models.joint import Joint
from pipelines.e2e.models.network import Network, Sizes
from pipelines.e2e.models.speller import SpellerSizes
from pipelines.settings import filled


@dataclass(frozen=True)
class Architecture:
    """`network` takes an instance of `shape`."""

    shape: type[Sizes]
    network: Callable[[Any], Network]


def _joint(encoder: Architecture) -> Architecture:
    """The encoder's sizes and the speller's, side by side."""
    shape = make_dataclass("Shape", [], bases=(encoder.shape, SpellerSizes), frozen=True)
    return Architecture(cast("type[Sizes]", shape), lambda sizes: Joint(sizes, encoder.network(sizes)))


_ENCODERS: Mapping[str, Architecture] = {
    "conv_recurrent": Architecture(conv_recurrent.Shape, conv_recurrent.ConvRecurrent),
    "lstm": Architecture(lstm.Shape, lstm.StackedLstm),
    "deep_speech_2": Architecture(deep_speech_2.Shape, deep_speech_2.DeepSpeech2),
    "conformer": Architecture(conformer.Shape, conformer.Conformer),
    "fast_conformer": Architecture(fast_conformer.Shape, fast_conformer.FastConformer),
}
ARCHITECTURES: Mapping[str, Architecture] = {
    **_ENCODERS,
    **{f"joint_{name}": _joint(encoder) for name, encoder in _ENCODERS.items()},
}


def shape_of(name: str, sizes: Mapping[str, Any]) -> Sizes:
    """Raises `InputError` for an unknown architecture, and for a size that it does not have or cannot be."""
    return filled(_architecture(name).shape, sizes, f"e2e: sizes of {name}")


def build(name: str, sizes: Mapping[str, Any]) -> Network:
    """The network with fresh weights, drawn from torch's global generator; raises as `shape_of`."""
    return _architecture(name).network(shape_of(name, sizes))


def name_of(network: Network) -> str:
    """By which the registry knows this network."""
    return next(n for n, found in ARCHITECTURES.items() if found.shape is type(network.shape))


def _architecture(name: str) -> Architecture:
    if name not in ARCHITECTURES:
        hint = did_you_mean(name, ARCHITECTURES)
        raise InputError(
            f"e2e: no architecture is called {name!r}{hint}; there are {', '.join(ARCHITECTURES)}"
        )
    return ARCHITECTURES[name]
