"""How a corpus becomes a model folder: features, network, language models, weights tuned on dev."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch

from data.errors import InputError
from pipelines.e2e import acoustics, language
from pipelines.e2e.acoustics import Acoustics
from pipelines.e2e.adaptation import Basis, adapted, taught
from pipelines.e2e.decoder import Weights
from pipelines.e2e.device import find_device
from pipelines.e2e.features import LogMel
from pipelines.e2e.fit import Fit
from pipelines.e2e.graph_search import GraphSearch
from pipelines.e2e.models.network import Network, Window
from pipelines.e2e.models.registry import build
from pipelines.e2e.pace import Pace
from pipelines.e2e.phones import sounds_of
from pipelines.e2e.prefix_beam import PrefixBeam
from pipelines.e2e.ranks import Ranks, joined
from pipelines.e2e.selection import dev_part, judge_of
from pipelines.e2e.settings import TrainSettings, network_shape
from pipelines.e2e.speech import Speech, load_speech
from pipelines.e2e.token_graph import read_token_graph
from pipelines.e2e.tokens import PHONES, make_tokens, spoken_tokens
from pipelines.e2e.train import Trainer, plan
from pipelines.protocol import CURVE, Progress, Timed, TrainingSet

_FEATURE_MS = 10
_TUNING_UTTERANCES = 200
_TUNING_SHARE = 0.1
"""Of a budget, for language models and their weights."""


def window_of(chunk_ms: int, right_ms: int, subsampling: int) -> Window:
    """In frames of posteriors, rounded up; a chunk has one at least."""
    frame_ms = _FEATURE_MS * subsampling
    return Window(max(1, -(-chunk_ms // frame_ms)), -(-right_ms // frame_ms))


class Share:
    """Maps one stage's progress onto its share of the whole."""

    def __init__(self, progress: Progress, begin: float, end: float) -> None:
        self._progress, self._begin, self._end = progress, begin, end

    def __call__(self, done: float, total: float, note: str = "", *, stage: str = "") -> None:
        share = done / total if total else 1.0
        self._progress(self._begin + (self._end - self._begin) * share, 100.0, note, stage=stage)


def train(corpus: TrainingSet, settings: TrainSettings, model_dir: Path, progress: Progress) -> None:
    """Goes on from a checkpoint where there is one; does nothing where the model is finished.

    Processes that torchrun started work at it together; the first of them writes.
    """
    if acoustics.is_finished(model_dir):
        acoustics.check_architecture(model_dir, settings.architecture)
        acoustics.check_tokens(model_dir, settings.tokens)
        progress(100, 100, "trained before")
        return
    with joined(model_dir.name, find_device(settings.device)) as ranks:
        _train(corpus, settings, model_dir, progress, ranks)


def _train(
    corpus: TrainingSet, settings: TrainSettings, model_dir: Path, progress: Progress, ranks: Ranks
) -> None:
    model_dir.mkdir(parents=True, exist_ok=True)
    threads = max(1, min(settings.threads, os.cpu_count() or 1))
    basis = _basis(corpus, settings)
    network, front, tokens = basis.network, basis.front, basis.tokens
    if not network.has_ctc and (settings.agreement or settings.crossed):
        raise InputError("e2e: agreement and crossed go by CTC: with attention_weight = 1 neither")
    settings = taught(settings) if settings.start else settings
    rate = network.subsampling
    torch.set_num_threads(1)  # of each thread that loads
    loading = Share(progress, 0, 3)
    speech = load_speech(corpus, corpus.train, tokens, front, loading, subsampling=rate, threads=threads)
    torch.set_num_threads(threads)
    if not settings.start:
        front.learn(example.variants[0].float() for example in speech.examples)
    device = find_device(settings.device)
    window = window_of(settings.chunk_ms, settings.right_ms, rate)
    checkpoint = model_dir / "checkpoint.safetensors"
    steps = plan(speech, settings)
    trainer = Trainer(network.to(device), settings, len(steps), window, device, tokens.symbols, ranks=ranks)
    trained = Acoustics(network, front, tokens, window, device)
    scored = settings.score_epochs or (settings.budget_minutes and corpus.dev)
    judge = judge_of(corpus, trained, ranks) if scored else None
    pace = _pace(len(steps), settings, progress, ranks)
    run = Fit(trainer, speech, front, tokens, steps, checkpoint, Share(progress, 3, 94), pace, judge)
    ended = run.run()
    if not ranks.first:
        return
    network.load_state_dict(run.weights)
    network.eval()
    front.to(device)
    left = _time_left(settings, progress)
    add_language(corpus, settings, trained, model_dir, Share(progress, 94, 100), left=left)
    (model_dir / CURVE).write_text(json.dumps({**trainer.course.curve(), "ended": ended}), encoding="utf-8")
    history = _history(settings, speech, trainer, ended)
    acoustics.save(trained, model_dir, {"language": corpus.language, **history})
    checkpoint.unlink(missing_ok=True)


