"""Words by their sound: an alphabet of phones, and the lexicon that spells words in them and reads them back.

CTC on phones with the lexicon in the token graph is EESEN's way (Miao et al., ASRU 2015). It pays where the
writing says little of the sound and there is little speech: Mandarin has some hundred initials and finals
with tones, but thousands of characters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from data.lexicon import lexicon_for
from pipelines.e2e.pieces import MARK
from pipelines.ngram import RESERVED
from pipelines.protocol import TrainingSet
from pipelines.texts import corpus_model

Spelling: TypeAlias = tuple[str, ...]


@dataclass(frozen=True)
class Sounds:
    """`words`: the pronunciations of each, the usual one first, their first phones marked.

    Of words that sound alike the one that is said more often stands before.
    """

    words: Mapping[str, tuple[Spelling, ...]]

    @property
    def symbols(self) -> frozenset[str]:
        return frozenset(phone for said in self.words.values() for spelling in said for phone in spelling)

    def heard(self, phones: Sequence[str]) -> str:
        """The word that sounds so, empty where there is none."""
        return self._by_sound.get(tuple(phones), "")

    @cached_property
    def _by_sound(self) -> dict[Spelling, str]:
        found: dict[Spelling, str] = {}
        for word, said in self.words.items():
            for spelling in said:
                found.setdefault(spelling, word)
        return found


def sounds_of(corpus: TrainingSet) -> Sounds:
    """Of the words of the training references, and of those that the corpus's trigram knows."""
    sentences = [corpus.normalise(utterance.text).split() for utterance in corpus.train]
    counts = Counter(word for sentence in sentences for word in sentence)
    known = set(corpus_model(corpus, join_dev=True).model.words) - RESERVED
    words = sorted(known | set(counts), key=lambda word: (-counts[word], word))
    report = lexicon_for(words, corpus.dictionary, corpus.language, corpus.normalise, sentences=sentences)
    said = ((word, report.lexicon.entries.get(word, ())) for word in words)
    return Sounds({word: tuple(_marked(phones) for phones in found) for word, found in said if found})


def _marked(phones: Sequence[str]) -> Spelling:
    return (MARK + phones[0], *phones[1:])
