"""The training of a hybrid from a corpus to a model folder, stage by stage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import accumulate
from pathlib import Path

from data.types import Utterance
from pipelines.features import Features, FeatureSettings, Normalisation, Normaliser, estimate_normalisation
from pipelines.fst import Arcs
from pipelines.grammar import WordTable, grammar_graph
from pipelines.hybrid import prepare, store
from pipelines.hybrid.acoustic import Lessons, train_acoustic
from pipelines.hybrid.align import Pronunciations
from pipelines.hybrid.disturb import Copying
from pipelines.hybrid.graph import decoding_graph
from pipelines.hybrid.model import AcousticModel, Tuned
from pipelines.hybrid.positions import positioned
from pipelines.hybrid.prepare import Dropped, Heard
from pipelines.hybrid.settings import CORPUS_LM, TrainSettings
from pipelines.hybrid.train import Speech
from pipelines.hybrid.tune import DevSpeech, tune
from pipelines.protocol import Progress, TrainingSet
from pipelines.search import Beam

_DEV_SECONDS = 600.0  # of dev speech to tune on; more only costs time
_SHARES = (0.08, 0.8)  # of the work: features, and training besides
_TUNED_AT = 0.35  # where the training is done twice


@dataclass(frozen=True, eq=False)
class Material:
    """All that was made of the corpus before the first estimation."""

    features: FeatureSettings
    normalisation: Normalisation
    train: Heard
    dev: Heard
    pronunciations: Pronunciations
    guessed: int

    def normalised(self, heard: Heard) -> tuple[Features, ...]:
        return tuple(self.normaliser().accept(raw) for raw in heard.raw)

    def normaliser(self) -> Normaliser:
        return Normaliser(self.normalisation, self.features.prior_frames)

    def lessons(self, name: str, *heard: Heard) -> Lessons:
        """All of `heard` together."""
        features = tuple(x for part in heard for x in self.normalised(part))
        words = tuple(sentence for part in heard for sentence in part.words)
        begins = accumulate((len(part.raw) for part in heard), initial=0)
        copies = tuple(
            (begin + i, self.normaliser().accept(raw))
            for begin, part in zip(begins, heard, strict=False)
            for i, raw in part.copies
        )
        ids = tuple(utterance.id for part in heard for utterance in part.utterances)
        return Lessons(name, Speech(features, words, copies), self.pronunciations, ids)


def train_hybrid(corpus: TrainingSet, settings: TrainSettings, folder: Path, progress: Progress) -> None:
    """Leaves a model in `folder`; goes on from the last stage that an earlier call finished."""
    if (folder / store.MODEL).exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    material = _material(corpus, settings, progress)
    again = settings.use_dev and bool(material.dev.raw)
    first, second = (_TUNED_AT, 1.0) if again else (_SHARES[1], 1.0)
    lessons = material.lessons("train", material.train)
    alone = replace(settings, members=1) if again else settings  # the weights found serve for all members
    model, aligned = train_acoustic(lessons, alone, folder, _part(progress, _SHARES[0], first))
    dropped = (*material.train.dropped, *_unaligned(aligned, material.train))
    prepare.refuse_too_many(dropped, len(corpus.train))
    ngrams = _language_models(corpus, material, settings, folder)
    tuned = _tune(material, model, tuple(ngrams), folder, _part(progress, first, first))
    if again:
        lessons = material.lessons("all", material.train, material.dev)
        model, _ = train_acoustic(lessons, settings, folder, _part(progress, first, second))
    _save_graphs(material, model, tuple(ngrams), folder)
    _save(folder, corpus, material, model, settings=settings, dropped=dropped, tuned=tuned, ngrams=ngrams)
    store.drop_stages(folder)
    progress(1.0, 1.0, "trained")


def _part(progress: Progress, begin: float, end: float) -> Callable[[float, str], None]:
    """For a part of the work, which goes from `begin` to `end`."""
    return lambda share, note: progress(begin + share * (end - begin), 1.0, note)


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

    copying = Copying(settings.copies, settings.speed, settings.disturbed, settings.seed)
    train = prepare.hear(corpus, corpus.train, features, step, copying)
    prepare.refuse_too_many(train.dropped, len(corpus.train))
    dev = prepare.hear(corpus, dev_utterances, features, lambda done: step(len(corpus.train) + done), copying)
    words = prepare.vocabulary(corpus, train.words, settings)
    words.update(word for sentence in dev.words for word in sentence if settings.use_dev)
    pronunciations, guessed = prepare.pronounce(corpus, words)
    if settings.positions:
        pronunciations = positioned(pronunciations, train.words)
    return Material(
        features, estimate_normalisation(train.raw, features), train, dev, pronunciations, guessed
    )


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
        arpa = _arpa(folder, name)
        if name != CORPUS_LM:
            words, pronounced = material.train.words, material.pronunciations
            ngrams[name] = sum(prepare.trigram(corpus, words, settings.order, pronounced, arpa))
        elif corpus.language_model is not None:
            ngrams[name] = sum(prepare.own_language_model(corpus, material.pronunciations, arpa))
    return ngrams


def _arpa(folder: Path, name: str) -> Path:
    return folder / f"{name}.arpa"


def _graph(material: Material, model: AcousticModel, name: str, folder: Path) -> Arcs:
    words = WordTable(tuple(sorted(material.pronunciations)))
    grammar = grammar_graph(_arpa(folder, name), words)
    return decoding_graph(grammar, words, material.pronunciations, model.topology, model.self_loops)


def _save_graphs(material: Material, model: AcousticModel, names: Sequence[str], folder: Path) -> None:
    for name in names:
        store.save_graph(folder / f"graph-{name}.npz", _graph(material, model, name, folder))


def _tune(
    material: Material,
    model: AcousticModel,
    names: Sequence[str],
    folder: Path,
    step: Callable[[float, str], None],
) -> dict[str, Tuned]:
    """On the dev speech, for each language model."""
    words, dev = WordTable(tuple(sorted(material.pronunciations))), _dev_speech(material, model)
    return {
        name: tune(_graph(material, model, name, folder), words, dev, Beam(), lambda note: step(0.0, note))
        for name in names
    }


def _dev_speech(material: Material, model: AcousticModel) -> DevSpeech:
    return DevSpeech(
        tuple(model.mixtures.log_likelihoods(x) for x in material.normalised(material.dev)),
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
