"""What an interrupted training goes on from: one safetensors file, replaced at once or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from data.errors import InputError
from pipelines.e2e.course import Course

_SHOWN = 100


@dataclass(frozen=True, eq=False)
class State:
    """After `step` updates: the network, AdamW's moments, their average, and the best average so far.

    `course` is what the training remembers beside them, as JSON; `kind` says by name what the network is:
    its architecture, sizes and tokens.
    """

    step: int
    network: nn.Module
    optimiser: torch.optim.Optimizer
    average: Mapping[str, Tensor]
    best: Mapping[str, Tensor]
    course: str
    kind: Mapping[str, str]


class Resumable(Protocol):
    """What `read_state` puts back in place."""

    @property
    def network(self) -> nn.Module: ...
    @property
    def optimiser(self) -> torch.optim.Optimizer: ...
    @property
    def average(self) -> dict[str, Tensor]: ...
    @property
    def best(self) -> dict[str, Tensor]: ...
    @property
    def course(self) -> Course: ...
    @property
    def kind(self) -> Mapping[str, str]: ...


def save_tensors(tensors: Mapping[str, Tensor], path: Path, metadata: dict[str, str] | None = None) -> None:
    """Writes beside `path`, then renames: whoever reads sees the old file or the new one.

    Raises `InputError` where the disk is full or not to be written to; the old file stays.
    """
    part = path.with_name(path.name + ".part")
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    try:
        save_file(plain, part, metadata)
        part.replace(path)
    except (OSError, SafetensorError) as error:
        part.unlink(missing_ok=True)
        raise InputError(
            f"cannot be written ({error}); make room, then start again to go on", path
        ) from error


def write_state(path: Path, state: State) -> None:
    tensors = {f"network.{k}": v for k, v in state.network.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in state.average.items()}
    tensors |= {f"best.{k}": v for k, v in state.best.items()}
    for i, moments in state.optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{i}.{k}": v for k, v in moments.items()}
    metadata = {"step": str(state.step), "course": state.course, **state.kind}
    save_tensors(tensors, path, metadata)


def read_state(path: Path, into: Resumable) -> int:
    """Puts the state back and returns its step; raises `InputError` for a torn file or another model's."""
    try:
        with safe_open(path, "pt") as stored:
            metadata = stored.metadata()
            tensors: dict[str, Tensor] = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        _same_kind(metadata, into.kind, path)
        _restore(tensors, into)
        into.course.restore(metadata["course"])
        return int(metadata["step"])
    except (SafetensorError, OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
        raise InputError("this checkpoint does not fit the model; delete it to train anew", path) from error


def _same_kind(found: Mapping[str, str], wanted: Mapping[str, str], path: Path) -> None:
    for what, value in wanted.items():
        if found.get(what, value) != value:
            theirs, ours = _where_they_differ(found[what], value)
            raise InputError(
                f"this checkpoint does not fit the model: its {what} {theirs}, the model's {ours};"
                " delete it to train anew",
                path,
            )


def _where_they_differ(one: str, other: str) -> tuple[str, str]:
    """Both; of long ones what stands around the first difference: hundreds of tokens are no message."""
    same = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
    first = max(0, same - _SHOWN // 3)

    def shown(text: str) -> str:
        return text if len(text) <= _SHOWN else f"... {text[first : first + _SHOWN]} ..."

    return shown(one), shown(other)


def _restore(tensors: Mapping[str, Tensor], into: Resumable) -> None:
    into.network.load_state_dict(_under(tensors, "network."))
    for name, value in _under(tensors, "average.").items():
        into.average[name].copy_(value)
    into.best.clear()
    into.best.update({k: v.to(into.average[k].device) for k, v in _under(tensors, "best.").items()})
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in _under(tensors, "optimiser.").items():
        index, _, key = name.partition(".")
        moments.setdefault(int(index), {})[key] = value
    stored = into.optimiser.state_dict()
    into.optimiser.load_state_dict({"state": moments, "param_groups": stored["param_groups"]})


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
