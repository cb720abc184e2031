"""The acoustic model of a training: several that differ in their seed, and their likelihoods' mean.

Where mixtures end up depends on chance as much as on the data when there are few hours to learn from; the
mean of several density estimates varies less than each (bagging, Breiman 1996, with seeds for samples). The
mean of mixtures is a mixture again, with all the Gaussians, so that decoding knows nothing of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from pipelines.hybrid import store
from pipelines.hybrid.align import Pronunciations
from pipelines.hybrid.gmm import pooled
from pipelines.hybrid.model import AcousticModel, Stage
from pipelines.hybrid.settings import TrainSettings
from pipelines.hybrid.topology import left_to_right
from pipelines.hybrid.train import Schedule, Speech, flat_start, run_stages

_SEED_STRIDE = 1000  # between the seeds of a model's parts


@dataclass(frozen=True, eq=False)
class Lessons:
    """What is learnt from, under a `name` that its stages on disk go by."""

    name: str
    speech: Speech
    pronunciations: Pronunciations
    ids: tuple[str, ...]


def train_acoustic(
    lessons: Lessons, settings: TrainSettings, folder: Path, progress: Callable[[float, str], None]
) -> tuple[AcousticModel, tuple[bool, ...]]:
    """The model, and for each utterance whether it could be aligned; goes on from what lies in `folder`.

    `progress` gets the share done, from 0 to 1.
    """
    stages = []
    for member in range(settings.members):

        def step(share: float, note: str, member: int = member) -> None:
            progress((member + share) / settings.members, note)

        stages.append(_member(lessons, settings, member, folder, step))
    first = stages[0].model
    model = AcousticModel(
        first.topology,
        pooled([stage.model.mixtures for stage in stages]),
        np.mean([stage.model.self_loops for stage in stages], axis=0),
    )
    return model, tuple(states is not None for states in stages[0].alignments)


def _member(
    lessons: Lessons, settings: TrainSettings, member: int, folder: Path, step: Callable[[float, str], None]
) -> Stage:
    seed = settings.seed + _SEED_STRIDE * member
    schedule = Schedule(settings.gaussians, settings.iterations, seed)
    key = _key(lessons, replace(settings, seed=seed))
    path = folder / store.stage_file(lessons.name, member)
    stage = store.load_stage(path, key)
    if stage is None:
        step(0.0, "flat start")
        phones = (p for variants in lessons.pronunciations.values() for v in variants for p in v)
        topology = left_to_right(phones, settings.silence_states)
        stage = flat_start(lessons.speech, lessons.pronunciations, topology)
        store.save_stage(path, stage, key)

    def keep(done: Stage) -> None:
        store.save_stage(path, done, key)
        note = f"iteration {done.iteration + 1}, {done.model.mixtures.gaussians} Gaussians"
        step((done.iteration + 1) / schedule.iterations, f"{note}, part {member + 1} of {settings.members}")

    return run_stages(stage, lessons.speech, lessons.pronunciations, schedule, keep)


def _key(lessons: Lessons, settings: TrainSettings) -> str:
    """Names what is trained: the settings, the utterances, their words and pronunciations."""
    content = [
        asdict(settings),
        lessons.ids,
        [len(x) for x in lessons.speech.features],
        lessons.speech.words,
        sorted((w, list(map(list, p))) for w, p in lessons.pronunciations.items()),
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
