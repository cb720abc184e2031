"""One back-off model out of several: linear interpolation, its weights by EM on text apart.

Source: Jelinek and Mercer, "Interpolated estimation of Markov source parameters from sparse data" (1980);
the mixture as a single back-off model is SRILM's static interpolation (Stolcke, ICSLP 2002, section 3):
exact for every n-gram that one of the models holds, and close for what is backed off to.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from data.errors import InputError
from pipelines.ngram import BEGIN_ID, NEVER, UNKNOWN_ID, Entry, Gram, NgramModel
from pipelines.ngram_prune import weighted


def interpolated(models: Sequence[NgramModel], weights: Sequence[float]) -> NgramModel:
    """The mixture of `models` over the words and n-grams of all of them; `weights` are brought to sum to one.

    A word that a model lacks takes its part of that model's `<unk>`, in equal parts with all it lacks.
    Raises `InputError` for weights that are negative, all zero, or not one a model.
    """
    if len(models) != len(weights) or not models or min(weights) < 0.0 or not sum(weights) > 0.0:
        raise InputError(
            f"{len(models)} language models need as many weights of 0 or more, not {tuple(weights)}"
        )
    used = [(m, w / sum(weights)) for m, w in zip(models, weights, strict=True) if w > 0.0]
    words = _all_words(models)
    parts = [_part(model, words) for model, _ in used]
    shares = [share for _, share in used]
    tables = [{gram: _entry(parts, shares, gram) for gram in grams} for grams in _all_grams(parts, words)]
    return weighted(NgramModel(words, tuple(tables)))


def tuned_weights(
    models: Sequence[NgramModel], sentences: Iterable[Sequence[str]], rounds: int = 50
) -> tuple[float, ...]:
    """The weights under which the mixture of `models` gives `sentences` (of a dev set) the most probability.

    At most `rounds` of EM from equal weights; the likelihood never falls from one to the next. Words that
    no model knows count for nothing. Equal weights for a text without a known word.
    """
    weights = np.full(len(models), 1.0 / len(models))
    by_word = _probabilities(models, sentences)  # (words, models)
    if not len(by_word):
        return tuple(weights.tolist())
    for _ in range(rounds):
        joint = by_word * weights
        renewed = (joint / joint.sum(axis=1, keepdims=True)).mean(axis=0)
        settled = np.abs(renewed - weights).max() < 1e-5
        weights = renewed
        if settled:
            break
    return tuple(weights.tolist())


@dataclass(frozen=True, eq=False)
class _Part:
    """A model of the mixture: `ids[i]` is its id of the mixture's word i.

    `split`: log10 of how many of the mixture's words share its `<unk>`.
    """

    model: NgramModel
    ids: Gram
    split: float

    def log10(self, gram: Gram) -> float:
        """log10 P(last word | the words before it), by the mixture's ids."""
        ids = tuple([self.ids[i] for i in gram[-self.model.order :]])
        found = self.model.query(ids[-1], ids[:-1])
        return found - self.split if ids[-1] == UNKNOWN_ID else found


def _part(model: NgramModel, words: Sequence[str]) -> _Part:
    ids = tuple(model.word_id(word) for word in words)
    return _Part(model, ids, math.log10(ids.count(UNKNOWN_ID)))


def _all_words(models: Sequence[NgramModel]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for model in models for word in model.words))


def _all_grams(parts: Sequence[_Part], words: Sequence[str]) -> Iterator[Iterable[Gram]]:
    """The n-grams of all models by the mixture's ids, order by order."""
    yield [(i,) for i in range(len(words))]
    outwards = [
        {i: n for n, i in enumerate(p.ids) if i != UNKNOWN_ID} | {UNKNOWN_ID: UNKNOWN_ID} for p in parts
    ]
    for n in range(1, max(part.model.order for part in parts)):
        here: dict[Gram, None] = {}
        for part, out in zip(parts, outwards, strict=True):
            if n < part.model.order:
                here.update((tuple([out[i] for i in gram]), None) for gram in part.model.tables[n])
        yield here


def _entry(parts: Sequence[_Part], shares: Sequence[float], gram: Gram) -> Entry:
    if gram == (BEGIN_ID,):
        return Entry(NEVER, 0.0)
    total = math.fsum(s * 10.0 ** p.log10(gram) for p, s in zip(parts, shares, strict=True))
    return Entry(math.log10(total) if total > 0.0 else NEVER, 0.0)


def _probabilities(
    models: Sequence[NgramModel], sentences: Iterable[Sequence[str]]
) -> npt.NDArray[np.float64]:
    """P of every word of the text that some model knows, and of the ends, by each: (words, models)."""
    words = _all_words(models)
    parts = [_part(model, words) for model in models]
    together = NgramModel(words, ({},))  # for its ids alone
    order = max(model.order for model in models)
    rows = []
    for sentence in sentences:
        ids = together.encoded(sentence)
        for i in range(1, len(ids)):
            if ids[i] != UNKNOWN_ID:
                gram = ids[max(0, i - order + 1) : i + 1]
                rows.append([10.0 ** part.log10(gram) for part in parts])
    return np.array(rows).reshape(-1, len(models))
