"""A network with 8-bit weights on a CPU, offline and in streams, by torch's dynamic quantisation.

Weights of linear and recurrent layers are rounded once, to a scale of each tensor; a layer's input is
rounded when it comes, to one scale of the whole batch. What a stream gives therefore depends a little on
the streams beside it, which float weights rule out.
"""

from __future__ import annotations

import warnings
from typing import cast

import torch
from torch import nn

from data.errors import InputError
from pipelines.e2e.models.network import Network


def quantised(network: Network, device: torch.device) -> Network:
    """A copy with rounded weights. Raises `InputError` on a device, or with a torch, that cannot do it."""
    if device.type != "cpu":
        raise InputError("e2e: runtime = 'int8' is for a CPU; set device = 'cpu', or runtime = 'torch'")
    try:
        from torch.ao.quantization import quantize_dynamic
    except ImportError as error:
        raise InputError(
            "e2e: this torch has no dynamic quantisation any more; set runtime = 'torch'"
        ) from error
    with warnings.catch_warnings():  # it announces another package's way of writing the same
        warnings.simplefilter("ignore")
        rounded = quantize_dynamic(network, {nn.Linear, nn.LSTM, nn.GRU}, dtype=torch.qint8)  # type: ignore[no-untyped-call]
    return cast(Network, rounded)
