"""Processes that train one network together, as torchrun starts them; alone there is one.

Each computes the gradients of its own rows of a batch, and all of them step by the sum: synchronous data
parallelism (Goyal et al., "Accurate, large minibatch SGD", 2017). All processes see one file system.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

_Row = TypeVar("_Row")
_PATIENCE = timedelta(days=1)  # the others wait while the first tunes on dev; torchrun ends them if it dies


@dataclass(frozen=True)
class Ranks:
    """This process is number `rank` of `count`; what crosses between them lies on `device`."""

    rank: int = 0
    count: int = 1
    device: torch.device = torch.device("cpu")  # noqa: RUF009

    @property
    def first(self) -> bool:
        """The one that writes."""
        return self.rank == 0

    def mine(self, rows: Sequence[_Row]) -> Sequence[_Row]:
        """Every `count`-th: of rows in order of their length a fair share."""
        return rows[self.rank :: self.count]

    def total(self, *values: float) -> list[float]:
        """The sum of each value over all processes, the same to the last bit in all of them."""
        if self.count == 1:
            return list(values)
        summed = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(summed)
        return [float(value) for value in summed]

    def of_first(self, text: str) -> str:
        """What the first process says, in all of them."""
        if self.count == 1:
            return text
        own = torch.tensor(list(text.encode()), dtype=torch.uint8, device=self.device)
        (length,) = self.total(len(own) if self.first else 0)
        said = own if self.first else own.new_empty(int(length))
        dist.broadcast(said, 0)
        return bytes(said.tolist()).decode()

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Gives every process the sum of all their gradients; none counts as zero."""
        if self.count == 1:
            return
        wanted = [p for p in parameters if p.requires_grad]
        flat = torch.cat([(p.grad if p.grad is not None else torch.zeros_like(p)).flatten() for p in wanted])
        dist.all_reduce(flat)
        parts = torch.split(flat, [p.numel() for p in wanted])
        for parameter, part in zip(wanted, parts, strict=True):
            parameter.grad = part.view_as(parameter)

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Sets each to its mean over all processes: running statistics of normalisations."""
        for tensor in tensors if self.count > 1 else ():
            if tensor.is_floating_point():
                dist.all_reduce(tensor)
                tensor.div_(self.count)


@contextmanager
def joined(name: str, device: torch.device) -> Iterator[Ranks]:
    """All processes that torchrun started for the training `name`, until every one of them is done with it.

    One process where torchrun started none. On CUDA each takes the device of its local number.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        yield Ranks()
        return
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    store, rank, count = next(rendezvous("env://", timeout=_PATIENCE))
    own = PrefixStore(name, store)  # several trainings, one after another, share torchrun's store
    backend = "nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, store=own, rank=rank, world_size=count, timeout=_PATIENCE)
    try:
        yield Ranks(rank, count, device)
        dist.barrier()
    finally:
        dist.destroy_process_group()
