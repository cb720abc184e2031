"""The training of a hybrid from a corpus to a model folder, stage by stage."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from data.types import Utterance
from pipelines.features import FeatureSettings, Normalisation, Normaliser, estimate_normalisation
from pipelines.grammar import WordTable, grammar_graph
from pipelines.hybrid import prepare, store
from pipelines.hybrid.align import Pronunciations
from pipelines.hybrid.graph import decoding_graph
from pipelines.hybrid.model import AcousticModel, Stage, Tuned
from pipelines.hybrid.prepare import Dropped, Heard
from pipelines.hybrid.settings import CORPUS_LM, TrainSettings
from pipelines.hybrid.topology import left_to_right
from pipelines.hybrid.train import Schedule, Speech, flat_start, run_stages
from pipelines.hybrid.tune import DevSpeech, tune
from pipelines.protocol import Progress, TrainingSet
from pipelines.search import Beam

_DEV_SECONDS = 600.0  # of dev speech to tune on; more only costs time
_SHARES = (0.08, 0.8, 1.0)  # of the work: features, stages, tuning
_POLISH = 6  # iterations with the dev speech


@dataclass(frozen=True, eq=False)
class Material:
    """All that was made of the corpus before the first estimation."""

    features: FeatureSettings
    normalisation: Normalisation
    train: Heard
    dev: Heard
    pronunciations: Pronunciations
    guessed: int

    def speech(self, heard: Heard) -> Speech:
        prior = self.features.prior_frames
        return Speech(
            tuple(Normaliser(self.normalisation, prior).accept(raw) for raw in heard.raw), heard.words
        )


def train_hybrid(corpus: TrainingSet, settings: TrainSettings, folder: Path, progress: Progress) -> None:
    """Leaves a model in `folder`; goes on from the last stage that an earlier call finished."""
    if (folder / store.MODEL).exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    material = _material(corpus, settings, progress)
    stage, dropped = _stages(corpus, material, settings, folder, progress)
    tuned, ngrams = _language_models(
        corpus, material, stage.model, settings, folder=folder, progress=progress
    )
    model = stage.model
    if settings.use_dev and material.dev.raw:
        model = _polished(stage, material, settings, progress)
    _save(
        folder,
        corpus,
        material,
        model,
        settings=settings,
        dropped=dropped,
        tuned=tuned,
        ngrams=ngrams,
    )
    (folder / store.STAGE).unlink(missing_ok=True)
    progress(1.0, 1.0, "trained")


def _material(corpus: TrainingSet, settings: TrainSettings, progress: Progress) -> Material:
    features = FeatureSettings(
        corpus.sample_rate,
        noise=settings.noise,
        prior_frames=settings.prior_frames,
        high_hz=settings.high_hz,
    )
    dev_utterances = _at_most(corpus, _DEV_SECONDS)
    total = len(corpus.train) + len(dev_utterances)

    def step(done: int) -> None:
        progress(_SHARES[0] * (done + 1) / total, 1.0, "features")

    train = prepare.hear(corpus, corpus.train, features, step)
    prepare.refuse_too_many(train.dropped, len(corpus.train))
    dev = prepare.hear(corpus, dev_utterances, features, lambda done: step(len(corpus.train) + done))
    words = prepare.vocabulary(corpus, train.words, settings)
    words.update(word for sentence in dev.words for word in sentence if settings.use_dev)
    pronunciations, guessed = prepare.pronounce(corpus, words)
    return Material(
        features, estimate_normalisation(train.raw, features), train, dev, pronunciations, guessed
    )


def _at_most(corpus: TrainingSet, seconds: float) -> Sequence[Utterance]:
    """Dev utterances spread evenly over the split, worth about `seconds` (of 4 s each where unknown)."""
    lengths = [u.duration or 4.0 for u in corpus.dev]
    every = max(1, int(sum(lengths) / seconds + 0.999))
    return corpus.dev[::every]


def _stages(
    corpus: TrainingSet, material: Material, settings: TrainSettings, folder: Path, progress: Progress
) -> tuple[Stage, tuple[Dropped, ...]]:
    """The last stage of the acoustic model, and all utterances lost on the way."""
    speech, schedule = material.speech(material.train), _schedule(settings)
    key = _key(settings, material)
    path = folder / store.STAGE
    stage = store.load_stage(path, key)
    if stage is None:
        progress(_SHARES[0], 1.0, "flat start")
        topology = left_to_right(
            (p for v in material.pronunciations.values() for w in v for p in w), settings.silence_states
        )
        stage = flat_start(speech, material.pronunciations, topology)
        store.save_stage(path, stage, key)

    def keep(done: Stage) -> None:
        store.save_stage(path, done, key)
        share = (done.iteration + 1) / schedule.iterations
        note = f"iteration {done.iteration + 1}, {done.model.mixtures.gaussians} Gaussians"
        progress(_SHARES[0] + share * (_SHARES[1] - _SHARES[0]), 1.0, note)

    stage = run_stages(stage, speech, material.pronunciations, schedule, keep)
    dropped = (*material.train.dropped, *_unaligned(stage, material.train))
    prepare.refuse_too_many(dropped, len(corpus.train))
    return stage, dropped


def _schedule(settings: TrainSettings) -> Schedule:
    return Schedule(settings.gaussians, settings.iterations, settings.seed)


def _key(settings: TrainSettings, material: Material) -> str:
    """Names what is trained: the settings, the utterances, their words and pronunciations."""
    content = [
        asdict(settings),
        [u.id for u in material.train.utterances],
        [len(raw) for raw in material.train.raw],
        material.train.words,
        sorted((w, list(map(list, p))) for w, p in material.pronunciations.items()),
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _unaligned(stage: Stage, heard: Heard) -> list[Dropped]:
    return [
        Dropped(utterance.id, f"{utterance.source}: {len(raw) / 100:.2f} s is too short for its words")
        for utterance, raw, states in zip(heard.utterances, heard.raw, stage.alignments, strict=True)
        if states is None
    ]


def _polished(stage: Stage, material: Material, settings: TrainSettings, progress: Progress) -> AcousticModel:
    """A few more iterations over train and dev together; nothing is chosen any more."""
    train, dev = material.speech(material.train), material.speech(material.dev)
    both = Speech((*train.features, *dev.features), (*train.words, *dev.words))
    first = Stage(-1, stage.model, (), float("-inf"))
    # as many Gaussians as there are: none are added
    schedule = Schedule(stage.model.mixtures.gaussians, _POLISH, settings.seed)

    def keep(done: Stage) -> None:
        share = 0.9 + 0.1 * (done.iteration + 1) / _POLISH
        progress(share, 1.0, "learning from the dev speech too")

    return run_stages(first, both, material.pronunciations, schedule, keep).model


def _language_models(
    corpus: TrainingSet,
    material: Material,
    model: AcousticModel,
    settings: TrainSettings,
    *,
    folder: Path,
    progress: Progress,
) -> tuple[dict[str, Tuned], dict[str, int]]:
    """A decoding graph in `folder` for each language model, tuned on dev; n-gram counts."""
    words = WordTable(tuple(sorted(material.pronunciations)))
    dev = _dev_speech(material, model)
    tuned, ngrams = {}, {}

    def step(note: str) -> None:
        progress(_SHARES[1], 1.0, note)

    for name in settings.lms:
        if name == CORPUS_LM and corpus.language_model is None:
            continue
        arpa = folder / f"{name}.arpa"
        if name == CORPUS_LM:
            counts = prepare.own_language_model(corpus, material.pronunciations, arpa)
        else:
            counts = prepare.trigram(
                corpus, material.train.words, settings.order, material.pronunciations, arpa
            )
        grammar = grammar_graph(arpa, words)
        graph = decoding_graph(grammar, words, material.pronunciations, model.topology, model.self_loops)
        store.save_graph(folder / f"graph-{name}.npz", graph)
        tuned[name] = tune(graph, words, dev, Beam(), step)
        ngrams[name] = sum(counts)
    return tuned, ngrams


def _dev_speech(material: Material, model: AcousticModel) -> DevSpeech:
    features = material.speech(material.dev).features
    return DevSpeech(
        tuple(model.mixtures.log_likelihoods(x) for x in features),
        tuple(" ".join(words) for words in material.dev.words),
    )


def _save(
    folder: Path,
    corpus: TrainingSet,
    material: Material,
    model: AcousticModel,
    *,
    settings: TrainSettings,
    dropped: Sequence[Dropped],
    tuned: dict[str, Tuned],
    ngrams: dict[str, int],
) -> None:
    """The acoustic model, then the JSON that says the training is done."""
    store.save_acoustic(folder, model, material.features, material.normalisation)
    content = {
        "format": store.FORMAT,
        "corpus": corpus.name,
        "language": corpus.language,
        "settings": {**asdict(settings), "lms": list(tuned)},
        "pronunciations": {w: [list(p) for p in v] for w, v in sorted(material.pronunciations.items())},
        "guessed_pronunciations": material.guessed,
        "dropped": [asdict(d) for d in dropped],
        "tuned": {name: asdict(t) for name, t in tuned.items()},
        "ngrams": ngrams,
    }
    store.save_json(folder / store.MODEL, content)
