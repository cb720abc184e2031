"""Smaller back-off models: n-grams go whose loss changes the model least, and it stays a model.

Source: Stolcke, "Entropy-based pruning of backoff language models" (DARPA Broadcast News Workshop, 1998),
equations 1 to 4. After Kneser-Ney smoothing the lower orders are no marginals of the model (Chelba et al.,
Interspeech 2010), so the weight of a history is a guess; thresholds of 1e-8 to 1e-7 are common for trigrams.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from data.errors import InputError
from pipelines.ngram import BEGIN_ID, END_ID, NEVER, Entry, Gram, NgramModel

_TINY = 1e-12


def pruned(model: NgramModel, threshold: float) -> NgramModel:
    """`model` without the n-grams, n > 1, whose loss raises its perplexity by a share under `threshold`.

    N-grams that longer ones begin with stay. Back-off weights are computed anew: every context sums to one.
    Raises `InputError` for a negative threshold.
    """
    if threshold < 0.0:
        raise InputError(f"the threshold of pruning is 0 or more, not {threshold:g}")
    kept: list[Mapping[Gram, Entry]] = []
    needed: set[Gram] = set()
    for table in reversed(model.tables[1:]):
        stays = _worth(model, table, threshold, needed)
        needed = {gram[:-1] for gram in stays}
        kept.insert(0, stays)
    return weighted(NgramModel(model.words, (model.tables[0], *kept), model.discounts))


def weighted(model: NgramModel) -> NgramModel:
    """`model` with the back-off weights that make every context sum to one.

    Orders without an n-gram are left off at the top. Raises `InputError` where the n-grams of a context
    have more than the whole probability.
    """
    tables: list[Mapping[Gram, Entry]] = [model.tables[0]]
    for table in model.tables[1:]:
        if not table:
            break
        lower = NgramModel(model.words, tuple(tables))
        weights = _weights(lower, table)
        tables[-1] = {
            gram: Entry(entry.log_probability, weights.get(gram, 0.0)) for gram, entry in tables[-1].items()
        }
        tables.append({gram: Entry(entry.log_probability, 0.0) for gram, entry in table.items()})
    return NgramModel(model.words, tuple(tables), model.discounts)


def _weights(lower: NgramModel, table: Mapping[Gram, Entry]) -> dict[Gram, float]:
    """log10 of the back-off weight of each context of `table`, over the orders below it."""
    here, below = _masses(lower, table)
    weights = {}
    for context, mass in here.items():
        left, free = 1.0 - mass, 1.0 - below[context]
        if left < -1e-6:
            named = " ".join(lower.words[i] for i in context)
            raise InputError(f"the n-grams after '{named}' have a probability of {mass:.6f}: more than 1")
        if free < _TINY:  # every word is listed: the weight is never used
            weights[context] = 0.0
        else:
            weights[context] = math.log10(left / free) if left > _TINY * free else NEVER
    return weights


def _masses(lower: NgramModel, table: Mapping[Gram, Entry]) -> tuple[dict[Gram, float], dict[Gram, float]]:
    """By context: the probability of its n-grams, and that of the same words one order below."""
    here: defaultdict[Gram, list[float]] = defaultdict(list)
    below: defaultdict[Gram, list[float]] = defaultdict(list)
    for gram, entry in table.items():
        here[gram[:-1]].append(10.0**entry.log_probability)
        below[gram[:-1]].append(10.0 ** lower.query(gram[-1], gram[1:-1]))
    return {c: math.fsum(p) for c, p in here.items()}, {c: math.fsum(p) for c, p in below.items()}


def _worth(
    model: NgramModel, table: Mapping[Gram, Entry], threshold: float, needed: set[Gram]
) -> dict[Gram, Entry]:
    """The n-grams of one order to keep: those `needed` by longer ones, or worth more than `threshold`."""
    here, below = _masses(model, table)
    contexts = {c: _Context(here[c], below[c], _probability(model, c)) for c in here}
    return {
        gram: entry
        for gram, entry in table.items()
        if gram in needed or _loss(model, gram, entry, contexts[gram[:-1]]) >= threshold
    }


@dataclass(frozen=True, slots=True)
class _Context:
    """`here` and `below`: see `_masses`; `probability`: that of the context itself."""

    here: float
    below: float
    probability: float


def _probability(model: NgramModel, context: Gram) -> float:
    """P(context), word by word; sentences begin as often as they end."""
    total = 0.0
    for i, word in enumerate(context):
        total += model.query(END_ID if word == BEGIN_ID else word, context[:i])
    return float(10.0**total)


def _loss(model: NgramModel, gram: Gram, entry: Entry, context: _Context) -> float:
    """exp(D) - 1, where D is the relative entropy to `model` when `gram` goes: equations 3 and 4."""
    p = 10.0**entry.log_probability
    log_q = model.query(gram[-1], gram[1:-1])
    free, left = max(1.0 - context.below, _TINY), max(1.0 - context.here, 0.0)
    after = math.log10((left + p) / (free + 10.0**log_q))
    moved = left * (after - math.log10(left / free)) if left > _TINY else 0.0
    divergence = -context.probability * (p * (log_q + after - entry.log_probability) + moved)
    return math.expm1(divergence * math.log(10.0))
