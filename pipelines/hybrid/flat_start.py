"""The first models, from nothing but the words: even segments, then each phone's HMM by itself.

Every utterance is cut evenly into its states, silence at both ends; on its segments each phone gets a
Gaussian HMM by Baum-Welch (hmmlearn), as HTK's HRest does, with one Gaussian a state.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from hmmlearn.hmm import GaussianHMM

from pipelines.features import Features
from pipelines.hybrid.gmm import Doubles, Mixtures, States
from pipelines.hybrid.topology import SILENCE, Topology
from pipelines.hybrid.word_graph import Pronunciations

VARIANCE_FLOOR = 0.01  # of the variance of all speech, which is 1 after normalisation
_STAY = 0.75
_BAUM_WELCH = 3  # iterations


def even_alignment(
    words: Sequence[str], pronunciations: Pronunciations, topology: Topology, frames: int
) -> States | None:
    """States (frames,), each for as long as the others; None where there are more states than frames."""
    phones = [SILENCE, *(p for word in words for p in pronunciations[word][0]), SILENCE]
    states: States = np.array([s for phone in phones for s in topology.states_of(phone)], np.int32)
    if frames < len(states):
        return None
    even: States = states[np.arange(frames) * len(states) // frames]
    return even


def phone_hmms(
    features: Sequence[Features], alignments: Sequence[States], topology: Topology, most: int
) -> tuple[Mixtures, Doubles]:
    """One Gaussian for each state and the probabilities of staying, shape (states,).

    Of each phone the first `most` frames are heard.
    """
    dims = features[0].shape[1]
    means, variances = np.zeros((topology.states, dims)), np.ones((topology.states, dims))
    stay = np.full(topology.states, _STAY)
    segments = _segments(features, alignments, topology, most)
    for phone in topology.phones:
        states, mine = topology.states_of(phone), segments[topology.phone_ids[phone]]
        if not mine:
            continue  # a phone that the training text never needs keeps the mean of all speech
        model = _left_to_right(mine, len(states))
        means[states], variances[states] = model.means_, model.covars_.diagonal(axis1=1, axis2=2)
        loops = np.diag(model.transmat_)[:-1]
        stay[states[:-1]] = np.clip(loops, 0.1, 0.97)
    variances = np.maximum(variances, VARIANCE_FLOOR)
    return Mixtures(np.ones(topology.states), means, variances, np.arange(topology.states + 1)), stay


def _segments(
    features: Sequence[Features], alignments: Sequence[States], topology: Topology, most: int
) -> list[list[Features]]:
    """The stretches of each phone, up to about `most` frames of it."""
    segments: list[list[Features]] = [[] for _ in topology.phones]
    held = np.zeros(len(topology.phones), np.int64)
    phone_of = np.array(topology.phone_of)
    firsts = np.zeros(topology.states, bool)
    firsts[list(topology.firsts)] = True
    for x, states in zip(features, alignments, strict=True):
        begins = np.flatnonzero(firsts[states] & (np.diff(states, prepend=-1) != 0))
        for begin, end in zip(begins, [*begins[1:], len(states)], strict=True):
            phone = phone_of[states[begin]]
            if held[phone] < most:
                segments[phone].append(x[begin:end])
                held[phone] += end - begin
    return segments


def _left_to_right(segments: list[Features], states: int) -> GaussianHMM:
    """Baum-Welch from even cuts; transitions that begin at zero stay there."""
    model = GaussianHMM(
        states,
        covariance_type="diag",
        n_iter=_BAUM_WELCH,
        tol=0.0,
        params="tmc",
        init_params="",
        covars_prior=1e-3,
        min_covar=VARIANCE_FLOOR,
    )
    model.startprob_ = np.eye(states)[0]
    model.transmat_ = _STAY * np.eye(states) + (1 - _STAY) * np.eye(states, k=1)
    model.transmat_[-1, -1] = 1.0
    cut = np.concatenate([np.arange(len(s)) * states // len(s) for s in segments])
    frames = np.concatenate(segments).astype(np.float64)
    model.means_ = np.stack([frames[cut == s].mean(axis=0) for s in range(states)])
    model.covars_ = np.stack([frames[cut == s].var(axis=0) + VARIANCE_FLOOR for s in range(states)])
    logging.getLogger("hmmlearn").setLevel(logging.ERROR)  # it warns of likelihoods that its prior lowers
    model.fit(frames, [len(s) for s in segments])
    return model
