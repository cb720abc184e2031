"""The word times that a run measures latencies with: found once, kept in its folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bench.experiment import CorpusChoice, Experiment
from bench.training import Trained, TrainingError, aligned
from bench.variants import PipelineChoice
from bench.word_times import NOT_KNOWN, WordTimes, corpus_word_times, read_word_times, write_word_times
from data.collection import Corpus
from data.errors import InputError
from pipelines.protocol import Progress
from pipelines.registry import MissingPackage

ModelOf = Callable[[PipelineChoice, str], Trained | None]


def reference_times(
    experiment: Experiment,
    folder: Path,
    choice: CorpusChoice,
    corpus: Corpus,
    *,
    model_of: ModelOf,
    progress: Progress,
) -> WordTimes:
    """The corpus's own word times; else those in the run's `folder`, put there as the experiment says.

    An alignment that fails costs these times alone: `source` then says why, and there are none.
    """
    own = corpus_word_times(corpus, choice.split)
    if own.words or not experiment.word_times:
        return own
    path = folder / f"word-times-{choice.label}-{choice.split}.json"
    if path.exists():
        return read_word_times(path)
    try:
        times = _found(experiment, choice, model_of, progress)
    except (InputError, MissingPackage, TrainingError) as error:
        return WordTimes({}, f"not available: {error}")
    write_word_times(path, times)
    return times


def _found(experiment: Experiment, choice: CorpusChoice, model_of: ModelOf, progress: Progress) -> WordTimes:
    name = experiment.word_times
    if name.endswith(".json"):
        return read_word_times(Path(name))
    aligner = next(c for c in experiment.pipelines if name in c.names and c.leads)
    model = model_of(aligner, choice.teacher)
    if model is None:
        raise InputError(f"pipeline {aligner.spec.name} has no model to align with")
    words = aligned(aligner.spec, model, choice.name, choice.split, progress)
    return WordTimes(words, f"aligned by {aligner.spec.name}") if words else NOT_KNOWN
