"""What a run remembers: immutable, versioned, raw rows. Statistics are computed on reading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

FORMAT = 1

Scenario = Literal["offline", "single", "stream", "server", "capacity"]
Status = Literal["ok", "invalid", "failed", "skipped"]


@dataclass(frozen=True)
class UtteranceRow:
    """One utterance through one pipeline.

    Times are seconds on the harness's monotonic clock, None where the scenario has none.
    """

    utterance: str
    speaker: str | None
    audio_seconds: float
    repeat: int = 0
    stream: int = 0
    raw_hypothesis: str = ""
    reference: str = ""  # normalised
    hypothesis: str = ""  # normalised
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    reference_words: int = 0
    character_errors: int = 0
    reference_characters: int = 0
    scheduled_start: float | None = None  # the first sample is due
    scheduled_end: float | None = None  # the last sample is due
    started: float | None = None  # the recogniser takes its first audio
    first_partial: float | None = None
    finished: float | None = None
    processing_seconds: float | None = None
    first_word_end: float | None = None  # seconds from the utterance's start, where an alignment is known
    error: str | None = None  # why the utterance was skipped

    @property
    def errors(self) -> int:
        """Of words."""
        return self.substitutions + self.deletions + self.insertions


@dataclass(frozen=True)
class Trial:
    """One probe of `capacity`: `streams` paced streams for `seconds`, and what they met."""

    streams: int
    attempt: int
    seconds: float
    completed: int
    dropped: int
    latencies: tuple[float, ...]  # finalisation latency of each utterance, seconds
    send_lags: tuple[float, ...]  # of each chunk, seconds; thinned to at most 2,000, the largest kept
    backlog_growth: float  # seconds of audio waiting, end minus start, per second of the trial
    word_errors: int
    word_errors_alone: int  # of the same utterances without load
    reference_words: int
    verdict: Literal["meets", "fails", "invalid"]
    reason: str = ""
    busy: float | None = None  # share of the trial in which the recogniser worked


@dataclass(frozen=True)
class RepeatRow:
    """One timed pass over all the audio of a cell in a fresh process."""

    repeat: int
    audio_seconds: float
    processing_seconds: float
    peak_memory_bytes: int
    load_seconds: float = 0.0  # from disk to ready
    warm_up_seconds: float = 0.0


@dataclass(frozen=True)
class Cell:
    """One pipeline in one scenario over one corpus, split and condition."""

    pipeline: str
    corpus: str
    split: str
    condition: str
    scenario: Scenario
    status: Status = "ok"
    reason: str = ""
    scope: str = "decoding with features"  # what the timing covers
    chunk_ms: float | None = None
    rows: tuple[UtteranceRow, ...] = ()
    repeats: tuple[RepeatRow, ...] = ()
    trials: tuple[Trial, ...] = ()
    facts: Mapping[str, float | str] = field(default_factory=dict)
    # seconds, stage_spans, audio_hours, model_hash, cores ...
    training: Mapping[str, Any] = field(default_factory=dict)
    lm: str = ""
    entry: str = ""  # of the experiment, where one stands for several pipelines: seeds, settings of a sweep
    seed: int | None = None  # of the training, where the entry gives seeds
    sweep: str = ""  # the setting that it stands for in a sweep, such as beam=8

    @property
    def key(self) -> str:
        return "/".join((self.corpus, self.split, self.condition, self.pipeline, self.scenario))


KNOWS_WHO_SPEAKS = "knows who speaks"


def knows_who_speaks(cell: Cell) -> bool:
    """Whether the recogniser was given speaker labels."""
    return cell.facts.get("knows_who_speaks") == "yes"


@dataclass(frozen=True)
class RunRecord:
    """A run: what was asked for, on which machine, with which versions, and every finished cell."""

    run: str
    experiment: str
    created: str  # ISO 8601, UTC
    config: Mapping[str, Any]  # the resolved experiment
    machine: Mapping[str, Any]
    versions: Mapping[str, str]
    code: Mapping[str, str]  # commit, dirty
    seeds: Mapping[str, int]
    # hash, hours, speakers, utterances, licence, normaliser of each corpus
    corpora: Mapping[str, Mapping[str, Any]]
    prices: Mapping[str, Any]
    cells: tuple[Cell, ...] = ()
    format: int = FORMAT

    def spaced(self, corpus: str) -> bool:
        """Whether the language of a corpus is written with spaces, so that WER says more than CER."""
        return bool(self.corpora.get(corpus, {}).get("unit", "word") == "word")

    @property
    def leading(self) -> tuple[str, ...]:
        """The pipelines that stand for their entries: of each its first seed, and no setting of a sweep."""
        first: dict[str, str] = {}
        for cell in self.cells:
            if not cell.sweep:
                first.setdefault(cell.entry or cell.pipeline, cell.pipeline)
        return tuple(first.values())
