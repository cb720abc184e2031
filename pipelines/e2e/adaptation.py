"""Trainings that go on from a finished model: its network, its features, its tokens and what texts add."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import torch
from torch import Tensor

from data.errors import InputError
from pipelines.e2e import acoustics
from pipelines.e2e.features import LogMel
from pipelines.e2e.models.network import Network, Sizes
from pipelines.e2e.models.registry import build
from pipelines.e2e.settings import TrainSettings
from pipelines.e2e.tokens import Tokens


@dataclass(frozen=True, eq=False)
class Basis:
    """What a training begins with."""

    network: Network
    front: LogMel
    tokens: Tokens


def adapted(settings: TrainSettings, sample_rate: int, texts: Iterable[str]) -> Basis:
    """The model in `settings.start`, its alphabet grown by what `texts`, normalised, need.

    Old tokens keep their ids and their rows, new ones follow with fresh rows; the features keep the
    normalisation that the network knows. Raises `InputError` where `settings` ask for another architecture,
    sizes or kind of tokens, or the audio has another rate.
    """
    start = Path(settings.start)
    known = acoustics.load(start, torch.device("cpu"))
    acoustics.check_architecture(start, settings.architecture)
    acoustics.check_tokens(start, settings.tokens)
    known.check(sample_rate)
    _check_sizes(known.network.shape, settings, start)
    tokens = known.tokens.grown(texts)
    sizes = {**asdict(known.network.shape), "tokens": len(tokens)}
    if "dropout" in sizes:
        sizes["dropout"] = settings.sizes.get("dropout", settings.dropout)
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        network = build(known.architecture, sizes)
    network.load_state_dict(
        widened(known.network.state_dict(), network.state_dict(), len(known.tokens), len(tokens))
    )
    return Basis(network, known.front, tokens)


def _check_sizes(found: Sizes, settings: TrainSettings, start: Path) -> None:
    names = {field.name for field in fields(found)} - {"tokens", "dropout"}
    for name in sorted(names & set(settings.sizes)):
        if getattr(found, name) != settings.sizes[name]:
            raise InputError(
                f"the model here has {name} = {getattr(found, name)}, the settings ask for"
                f" {settings.sizes[name]}; leave it out of sizes",
                start,
            )


def widened(
    old: Mapping[str, Tensor], fresh: Mapping[str, Tensor], before: int, now: int
) -> dict[str, Tensor]:
    """`old`, with the last rows of `fresh` behind its own where a tensor has a row for each token.

    There were `before` tokens, and are `now`.
    """
    found = {}
    for name, value in fresh.items():
        row_a_token = len(old[name].shape) > 0 and (len(old[name]), len(value)) == (before, now)
        found[name] = torch.cat([old[name], value[before:]]) if row_a_token else old[name]
    return found


def taught(settings: TrainSettings) -> TrainSettings:
    """The settings of a training that goes on, without what leads a fresh network over its plateau."""
    return replace(settings, flat_epochs=0, short_first_epochs=0, plain_epochs=0)
