"""Words that are more likely to be said than the language model knows: names, products."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from data.errors import InputError, did_you_mean


@dataclass(frozen=True)
class HotWords:
    """Each of `words`, wherever it is said, adds `bonus` (a natural log) to the score."""

    words: tuple[str, ...] = ()
    bonus: float = 0.0


NO_HOT_WORDS = HotWords()


def hot_words(
    asked: Sequence[str], bonus: float, vocabulary: Collection[str], normalise: Callable[[str], str]
) -> HotWords:
    """Of phrases every word is hot. Raises `InputError` for words that the `vocabulary` does not have."""
    words = tuple(dict.fromkeys(word for phrase in asked for word in normalise(phrase).split()))
    for word in words:
        if word not in vocabulary:
            hint = did_you_mean(word, vocabulary)
            raise InputError(
                f"e2e: decode: the language model lacks the hot word {word!r}{hint}; give it sentences (text)"
            )
    return HotWords(words, bonus)
