"""What an experiment may ask of the hybrid, with its defaults."""

from __future__ import annotations

import math
from dataclasses import dataclass

from data.errors import InputError, did_you_mean
from pipelines.protocol import Config
from pipelines.settings import filled

CORPUS_LM, TRIGRAM_LM = "corpus", "trigram"
LMS = (CORPUS_LM, TRIGRAM_LM)
DEFAULT_LM = TRIGRAM_LM
BIG_LM = "big"
MONO, TRI, MLLT, SAT, SI = "mono", "tri", "mllt", "sat", "si"
GENERATIONS = (MONO, TRI, MLLT, SAT)
ADAPTED = "-sat"
WITH_GMM = "+gmm"
NETWORKS = ("tdnn", "cnn", "lstm", "tdnn-sat", "lstm-sat")
FUSED = tuple(name + WITH_GMM for name in NETWORKS if name != "cnn")  # a CNN hears other features


@dataclass(frozen=True)
class TrainSettings:
    """`lms`: which language models to prepare and tune; the corpus's own is left out where it has none.

    `generation`: the last one to train, with all before it (see `pipelines.hybrid.generations`).
    `order` of the n-grams; `big_order` of a model of the same text to rescore with, `BIG_LM`, 0 for none.
    `members`: so many estimates of each model's mixtures, with a seed each, are pooled. `gaussians` and
    `iterations` are the monophones', whose flat start hears up to `flat_frames` of each phone; `leaves`,
    `min_gain` (of log-likelihood) and `min_occupancy` (in frames) end the growth of the trees.
    `voices`: so many others say each utterance again for the model of unknown speakers, see
    `pipelines.hybrid.voices`.
    `prior_frames`, `noise`, `high_hz`: see `pipelines.features`. `use_dev`: tune models that were trained
    without the dev speech, on it; those kept, language models too, are trained on train and dev together.
    `positions`: see `pipelines.hybrid.positions`.
    `copies`, `speed`, `disturbed`: more speech made of what there is, see `pipelines.hybrid.disturb`.
    `networks`: to be trained on the alignments of the adapted model, those of ``-sat`` on adapted features;
    for so many `epochs` (0: the default of each kind), with `network_copies` in place of `copies`. Of a
    network on adapted features `adapted_members`, with a seed each, are averaged.
    `dev_seconds`: so much dev speech to tune on; `pruning`: of a mixed language model, as a relative entropy.
    `jobs`: threads that align, and processes that train with and without the dev speech.
    """

    lms: tuple[str, ...] = LMS
    generation: str = SAT
    order: int = 3
    big_order: int = 0
    gaussians: int = 1000
    iterations: int = 20
    flat_frames: int = 2000
    members: int = 3
    leaves: int = 2000
    min_gain: float = 1000.0
    min_occupancy: float = 50.0
    tri_gaussians: int = 2000
    mllt_gaussians: int = 2000
    sat_gaussians: int = 2500
    voices: int = 4
    tri_iterations: int = 24
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
    dev_seconds: float = 600.0
    pruning: float = 1e-7
    networks: tuple[str, ...] = ()
    epochs: int = 0
    network_copies: int = 0
    adapted_members: int = 1
    jobs: int = 2


@dataclass(frozen=True)
class DecodeSettings:
    """`model`: one of those trained, by default the best GMM that streams; a network may have ``+gmm`` behind
    its name. `lm`: one of those prepared.

    `beam` in units of the scaled log-likelihoods; at most `max_active` tokens.
    `lm_weight` and `insertion_penalty` override what was tuned on dev.
    `confidence`: of each word, from the `nbest` word sequences that cost at most `lattice_beam` more than the
    best; `rescore`: a language model, `BIG_LM`, that puts these into a new order, replacing `rescore_weight`
    of the first one's opinion.
    `endpoint`: an utterance ends, and the next begins, by Kaldi's rules (of which the last cuts after 20 s,
    wherever that is); `endpoint_seconds`: after so much silence, 0 for never.
    """

    model: str = ""
    lm: str = DEFAULT_LM
    beam: float = 13.0
    max_active: int = 7000
    lm_weight: float | None = None
    insertion_penalty: float | None = None
    confidence: bool = False
    nbest: int = 100
    lattice_beam: float = 6.0
    rescore: str = ""
    rescore_weight: float = 0.5
    endpoint: bool = False
    endpoint_seconds: float = 0.0


def hears_adapted(model: str) -> bool:
    """Whether a model hears speech through its speaker's transform."""
    return model == SAT or plain_network(model).endswith(ADAPTED)


def plain_network(model: str) -> str:
    """The network in a model that may have mixtures beside it."""
    return model.removesuffix(WITH_GMM)


def train_settings(config: Config) -> TrainSettings:
    """Raises `InputError` for unknown keys and values of a wrong kind."""
    settings = filled(TrainSettings, config, "hybrid: train")
    for lm in settings.lms:
        if lm not in LMS:
            raise InputError(
                f"unknown language model {lm!r}{did_you_mean(lm, LMS)} (known: {', '.join(LMS)})"
            )
    _check_models(settings)
    if min(settings.gaussians, settings.iterations, settings.flat_frames, settings.order) < 1:
        raise InputError("the hybrid needs gaussians, iterations, flat_frames and order of 1 or more")
    if settings.big_order < 0 or settings.big_order == 1:
        raise InputError("the hybrid needs a big_order of 2 or more, or 0 for none")
    if min(settings.members, settings.adapted_members) < 1 or not settings.lms:
        raise InputError("the hybrid needs members and adapted_members of 1 or more, and one of lms")
    if settings.copies < 0 or not 0.0 <= settings.speed < 1.0 or not 0.0 <= settings.disturbed <= 1.0:
        raise InputError("the hybrid needs copies of 0 or more, speed and disturbed from 0 to 1")
    if min(settings.epochs, settings.network_copies, settings.voices) < 0:
        raise InputError("the hybrid needs epochs, network_copies and voices of 0 or more")
    if settings.jobs < 1 or not settings.dev_seconds > 0:
        raise InputError("the hybrid needs jobs of 1 or more, and dev_seconds over 0")
    return settings


def _check_models(settings: TrainSettings) -> None:
    if settings.generation not in GENERATIONS:
        hint = did_you_mean(settings.generation, GENERATIONS)
        raise InputError(
            f"unknown generation {settings.generation!r}{hint} (known: {', '.join(GENERATIONS)})"
        )
    for name in settings.networks:
        known = NETWORKS
        if name not in known:
            raise InputError(
                f"unknown network {name!r}{did_you_mean(name, known)} (known: {', '.join(known)})"
            )
    if settings.networks and settings.generation != SAT:
        raise InputError(
            f"networks learn on the alignments of the generation '{SAT}': set generation = '{SAT}'"
        )


def decode_settings(config: Config) -> DecodeSettings:
    """Raises `InputError` for unknown keys and values of a wrong kind."""
    settings = filled(DecodeSettings, config, "hybrid: decode")
    if settings.beam <= 0 or settings.max_active < 2:
        raise InputError("the hybrid's beam must be over 0, and max_active 2 or more")
    if settings.nbest < 1 or not settings.lattice_beam > 0:
        raise InputError("the hybrid needs nbest of 1 or more, and a lattice_beam over 0")
    if not 0.0 <= settings.rescore_weight <= 1.0 or not 0.0 <= settings.endpoint_seconds < math.inf:
        raise InputError("the hybrid needs rescore_weight from 0 to 1, and endpoint_seconds of 0 or more")
    return settings
