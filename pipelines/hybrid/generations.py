"""The generations of GMM-HMMs, each from the alignments of the one before: the classical recipe.

Monophones; triphones; triphones over LDA + MLLT; speaker-adaptive training with fMLLR, and the model that
goes with it for speech of unknown speakers. The order and the iterations at which transforms are estimated
follow Kaldi's steps/train_{mono,deltas,lda_mllt,sat}.sh.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from data.errors import InputError
from pipelines.features import Features
from pipelines.hybrid.flat_start import even_alignment, phone_hmms
from pipelines.hybrid.fmllr import FmllrStatistics, accumulate_fmllr, estimate_fmllr
from pipelines.hybrid.front import FrontEnd
from pipelines.hybrid.gmm import Doubles, States, pooled, two_feature_accumulate, update
from pipelines.hybrid.model import AcousticModel, Stage
from pipelines.hybrid.questions import questions
from pipelines.hybrid.segments import contexts, retied
from pipelines.hybrid.settings import MLLT, MONO, SAT, SI, TRI, TrainSettings
from pipelines.hybrid.topology import QUIET, left_to_right
from pipelines.hybrid.train import (
    Fit,
    Schedule,
    Speech,
    advance,
    first_model,
    realigned,
    together,
    variance_floor,
)
from pipelines.hybrid.transforms import apply, estimate_lda, estimate_mllt, rotated
from pipelines.hybrid.tree import context_statistics, grow_trees
from pipelines.hybrid.tying import Tying, context_independent
from pipelines.hybrid.voices import in_other_voices
from pipelines.hybrid.word_graph import Pronunciations, WordGraph, word_graph

_TRANSFORMED = (2, 4, 6, 12)  # iterations
_PROJECTED = 40  # dimensions
_PRIOR_FRAMES = 100.0  # that everyone counts for beside a speaker
SEED_STRIDE = 1000  # between the seeds of a model's parts

Note = Callable[[float, str], None]
Before = Callable[[Fit, Speech, int], tuple[Fit, Speech]]


@dataclass(frozen=True, eq=False)
class Lessons:
    """What is learnt from, under a `name` that its stages on disk go by; features as `pipelines.features`."""

    name: str
    speech: Speech
    pronunciations: Pronunciations
    ids: tuple[str, ...]

    def graphs(self, tying: Tying) -> list[WordGraph]:
        return [word_graph(words, self.pronunciations, tying) for words in self.speech.words]


def monophones(lessons: Lessons, settings: TrainSettings, note: Note) -> Stage:
    """From even cuts; utterances with more states than frames are left out, `InputError` if all are."""
    phones = (p for variants in lessons.pronunciations.values() for v in variants for p in v)
    tying = context_independent(left_to_right(phones, settings.silence_states))
    speech = lessons.speech
    note(0.0, "flat start")
    cut = [
        even_alignment(words, lessons.pronunciations, tying.topology, len(x))
        for words, x in zip(speech.words, speech.features, strict=True)
    ]
    usable = [(x, states) for x, states in zip(speech.features, cut, strict=True) if states is not None]
    if not usable:
        raise InputError(
            "every utterance is too short for its words: see that texts and audio belong together"
        )
    features, states = zip(*usable, strict=True)
    mixtures, stay = phone_hmms(features, states, tying.topology, settings.flat_frames)
    fit = Fit(AcousticModel(tying, mixtures, stay), tuple(cut))
    count = settings.iterations
    due = frozenset(i for i in range(count) if i < 10 or i % 2 == 0)
    schedule = _schedule(settings, settings.gaussians, count, due, clustered=True)
    fit, _ = _fitted(fit, speech, lessons.graphs(tying), schedule, note)
    fit = _pooled(fit, speech, schedule, settings.members, note)
    return Stage(MONO, fit.model, fit.alignments, fit.log_likelihood)


def triphones(before: Stage, lessons: Lessons, settings: TrainSettings, note: Note) -> Stage:
    """A tree for each base phone and state over the features with deltas."""
    fit = _retied(before, lessons.speech, settings, before.model.front)
    schedule = _triphone_schedule(settings, settings.tri_gaussians)
    fit, _ = _fitted(fit, lessons.speech, lessons.graphs(fit.model.tying), schedule, note)
    fit = _pooled(fit, lessons.speech, schedule, settings.members, note)
    return Stage(TRI, fit.model, fit.alignments, fit.log_likelihood)


def projected_triphones(before: Stage, lessons: Lessons, settings: TrainSettings, note: Note) -> Stage:
    """LDA over the senones of the stage before, a new tree, and MLLT as the mixtures grow."""
    splicing = FrontEnd()
    spliced = lessons.speech.mapped(lambda x, _: splicing.spliced(x))
    features, senones = together(spliced, Fit(before.model, before.alignments))
    projection = [estimate_lda(features, senones, _PROJECTED)]
    del features
    speech = spliced.mapped(lambda x, _: apply(projection[-1], x))
    fit = _retied(before, speech, settings, FrontEnd(projection[-1]))

    def rotate(fit: Fit, speech: Speech, iteration: int) -> tuple[Fit, Speech]:
        if iteration not in _TRANSFORMED:
            return fit, speech
        x, senones = together(speech, fit)
        turn = estimate_mllt(fit.model.mixtures, x, senones)
        projection.append(turn @ projection[-1])
        model = replace(fit.model, mixtures=rotated(fit.model.mixtures, turn), front=FrontEnd(projection[-1]))
        return replace(fit, model=model), spliced.mapped(lambda x, _: apply(projection[-1], x))

    schedule = _triphone_schedule(settings, settings.mllt_gaussians)
    fit, speech = _fitted(fit, speech, lessons.graphs(fit.model.tying), schedule, note, before=rotate)
    fit = _pooled(fit, speech, schedule, settings.members, note)
    return Stage(MLLT, fit.model, fit.alignments, fit.log_likelihood)


def speaker_adapted(
    before: Stage, lessons: Lessons, settings: TrainSettings, note: Note
) -> tuple[Stage, Stage]:
    """(SAT, SI): the model of adapted features, and the same Gaussians over features as they are."""
    plain = lessons.speech.mapped(lambda x, _: before.model.front.whole(x))
    transforms = speaker_transforms(before.model, plain, before.alignments)
    fit = _retied(before, adapted(plain, transforms), settings, before.model.front)
    held = [transforms]

    def adapt(fit: Fit, speech: Speech, iteration: int) -> tuple[Fit, Speech]:
        if iteration not in _TRANSFORMED:
            return fit, speech
        held[0] = speaker_transforms(fit.model, plain, fit.alignments)
        return fit, adapted(plain, held[0])

    graphs = lessons.graphs(fit.model.tying)
    schedule = _triphone_schedule(settings, settings.sat_gaussians)
    fit, speech = _fitted(fit, adapted(plain, transforms), graphs, schedule, note, before=adapt)
    fit = realigned(fit, speech, graphs, settings.jobs)
    fit = _pooled(fit, speech, schedule, settings.members, note)
    fit = replace(fit, model=replace(fit.model, everyone=_everyone(fit, speech)))
    sat = Stage(SAT, fit.model, fit.alignments, fit.log_likelihood, held[0])
    si = _unadapted(fit, speech, plain, held[0], settings)
    return sat, Stage(SI, si, fit.alignments, fit.log_likelihood)


def speaker_transforms(
    model: AcousticModel, speech: Speech, alignments: Sequence[States | None]
) -> dict[str, Doubles]:
    """fMLLR (D, D + 1) of each speaker of `speech` (not adapted), silence left out."""
    speakers: dict[str, list[int]] = {}
    for i, speaker in enumerate(speech.speakers):
        speakers.setdefault(speaker, []).append(i)
    found = {}
    for speaker, mine in speakers.items():
        heard = [(speech.features[i], labels) for i in mine if (labels := alignments[i]) is not None]
        if heard:
            found[speaker] = transform_of(model, [x for x, _ in heard], [s for _, s in heard])
    return found


def transform_of(model: AcousticModel, features: Sequence[Features], labels: Sequence[States]) -> Doubles:
    """fMLLR (D, D + 1) of the one who said all of `features`, each (frames, D) and aligned to labels."""
    statistics = _of_speaker(model, np.concatenate(features), np.concatenate(labels))
    if model.everyone is not None:
        statistics += model.everyone.scaled(_PRIOR_FRAMES)
    return estimate_fmllr(statistics)


def _of_speaker(model: AcousticModel, features: Features, labels: States) -> FmllrStatistics:
    """Statistics of speech (frames, D) aligned to labels (frames,), silence left out."""
    spoken = (model.tying.label_phone[labels] != QUIET).astype(np.float32)
    return accumulate_fmllr(model.mixtures, features, model.tying.label_senone[labels], spoken)


def _everyone(fit: Fit, speech: Speech) -> FmllrStatistics:
    """Of all adapted speech: its best transform is the identity, and a speaker heard little keeps near it."""
    pairs = zip(speech.features, fit.alignments, strict=True)
    heard = [(x, labels) for x, labels in pairs if labels is not None]
    total = _of_speaker(fit.model, *heard[0])
    for x, labels in heard[1:]:
        total += _of_speaker(fit.model, x, labels)
    return total


def adapted(speech: Speech, transforms: dict[str, Doubles]) -> Speech:
    """Each utterance through its speaker's transform."""
    return speech.mapped(lambda x, speaker: apply(transforms[speaker], x) if speaker in transforms else x)


