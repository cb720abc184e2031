"""The seam between the harness and a recogniser.

A stranger's class fits by shape; nothing needs to be inherited.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self, TypeAlias, runtime_checkable

from data.types import Audio, Samples, Seconds, Transcript, Utterance, Word

Config: TypeAlias = Mapping[str, Any]
"""A pipeline's own settings, as plain TOML values; an unknown key is a `data.errors.InputError`."""


CURVE = "curve.json"
"""A training may leave this in its model's folder: `steps`, with `loss` and `seconds` at each, and scores on
`dev`, each with `step`, `errors` and `seconds`; `ended`, by what. It goes into the record, and is no part of
the model."""


class Progress(Protocol):
    """Called by long work: `done` of `total` steps, and a few words on what is being done.

    `stage` names the part of a training that is at work; its last call is taken for the stage's end.
    May raise `StoppedError`.
    """

    def __call__(self, done: float, total: float, note: str = "", *, stage: str = "") -> None: ...


class StoppedError(Exception):
    """Raised by a `Progress` to end a training, which is to go on from there when it is called again."""


@runtime_checkable
class Timed(Protocol):
    """A `Progress` that tells the time as well: pipelines read no clock, and a budget wants one."""

    def seconds(self) -> Seconds:
        """Since the training began, over all processes that worked at it."""


class TrainingSet(Protocol):
    """All that a pipeline may learn from: speech with its text, and what else the corpus brings along."""

    @property
    def name(self) -> str: ...
    @property
    def language(self) -> str: ...
    @property
    def sample_rate(self) -> int: ...
    @property
    def train(self) -> Sequence[Utterance]: ...
    @property
    def dev(self) -> Sequence[Utterance]: ...
    @property
    def dictionary(self) -> Path | None: ...
    @property
    def language_model(self) -> Path | None:
        """The corpus's own ARPA file, where it has one."""

    @property
    def text(self) -> Path | None:
        """Text for the language model, a sentence a line; None: the training references."""

    @property
    def general_text(self) -> Sequence[Path]:
        """Plain books for the language model, of other matters than the corpus; mostly none."""

    def audio(self, utterance: Utterance) -> Audio:
        """Mono float32 audio at `sample_rate`. Raises `InputError` for a file that cannot be read."""

    def normalise(self, text: str) -> str:
        """The one normalisation of text that both roads and the scoring share."""


@dataclass(frozen=True)
class Capabilities:
    """What a recogniser can do.

    `look_ahead_ms` is the future audio that a streaming output waits for, None where unknown.
    """

    streaming: bool
    word_times: bool = False
    languages: tuple[str, ...] = ()  # empty: whatever it was trained on
    devices: tuple[str, ...] = ("cpu",)
    sample_rate: int | None = None  # Hz; None: takes what it is given
    look_ahead_ms: float | None = None
    trainable: bool = False
    budget: bool = False  # its training heeds `budget_minutes`
    parallel: bool = False  # its training is shared by the processes that torchrun starts
    speaker_labels: bool = False  # wants `Audio.speaker`, and a speaker's utterances in one `transcribe`


@dataclass(frozen=True, eq=False)
class Chunk:
    """The audio handed over at a time: `samples` of shape (n,), n may be 0 in the last one."""

    samples: Samples
    sample_rate: int
    last: bool = False


class Session(Protocol):
    """The decoder state of one live stream; opaque to the harness."""

    def close(self) -> None: ...


class Pipeline(Protocol):
    """A complete recogniser. It never reads a clock, and never sees an `Utterance` when it transcribes."""

    capabilities: Capabilities

    @classmethod
    def train(cls, corpus: TrainingSet, config: Config, model_dir: Path, progress: Progress) -> None:
        """Leaves in `model_dir` all that `load` needs; called again after an interruption, it goes on."""

    @classmethod
    def load(cls, model_dir: Path | None, config: Config) -> Self:
        """`model_dir` is None for a recogniser that is not `trainable`; `config` is for decoding alone."""

    def transcribe(self, batch: Sequence[Audio]) -> list[Transcript]:
        """One final transcript for each audio, in order."""

    def open_session(self) -> Session: ...

    def advance(self, sessions: Sequence[Session], chunks: Sequence[Chunk]) -> list[Transcript]:
        """All chunks that are due, one a session, together: a GPU batches, a core loops.

        Returns the transcript so far for each session, `final` where its chunk was the last. A session
        fed after its last chunk raises `SessionOverError`. Audio that cannot be used (NaN) is better told
        by the `error` of its own stream's transcripts than by an exception, which ends the others too.
        """

    def synchronize(self) -> None:
        """The device's barrier; does nothing on a CPU."""

    def facts(self) -> Mapping[str, float | str]:
        """Noise-free counters and settings in force.

        model_bytes, parameters, ngrams, graph_arcs, lm_weight, device, threads ...
        """

    def close(self) -> None: ...


class Aligner(Protocol):
    """A pipeline whose model also finds where given words lie; the harness asks for it where it is there."""

    @classmethod
    def align_corpus(
        cls, model_dir: Path, corpus: TrainingSet, utterances: Sequence[Utterance]
    ) -> Mapping[str, Sequence[Word]]:
        """The reference words of each utterance by its id, with times; none of what cannot be aligned."""


class Portable(Protocol):
    """A pipeline that knows what of its model's folder is to be handed on; of others it is all of it."""

    @classmethod
    def model_files(cls, model_dir: Path, config: Config) -> Sequence[str]:
        """The files that decoding by `config` reads, relative to `model_dir`."""

    @classmethod
    def model_facts(cls, model_dir: Path) -> Mapping[str, Any]:
        """What the model tells of its training, as plain values: utterances, epochs, steps ..."""


class SessionOverError(RuntimeError):
    """A session was fed after its last chunk."""


@dataclass(frozen=True)
class PipelineSpec:
    """How an experiment names a pipeline.

    `use` is an entry point of `asrbench.pipelines` or ``"module:Class"``; `model` the name or the folder of a
    finished model, which is then not trained.
    """

    name: str
    use: str
    train: Config = field(default_factory=dict)
    decode: Config = field(default_factory=dict)
    model: str = ""


PipelineLoader: TypeAlias = Callable[[str], type[Pipeline]]
