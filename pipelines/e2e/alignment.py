"""CTC forced alignment: where in the audio the tokens of a given text lie.

The best path of Graves et al. (ICML 2006), section 4, that collapses to the text. torchaudio's `forced_align`
lives in its compiled part, which many machines lack (see `pipelines.torchaudio_python`); the token graph of
the single text, searched without a beam, gives the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.errors import InputError
from data.types import Utterance, Word
from pipelines.e2e.acoustics import load
from pipelines.e2e.decoder import LogProbs
from pipelines.e2e.device import find_device
from pipelines.e2e.features import HOP_S
from pipelines.e2e.hypothesis import HeardWord, Hypothesis, Run, by_word, runs_of
from pipelines.e2e.token_graph import expand
from pipelines.e2e.tokens import Tokens
from pipelines.fst import Arcs, const_fst
from pipelines.protocol import TrainingSet
from pipelines.search import Beam, Search


@dataclass(frozen=True)
class Alignment:
    """`runs[i]` are the frames of token i; `score` is the natural log of the path's probability."""

    runs: tuple[Run, ...]
    score: float


def forced_align(log_probs: LogProbs, ids: Sequence[int]) -> Alignment:
    """The best path through `log_probs` (T, tokens), natural logs, that collapses to `ids`, no blank in them.

    Raises `InputError` where no path does: too few frames, or posteriors that are no numbers.
    """
    if not np.isfinite(log_probs).all():
        raise InputError("the posteriors hold what is no number, or a certain zero: nothing to align by")
    if not len(log_probs) and not ids:
        return Alignment((), 0.0)
    search = Search(const_fst(expand(_chain(ids))), Beam(math.inf))
    found = search.decode(log_probs)
    if not found.final:
        raise InputError(f"{len(log_probs)} frames are too few for {len(ids)} tokens; leave it out")
    path = found.labels - 1  # (T,)
    score = log_probs[np.arange(len(path)), path].sum(dtype=np.float64)
    return Alignment(tuple(runs_of(path.tolist())), float(score))


def aligned_words(log_probs: LogProbs, text: str, tokens: Tokens) -> tuple[HeardWord, ...]:
    """The words of `text` and their frames; those that no token spells are left out."""
    said = [word for word in text.split() if tokens.encode(word)]
    runs = forced_align(log_probs, tokens.encode(" ".join(said))).runs
    return tuple(
        HeardWord(word, own[0].start, own[-1].end)
        for word, own in zip(said, by_word(runs, tokens), strict=True)
    )


def align_corpus(
    model_dir: Path, corpus: TrainingSet, utterances: Sequence[Utterance]
) -> Mapping[str, tuple[Word, ...]]:
    """The reference words of `utterances` by id, with times, by the network in `model_dir`.

    Utterances that cannot be read, or have a word that the tokens do not spell, or too few frames are left
    out. CTC's tokens are spikes: words begin near their first sound, and seem to end early.
    Raises `InputError` for audio of another rate than the network's.
    """
    network = load(model_dir, find_device("auto"))
    network.check(corpus.sample_rate)
    found: dict[str, tuple[Word, ...]] = {}
    for utterance in utterances:
        text = corpus.normalise(utterance.text)
        if not text or not network.tokens.covers(text):
            continue
        try:
            (log_probs,) = network.posteriors([corpus.audio(utterance)])
            words = aligned_words(log_probs, text, network.tokens)
        except InputError:
            continue
        found[utterance.id] = Hypothesis(text, words).transcript(HOP_S * network.network.subsampling).words
    return found


def _chain(ids: Sequence[int]) -> Arcs:
    """An acceptor of `ids` alone, labels of tokens being token id + 1."""
    count = len(ids)
    states = np.arange(count, dtype=np.int32)
    labels = np.array(ids, np.int32).reshape(count) + np.int32(1)
    final = np.full(count + 1, np.inf, np.float32)
    final[count] = 0.0
    nothing = np.zeros(count, np.int32)
    return Arcs(states, labels, nothing, nothing.astype(np.float32), states + np.int32(1), final)
