"""Viterbi training of GMM-HMMs, whatever their states: realign, re-estimate, grow the mixtures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipelines.features import Features
from pipelines.hybrid.align import Alignment, align
from pipelines.hybrid.clusters import first_clusters
from pipelines.hybrid.flat_start import VARIANCE_FLOOR
from pipelines.hybrid.gmm import Doubles, Mixtures, States, accumulate, grow, update
from pipelines.hybrid.model import AcousticModel
from pipelines.hybrid.tying import Tying
from pipelines.hybrid.word_graph import WordGraph

_GROWING = 0.75  # of the iterations
_STAY_RANGE = (0.05, 0.99)


@dataclass(frozen=True)
class Schedule:
    """`gaussians` in all after three quarters of the `iterations`; realigns before those in `aligned`."""

    gaussians: int
    iterations: int
    aligned: frozenset[int]
    seed: int = 1
    clustered: bool = False  # first mixtures by k-means, not by splitting
    jobs: int = 1

    def target(self, iteration: int, states: int) -> int:
        """How many Gaussians there may be after `iteration`."""
        share = min(1.0, (iteration + 1) / max(1, int(_GROWING * self.iterations)))
        return states + round(share * max(0, self.gaussians - states))


@dataclass(frozen=True, eq=False)
class Speech:
    """What is learnt from: features (frames, D), words and speaker, utterance by utterance.

    `copies` are utterances over again, disturbed or at another speed: (number of the utterance, features).
    They are not aligned; theirs is the utterance's own alignment, stretched to their length.
    """

    features: tuple[Features, ...]
    words: tuple[tuple[str, ...], ...]
    copies: tuple[tuple[int, Features], ...] = ()
    speakers: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.features)

    def mapped(self, change: Callable[[Features, str], Features]) -> Speech:
        """The same with features that `change` makes of them and the speaker (empty where unknown)."""
        speakers = self.speakers or ("",) * len(self)
        own = tuple(change(x, s) for x, s in zip(self.features, speakers, strict=True))
        copies = tuple((i, change(x, speakers[i])) for i, x in self.copies)
        return replace(self, features=own, copies=copies)


@dataclass(frozen=True, eq=False)
class Fit:
    """A model under way, the labels (frames,) of each utterance, and the log-likelihood per frame."""

    model: AcousticModel
    alignments: tuple[States | None, ...]
    log_likelihood: float = float("-inf")


def advance(fit: Fit, speech: Speech, graphs: Sequence[WordGraph], schedule: Schedule, iteration: int) -> Fit:
    """One iteration: realign where it is due, re-estimate, grow."""
    if iteration in schedule.aligned:
        fit = realigned(fit, speech, graphs, schedule.jobs)
    features, senones = together(speech, fit)
    statistics = accumulate(fit.model.mixtures, features, senones)
    mixtures = update(fit.model.mixtures, statistics, variance_floor(features))
    target = schedule.target(iteration, mixtures.states)
    if target > mixtures.gaussians and iteration < schedule.iterations - 1:
        mixtures = _grown(mixtures, features, senones, target, schedule=schedule, iteration=iteration)
    model = replace(fit.model, mixtures=mixtures)
    return Fit(model, fit.alignments, statistics.log_likelihood / len(features))


def realigned(fit: Fit, speech: Speech, graphs: Sequence[WordGraph], jobs: int = 1) -> Fit:
    """The best paths under the model, and the transitions that they tell of."""
    found = align(fit.model, graphs, speech.features, jobs)
    alignments = tuple(None if a is None else a.labels for a in found)
    model = replace(fit.model, self_loops=_stay(found, fit.model.tying))
    return replace(fit, model=model, alignments=alignments)


def first_model(
    tying: Tying, speech: Speech, alignments: Sequence[States | None], template: AcousticModel
) -> AcousticModel:
    """One Gaussian for each senone, from an alignment; transitions as `template` has them at each place."""
    blank = replace(template, tying=tying, mixtures=_standard(tying.senones, speech.features[0].shape[1]))
    fit = Fit(replace(blank, self_loops=_carried(template, tying)), tuple(alignments))
    features, senones = together(speech, fit)
    statistics = accumulate(blank.mixtures, features, senones)
    return replace(fit.model, mixtures=update(blank.mixtures, statistics, variance_floor(features)))


def together(speech: Speech, fit: Fit) -> tuple[Features, States]:
    """All frames (N, D) and their senones (N,), those of the copies too."""
    heard = [*enumerate(speech.features), *speech.copies]
    aligned = [(x, stretched(found, len(x))) for i, x in heard if (found := fit.alignments[i]) is not None]
    labels = np.concatenate([s for _, s in aligned])
    return np.concatenate([x for x, _ in aligned]), fit.model.tying.label_senone[labels].astype(np.int32)


def stretched(labels: States, frames: int) -> States:
    even: States = labels[np.arange(frames) * len(labels) // max(1, frames)]
    return even


def variance_floor(features: Features) -> Doubles:
    """A hundredth of the variance of all speech, (D,)."""
    return np.asarray(VARIANCE_FLOOR * features.var(axis=0, dtype=np.float64))


def _grown(
    mixtures: Mixtures,
    features: Features,
    senones: States,
    target: int,
    *,
    schedule: Schedule,
    iteration: int,
) -> Mixtures:
    if iteration == 0 and schedule.clustered:
        return first_clusters(mixtures, features, senones, target, schedule.seed)
    occupancy = np.bincount(senones, minlength=mixtures.states).astype(float)
    return grow(mixtures, occupancy, target, np.random.default_rng((schedule.seed, iteration)))


def _standard(senones: int, dims: int) -> Mixtures:
    return Mixtures(
        np.ones(senones), np.zeros((senones, dims)), np.ones((senones, dims)), np.arange(senones + 1)
    )


def _carried(template: AcousticModel, tying: Tying) -> Doubles:
    """For each label of `tying` the mean of the template's self-loops at its phone and position."""
    old = template.tying
    keys: dict[tuple[int, int], list[float]] = {}
    for phone, position, stay in zip(old.label_phone, old.label_position, template.self_loops, strict=True):
        keys.setdefault((int(phone), int(position)), []).append(float(stay))
    means: Mapping[tuple[int, int], float] = {key: float(np.mean(loops)) for key, loops in keys.items()}
    return np.array(
        [means[int(p), int(k)] for p, k in zip(tying.label_phone, tying.label_position, strict=True)]
    )


def _stay(alignments: Sequence[Alignment | None], tying: Tying) -> Doubles:
    """The share of a label's frames that stay in it, with one imagined visit of two frames."""
    frames, visits = np.ones(tying.labels) * 2, np.ones(tying.labels)
    for alignment in alignments:
        if alignment is not None:
            begins = np.flatnonzero(np.diff(alignment.positions, prepend=-1))
            visits += np.bincount(alignment.labels[begins], minlength=tying.labels)
            frames += np.bincount(alignment.labels, minlength=tying.labels)
    return np.clip(1.0 - visits / frames, *_STAY_RANGE)
