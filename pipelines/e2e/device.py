"""Where a network runs, and how precisely."""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager
from pathlib import Path

import torch

from data.errors import InputError


def find_device(wish: str) -> torch.device:
    """`auto`: cuda where there is one, else the CPU. Raises `InputError` for a device that is not there."""
    if wish == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if wish not in ("cpu", "cuda"):
        raise InputError(f"e2e: device is {wish!r}; there are auto, cpu, cuda")
    if wish == "cuda" and not torch.cuda.is_available():
        raise InputError("e2e: device is 'cuda', but torch sees none; take 'auto' or 'cpu'")
    return torch.device(wish)


@functools.cache
def cpu_has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 itself; without that, autocast costs time instead."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def precision(device: torch.device) -> AbstractContextManager[object]:
    """Autocast to bfloat16 where the device gains by it."""
    gains = torch.cuda.is_bf16_supported() if device.type == "cuda" else cpu_has_bfloat16()
    return torch.autocast(device.type, torch.bfloat16, enabled=gains)


def peak_bytes(device: torch.device) -> dict[str, float]:
    """`device_memory_bytes`: the most that tensors have held on a GPU so far; empty for a CPU."""
    if device.type != "cuda":
        return {}
    return {"device_memory_bytes": float(torch.cuda.max_memory_allocated(device))}
