"""What a process used: peak memory, processor time, and energy where the machine shows a counter."""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from typing import Any

from bench import clock
from data.types import Seconds

NOT_AVAILABLE = "not available"
_CLEAR = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


def reset_peak_memory() -> bool:
    """Forgets the peak so far; False where the system cannot, and the peak is since the process began."""
    try:
        _CLEAR.write_text("5")
    except OSError:
        return False
    return True


def peak_memory_bytes() -> int:
    """The largest resident set of this process since `reset_peak_memory`."""
    try:
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


class Meter:
    """Measures from `start` to `read` in the calling process."""

    def __init__(self) -> None:
        self._gpu = _gpu_handle()
        self._cpu = 0.0
        self._energy: float | None = None

    def start(self) -> None:
        reset_peak_memory()
        self._cpu = clock.cpu_seconds()
        self._energy = self._joules()

    def cpu_seconds(self) -> Seconds:
        return clock.cpu_seconds() - self._cpu

    def energy_joules(self) -> float | str:
        """Gross joules of the first GPU, idle not subtracted; ``not available`` without NVML's counter."""
        end = self._joules()
        return NOT_AVAILABLE if end is None or self._energy is None else end - self._energy

    def _joules(self) -> float | None:
        if self._gpu is None:
            return None
        library, handle = self._gpu
        try:
            return float(library.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1000
        except library.NVMLError:
            return None


def _gpu_handle() -> tuple[Any, Any] | None:
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
        return pynvml, pynvml.nvmlDeviceGetHandleByIndex(0)
    except pynvml.NVMLError:
        return None
