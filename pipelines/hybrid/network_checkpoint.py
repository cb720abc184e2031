"""What an interrupted training of a network goes on from, after each epoch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from data.errors import InputError
from pipelines.hybrid.network_store import read_tensors, under, write_tensors


@dataclass(frozen=True, eq=False)
class Progressing:
    """All that a training changes: the network, AdamW's moments, and the running mean of the weights."""

    stack: nn.Module
    optimiser: torch.optim.Optimizer
    average: dict[str, Tensor]


@dataclass(frozen=True)
class Checkpoint:
    """A file; `key` names what is being trained, so that another training does not go on from it."""

    path: Path
    key: str

    def write(self, training: Progressing, epochs: int, steps: int) -> None:
        """After so many epochs and steps."""
        tensors = {f"stack.{name}": t for name, t in training.stack.state_dict().items()}
        tensors |= {f"average.{name}": t for name, t in training.average.items()}
        for i, moments in training.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{i}.{name}": t for name, t in moments.items()}
        write_tensors(self.path, tensors, {"key": self.key, "epochs": epochs, "steps": steps})

    def read(self, into: Progressing) -> tuple[int, int]:
        """Epochs and steps done; (0, 0) where there is no checkpoint, a torn one, or another training's."""
        try:
            tensors, header = read_tensors(self.path)
        except InputError:
            return 0, 0
        if header.get("key") != self.key:
            return 0, 0
        into.stack.load_state_dict(under(tensors, "stack."))
        into.average.update(under(tensors, "average."))
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in under(tensors, "optimiser.").items():
            index, _, moment = name.partition(".")
            moments.setdefault(int(index), {})[moment] = value
        groups = into.optimiser.state_dict()["param_groups"]
        into.optimiser.load_state_dict({"state": moments, "param_groups": groups})
        return int(header["epochs"]), int(header["steps"])


def key_of(settings: Mapping[str, Any], arrays: Iterable[npt.NDArray[np.generic]]) -> str:
    """Names a training by its settings and what it learns from."""
    digest = hashlib.sha256(json.dumps(settings).encode())
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
