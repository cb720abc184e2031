"""How Mandarin is said: initials and finals with tones; characters with the readings that phrases give them.

Phones are written as `zh` and `ang_1`: what stands before the dash is the same in all tones (the neutral one
is 5), so a tree of contexts can start from all tones of a final together, and part them where they differ.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final, TypeAlias

import regex

Pronunciation: TypeAlias = tuple[str, ...]

SPOKEN_NOISE: Final = "SPN"
"""The phone of words with no reading in Mandarin (Kaldi's convention for the unknown word)."""

_MOST_READINGS: Final = 3
_LEAST_SHARE: Final = 0.02
_AFTER: Final = {"z": "ix", "c": "ix", "s": "ix", "zh": "iy", "ch": "iy", "sh": "iy", "r": "iy"}


def pronounced(word: str) -> Pronunciation:
    """A word by pypinyin's phrases, such as ``n i_3 h ao_3``; `SPOKEN_NOISE` where it is not Mandarin."""
    if not regex.fullmatch(r"\p{Han}+", word):
        return (SPOKEN_NOISE,)
    return tuple(phone for syllable in _syllables(word) for phone in _phones(syllable)) or (SPOKEN_NOISE,)


def readings(sentences: Iterable[Sequence[str]]) -> Mapping[str, tuple[Pronunciation, ...]]:
    """Of every character that is a word of `sentences`: its readings there, the commonest first.

    pypinyin tells them by the phrases around (行: `x ing_2`, `h ang_2`). At most three, of 2 % or more each.
    """
    seen: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for sentence in sentences:
        for run in regex.findall(r"\p{Han}+", "".join(sentence)):
            for character, syllable in zip(run, _syllables(run), strict=True):
                seen[character][syllable] += 1
    return {character: _kept(counts) for character, counts in seen.items()}


def _kept(counts: Counter[str]) -> tuple[Pronunciation, ...]:
    ranked = sorted(counts, key=lambda syllable: (-counts[syllable], syllable))[:_MOST_READINGS]
    often = [s for s in ranked if counts[s] >= _LEAST_SHARE * counts.total()]
    return tuple(dict.fromkeys(_phones(s) for s in often))


def _syllables(run: str) -> list[str]:
    """Of Han characters, one each: pinyin with the tone's digit at the end."""
    from pypinyin import Style, lazy_pinyin

    apart: Any = list  # what it cannot read comes in runs too
    return list(lazy_pinyin(run, style=Style.TONE3, neutral_tone_with_five=True, errors=apart))


@cache
def _phones(syllable: str) -> Pronunciation:
    """The vowels that pinyin writes alike get names of their own: u after j, q, x, y is v; i after z, zh."""
    found = regex.fullmatch(r"(zh|ch|sh|[bpmfdtnlgkhjqxrzcsyw]?)([a-zêü]+)([1-5])", syllable)
    if found is None:  # a character that pypinyin cannot read
        return (SPOKEN_NOISE,)
    initial, final, tone = found.groups()
    final = final.replace("ü", "v").replace("ê", "eh")
    if final == "i":
        final = _AFTER.get(initial, final)
    if initial in ("j", "q", "x", "y") and final.startswith("u"):
        final = "v" + final[1:]
    return (*((initial,) if initial else ()), f"{final}_{tone}")
