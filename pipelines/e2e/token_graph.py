"""CTC's token graph T o L o G: from a grammar over words to a graph over the frames' tokens.

L spells words in tokens, with a space between words where that is one; T is CTC's mapping of frames to
tokens: runs of a token count once, blanks separate. As in Miao et al., "EESEN" (ASRU 2015), but T is not
composed: each arc of the determinised L o G is expanded by itself, which also serves alphabets of thousands
of tokens.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kaldifst
import numpy as np
import numpy.typing as npt

from data.errors import InputError
from pipelines.e2e.hot_words import NO_HOT_WORDS, HotWords
from pipelines.e2e.tokens import BLANK, Tokens
from pipelines.fst import Arcs, arcs_of, const_fst, vector_fst
from pipelines.grammar import WordTable, grammar_graph

_RESERVED = {"<s>", "</s>", "<unk>", "<UNK>"}
Longs = npt.NDArray[np.int64]
_WIDE = 512  # more than the letters of an alphabet and the common pieces of words
_ANY = 0  # in place of a token's label
_LABELS = 1 << 32


def arpa_words(arpa: Path) -> tuple[str, ...]:
    """The words of an ARPA file's unigrams, sentence marks and the unknown word left out."""
    words, inside = [], False
    with arpa.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.startswith("\\"):
                inside = line.strip() == "\\1-grams:"
            elif inside and line.strip():
                words.append(line.split()[1])
    return tuple(word for word in words if word not in _RESERVED)


@dataclass(frozen=True, eq=False)
class TokenGraph:
    """T o L o G: input label i is token i - 1 (the blank is token 0), output labels are of `words`."""

    arcs: Arcs
    words: WordTable

    def searchable(self, insertion: float, lm_weight: float, hot: HotWords = NO_HOT_WORDS) -> Any:
        """For `pipelines.search`, with `insertion` (natural log) for each word, all divided by the weight.

        Words that are `hot` get their bonus beside it.
        """
        a = self.arcs
        weight = a.weight - np.float32(insertion / lm_weight) * (a.olabel > 0)
        if hot.words:
            labels = [self.words.labels[word] for word in hot.words if word in self.words.labels]
            weight -= np.float32(hot.bonus / lm_weight) * np.isin(a.olabel, labels)
        return const_fst(
            Arcs(a.source, a.ilabel, a.olabel, weight.astype(np.float32), a.target, a.final, a.start)
        )

    def write(self, path: Path) -> None:
        a = self.arcs
        np.savez(
            path,
            source=a.source, ilabel=a.ilabel, olabel=a.olabel, weight=a.weight, target=a.target,
            final=a.final, start=np.int64(a.start), words=np.array("\n".join(self.words.words)),
        )  # fmt: skip


def read_token_graph(path: Path) -> TokenGraph:
    try:
        with np.load(path, allow_pickle=False) as f:
            source, ilabel, olabel, weight = f["source"], f["ilabel"], f["olabel"], f["weight"]
            arcs = Arcs(source, ilabel, olabel, weight, f["target"], f["final"], int(f["start"]))
            return TokenGraph(arcs, WordTable(tuple(str(f["words"]).split("\n"))))
    except (OSError, KeyError, ValueError) as error:
        raise InputError("no token graph can be read here; train the model again", path) from error


def token_graph(arpa: Path, tokens: Tokens) -> TokenGraph:
    """Words that the tokens cannot spell are left out. Raises `InputError` where no word is left."""
    words = WordTable(tuple(word for word in arpa_words(arpa) if tokens.covers(word)))
    if not words.words:
        raise InputError("no word of this language model is spelled in the tokens of the training text", arpa)
    grammar = grammar_graph(arpa, words)
    lexicon, marks = _lexicon(words, tokens)
    kaldifst.arcsort(lexicon, sort_type="olabel")
    kaldifst.arcsort(grammar, sort_type="ilabel")
    spelled = kaldifst.compose(lexicon, grammar)
    kaldifst.determinize_star(spelled)
    kaldifst.minimize_encoded(spelled)
    return TokenGraph(expand(_without_marks(arcs_of(spelled), marks)), words)


def _lexicon(words: WordTable, tokens: Tokens) -> tuple[Any, int]:
    """L and the first input label that is a mark; labels of tokens are token id + 1.

    After a word a spaced alphabet has its space; in a marked one the next word may begin at once. Marks are
    that of back-off and, behind all but the first of words that are spelled alike, those that tell them
    apart: L o G could not be determinised without.
    """
    rows: list[tuple[int, int, int, int]] = []  # source, input, output, target
    start, after = 0, int(tokens.spaced)
    states = after + 1
    mark = len(tokens) + 1
    alike: Counter[tuple[int, ...]] = Counter()
    for label, word in enumerate(words.words, start=1):
        for ids in tokens.spellings(word):
            spelling = [token + 1 for token in ids]
            nth = alike[tuple(ids)]
            alike[tuple(ids)] += 1
            spelling += [mark + nth] * (nth > 0)
            here = start
            for n, ilabel in enumerate(spelling):
                there = after if n + 1 == len(spelling) else states
                states += n + 1 < len(spelling)
                rows.append((here, ilabel, label if n == 0 else 0, there))
                here = there
    rows += [(state, mark, words.backoff, state) for state in range(after + 1)]
    if tokens.spaced:
        rows.append((after, tokens.space + 1, 0, start))
    table = np.array(rows, np.int32)
    final = np.full(states, np.inf, np.float32)
    final[[start, after]] = 0.0
    weight = np.zeros(len(rows), np.float32)
    columns = (np.ascontiguousarray(c) for c in table.T)
    source, ilabels, olabel, target = columns
    return vector_fst(Arcs(source, ilabels, olabel, weight, target, final)), mark


