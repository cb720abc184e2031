"""Runs an experiment: every finished cell is stored at once, and a second call goes on where one stopped."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench import clock, hardware, measure
from bench.cells import Block, Playlist, Task, blocks, playlist
from bench.cost import read_prices
from bench.deadline import NEVER, Deadline, OutOfTimeError
from bench.experiment import Experiment
from bench.measure import MeasurementError, NotAskedForError, Options, Target
from bench.models import ready
from bench.reference import reference_times
from bench.resuming import open_folder
from bench.score import count, scored
from bench.training import Trained, TrainingError, probe, trained
from bench.variants import PipelineChoice
from bench.word_times import NOT_KNOWN, WordTimes
from data.collection import Corpus
from data.corpus import open_corpus
from data.errors import InputError
from pipelines.protocol import Progress
from pipelines.registry import MissingPackage
from results.records import Cell, RunRecord
from results.store import RunFolder

Announce = Callable[[Cell], None]
PACED = ("stream", "server", "capacity")


@dataclass
class Runner:
    """One run of an experiment; `progress` hears of steps, `announce` of every cell that is done."""

    experiment: Experiment
    root: Path
    progress: Progress
    announce: Announce = lambda cell: None
    only: tuple[str, ...] = ()
    deadline: Deadline = NEVER
    _passes: int = 0
    _corpora: dict[str, Corpus] = field(default_factory=dict)
    _teachers: dict[str, Corpus] = field(default_factory=dict)
    _probed: dict[str, dict[str, bool] | Exception] = field(default_factory=dict)

    def run(self, new: bool = False) -> RunRecord:
        """Measures what is missing and returns the whole record. `InputError` where nothing can go on.

        `OutOfTimeError` after the pass at which the deadline was over (one at least), or in a training.
        """
        unknown = set(self.only).difference(*(choice.names for choice in self.experiment.pipelines))
        if unknown:
            raise InputError(f"experiment {self.experiment.name} has no pipeline '{min(unknown)}'")
        wanted = blocks(self.experiment, self.only)
        for corpus in self.experiment.corpora:
            self._corpora[corpus.label] = open_corpus(corpus.name, progress=self.progress)
            self._corpora[corpus.label].split(corpus.split)
        header = self._header()
        folder, lock = open_folder(self.root, header, new)
        try:
            stored = folder.cells()
            for block in wanted:
                try:
                    self._measure(folder, block, stored)
                except OutOfTimeError as error:
                    raise OutOfTimeError(left(wanted, folder.cells(), str(error))) from error
            if len(folder.cells()) == sum(len(block.tasks) for block in blocks(self.experiment)):
                folder.finish()
            return folder.record()
        finally:
            os.close(lock)

    def _measure(self, folder: RunFolder, block: Block, stored: Mapping[int, Cell]) -> None:
        open_tasks = [task for task in block.tasks if not is_done(task, stored.get(task.number))]
        if not open_tasks:
            return
        corpus = self._corpora[open_tasks[0].corpus.label]
        played = playlist(corpus, block, self.experiment.seed, self._word_times(folder, open_tasks[0]))
        work = [Work(task, begun(task, stored.get(task.number)), corpus, played) for task in open_tasks]
        for turn in range(max(task.scenario.repeats for task in open_tasks)):
            for entry in work:
                if entry.cell.status == "ok" and len(entry.cell.repeats) <= turn:
                    if self._passes and self.deadline.over:
                        raise OutOfTimeError
                    self._turn(entry, turn)
                    self._passes += 1
                    folder.add(entry.task.number, entry.cell)
        for entry in work:
            self.announce(entry.cell)

    def _word_times(self, folder: RunFolder, task: Task) -> WordTimes:
        """For what is paced alone: no other scenario measures from a word's end."""
        if task.scenario.kind not in PACED:
            return NOT_KNOWN
        corpus = self._corpora[task.corpus.label]
        return reference_times(
            self.experiment, folder.path, task.corpus, corpus, model_of=self._trained, progress=self.progress
        )

    def _turn(self, work: Work, turn: int) -> None:
        """One pass of one cell; whatever goes wrong in it stays in this cell."""
        options = work.task.scenario.measured_with(self.experiment.seed)
        try:
            model = self._model(work.task)
            spec = work.task.pipeline.spec
            target = Target(spec.name, spec.use, model.model_dir if model else None, spec.decode)
            work.measure(target, options, turn, self.progress)
            if model is not None:
                work.cell = replace(work.cell, training=model.facts)
        except (MissingPackage, NotAskedForError) as error:
            work.cell = replace(work.cell, status="skipped", reason=str(error))
        except (InputError, MeasurementError, TrainingError) as error:
            work.cell = replace(work.cell, status="failed", reason=str(error))

    def _model(self, task: Task) -> Trained | None:
        spec = task.pipeline.spec
        if task.scenario.kind in PACED and not self._able(spec.use)["streaming"]:
            raise NotAskedForError(f"pipeline {spec.name} does not stream")
        return self._trained(task.pipeline, task.corpus.teacher)

    def _trained(self, choice: PipelineChoice, teacher: str) -> Trained | None:
        if choice.spec.model:
            return ready(choice.spec.model)
        if not self._able(choice.spec.use)["trainable"]:
            return None
        if teacher not in self._teachers:
            self._teachers[teacher] = open_corpus(teacher, progress=self.progress)
        return trained(choice.spec, self._teachers[teacher], teacher, self.progress, self.deadline)

    def _able(self, use: str) -> dict[str, bool]:
        """What a pipeline can do, asked once."""
        if use not in self._probed:
            try:
                self._probed[use] = probe(use)
            except (InputError, TrainingError) as error:
                self._probed[use] = error
        answer = self._probed[use]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _header(self) -> RunRecord:
        created = clock.wall_stamp()
        config = dict(self.experiment.config)
        token = hashlib.sha256(f"{created} {os.getpid()} {config}".encode()).hexdigest()[:4]
        stamp = created.replace("-", "").replace(":", "")
        return RunRecord(
            run=f"{stamp[:8]}-{stamp[9:15]}-{self.experiment.name}-{token}",
            experiment=self.experiment.name,
            created=created,
            config=json.loads(json.dumps(config, default=str)),
            machine=hardware.machine(),
            versions=hardware.versions(),
            code=hardware.code(),
            seeds={"experiment": self.experiment.seed},
            corpora={
                name: corpus_facts(self.experiment, name, corpus) for name, corpus in self._corpora.items()
            },
            prices=read_prices(self.experiment.prices).mapping,
        )


