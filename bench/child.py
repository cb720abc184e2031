"""How a process of a measurement is born, and how it ends with the harness."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bench.channel import Channel, pair

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


@dataclass
class Child:
    """A running process, the channel to it, and the file that its output goes to."""

    process: subprocess.Popen[bytes]
    channel: Channel
    watch: int  # our end of the pipe that it watches
    output: IO[bytes]

    def last_words(self) -> str:
        """The last line that it wrote, or the empty string."""
        self.output.seek(0)
        lines = self.output.read()[-4096:].decode(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else ""

    def fate(self) -> str:
        """How it ended, in words; waits for it."""
        code = self.process.wait()
        if code >= 0:
            return f"ended with exit code {code}"
        hint = " (out of memory?)" if -code == signal.SIGKILL else ""
        return f"was killed by {signal.Signals(-code).name}{hint}"

    def end(self) -> None:
        """Ends it, whatever it is doing. May be called twice."""
        if self.output.closed:
            return
        self.channel.close()
        os.close(self.watch)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.output.close()


def spawn(module: str, inherited: Sequence[int], core: int | None, threads: int) -> Child:
    """A fresh interpreter running `module`'s `main`, its thread counts set before anything is imported.

    Its arguments: the descriptors of its channel, of the pipe it watches, the `inherited` ones, the core.
    """
    ours, theirs = pair()
    watched, watch = os.pipe()
    output = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the child
    descriptors = (theirs.fileno(), watched, *inherited)
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", module, *map(str, descriptors), "" if core is None else str(core)],
        env=_environment(threads),
        pass_fds=descriptors,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,  # Ctrl-C is the harness's to handle
    )
    theirs.close()
    os.close(watched)
    return Child(process, ours, watch, output)


def _environment(threads: int) -> dict[str, str]:
    path = os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path)  # "" is the current folder
    counts = dict.fromkeys(THREAD_VARIABLES, str(threads))
    return {**os.environ, **counts, "PYTHONPATH": path, "PYTHONHASHSEED": "0", "PYTHONUNBUFFERED": "1"}


def begin(watch: int, core: str) -> None:
    """In the child: pins it to its core, and makes it end when the harness does, however that ends."""
    if core and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(core)})
    threading.Thread(target=_end_with, args=(watch,), daemon=True).start()


def _end_with(watch: int) -> None:
    os.read(watch, 1)  # blocks until the harness's end is closed
    os._exit(1)
