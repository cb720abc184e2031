"""Networks and the checkpoints of their training on disk: safetensors with a JSON header, never pickle."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from data.errors import InputError, did_you_mean
from pipelines.hybrid.network import Ensemble, Network, mean_of
from pipelines.hybrid.network_layers import ARCHITECTURES, Sizes

FORMAT = 1
_WEIGHTS = "weights."


def save_network(network: Network | Ensemble, path: Path) -> None:
    """All or nothing; an ensemble goes into one file."""
    members = network.members if isinstance(network, Ensemble) else (network,)
    header = [
        {"architecture": m.kind, "sizes": asdict(m.sizes), "inputs": len(m.mean), "senones": m.senones}
        for m in members
    ]
    tensors = {f"{i}.{name}": tensor for i, m in enumerate(members) for name, tensor in _tensors(m).items()}
    write_tensors(path, tensors, {"format": FORMAT, "members": header})


def load_network(path: Path) -> Network | Ensemble:
    """Raises `InputError` for a broken file, another format or architecture, and tensors that do not fit."""
    tensors, header = read_tensors(path)
    if header.get("format") != FORMAT:
        raise InputError(f"a network of format {header.get('format')}, not {FORMAT}: train it anew", path)
    members = [
        _member(described, under(tensors, f"{i}."), path) for i, described in enumerate(header["members"])
    ]
    return mean_of(members)


def _tensors(network: Network) -> dict[str, Tensor]:
    weights = {_WEIGHTS + name: tensor for name, tensor in network.stack.state_dict().items()}
    arrays = {"mean": network.mean, "scale": network.scale, "log_prior": network.log_prior}
    return weights | {name: torch.from_numpy(array) for name, array in arrays.items()}


def _member(described: Mapping[str, Any], tensors: Mapping[str, Tensor], path: Path) -> Network:
    kind = described["architecture"]
    sizes = sizes_of(kind, described["sizes"], path)
    stack = sizes.build(described["inputs"], described["senones"], 0.0)
    try:
        stack.load_state_dict(under(tensors, _WEIGHTS))
        mean, scale, prior = (tensors[name].numpy() for name in ("mean", "scale", "log_prior"))
    except (RuntimeError, KeyError) as error:
        raise InputError(
            f"not the weights of the {kind} that its header states: train it anew", path
        ) from error
    if len(prior) != described["senones"] or not len(mean) == len(scale) == described["inputs"]:
        raise InputError(f"priors or means of another size than this {kind} has: train it anew", path)
    return Network(kind, sizes, stack.eval(), mean, scale, prior)


def sizes_of(kind: str, values: Mapping[str, Any], path: Path | None = None) -> Sizes:
    """The sizes of the architecture called `kind`; raises `InputError` for an unknown one."""
    if kind not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise InputError(
            f"unknown architecture {kind!r}{did_you_mean(kind, ARCHITECTURES)} (known: {known})", path
        )
    architecture: Callable[..., Sizes] = ARCHITECTURES[kind]
    plain = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    try:
        return architecture(**plain)
    except TypeError as error:
        raise InputError(f"sizes that a {kind} does not have: {', '.join(values)}", path) from error


def write_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Writes beside `path`, then renames."""
    part = path.with_name(path.name + ".part")
    plain = {name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()}
    try:
        save_file(plain, part, {"header": json.dumps(header)})
        part.replace(path)
    except (OSError, SafetensorError) as error:
        part.unlink(missing_ok=True)
        raise InputError(f"cannot be written ({error}); make room, then start again", path) from error


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and header; raises `InputError` for a file that is missing, torn or of another kind."""
    try:
        with safe_open(path, "pt") as stored:
            header: dict[str, Any] = json.loads((stored.metadata() or {})["header"])
            return {name: stored.get_tensor(name) for name in stored.keys()}, header  # noqa: SIM118
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise InputError("not a network of asrbench, or cut short: train it anew", path) from error


def under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix`, by the rest of their names."""
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
