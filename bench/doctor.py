"""What this machine can and cannot do: the findings of `asrbench doctor`."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import psutil

from bench import clock
from bench.hardware import choose_cores, gpus, machine, recognised
from bench.meter import NOT_AVAILABLE
from pipelines.registry import known, locate

ENOUGH_MEMORY = 4 * 2**30
ENOUGH_DISK = 2 * 2**30
NEEDED = (
    "numpy",
    "torch",
    "kaldi_decoder",
    "kaldifst",
    "kaldilm",
    "kenlm",
    "pyctcdecode",
    "soundfile",
    "jiwer",
)
_TORCH = "import torch; print(torch.cuda.get_device_name(0) if torch.cuda.is_available() else '')"


@dataclass(frozen=True)
class Finding:
    """`can`: it works; `limited`: it works, and the figures say less; `cannot`: it does not."""

    subject: str
    status: Literal["can", "limited", "cannot"]
    detail: str


def doctor() -> list[Finding]:
    """Looks at everything that a run may need. Nothing is changed, and nothing is downloaded."""
    findings = [Finding("machine", "can", recognised(machine()))]
    findings += [look() for look in LOOKS]
    return [*findings, *_pipelines()]


def _cores() -> Finding:
    cores = choose_cores()
    if cores.recogniser is None:
        return Finding("a core of its own", "limited", "this system pins no processes to cores")
    words = {
        "no": f"recogniser on core {cores.recogniser}, load generator on core {cores.load}",
        "siblings": "recogniser and load generator share a physical core (two hyper-threads of it)",
        "yes": "only one core: the load generator takes time from the recogniser",
    }
    return Finding("a core of its own", "can" if cores.shared == "no" else "limited", words[cores.shared])


def _quiet() -> Finding:
    busy = os.getloadavg()[0]
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    spare = busy < 0.5 * usable
    detail = f"load average {busy:.1f} on {usable} cores"
    return Finding("quiet enough to measure", "can" if spare else "limited", detail)


def _clock() -> Finding:
    step = clock.step()
    detail = f"{clock.implementation()}, smallest step seen {step * 1e9:.0f} ns"
    return Finding("clock", "can" if step < 1e-3 else "limited", detail)


def _governor() -> Finding:
    governor = str(machine()["governor"])
    steady = governor in ("performance", NOT_AVAILABLE)
    detail = f"governor {governor}" + ("" if steady else ": clock rates may change during a run")
    return Finding("steady clock rate", "can" if governor == "performance" else "limited", detail)


def _memory() -> Finding:
    free = psutil.virtual_memory().available
    return Finding(
        "memory", "can" if free >= ENOUGH_MEMORY else "limited", f"{free / 2**30:.1f} GiB available"
    )


def _disk() -> Finding:
    free = psutil.disk_usage(str(Path.cwd())).free
    status: Literal["can", "limited"] = "can" if free >= ENOUGH_DISK else "limited"
    return Finding("disk", status, f"{free / 2**30:.1f} GiB free in the current folder")


def _packages() -> Finding:
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        return Finding("packages", "cannot", f"not installed: {', '.join(missing)}; run make venv")
    return Finding("packages", "can", f"Python {sys.version.split()[0]}, all there")


def _gpu() -> Finding:
    """Asked in a process of its own: the harness imports no torch."""
    command = [sys.executable, "-c", _TORCH]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    except subprocess.TimeoutExpired:
        return Finding("GPU", "cannot", "torch did not answer within 120 s")
    name = found.stdout.strip()
    if name:
        return Finding("GPU", "can", name)
    seen = ", ".join(entry["name"] for entry in gpus())
    detail = f"torch does not see {seen}" if seen else "none; the end-to-end side runs on the CPU"
    return Finding("GPU", "cannot" if seen else "limited", detail)


def _energy() -> Finding:
    if find_spec("pynvml") is not None and gpus():
        return Finding("energy", "can", "of the GPU, by NVML")
    return Finding("energy", "cannot", "no counter: joules are 'not available'")


def _corpora() -> Finding:
    root = os.environ.get("ASRBENCH_CORPORA")
    if not root:
        return Finding("real corpora", "limited", "ASRBENCH_CORPORA is not set; the embedded corpus works")
    if not Path(root).is_dir():
        return Finding("real corpora", "cannot", f"{root}: ASRBENCH_CORPORA names no folder")
    return Finding("real corpora", "can", root)


def _shared_memory() -> Finding:
    if hasattr(os, "memfd_create"):
        return Finding("audio in memory", "can", "shared between the processes without a copy on disk")
    return Finding("audio in memory", "limited", f"goes through a nameless file in {tempfile.gettempdir()}")


def _pipelines() -> Iterable[Finding]:
    for name in sorted(known()):
        module, _ = locate(name)
        if module.startswith("pipelines.peers.") and find_spec(module.rpartition(".")[2]) is None:
            hint = "its package is not installed: pip install 'asr-side-by-side[peers]'"
            yield Finding(f"pipeline {name}", "cannot", hint)
        else:
            yield Finding(f"pipeline {name}", "can", known()[name])


LOOKS: tuple[Callable[[], Finding], ...] = (
    _cores,
    _quiet,
    _clock,
    _governor,
    _memory,
    _disk,
    _shared_memory,
    _packages,
    _gpu,
    _energy,
    _corpora,
)
