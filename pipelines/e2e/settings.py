"""The settings of training and of decoding, as an experiment writes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from data.errors import InputError, did_you_mean
from pipelines.e2e.models.network import Sizes
from pipelines.e2e.models.registry import shape_of
from pipelines.e2e.tokens import AUTO, KINDS
from pipelines.protocol import Config
from pipelines.settings import filled

CORPUS_LM, TRIGRAM = "corpus", "trigram"
ATTENTION = "attention"
DECODERS = ("greedy", "beam", "wfst", ATTENTION)
RUNTIMES = ("torch", "int8")


@dataclass(frozen=True)
class TrainSettings:
    """Budgets are counted in passes over the training speech; `batch_seconds` is audio in a padded batch.

    The first `flat_epochs` learn evenly spread labels, the first `plain_epochs` see other speeds alone;
    `windowed` is the share of steps in which the network sees what it sees in a stream. `sizes` are those
    of the `architecture`, its form (`causal`) among them; `channels`, `blocks`, `hidden` are for the default.
    After the plain epochs each of `time_masks` hides up to `masked_time` of an utterance; with `agreement`
    each utterance is seen twice in a batch, disturbed differently, and both hearings are drawn together with
    that weight, for twice the time a step; `crossed` is the share of utterances that go on, at a pause, as
    another one of their speaker.
    `tokens` is one of `pipelines.e2e.tokens.KINDS`; of pieces there are about `pieces`.

    Every `score_epochs` the averaged weights are scored on dev (0: never) and the best are kept; the training
    stops where so many scores in a row (`patience`, 0: any number) brought no better ones. `budget_minutes`
    (0: none) are for the whole training, which is then scored after every epoch unless told otherwise.

    `start` is the folder of a finished model to go on from: its network, its tokens and those that the new
    texts add; flat, plain and short epochs are left out.
    """

    architecture: str = "conv_recurrent"
    sizes: Mapping[str, Any] = field(default_factory=dict)
    tokens: str = AUTO
    pieces: int = 256
    lms: tuple[str, ...] = (TRIGRAM,)
    epochs: int = 30
    batch_seconds: float = 50.0
    learning_rate: float = 2e-3
    warm_up: float = 0.08
    weight_decay: float = 0.03
    ema: float = 0.998
    clip: float = 5.0
    channels: int = 256
    blocks: int = 4
    hidden: int = 192
    dropout: float = 0.15
    seed: int = 1
    threads: int = 2
    flat_epochs: int = 2
    short_first_epochs: int = 2
    plain_epochs: int = 4
    windowed: float = 0.3
    warp: float = 0.1
    noise: float = 0.3
    narrow: float = 0.15
    masked_bands: int = 18
    time_masks: int = 2
    masked_time: float = 0.06
    rooms: float = 0.0
    agreement: float = 0.0
    crossed: float = 0.0
    chunk_ms: int = 240
    right_ms: int = 320
    checkpoint_steps: int = 200
    score_epochs: int = 0
    patience: int = 0
    budget_minutes: float = 0.0
    start: str = ""
    tune: tuple[str, ...] = ("wfst", "beam")
    device: str = "auto"


@dataclass(frozen=True)
class DecodeSettings:
    """`beam` None: the decoder's default. Window sizes None: those that the model was trained with.

    `ctc_weight` is the share of CTC's score beside attention's; None: its share in the training.
    `confidence`: of each word, greedily from its tokens' posteriors, else from the `nbest` word sequences
    (of wfst, those that cost at most `lattice_beam` more than the best, in the network's natural logs).
    `text`: a file of sentences, one a line, of what is now being said; its model becomes a part, of weight
    `text_share`, of the language model. `hot_words`: each adds `hot_word_bonus`, a natural log, when said.
    `half`: streams in bfloat16. `runtime`: ``torch``, or ``int8``, 8-bit weights on a CPU.
    """

    decoder: str = "greedy"
    lm: str = TRIGRAM
    beam: float | None = None
    max_active: int = 3000
    chunk_ms: int | None = None
    right_ms: int | None = None
    lm_weight: float | None = None
    insertion: float | None = None
    ctc_weight: float | None = None
    confidence: bool = False
    nbest: int = 100
    lattice_beam: float = 6.0
    text: str = ""
    text_share: float = 0.5
    hot_words: tuple[str, ...] = ()
    hot_word_bonus: float = 3.0
    half: bool = False
    runtime: str = "torch"
    threads: int = 1
    device: str = "auto"


def train_settings(config: Config) -> TrainSettings:
    """Raises `InputError` for unknown keys, wrong types and values out of range."""
    sizes = config.get("sizes", {})
    if not isinstance(sizes, Mapping):
        raise InputError(f"e2e: train: 'sizes' wants a table, not {sizes!r}")
    plain = {key: value for key, value in config.items() if key != "sizes"}
    settings = replace(filled(TrainSettings, plain, "e2e: train"), sizes=dict(sizes))
    network_shape(settings, tokens=1)
    for lm in settings.lms:
        if lm not in (CORPUS_LM, TRIGRAM):
            hint = did_you_mean(lm, (CORPUS_LM, TRIGRAM))
            raise InputError(f"e2e: no language model is called {lm!r}{hint}; there are 'corpus', 'trigram'")
    if settings.tokens not in KINDS:
        hint = did_you_mean(settings.tokens, KINDS)
        raise InputError(
            f"e2e: train: no tokens are called {settings.tokens!r}{hint}; there are {', '.join(KINDS)}"
        )
    if settings.epochs < 1 or settings.batch_seconds <= 0 or settings.threads < 1:
        raise InputError("e2e: epochs and threads want 1 or more, batch_seconds more than 0")
    if settings.budget_minutes < 0:
        raise InputError("e2e: budget_minutes wants 0 (no budget) or more")
    if min(settings.score_epochs, settings.patience) < 0 or (settings.patience and not settings.score_epochs):
        raise InputError("e2e: score_epochs and patience want 0 or more, and patience wants score_epochs")
    _check_disturbance(settings)
    _windows(settings.chunk_ms, settings.right_ms, "train")
    return settings


def _check_disturbance(settings: TrainSettings) -> None:
    if min(settings.agreement, settings.time_masks) < 0:
        raise InputError("e2e: agreement and time_masks want 0 or more")
    if not (0 <= settings.crossed <= 1 and 0 <= settings.masked_time <= 1):
        raise InputError("e2e: crossed and masked_time are shares: they lie from 0 to 1")
    if settings.crossed and not (settings.plain_epochs > settings.flat_epochs or settings.start):
        raise InputError(
            "e2e: crossed wants more plain_epochs than flat_epochs: there the network learns where words lie"
        )


def network_shape(settings: TrainSettings, tokens: int) -> Sizes:
    """The sizes of the network to train; raises `InputError` for what the architecture does not have."""
    sizes: dict[str, Any] = {"tokens": tokens, "dropout": settings.dropout}
    if settings.architecture == "conv_recurrent":
        sizes |= {key: getattr(settings, key) for key in ("channels", "blocks", "hidden")}
    return shape_of(settings.architecture, {**sizes, **settings.sizes})


def decode_settings(config: Config) -> DecodeSettings:
    """Raises `InputError` for unknown keys, wrong types and unknown decoders."""
    settings = filled(DecodeSettings, config, "e2e: decode")
    if settings.decoder not in DECODERS:
        hint = did_you_mean(settings.decoder, DECODERS)
        raise InputError(
            f"e2e: no decoder is called {settings.decoder!r}{hint}; there are {', '.join(DECODERS)}"
        )
    if settings.runtime not in RUNTIMES:
        hint = did_you_mean(settings.runtime, RUNTIMES)
        raise InputError(
            f"e2e: no runtime is called {settings.runtime!r}{hint}; there are {', '.join(RUNTIMES)}"
        )
    if settings.half and settings.runtime != "torch":
        raise InputError("e2e: pipeline.decode: half is for runtime = 'torch'")
    if settings.decoder == "greedy" and (settings.text or settings.hot_words):
        raise InputError("e2e: greedy decoding knows no words: text and hot_words want wfst or beam")
    if settings.decoder == ATTENTION and settings.hot_words:
        raise InputError("e2e: decoder 'attention' has no hot words: they want wfst or beam")
    if not 0 < settings.text_share <= 1:
        raise InputError("e2e: pipeline.decode: text_share wants more than 0, 1 at most")
    if settings.ctc_weight is not None and not 0 <= settings.ctc_weight <= 1:
        raise InputError("e2e: pipeline.decode: ctc_weight lies from 0 to 1")
    if settings.nbest < 1 or settings.lattice_beam <= 0:
        raise InputError("e2e: pipeline.decode: nbest wants 1 or more, lattice_beam more than 0")
    _windows(settings.chunk_ms or 240, settings.right_ms or 320, "decode")
    return settings


def _windows(chunk_ms: int, right_ms: int, part: str) -> None:
    if chunk_ms < 40 or chunk_ms % 40 or right_ms < 0 or right_ms % 40:
        raise InputError(f"e2e: pipeline.{part}: chunk_ms and right_ms want multiples of 40 (a frame)")
