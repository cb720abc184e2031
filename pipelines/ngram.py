"""N-gram language models by interpolated modified Kneser-Ney smoothing, and the ARPA format.

Source: Chen and Goodman, "An empirical study of smoothing techniques for language modeling" (TR-10-98,
1998), section 3; what happens at sentence ends and to the unigrams follows lmplz (Heafield et al., ACL 2013):
`<s>` is never predicted, `<unk>` takes its share of the uniform distribution below the unigrams.
Smaller models of a model, and mixtures of several: `pipelines.ngram_prune` and `pipelines.ngram_mix`.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, TypeAlias

from data.errors import InputError

BEGIN, END, UNKNOWN = "<s>", "</s>", "<unk>"
RESERVED = frozenset((BEGIN, END, UNKNOWN))
NEVER = -99.0
"""How ARPA files write the logarithm of zero."""

Gram: TypeAlias = tuple[int, ...]
UNKNOWN_ID, BEGIN_ID, END_ID = 0, 1, 2
_FALLBACK = (0.5, 1.0, 1.5)


class Entry(NamedTuple):
    """Base-10 logarithms: of the probability of the last word, and of the back-off weight of the n-gram."""

    log_probability: float
    log_backoff: float


@dataclass(frozen=True)
class Discounts:
    """What modified Kneser-Ney takes off counts of one, of two, and of three and more."""

    one: float
    two: float
    many: float

    def of(self, count: int) -> float:
        return (0.0, self.one, self.two, self.many)[min(count, 3)]


@dataclass(frozen=True, eq=False)
class NgramModel:
    """A back-off model: `tables[n - 1]` maps an n-gram of word ids to its `Entry`; `words[id]` names them.

    `words` begins with `<unk>`, `<s>` and `</s>`. `discounts` are those of the estimation, () for a mixture.
    """

    words: tuple[str, ...]
    tables: tuple[Mapping[Gram, Entry], ...]
    discounts: tuple[Discounts, ...] = ()

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {word: i for i, word in enumerate(self.words)}

    @property
    def order(self) -> int:
        return len(self.tables)

    @property
    def counts(self) -> tuple[int, ...]:
        """How many n-grams of each order the model holds."""
        return tuple(len(table) for table in self.tables)

    def word_id(self, word: str) -> int:
        """The id of `word`, or that of `<unk>`."""
        return self._ids.get(word, UNKNOWN_ID)

    def encoded(self, sentence: Sequence[str]) -> Gram:
        """The ids of `sentence` between `<s>` and `</s>`."""
        return (BEGIN_ID, *map(self.word_id, sentence), END_ID)

    def log10(self, word: str, history: Sequence[str] = ()) -> float:
        """log10 P(word | history); of the history the last `order` - 1 words count, `<s>` among them."""
        context = tuple(self.word_id(w) for w in history[max(0, len(history) - self.order + 1) :])
        return self.query(self.word_id(word), context)

    def query(self, word: int, context: Gram) -> float:
        """log10 P(word | context) by ids; `context` holds at most `order` - 1 of them."""
        penalty = 0.0
        while True:
            entry = self.tables[len(context)].get((*context, word))
            if entry is not None:
                return penalty + entry.log_probability
            below = self.tables[len(context) - 1].get(context)
            penalty += below.log_backoff if below is not None else 0.0
            context = context[1:]


@dataclass(frozen=True)
class Perplexity:
    """`value` leaves out the `unknown` words (kenlm: excluding OOVs); `</s>` counts as a word."""

    value: float
    words: int
    unknown: int

    @property
    def unknown_share(self) -> float:
        """Of all words, `</s>` among them; 0 for an empty text."""
        return self.unknown / (self.words + self.unknown) if self.unknown else 0.0


def estimate(
    sentences: Iterable[Sequence[str]], order: int = 3, vocabulary: Collection[str] | None = None
) -> NgramModel:
    """Modified Kneser-Ney of `order` from sentences of words, without `<s>` and `</s>`.

    With a `vocabulary` the model knows exactly its words: all others are counted as `<unk>`, and those that
    the text lacks share the uniform distribution below the unigrams with `<unk>`.
    Raises `InputError` for no text at all, or a word that the format reserves.
    """
    if order < 1:
        raise InputError(f"an n-gram model needs an order of 1 or more, not {order}")
    words, encoded = _encode(sentences, vocabulary)
    counts = _adjusted_counts(encoded, order)
    discounts = tuple(_discounts(table) for table in counts)
    return NgramModel(words, _interpolate(counts, discounts, len(words)), discounts)


def perplexity(model: NgramModel, sentences: Iterable[Sequence[str]]) -> Perplexity:
    """Of `model` on `sentences`, each predicted up to and with its `</s>`."""
    total, words, unknown = 0.0, 0, 0
    for sentence in sentences:
        ids = model.encoded(sentence)
        for i in range(1, len(ids)):
            if ids[i] == UNKNOWN_ID:
                unknown += 1
                continue
            total += model.query(ids[i], ids[max(0, i - model.order + 1) : i])
            words += 1
    return Perplexity(10.0 ** (-total / words) if words else math.nan, words, unknown)


def write_arpa(model: NgramModel, path: Path) -> None:
    """Writes `model` in the ARPA format, UTF-8, n-grams sorted by their words' ids."""
    with path.open("w", encoding="utf-8") as out:
        out.write("\\data\\\n")
        out.writelines(f"ngram {n}={count}\n" for n, count in enumerate(model.counts, start=1))
        for n, table in enumerate(model.tables, start=1):
            out.write(f"\n\\{n}-grams:\n")
            for gram in sorted(table):
                entry = table[gram]
                text = " ".join(model.words[i] for i in gram)
                tail = "" if n == model.order else f"\t{entry.log_backoff:.7g}"
                out.write(f"{entry.log_probability:.7g}\t{text}{tail}\n")
        out.write("\n\\end\\\n")


