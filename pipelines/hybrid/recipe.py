"""The training of a hybrid from a corpus to a model folder: material, acoustic models, tuning, graphs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import accumulate
from pathlib import Path

from data.types import Utterance
from pipelines.features import Features, FeatureSettings, Normalisation, Normaliser, estimate_normalisation
from pipelines.hybrid import prepare, store
from pipelines.hybrid.acoustic import train_acoustic
from pipelines.hybrid.disturb import Copying
from pipelines.hybrid.generations import Lessons
from pipelines.hybrid.graphs import TUNING, Graphs
from pipelines.hybrid.model import AcousticModel, Stage, Tuned
from pipelines.hybrid.parallel import Step, side_by_side
from pipelines.hybrid.positions import positioned
from pipelines.hybrid.prepare import Dropped, Heard
from pipelines.hybrid.settings import BIG_LM, CORPUS_LM, MONO, SAT, SI, TrainSettings, hears_adapted
from pipelines.hybrid.train import Speech
from pipelines.hybrid.tune import DevSpeech, Tuner
from pipelines.hybrid.word_graph import Pronunciations
from pipelines.ngram import write_arpa
from pipelines.protocol import Progress, TrainingSet
from pipelines.texts import TextModel, corpus_model

_HEARD = 0.05  # of the work, done after the features
_TRAINED, _TUNED = 0.7, 0.8  # after the mixtures, and after their tuning; networks take the rest


@dataclass(frozen=True, eq=False)
class Material:
    """All that was made of the corpus before the first estimation."""

    features: FeatureSettings
    normalisation: Normalisation
    train: Heard
    dev: Heard
    pronunciations: Pronunciations
    guessed: int
    text: TextModel

    def normalised(self, heard: Heard) -> tuple[Features, ...]:
        return tuple(self.normaliser().accept(raw) for raw in heard.raw)

    def normaliser(self) -> Normaliser:
        return Normaliser(self.normalisation, self.features.prior_frames)

    def lessons(self, name: str, copies: int, *heard: Heard) -> Lessons:
        """All of `heard` together, with so many `copies` of each utterance."""
        features = tuple(x for part in heard for x in self.normalised(part))
        words = tuple(sentence for part in heard for sentence in part.words)
        begins = accumulate((len(part.raw) for part in heard), initial=0)
        copied = tuple(
            (begin + i, self.normaliser().accept(raw))
            for begin, part in zip(begins, heard, strict=False)
            for i, raw in first_of_each(part.copies, copies)
        )
        everyone = [utterance for part in heard for utterance in part.utterances]
        speakers = tuple(utterance.speaker or utterance.id for utterance in everyone)
        ids = tuple(utterance.id for utterance in everyone)
        return Lessons(name, Speech(features, words, copied, speakers), self.pronunciations, ids)


def train_hybrid(corpus: TrainingSet, settings: TrainSettings, folder: Path, progress: Progress) -> None:
    """Leaves a model in `folder`; goes on from the last stage that an earlier call finished."""
    if (folder / store.MODEL).exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    material = _material(corpus, settings, progress)
    step = _part(progress, _HEARD, _TRAINED)
    kept, tuning, dropped = _acoustic_models(corpus, material, settings, folder, step)
    ngrams = _language_models(corpus, material, settings, folder)
    bigger = _big_model(corpus, settings, folder)
    graphs = Graphs(folder, material.pronunciations, tuple(ngrams))
    theirs = graphs if tuning is kept else replace(graphs, purpose=TUNING)
    tuned = _tuned(tuning, theirs, material, settings, _part(progress, _TRAINED, _TUNED))
    for name, stage in kept.items():
        store.save_acoustic(folder / store.acoustic_file(name), stage.model)
        for lm in ngrams:
            graphs.of(name, stage.model, lm)
    if settings.networks:
        theirs = graphs if tuning is kept else replace(graphs, purpose=TUNING + "kept-")
        step = _part(progress, _TUNED, 1.0)
        tuned |= _networks(kept, tuned, theirs, material, settings, folder=folder, step=step)
    graphs.drop()
    language = {"ngrams": ngrams, "rescore_ngrams": bigger}
    _save(folder, corpus, material, settings=settings, dropped=dropped, tuned=tuned, language=language)
    store.drop_stages(folder)
    progress(1.0, 1.0, "trained")


def _part(progress: Progress, begin: float, end: float) -> Step:
    """For a part of the work, which goes from `begin` to `end`."""
    return lambda share, note, stage: progress(begin + share * (end - begin), 1.0, note, stage=stage)


def _acoustic_models(
    corpus: TrainingSet, material: Material, settings: TrainSettings, folder: Path, step: Step
) -> tuple[Mapping[str, Stage], Mapping[str, Stage], tuple[Dropped, ...]]:
    """The models to keep, those to tune on dev (which never heard it), and what was left out."""
    alone = material.lessons("train", settings.copies, material.train)
    check = partial(_dropped, corpus, material)
    if not (settings.use_dev and material.dev.raw):
        stages = train_acoustic(alone, settings, folder, step, check)
        return stages, stages, check(stages[MONO])
    everything = material.lessons("all", settings.copies, material.train, material.dev)
    single = replace(settings, members=1)  # what is tuned for one serves for all members
    side_by_side(
        [
            lambda step: _only(train_acoustic(alone, single, folder, step, check)),
            lambda step: _only(train_acoustic(everything, settings, folder, step)),
        ],
        step,
        settings.jobs,
    )
    tuning = train_acoustic(alone, single, folder, step)
    return train_acoustic(everything, settings, folder, step), tuning, check(tuning[MONO])


def _tuned(
    stages: Mapping[str, Stage], graphs: Graphs, material: Material, settings: TrainSettings, step: Step
) -> dict[str, dict[str, Tuned]]:
    """The adapted model after the one that its first pass uses."""
    models = {name: stage.model for name, stage in stages.items()}
    plain = {name: model for name, model in models.items() if not hears_adapted(name)}
    tuner = Tuner(graphs, _dev_speech(material), _pair(stages))
    tuned = tuner.tune(plain, {}, step, settings.jobs)
    rest = {name: model for name, model in models.items() if hears_adapted(name)}
    return tuned | tuner.tune(rest, tuned.get(SI, {}), step, settings.jobs)


def _pair(stages: Mapping[str, Stage]) -> tuple[AcousticModel, AcousticModel] | None:
    return (stages[SI].model, stages[SAT].model) if SAT in stages else None


def _networks(
    kept: Mapping[str, Stage],
    tuned: Mapping[str, Mapping[str, Tuned]],
    graphs: Graphs,
    material: Material,
    settings: TrainSettings,
    *,
    folder: Path,
    step: Step,
) -> dict[str, dict[str, Tuned]]:
    """Trains the networks, leaves them in `folder`, tunes them on the dev speech, which they never heard."""
    from pipelines.hybrid.networks import Teacher, front_of, load_network_model

    sat = kept[SAT]
    parts = (material.train, material.dev) if settings.use_dev else (material.train,)
    lessons = material.lessons("all", settings.network_copies, *parts)
    held_out = len(material.dev.raw) if settings.use_dev else 0
    fronts = {
        name: front_of(name, sat.model.front, material.features, material.normalisation)
        for name in settings.networks
    }
    Teacher(sat, lessons, held_out, settings, folder).teach(fronts, step)
    models = {name: load_network_model(folder, name) for name in fronts}
    tuner = Tuner(graphs, _dev_speech(material), _pair(kept))
    return tuner.tune(models, tuned[SI], step, settings.jobs)


def _only(stages: Mapping[str, Stage]) -> None:
    """They lie on disk too, where the process that waits for them looks."""


def _dropped(corpus: TrainingSet, material: Material, first: Stage) -> tuple[Dropped, ...]:
    """What the first stage could not use; raises `InputError` where it is too much to go on."""
    aligned = [labels is not None for labels in first.alignments]
    dropped = (*material.train.dropped, *_unaligned(aligned, material.train))
    prepare.refuse_too_many(dropped, len(corpus.train))
    return dropped


def _material(corpus: TrainingSet, settings: TrainSettings, progress: Progress) -> Material:
    features = FeatureSettings(
        corpus.sample_rate,
        noise=settings.noise,
        prior_frames=settings.prior_frames,
        high_hz=settings.high_hz,
    )
    dev_utterances = _at_most(corpus, settings.dev_seconds)
    total = len(corpus.train) + len(dev_utterances)

    def step(done: int) -> None:
        progress(_HEARD * (done + 1) / total, 1.0, "features", stage=MONO)

    most = max(settings.copies, settings.network_copies if settings.networks else 0)
    copying = Copying(most, settings.speed, settings.disturbed, settings.seed)
    train = prepare.hear(corpus, corpus.train, features, step, copying)
    prepare.refuse_too_many(train.dropped, len(corpus.train))
    dev = prepare.hear(corpus, dev_utterances, features, lambda done: step(len(corpus.train) + done), copying)
    text = corpus_model(corpus, settings.order, settings.pruning, join_dev=settings.use_dev)
    words = prepare.vocabulary(corpus, train.words, text.model, settings)
    words.update(word for sentence in dev.words for word in sentence if settings.use_dev)
    pronunciations, guessed = prepare.pronounce(corpus, words, train.words)
    if settings.positions:
        pronunciations = positioned(pronunciations, train.words)
    return Material(
        features, estimate_normalisation(train.raw, features), train, dev, pronunciations, guessed, text
    )


def first_of_each(copies: Sequence[tuple[int, Features]], most: int) -> list[tuple[int, Features]]:
    """Of copies as (number of the utterance, features), up to `most` of each utterance."""
    numbers = Counter[int]()
    kept = []
    for i, x in copies:
        numbers[i] += 1
        if numbers[i] <= most:
            kept.append((i, x))
    return kept


def _at_most(corpus: TrainingSet, seconds: float) -> Sequence[Utterance]:
    """Dev utterances spread evenly over the split, worth about `seconds` (of 4 s each where unknown)."""
    lengths = [u.duration or 4.0 for u in corpus.dev]
    every = max(1, int(sum(lengths) / seconds + 0.999))
    return corpus.dev[::every]


def _unaligned(aligned: Sequence[bool], heard: Heard) -> list[Dropped]:
    return [
        Dropped(utterance.id, f"{utterance.source}: {len(raw) / 100:.2f} s is too short for its words")
        for utterance, raw, usable in zip(heard.utterances, heard.raw, aligned, strict=True)
        if not usable
    ]


def _language_models(
    corpus: TrainingSet, material: Material, settings: TrainSettings, folder: Path
) -> dict[str, int]:
    """An ARPA file in `folder` for each language model there is; how many n-grams each has."""
    ngrams = {}
    for name in settings.lms:
        arpa = folder / store.arpa_file(name)
        if name != CORPUS_LM:
            text, words = material.text, material.pronunciations
            ngrams[name] = sum(prepare.trigram(text.model, words, arpa))
            if text.unheard is not text.model:
                prepare.trigram(text.unheard, words, arpa.with_name(TUNING + arpa.name))
        elif corpus.language_model is not None:
            ngrams[name] = sum(prepare.own_language_model(corpus, material.pronunciations, arpa))
    return ngrams


def _big_model(corpus: TrainingSet, settings: TrainSettings, folder: Path) -> dict[str, int]:
    """Nothing pruned, nothing left out: as an ARPA file in `folder`; how many n-grams it has."""
    if not settings.big_order:
        return {}
    model = corpus_model(corpus, settings.big_order, 0.0, join_dev=settings.use_dev).model
    write_arpa(model, folder / store.arpa_file(BIG_LM))
    return {BIG_LM: sum(model.counts)}


def _dev_speech(material: Material) -> DevSpeech:
    return DevSpeech(
        material.normalised(material.dev),
        tuple(" ".join(words) for words in material.dev.words),
        tuple(utterance.speaker or utterance.id for utterance in material.dev.utterances),
    )


def _save(
    folder: Path,
    corpus: TrainingSet,
    material: Material,
    *,
    settings: TrainSettings,
    dropped: Sequence[Dropped],
    tuned: Mapping[str, Mapping[str, Tuned]],
    language: Mapping[str, Mapping[str, int]],
) -> None:
    """The features, then the JSON that says the training is done."""
    store.save_features(folder / store.FEATURES, material.features, material.normalisation)
    content = {
        "format": store.FORMAT,
        "corpus": corpus.name,
        "language": corpus.language,
        "settings": {**asdict(settings), "lms": list(language["ngrams"])},
        "pronunciations": {w: [list(p) for p in v] for w, v in sorted(material.pronunciations.items())},
        "guessed_pronunciations": material.guessed,
        "dropped": [asdict(d) for d in dropped],
        "tuned": {model: {lm: asdict(t) for lm, t in by_lm.items()} for model, by_lm in tuned.items()},
        **language,
    }
    store.save_json(folder / store.MODEL, content)