def _unadapted(
    fit: Fit, speech: Speech, plain: Speech, transforms: dict[str, Doubles], settings: TrainSettings
) -> AcousticModel:
    """The Gaussians of `fit` as they look without adaptation: posteriors of adapted `speech`, statistics of
    the same frames as they are, and in other voices."""
    mixtures = fit.model.mixtures
    x, senones = together(speech, fit)
    y, _ = together(plain, fit)
    floor = variance_floor(y)
    statistics = two_feature_accumulate(mixtures, x, y, senones)
    rng = np.random.default_rng(settings.seed)
    for _ in range(settings.voices):
        y, _ = together(in_other_voices(speech, transforms, rng), fit)
        statistics += two_feature_accumulate(mixtures, x, y, senones)
    return replace(fit.model, mixtures=update(mixtures, statistics, floor))


def _retied(before: Stage, speech: Speech, settings: TrainSettings, front: FrontEnd) -> Fit:
    """New trees over `speech`, a Gaussian for each leaf, and the alignments of the stage before."""
    old = before.model.tying
    aligned = [
        (x, labels)
        for x, labels in zip(speech.features, before.alignments, strict=True)
        if labels is not None
    ]
    statistics = context_statistics([x for x, _ in aligned], [contexts(labels, old) for _, labels in aligned])
    floor = variance_floor(np.concatenate([x for x, _ in aligned]))
    sets = questions(old.topology, statistics, floor)
    tying = grow_trees(
        statistics,
        old.topology,
        sets,
        most_leaves=settings.leaves,
        min_gain=settings.min_gain,
        min_occupancy=settings.min_occupancy,
        variance_floor=floor,
    )
    alignments = tuple(None if a is None else retied(a, old, tying) for a in before.alignments)
    template = replace(before.model, front=front)
    return Fit(first_model(tying, speech, alignments, template), alignments)