def _encode(
    sentences: Iterable[Sequence[str]], vocabulary: Collection[str] | None
) -> tuple[tuple[str, ...], list[list[int]]]:
    ids: dict[str, int] = {UNKNOWN: UNKNOWN_ID, BEGIN: BEGIN_ID, END: END_ID}
    for word in sorted(set(vocabulary or ()) - RESERVED):
        ids[word] = len(ids)
    encoded = []
    for sentence in sentences:
        clash = RESERVED.intersection(sentence)
        if clash:
            raise InputError(f"the word {min(clash)} is reserved in language models: take it out of the text")
        if vocabulary is None:
            inside = [ids.setdefault(word, len(ids)) for word in sentence]
        else:
            inside = [ids.get(word, UNKNOWN_ID) for word in sentence]
        encoded.append([BEGIN_ID, *inside, END_ID])
    if all(len(sentence) == 2 for sentence in encoded):
        raise InputError("no words to estimate a language model from: the text is empty")
    return tuple(ids), encoded


def _adjusted_counts(sentences: list[list[int]], order: int) -> list[dict[Gram, int]]:
    """Counts at the highest order and at the beginning of sentences; else the number of left neighbours."""
    longest: Counter[Gram] = Counter()
    begins: list[Counter[Gram]] = [Counter() for _ in range(order - 1)]
    for ids in sentences:
        longest.update(zip(*(ids[i:] for i in range(order)), strict=False))
        for n in range(2, order):  # the unigram <s> is never predicted, hence has no count
            if len(ids) >= n:
                begins[n - 1][tuple(ids[:n])] += 1
    tables: list[dict[Gram, int]] = [dict(longest)]
    for n in range(order - 1, 0, -1):
        left = Counter(gram[1:] for gram in tables[0])
        left.update(begins[n - 1])
        tables.insert(0, dict(left))
    tables[0].pop((BEGIN_ID,), None)
    return tables


def _discounts(table: Mapping[Gram, int]) -> Discounts:
    """Chen and Goodman's equation 26; where counts of counts vanish, the fallback of lmplz (0.5, 1, 1.5)."""
    of = Counter(min(count, 5) for count in table.values())
    if not all(of[k] for k in (1, 2, 3, 4)):
        return Discounts(*_FALLBACK)
    y = of[1] / (of[1] + 2 * of[2])
    found = [k - (k + 1) * y * of[k + 1] / of[k] for k in (1, 2, 3)]
    if any(not 0 <= d <= k for k, d in enumerate(found, start=1)):
        return Discounts(*_FALLBACK)
    return Discounts(*found)


def _interpolate(
    counts: list[dict[Gram, int]], discounts: tuple[Discounts, ...], vocabulary: int
) -> tuple[dict[Gram, Entry], ...]:
    """From the unigrams up: p(w | h) = (c(hw) - D(c)) / c(h.) + gamma(h) p(w | h without its first word)."""
    uniform = 1.0 / (vocabulary - 1)  # all words, </s> and <unk>, without <s>
    gammas = [_gammas(table, d) for table, d in zip(counts, discounts, strict=True)]
    below: dict[Gram, float] = {}
    tables = []
    for n, table in enumerate(counts, start=1):
        gamma, discount = gammas[n - 1], discounts[n - 1]
        here: dict[Gram, float] = {}
        for gram, count in table.items():
            weight, total = gamma[gram[:-1]]
            lower = below[gram[1:]] if n > 1 else uniform
            here[gram] = (count - discount.of(count)) / total + weight * lower
        if n == 1:
            for word in range(vocabulary):
                here.setdefault((word,), gamma[()][0] * uniform)
            here[(BEGIN_ID,)] = 0.0
        above = gammas[n] if n < len(counts) else {}
        tables.append(
            {g: Entry(_log10(p), _log10(above[g][0]) if g in above else 0.0) for g, p in here.items()}
        )
        below = here
    return tuple(tables)


def _gammas(table: Mapping[Gram, int], discount: Discounts) -> dict[Gram, tuple[float, int]]:
    """For each context: the mass that its discounts free, and its total count."""
    freed: defaultdict[Gram, float] = defaultdict(float)
    total: defaultdict[Gram, int] = defaultdict(int)
    for gram, count in table.items():
        freed[gram[:-1]] += discount.of(count)
        total[gram[:-1]] += count
    return {context: (freed[context] / total[context], total[context]) for context in total}


def _log10(probability: float) -> float:
    return math.log10(probability) if probability > 0.0 else NEVER