def _pace(steps: int, settings: TrainSettings, progress: Progress, ranks: Ranks) -> Pace:
    """By the first rank's time. Raises `InputError` where there is a budget and nobody who tells the time."""
    watch = progress.seconds if isinstance(progress, Timed) else None
    if not settings.budget_minutes:
        return Pace(steps, watch)
    if watch is None:
        raise InputError("e2e: budget_minutes wants a `Progress` that tells the time, as `asrbench` has one")
    own = watch if ranks.first else lambda: 0.0
    return Pace(steps, lambda: ranks.total(own())[0], (1 - _TUNING_SHARE) * 60 * settings.budget_minutes)


def _time_left(settings: TrainSettings, progress: Progress) -> Pace:
    """For what follows the last step, by the first rank's own time: the others have ended."""
    watch = progress.seconds if isinstance(progress, Timed) else None
    return Pace(0, watch, 60 * settings.budget_minutes or None)


def _basis(corpus: TrainingSet, settings: TrainSettings) -> Basis:
    """A fresh network with features yet to be normalised, or a finished model."""
    texts = (corpus.normalise(u.text) for u in corpus.train)
    if settings.start:
        return adapted(settings, corpus.sample_rate, texts)
    if settings.tokens == PHONES:
        tokens = spoken_tokens(sounds_of(corpus))
    else:
        tokens = make_tokens(texts, settings.tokens, corpus.language, settings.pieces)
    return Basis(_network(len(tokens), settings), LogMel(corpus.sample_rate), tokens)


def _network(tokens: int, settings: TrainSettings) -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        return build(settings.architecture, asdict(network_shape(settings, tokens)))


def _history(settings: TrainSettings, speech: Speech, trainer: Trainer, ended: str) -> dict[str, object]:
    course = trainer.course
    return {
        "settings": asdict(settings),
        "utterances": len(speech.examples),
        "too_short": speech.too_short,
        "steps": len(course.losses),
        "ended": ended,
        "processes": trainer.ranks.count,
        "chosen_step": course.best.step if course.best else len(course.losses),
        "loss": course.curve()["loss"],
        "dev": [{"step": score.step, "errors": score.errors} for score in course.scores],
    }


def add_language(
    corpus: TrainingSet,
    settings: TrainSettings,
    trained: Acoustics,
    model_dir: Path,
    progress: Progress,
    *,
    left: Pace,
) -> None:
    """Prepares the language models and tunes their weights on dev, for each decoder, while time is `left`."""
    progress(0, 10, "language models")
    lms = language.prepare(corpus, settings.lms, trained.tokens, model_dir)
    progress(3, 10, "tuning on dev")
    heard = hear(corpus, trained)
    tuned: dict[str, dict[str, Weights]] = {"wfst": {}, "beam": {}}
    for lm in lms:
        unheard = language.to_tune_with(model_dir, lm)
        arpa = language.arpa_path(model_dir, unheard)
        graph = read_token_graph(language.graph_path(model_dir, unheard))
        found = Weights()
        if heard:
            found = language.tune_graph(heard, partial(GraphSearch, graph), left)
        tuned["wfst"][lm] = found
        if _by_beam(settings, trained, arpa) and heard:
            beam = PrefixBeam(trained.tokens, arpa, found, width=32)
            tuned["beam"][lm] = language.tune_beam(heard, beam, found)
    language.write_weights(model_dir, tuned)
    language.drop_tuning(model_dir)
    progress(10, 10, "done")


def _by_beam(settings: TrainSettings, trained: Acoustics, arpa: Path) -> bool:
    """Whether the prefix beam can be tuned: it spells in letters, and kenlm takes no unigram."""
    return "beam" in settings.tune and trained.tokens.kind != PHONES and language.order(arpa) > 1


def hear(corpus: TrainingSet, trained: Acoustics) -> list[language.Heard]:
    """The posteriors of dev, none without CTC; utterances that cannot be read are left out."""
    if not trained.network.has_ctc:
        return []
    spoken = dev_part(corpus, _TUNING_UTTERANCES)
    posteriors = trained.posteriors([audio for audio, _ in spoken])
    return [language.Heard(p, text) for p, (_, text) in zip(posteriors, spoken, strict=True)]