def _fitted(
    fit: Fit,
    speech: Speech,
    graphs: Sequence[WordGraph],
    schedule: Schedule,
    note: Note,
    *,
    before: Before = lambda fit, speech, iteration: (fit, speech),
) -> tuple[Fit, Speech]:
    """All iterations of a schedule; `before` each, features and model may change."""
    for iteration in range(schedule.iterations):
        fit, speech = before(fit, speech, iteration)
        fit = advance(fit, speech, graphs, schedule, iteration)
        note(
            (iteration + 1) / schedule.iterations,
            f"iteration {iteration + 1}, {fit.model.mixtures.gaussians} Gaussians",
        )
    return fit, speech


def _pooled(fit: Fit, speech: Speech, schedule: Schedule, members: int, note: Note) -> Fit:
    """The mean of `members` mixtures for each senone: `fit`'s, and others grown anew on its alignments."""
    parts = [fit.model.mixtures]
    for member in range(1, members):
        start = Fit(first_model(fit.model.tying, speech, fit.alignments, fit.model), fit.alignments)
        alone = replace(schedule, seed=schedule.seed + SEED_STRIDE * member, aligned=frozenset())
        parts.append(_fitted(start, speech, (), alone, note)[0].model.mixtures)
    return replace(fit, model=replace(fit.model, mixtures=pooled(parts)))


def _triphone_schedule(settings: TrainSettings, gaussians: int) -> Schedule:
    return _schedule(settings, gaussians, settings.tri_iterations, frozenset((8, 16)))


def _schedule(
    settings: TrainSettings, gaussians: int, count: int, due: frozenset[int], clustered: bool = False
) -> Schedule:
    return Schedule(gaussians, count, due, settings.seed, clustered, settings.jobs)
