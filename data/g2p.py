"""Pronunciations of words that no dictionary has, by a joint-sequence n-gram over letters and phones.

After Bisani and Ney, "Joint-sequence models for grapheme-to-phoneme conversion" (Speech Communication 50,
2008), simplified: CMUdict words are aligned into graphones by Viterbi training, an interpolated Witten-Bell
n-gram is estimated over them, and a beam search finds the best graphone sequence that spells the word.
"""

from __future__ import annotations

import json
import math
import random
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, TypeAlias

Phones: TypeAlias = tuple[str, ...]
Graphone: TypeAlias = tuple[str, Phones]  # one or two letters, none to two phones
_Costs: TypeAlias = Mapping[Graphone, float]

_SHAPES: Final = ((1, 1), (1, 0), (2, 1), (1, 2))  # letters, phones
_ORDER: Final = 6
_BEAM: Final = 24
_ROUNDS: Final = 4
_WORDS: Final = 45000
_VERSION: Final = 1
_END: Final[Graphone] = ("", ())
_UNSEEN: Final = 14.0  # nats, for a graphone that the last round did not use


@dataclass(frozen=True)
class GraphemeToPhoneme:
    """`counts[history][graphone]`, histories of up to five graphones; `units[letters]`: what they can be."""

    counts: Mapping[tuple[Graphone, ...], Mapping[Graphone, int]]
    units: Mapping[str, tuple[Graphone, ...]]

    def __call__(self, word: str) -> Phones:
        """The best pronunciation; letters never seen in training are silent. Empty where all are."""
        known = [letter for letter in word if letter in self.units]
        beams: list[list[_Partial]] = [[] for _ in range(len(known) + 1)]
        beams[0] = [_Partial(0.0, (), ())]
        for position in range(len(known)):
            for partial in _best(beams[position]):
                self._extend(partial, "".join(known), position, beams)
        finished = _best(beams[-1])
        if not known or not finished:
            return ()
        return min(finished, key=lambda p: p.cost - math.log(self._probability(p.history, _END))).phones

    @cached_property
    def _totals(self) -> Mapping[tuple[Graphone, ...], int]:
        return {history: sum(seen.values()) for history, seen in self.counts.items()}

    def _extend(self, partial: _Partial, word: str, position: int, beams: list[list[_Partial]]) -> None:
        for length in (1, 2):
            letters = word[position : position + length]
            if len(letters) < length:
                continue
            for unit in self.units.get(letters, ()):
                cost = partial.cost - math.log(self._probability(partial.history, unit))
                history = (*partial.history, unit)[-(_ORDER - 1) :]
                beams[position + length].append(_Partial(cost, history, partial.phones + unit[1]))

    def _probability(self, history: tuple[Graphone, ...], unit: Graphone) -> float:
        """Interpolated Witten-Bell, from the uniform distribution up to the longest history."""
        probability = 1.0 / len(self.counts[()])
        for start in range(len(history), -1, -1):
            seen = self.counts.get(history[start:])
            if seen is None:
                break
            kinds = len(seen)
            probability = (seen.get(unit, 0) + kinds * probability) / (self._totals[history[start:]] + kinds)
        return probability


@dataclass(frozen=True)
class _Partial:
    cost: float
    history: tuple[Graphone, ...]
    phones: Phones


def _best(partials: list[_Partial]) -> list[_Partial]:
    """The cheapest of each history and phones, and of those the `_BEAM` cheapest."""
    unique: dict[tuple[tuple[Graphone, ...], Phones], _Partial] = {}
    for partial in sorted(partials, key=lambda p: p.cost)[: 4 * _BEAM]:
        unique.setdefault((partial.history, partial.phones), partial)
    return list(unique.values())[:_BEAM]


def trained(cache: Path | None = None) -> GraphemeToPhoneme:
    """The model of CMUdict, from `cache` where its alignment is kept there, else trained (seconds)."""
    path = None if cache is None else cache / f"g2p-cmudict-{_VERSION}.json"
    if path is not None and path.is_file():
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            return estimate([[(letters, tuple(phones)) for letters, phones in word] for word in stored])
        except (ValueError, TypeError):
            path.unlink()
    aligned = align(sample(_WORDS, seed=1))
    if path is not None:
        _write(path, aligned)
    return estimate(aligned)