@dataclass
class Work:
    """A cell that is being filled."""

    task: Task
    cell: Cell
    corpus: Corpus
    played: Playlist

    def measure(self, target: Target, options: Options, turn: int, progress: Progress) -> None:
        if self.task.scenario.kind == "capacity":
            self._capacity(target, options, progress)
            return
        scenario = self.task.scenario
        items = self.played.first(scenario.repeat_utterances if turn else None)
        if scenario.kind in ("offline", "single"):
            run = measure.offline_pass if scenario.kind == "offline" else measure.single_pass
            done = run(target, items, options, turn, progress)
        else:
            play = measure.stream_run if scenario.kind == "stream" else measure.server_run
            done = play(target, items, options, progress)
        rows = scored(
            [replace(row, repeat=turn) for row in done.rows], self.played.references, self.corpus.normaliser
        )
        broken = self.played.broken if turn == 0 else ()
        self.cell = replace(
            self.cell,
            rows=(*self.cell.rows, *rows, *broken),
            repeats=(*self.cell.repeats, replace(done.repeat, repeat=turn)),
            facts={**done.facts, **self._reference_facts},
            chunk_ms=None if scenario.kind in ("offline", "single") else options.chunk_ms,
        )
        lag = float(done.facts.get("send_lag_p99_ms", 0.0))
        if lag > options.slo.send_lag_p99_ms:
            reason = f"send lag p99 {lag:.0f} ms > {options.slo.send_lag_p99_ms:.0f} ms"
            self.cell = replace(self.cell, status="invalid", reason=reason)
        failed = [row.error for row in rows if row.error is not None]
        if failed and len(failed) == len(rows):
            raise MeasurementError(f"{target.name}: no utterance was recognised: {failed[0]}")

    @property
    def _reference_facts(self) -> dict[str, str]:
        return {"word_times": self.played.word_times} if self.played.word_times else {}

    def _capacity(self, target: Target, options: Options, progress: Progress) -> None:
        def count_errors(utterance: str, raw: str) -> tuple[int, int]:
            found = count([self.played.references[utterance]], [self.corpus.normalise(raw)])[0]
            return found.errors, found.words

        found = measure.capacity_run(target, self.played.items, options, count_errors, progress)
        met, fails = found.interval
        # That not even one stream meets the level is a result; that the generator was too late is none.
        none_meets = any(trial.streams == 1 and trial.verdict == "fails" for trial in found.trials)
        streams = 0 if found.streams is None and none_meets else found.streams
        facts = {**found.facts, **self._reference_facts, "streams_met": float(met)}
        facts |= {} if streams is None else {"streams": float(streams)}
        facts |= {} if fails is None else {"streams_failed": float(fails)}
        self.cell = replace(
            self.cell,
            rows=scored(found.rows, self.played.references, self.corpus.normaliser),
            trials=found.trials,
            facts=facts,
            chunk_ms=options.chunk_ms,
            status="ok" if streams is not None else "invalid",
            reason=found.reason,
        )


def begun(task: Task, stored: Cell | None) -> Cell:
    """The cell as far as it got; one that failed begins anew."""
    return task.cell if stored is None or stored.status != "ok" else stored


def is_done(task: Task, cell: Cell | None) -> bool:
    """Whether a stored cell needs nothing more; one that failed or was skipped gets another try."""
    if cell is None or cell.status in ("failed", "skipped"):
        return False
    if task.scenario.kind == "capacity" or cell.status == "invalid":
        return True
    return len(cell.repeats) >= task.scenario.repeats


def left(wanted: Sequence[Block], stored: Mapping[int, Cell], under_way: str) -> str:
    """What a run that ran out of time still has to do."""
    tasks = [task for block in wanted for task in block.tasks]
    missing = [task for task in tasks if not is_done(task, stored.get(task.number))]
    note = f" ({under_way})" if under_way else ""
    return f"{len(missing)} of {len(tasks)} cells are left, next {missing[0].cell.key}{note}"


def corpus_facts(experiment: Experiment, name: str, corpus: Corpus) -> dict[str, object]:
    splits = [choice.split for choice in experiment.corpora if choice.label == name]
    members = [utterance for split in splits for utterance in corpus.split(split)]
    seconds = 0.0
    for utterance in members:
        try:
            seconds += corpus.audio(utterance).seconds
        except InputError:
            continue  # counted with the cell's rows
    return {
        "hash": {split: corpus.fingerprint(split) for split in splits},
        "hours": seconds / 3600,
        "utterances": len(members),
        "speakers": len({utterance.speaker for utterance in members} - {None}),
        "licence": corpus.card.licence,
        "normaliser": corpus.normaliser.id,
        "unit": corpus.normaliser.unit,
        "skipped": [f"{entry.utterance}: {entry.reason}" for entry in corpus.skipped][:100],
        "skipped_utterances": len(corpus.skipped),
    }