def _without_marks(arcs: Arcs, first_mark: int) -> Arcs:
    ilabel = np.where(arcs.ilabel >= first_mark, 0, arcs.ilabel).astype(np.int32)
    return Arcs(arcs.source, ilabel, arcs.olabel, arcs.weight, arcs.target, arcs.final, arcs.start)


def expand(spelled: Arcs, wide: int = _WIDE) -> Arcs:
    """T composed with a graph over tokens (input labels token id + 1, 0 for epsilon).

    A state of the result is (token, state): the run of `token` under way, blank at the start too. States with
    more than `wide` tokens to go on by are parted first, see `_parted`.
    """
    spelled, parts = _parted(spelled.by_source(), wide)
    keys = _reachable(spelled, parts)  # (K,) token label * states + state, sorted
    token, state = keys // spelled.states, keys % spelled.states
    own, arc = _out_of(state, spelled)
    moving = spelled.ilabel[arc] > 0
    legal = ~moving | (spelled.ilabel[arc] != token[own])  # a run of the same token needs a blank between
    own, arc = own[legal], arc[legal]
    arriving = _arriving(token[own], arc, spelled, parts)
    blank = BLANK + 1
    loops = np.flatnonzero(state < parts)  # what a part lacks, the state before it has
    runs = loops[token[loops] != blank]
    after_blank = np.searchsorted(keys, blank * spelled.states + state[runs])
    zeros = np.zeros(len(loops) + len(runs), np.int32)
    source = np.concatenate([own, loops, runs]).astype(np.int32)
    target = np.concatenate([np.searchsorted(keys, arriving), loops, after_blank]).astype(np.int32)
    ilabel = np.concatenate([spelled.ilabel[arc], token[loops], np.full(len(runs), blank)]).astype(np.int32)
    olabel = np.concatenate([spelled.olabel[arc], zeros]).astype(np.int32)
    weight = np.concatenate([spelled.weight[arc], zeros]).astype(np.float32)
    start = int(np.searchsorted(keys, blank * spelled.states + spelled.start))
    return Arcs(source, ilabel, olabel, weight, target, spelled.final[state], start).by_source()


def _parted(spelled: Arcs, wide: int) -> tuple[Arcs, int]:
    """The same graph, the tokens that leave a wide state dealt out to parts behind epsilons; the first part.

    After each of V characters a grammar may back off to its unigrams, from where any other may come, which
    makes V * V arcs. Of about sqrt(V) parts, all but the one that holds the character itself are shared by
    all of them.
    """
    moving = np.flatnonzero(spelled.ilabel > 0)
    degree = np.bincount(spelled.source[moving], minlength=spelled.states)
    moving = moving[degree[spelled.source[moving]] > wide]
    moving = moving[np.lexsort((spelled.ilabel[moving], spelled.source[moving]))]
    if not len(moving):
        return spelled, spelled.states
    old = spelled.source[moving]
    place = np.arange(len(moving)) - np.searchsorted(old, old)
    begins = place % np.ceil(np.sqrt(degree[old])).astype(np.int64) == 0
    source = spelled.source.copy()
    source[moving] = spelled.states + np.cumsum(begins) - 1
    count = int(begins.sum())
    nothing, new = np.zeros(count, np.int32), spelled.states + np.arange(count, dtype=np.int32)
    return Arcs(
        np.concatenate([source, old[begins]]),
        np.concatenate([spelled.ilabel, nothing]),
        np.concatenate([spelled.olabel, nothing]),
        np.concatenate([spelled.weight, nothing.astype(np.float32)]),
        np.concatenate([spelled.target, new]),
        np.concatenate([spelled.final, np.full(count, np.inf, np.float32)]),
        spelled.start,
    ).by_source(), spelled.states


def _arriving(token: Longs, arc: Longs, spelled: Arcs, parts: int) -> Longs:
    """The (token, state) after each of `arc`, given the token before it.

    An arc with a token begins its run, an epsilon keeps the run; but in a part that lacks the token nobody
    asks which one it was: that is `_ANY`.
    """
    target, label = spelled.target[arc].astype(np.int64), spelled.ilabel[arc].astype(np.int64)
    inside = spelled.source >= parts
    held = spelled.source[inside].astype(np.int64) * _LABELS + spelled.ilabel[inside]
    kept = (target < parts) | np.isin(target * _LABELS + token, held)
    return np.where(label > 0, label, np.where(kept, token, _ANY)) * spelled.states + target


def _reachable(spelled: Arcs, parts: int) -> Longs:
    """All (token, state) that can come about: after an arc its own token, along epsilons any."""
    states = spelled.states
    blanks = (BLANK + 1) * states + np.arange(parts, dtype=np.int64)
    moving = spelled.ilabel > 0
    keys = np.union1d(blanks, spelled.ilabel[moving].astype(np.int64) * states + spelled.target[moving])
    fresh = keys
    while len(fresh):
        own, arc = _out_of(fresh % states, spelled)
        still = spelled.ilabel[arc] == 0
        found = _arriving((fresh // states)[own[still]], arc[still], spelled, parts)
        fresh = np.setdiff1d(found, keys)
        keys = np.union1d(keys, fresh)
    return keys


def _out_of(states: Longs, arcs: Arcs) -> tuple[Longs, Longs]:
    """For all arcs that leave `states` (S,): the index into `states`, and the arc's own index."""
    counts = np.bincount(arcs.source, minlength=arcs.states)
    first = np.concatenate([[0], np.cumsum(counts)])[:-1]
    many = counts[states]
    own = np.repeat(np.arange(len(states)), many)
    begin = np.repeat(np.cumsum(many) - many, many)
    return own, first[states][own] + np.arange(len(own)) - begin