def _write(path: Path, aligned: Sequence[Sequence[Graphone]]) -> None:
    """Whole or not at all, whoever else is writing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        "w", dir=path.parent, prefix=f".{path.name}-", delete=False, encoding="utf-8"
    ) as file:
        json.dump(aligned, file, separators=(",", ":"))
    Path(file.name).replace(path)


def sample(count: int, seed: int) -> list[tuple[str, Phones]]:
    """`count` words of CMUdict in a seeded order, letters only, first pronunciation, stress removed."""
    from data.lexicon import cmudict_entries

    entries = cmudict_entries()
    words = sorted(word for word in entries if word.isascii() and word.isalpha() and len(word) > 1)
    random.Random(seed).shuffle(words)
    return [(word, entries[word][0]) for word in words[:count]]


def align(entries: Sequence[tuple[str, Phones]]) -> list[list[Graphone]]:
    """Every entry as graphones, by Viterbi training; entries that cannot be cut so are left out."""
    costs = _first_costs(entries)
    for _ in range(_ROUNDS):
        paths = [path for path in (_viterbi(word, phones, costs) for word, phones in entries[:8000]) if path]
        costs = _costs(Counter(unit for path in paths for unit in path))
    return [path for path in (_viterbi(word, phones, costs) for word, phones in entries) if path]


def _first_costs(entries: Iterable[tuple[str, Phones]]) -> _Costs:
    """From how often letters and phones stand at about the same place of a word."""
    counts: Counter[Graphone] = Counter()
    for word, phones in entries:
        for i in range(len(word)):
            counts[word[i], ()] += 1
            near = round(i * len(phones) / len(word))
            for j in range(max(0, near - 1), min(len(phones), near + 2)):
                counts[word[i], phones[j : j + 1]] += 2
                counts[word[i : i + 2], phones[j : j + 1]] += 1
                counts[word[i], phones[j : j + 2]] += 1
    return _costs(counts)


def _costs(counts: Counter[Graphone]) -> _Costs:
    total = sum(counts.values())
    return {unit: math.log(total / count) for unit, count in counts.items()}


def _viterbi(word: str, phones: Phones, costs: _Costs) -> list[Graphone]:
    """The cheapest cut of a word and its phones into graphones; empty where there is none."""
    best: dict[tuple[int, int], tuple[float, Graphone]] = {(0, 0): (0.0, _END)}
    for i in range(len(word)):
        for j in range(len(phones) + 1):
            if (i, j) not in best:
                continue
            here = best[i, j][0]
            for letters, sounds in _SHAPES:
                to = (i + letters, j + sounds)
                if to[0] > len(word) or to[1] > len(phones):
                    continue
                unit = (word[i : to[0]], phones[j : to[1]])
                cost = here + costs.get(unit, _UNSEEN)
                if to not in best or cost < best[to][0]:
                    best[to] = (cost, unit)
    return _traced(best, (len(word), len(phones)))


def _traced(best: Mapping[tuple[int, int], tuple[float, Graphone]], end: tuple[int, int]) -> list[Graphone]:
    path: list[Graphone] = []
    if end not in best:
        return path
    while end != (0, 0):
        unit = best[end][1]
        path.append(unit)
        end = (end[0] - len(unit[0]), end[1] - len(unit[1]))
    return path[::-1]


def estimate(aligned: Iterable[Sequence[Graphone]]) -> GraphemeToPhoneme:
    """Counts all n-grams of graphones; graphones seen once are taken for mistakes of the alignment."""
    words = [[*word, _END] for word in aligned]
    used = Counter(unit for word in words for unit in word)
    counts: dict[tuple[Graphone, ...], Counter[Graphone]] = defaultdict(Counter)
    for word in words:
        for n, unit in enumerate(word):
            for length in range(min(n, _ORDER - 1) + 1):
                counts[tuple(word[n - length : n])][unit] += 1
    units: dict[str, list[Graphone]] = defaultdict(list)
    for unit, count in used.items():
        if unit != _END and (count > 1 or len(unit[0]) == 1):
            units[unit[0]].append(unit)
    return GraphemeToPhoneme(dict(counts), {letters: tuple(found) for letters, found in units.items()})
