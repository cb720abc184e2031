"""The acoustic models of a training, generation by generation; finished ones lie on disk.

Where mixtures end up depends on chance as much as on the data when there are few hours to learn from; the
mean of several density estimates varies less than each (bagging, Breiman 1996, with seeds for samples). The
mean of mixtures is a mixture again, with all the Gaussians, so that decoding knows nothing of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

from pipelines.hybrid import store
from pipelines.hybrid.generations import (
    Lessons,
    monophones,
    projected_triphones,
    speaker_adapted,
    triphones,
)
from pipelines.hybrid.model import Stage
from pipelines.hybrid.parallel import Step
from pipelines.hybrid.settings import GENERATIONS, MLLT, MONO, SAT, SI, TRI, TrainSettings

_SHARES = {MONO: 0.35, TRI: 0.5, MLLT: 0.7, SAT: 1.0}  # of the work, done at the end of each


def train_acoustic(
    lessons: Lessons,
    settings: TrainSettings,
    folder: Path,
    step: Step,
    check: Callable[[Stage], object] = lambda stage: None,
) -> dict[str, Stage]:
    """The stages by their names, from monophones up to `settings.generation`; goes on from what is there.

    `check` sees the first of them before the others are trained, and may raise.
    """
    key = _key(lessons, settings)
    stages: dict[str, Stage] = {}
    wanted = GENERATIONS[: GENERATIONS.index(settings.generation) + 1]
    begin = 0.0
    for name in wanted:
        end = _SHARES[name] / _SHARES[wanted[-1]]

        def note(share: float, text: str, name: str = name, begin: float = begin, end: float = end) -> None:
            step(begin + share * (end - begin), f"{name} on {lessons.name}: {text}", name)

        for stage in _generation(name, stages, lessons, settings, folder=folder, key=key, note=note):
            stages[stage.name] = stage
        if name == MONO:
            check(stages[MONO])
        begin = end
    return stages


def _generation(
    name: str,
    stages: dict[str, Stage],
    lessons: Lessons,
    settings: TrainSettings,
    *,
    folder: Path,
    key: str,
    note: Callable[[float, str], None],
) -> Iterator[Stage]:
    """The stages of a generation (SAT has two), from the disk or trained now."""
    names = (SAT, SI) if name == SAT else (name,)
    paths = [folder / store.stage_file(lessons.name, part) for part in names]
    kept = [store.load_stage(path, key) for path in paths]
    if all(kept):
        yield from (stage for stage in kept if stage)
        return
    if name == MONO:
        trained: tuple[Stage, ...] = (monophones(lessons, settings, note),)
    elif name == TRI:
        trained = (triphones(stages[MONO], lessons, settings, note),)
    elif name == MLLT:
        trained = (projected_triphones(stages[TRI], lessons, settings, note),)
    else:
        trained = speaker_adapted(stages[MLLT], lessons, settings, note)
    for stage, path in zip(trained, paths, strict=True):
        store.save_stage(path, stage, key)
        yield stage


def _key(lessons: Lessons, settings: TrainSettings) -> str:
    """Names what is trained: the settings, the utterances, their words and pronunciations."""
    content = [
        asdict(replace(settings, generation=MONO, jobs=1)),
        lessons.ids,
        [len(x) for x in lessons.speech.features],
        lessons.speech.words,
        sorted((w, list(map(list, p))) for w, p in lessons.pronunciations.items()),
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
