"""Phones by their place in the word: at its beginning, inside, at its end, or alone.

As in Kaldi's lang directories (`AH_B`, `AH_I`, `AH_E`, `AH_S`), but each place has states of its own wherever
the training speech has enough of it: a coarse context that costs no tree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from data.errors import InputError
from pipelines.hybrid.tying import base_phone
from pipelines.hybrid.word_graph import Pronunciations

ENOUGH = 30  # times that a phone must occur at a place to be modelled by itself
_FEWEST = 10  # times below which what is left over of a phone goes to its commonest place


def positioned(pronunciations: Pronunciations, sentences: Iterable[Sequence[str]]) -> Pronunciations:
    """The same with phones by their places; `sentences` are those of the training speech.

    Places with fewer than `ENOUGH` occurrences share the plain phone.
    """
    placed = {word: [_placed(v) for v in variants] for word, variants in pronunciations.items()}
    words = Counter(word for sentence in sentences for word in sentence)
    shared = _renamed(placed, {p: base_phone(p) for p, n in _counts(placed, words).items() if n < ENOUGH})
    counts = _counts(shared, words)
    return _renamed(shared, {p: _commonest(p, counts) for p, n in counts.items() if n < _FEWEST})


def _placed(phones: Sequence[str]) -> tuple[str, ...]:
    if len(phones) == 1:
        return (f"{phones[0]}_S",)
    places = ["B", *("I" for _ in phones[2:]), "E"]
    return tuple(f"{phone}_{place}" for phone, place in zip(phones, places, strict=True))


def _counts(pronunciations: Pronunciations, words: Mapping[str, int]) -> dict[str, int]:
    """How often each phone is said, were each word said as its first pronunciation has it; 0 is listed."""
    counts = {phone: 0 for variants in pronunciations.values() for v in variants for phone in v}
    for word, times in words.items():
        for phone in pronunciations[word][0]:
            counts[phone] += times
    return counts


def _commonest(phone: str, counts: Mapping[str, int]) -> str:
    """The phone itself, or its place that is heard more often."""
    alike = [p for p in counts if base_phone(p) == phone]
    return max(alike, key=lambda p: counts[p])


def _renamed(pronunciations: Pronunciations, names: Mapping[str, str]) -> Pronunciations:
    return {
        word: tuple(tuple(names.get(phone, phone) for phone in v) for v in variants)
        for word, variants in pronunciations.items()
    }


def known_phones(pronunciations: Pronunciations, phones: Sequence[str]) -> Pronunciations:
    """`pronunciations` in the phones of a trained model: with their places, where it has them.

    A phone whose place the model does not have is taken from another place. Raises `InputError` for a word
    with a phone that it has at no place.
    """
    known = set(phones)
    fallback = {base_phone(p): p for p in reversed(phones)}

    def fit(word: str, placed: str) -> str:
        plain = base_phone(placed)
        found = placed if placed in known else plain if plain in known else fallback.get(plain)
        if found is None:
            raise InputError(f"'{word}' is said with '{plain}', a phone that the model was not trained on")
        return found

    return {
        word: tuple(tuple(fit(word, phone) for phone in _placed(v)) for v in variants)
        for word, variants in pronunciations.items()
    }
