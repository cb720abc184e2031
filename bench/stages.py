"""How long a training took, stage by stage, over all the processes that worked at it."""

from __future__ import annotations

import json
import resource
import threading
from collections.abc import Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any

from bench import clock
from data.types import Seconds
from results.store import write_whole

JOURNAL = "training-so-far.json"
_EVERY: Seconds = 1.0


class Stages:
    """Seconds of one training, kept in the model's folder (`JOURNAL`), so that a kill loses one at most.

    What a killed process did counts, also what has to be done again.
    """

    def __init__(self, model_dir: Path) -> None:
        self._path = model_dir / JOURNAL
        self._before: dict[str, Any] = {"seconds": 0.0, "cpu_seconds": 0.0, "interruptions": -1.0}
        if self._path.exists():
            self._before |= json.loads(self._path.read_bytes())
        self._spans: dict[str, list[Seconds]] = dict(self._before.get("stage_spans", {}))
        self._begun = clock.now()
        self._over = threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True)

    def __enter__(self) -> Stages:
        self._keeper.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._keeper.join()

    def note(self, stage: str) -> None:
        """The training is at `stage`; several may be under way side by side."""
        if stage:
            now = self.seconds()
            self._spans.setdefault(stage, [now, now])[1] = now

    def facts(self) -> dict[str, Any]:
        """`seconds`, `cpu_seconds`, `interruptions`; `stage_spans`: each stage's first note and its last."""
        cpu = sum(usage.ru_utime + usage.ru_stime for usage in _used())
        return {
            "seconds": self.seconds(),
            "cpu_seconds": self._before["cpu_seconds"] + cpu,
            "interruptions": self._before["interruptions"] + 1,
            "stage_spans": {stage: list(span) for stage, span in self._spans.items()},
        }

    def seconds(self) -> Seconds:
        """So far, those of killed processes included."""
        return float(self._before["seconds"]) + clock.now() - self._begun

    def _keep(self) -> None:
        while True:
            write_whole(self._path, json.dumps(self.facts()).encode())
            if self._over.wait(_EVERY):
                return


def seconds_of(training: Mapping[str, Any], stages: str) -> Seconds | None:
    """The seconds in which any of `stages` was under way, named with spaces between.

    None where one of them was not timed.
    """
    spans = training.get("stage_spans") or _one_after_another(training.get("stage_seconds", {}))
    names = stages.split()
    if not names or not set(names) <= set(spans):
        return None
    total, reached = 0.0, 0.0
    for begin, end in sorted(spans[name] for name in names):
        total += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return total


def _one_after_another(ends: Mapping[str, Seconds]) -> dict[str, tuple[Seconds, Seconds]]:
    """The spans of a record that holds the ends alone, as the first ones did.

    In those the stages after the tuning went side by side, and their ends do not tell how long they took.
    """
    begins = [0.0, *ends.values()]
    known = takewhile(lambda stage: stage[0] != "tuning", ends.items())
    return {name: (begin, end) for (name, end), begin in zip(known, begins, strict=False)}


def _used() -> list[resource.struct_rusage]:
    return [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
