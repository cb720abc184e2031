"""From an experiment to the list of cells that it asks for, and the audio that each one plays."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from bench.experiment import CorpusChoice, Experiment, ScenarioChoice
from bench.measure import Item
from bench.variants import PipelineChoice, measured_with
from bench.word_times import NOT_KNOWN, WordTimes
from data.collection import Corpus
from data.errors import InputError
from data.types import Utterance
from results.records import Cell, UtteranceRow


@dataclass(frozen=True)
class Task:
    """A cell to fill; `number` is its place in the run."""

    number: int
    corpus: CorpusChoice
    condition: str
    pipeline: PipelineChoice
    scenario: ScenarioChoice

    @property
    def cell(self) -> Cell:
        """The cell before anything is measured."""
        choice = self.pipeline
        return Cell(
            choice.spec.name,
            self.corpus.label,
            self.corpus.split,
            self.condition,
            self.scenario.kind,
            lm=str(choice.spec.decode.get("lm", "")),
            entry=choice.entry,
            seed=choice.seed,
            sweep=choice.sweep,
        )


@dataclass(frozen=True)
class Block:
    """Cells of one scenario over the same audio, measured in turns: A B A B."""

    tasks: tuple[Task, ...]


def blocks(experiment: Experiment, only: Sequence[str] = ()) -> list[Block]:
    """All cells, in the order of measurement.

    Raises `InputError` where two scenarios ask for the same cell.
    """
    found: list[Block] = []
    number = 0
    seen: set[str] = set()
    for scenario in experiment.scenarios:
        for corpus in _wanted(experiment.corpora, scenario.corpora):
            for condition in _conditions(corpus, scenario):
                tasks = []
                for pipeline in experiment.pipelines:
                    if not _takes_part(pipeline, corpus, scenario):
                        continue
                    choice = measured_with(pipeline, scenario.setting)
                    task = Task(number, corpus, condition, choice, scenario)
                    number += 1
                    if task.cell.key in seen:
                        raise InputError(
                            f"experiment {experiment.name}: two scenarios ask for {task.cell.key}"
                        )
                    seen.add(task.cell.key)
                    if not only or pipeline.names & set(only):
                        tasks.append(task)
                if tasks:
                    found.append(Block(tuple(tasks)))
    return found


def _wanted(corpora: Sequence[CorpusChoice], names: Sequence[str]) -> list[CorpusChoice]:
    return [corpus for corpus in corpora if not names or corpus.name in names]


def _conditions(corpus: CorpusChoice, scenario: ScenarioChoice) -> list[str]:
    return [c for c in corpus.conditions if not scenario.conditions or c in scenario.conditions]


def _takes_part(pipeline: PipelineChoice, corpus: CorpusChoice, scenario: ScenarioChoice) -> bool:
    chosen = not scenario.pipelines or bool(pipeline.names & set(scenario.pipelines))
    if scenario.seeds == "first" and not pipeline.leads:
        return False
    return chosen and (not pipeline.corpora or corpus.name in pipeline.corpora)


@dataclass(frozen=True)
class Playlist:
    """What a block plays: the items, normalised references by id, rows for what cannot be played."""

    items: tuple[Item, ...]
    references: dict[str, str]
    broken: tuple[UtteranceRow, ...] = ()
    word_times: str = ""  # who says where the words lie

    def first(self, count: int | None) -> tuple[Item, ...]:
        return self.items if count is None else self.items[:count]


def playlist(corpus: Corpus, block: Block, seed: int, times: WordTimes = NOT_KNOWN) -> Playlist:
    """The audio of a block, in a seeded order where it is capped. References stay on this side.

    Raises `InputError` where no utterance is left.
    """
    task = block.tasks[0]
    utterances = _chosen(corpus.split(task.corpus.split), task.scenario, seed)
    items, broken, references = [], [], {}
    for utterance in utterances:
        reference = corpus.normalise(utterance.text)
        references[utterance.id] = reference
        try:
            if not reference:
                raise InputError("its reference is empty after normalisation")
            audio = corpus.audio(utterance, task.condition)
            items.append(Item(utterance.id, utterance.speaker, audio, times.first_end(utterance.id)))
        except InputError as error:
            broken.append(UtteranceRow(utterance.id, utterance.speaker, 0.0, error=str(error)))
    if not items:
        raise InputError(f"corpus {corpus.name} has no usable utterance in '{task.corpus.split}'")
    return Playlist(tuple(items), references, tuple(broken), times.source)


def _chosen(utterances: Sequence[Utterance], scenario: ScenarioChoice, seed: int) -> list[Utterance]:
    """All in their order; or a seeded choice, shuffled, where the scenario caps a pass."""
    if scenario.utterances is None and scenario.repeat_utterances is None:
        return list(utterances)
    shuffled = random.Random(seed).sample(list(utterances), len(utterances))
    return shuffled[: scenario.utterances]
