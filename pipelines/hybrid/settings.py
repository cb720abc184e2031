"""What an experiment may ask of the hybrid, with its defaults."""

from __future__ import annotations

from dataclasses import dataclass

from data.errors import InputError, did_you_mean
from pipelines.protocol import Config
from pipelines.settings import filled

CORPUS_LM, TRIGRAM_LM = "corpus", "trigram"
LMS = (CORPUS_LM, TRIGRAM_LM)
DEFAULT_LM = TRIGRAM_LM


@dataclass(frozen=True)
class TrainSettings:
    """`lms`: which language models to prepare and tune; the corpus's own is left out where it has none.

    `order` of the n-grams; `members`: so many acoustic models with a seed each are pooled, of `gaussians`
    each; `prior_frames`, `noise`, `high_hz`: see `pipelines.features`. `use_dev`: tune one member that was
    trained without the dev speech, on it; then train all of them anew on train and dev together.
    `positions`: see `pipelines.hybrid.positions`.
    `copies`, `speed`, `disturbed`: more speech made of what there is, see `pipelines.hybrid.disturb`.
    """

    lms: tuple[str, ...] = LMS
    order: int = 3
    gaussians: int = 1800
    iterations: int = 30
    members: int = 3
    positions: bool = True
    seed: int = 1
    silence_states: int = 5
    prior_frames: float = 0.0
    noise: float = 1.0
    high_hz: float = 0.0
    use_dev: bool = True
    copies: int = 0
    speed: float = 0.0
    disturbed: float = 0.0


@dataclass(frozen=True)
class DecodeSettings:
    """`lm`: one of those trained; `beam` in units of the scaled log-likelihoods; at most `max_active` tokens.

    `lm_weight` and `insertion_penalty` override what was tuned on dev.
    """

    lm: str = DEFAULT_LM
    beam: float = 13.0
    max_active: int = 7000
    lm_weight: float | None = None
    insertion_penalty: float | None = None


def train_settings(config: Config) -> TrainSettings:
    """Raises `InputError` for unknown keys and values of a wrong kind."""
    settings = filled(TrainSettings, config, "hybrid: train")
    for lm in settings.lms:
        if lm not in LMS:
            raise InputError(
                f"unknown language model {lm!r}{did_you_mean(lm, LMS)} (known: {', '.join(LMS)})"
            )
    if settings.gaussians < 1 or settings.iterations < 1 or settings.order < 1:
        raise InputError("the hybrid needs gaussians, iterations and order of 1 or more")
    if settings.members < 1 or not settings.lms:
        raise InputError("the hybrid needs members of 1 or more, and one of lms")
    if settings.copies < 0 or not 0.0 <= settings.speed < 1.0 or not 0.0 <= settings.disturbed <= 1.0:
        raise InputError("the hybrid needs copies of 0 or more, speed and disturbed from 0 to 1")
    return settings


def decode_settings(config: Config) -> DecodeSettings:
    """Raises `InputError` for unknown keys and values of a wrong kind."""
    settings = filled(DecodeSettings, config, "hybrid: decode")
    if settings.beam <= 0 or settings.max_active < 2:
        raise InputError("the hybrid's beam must be over 0, and max_active 2 or more")
    return settings
