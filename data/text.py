"""One named, versioned normalisation of text per language, the same for training and for scoring.

English follows the Whisper normaliser (Radford et al. 2022, appendix C) by its published package, but in the
spoken direction: number words stay words and digits become words, since a recogniser's lexicon holds words.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal

import regex
from whisper_normalizer.basic import BasicTextNormalizer, remove_symbols_and_diacritics
from whisper_normalizer.english import EnglishTextNormalizer

from data.errors import InputError
from data.numerals import NUMERIC_SYMBOLS, verbalise

Unit = Literal["word", "character"]

_VERSION = 1


@dataclass(frozen=True)
class Normaliser:
    """A normalisation of text: idempotent; tokens in its output are separated by single spaces.

    `unit` is what the error rate counts: words, or characters in a language written without spaces.
    """

    name: str
    version: int
    unit: Unit
    apply: Callable[[str], str]

    @property
    def id(self) -> str:
        """Name and version, as in ``en-1``; changes whenever the output can change."""
        return f"{self.name}-{self.version}"

    def __call__(self, text: str) -> str:
        return self.apply(text)


@cache
def normaliser(language: str) -> Normaliser:
    """The normaliser of a language code such as ``en``, ``zh-CN`` or ``de``, or by an id such as ``en-1``."""
    match = regex.fullmatch(r"(?P<base>[a-z]{2,3})(?:[-_](?P<rest>\w+))*", language.lower())
    if match is None:
        raise InputError(f"'{language}' is no language code such as 'en' or 'zh-CN'")
    base, rest = match["base"], match["rest"] or ""
    if rest.isdigit() and int(rest) != _VERSION:
        raise InputError(f"there is no normaliser '{language}'; did you mean '{base}-{_VERSION}'?")
    if base == "en":
        return Normaliser("en", _VERSION, "word", _settled(_english()))
    if base == "zh":
        return Normaliser("zh", _VERSION, "character", _settled(_mandarin))
    return Normaliser(base, _VERSION, "word", _settled(_basic()))


def _settled(step: Callable[[str], str], passes: int = 8) -> Callable[[str], str]:
    """Repeats `step` until nothing changes, since one rule's output can be another rule's input."""

    def apply(text: str) -> str:
        for _ in range(passes):
            before, text = text, " ".join(step(text).split())
            if text == before:
                break
        return text

    return apply


def _english() -> Callable[[str], str]:
    whisper = EnglishTextNormalizer()
    replacers = [(regex.compile(pattern), text) for pattern, text in whisper.replacers.items()]
    fillers = regex.compile(whisper.ignore_patterns)

    def apply(text: str) -> str:
        text = _without_brackets(_plain(text).lower())
        text = regex.sub(r"\s+'", "'", fillers.sub(" ", text))
        for pattern, replacement in replacers:
            text = pattern.sub(replacement, text)
        text = _without_symbols(verbalise(text), NUMERIC_SYMBOLS)
        text = _without_symbols(verbalise(text))
        return str(whisper.standardize_spellings(text.lower()))

    return apply


def _without_symbols(text: str, keep: str = "") -> str:
    """The package's rule goes character by character; plain letters and spaces need none of it."""
    plain = text.isascii() and text.replace(" ", "").isalnum()
    return text if plain else str(remove_symbols_and_diacritics(text, keep=keep))


def _mandarin(text: str) -> str:
    """Every Han character is a token; a run of other letters or digits stays together."""
    text = unicodedata.normalize("NFKC", _without_brackets(unicodedata.normalize("NFKC", text))).lower()
    kept = regex.sub(r"[^\p{L}\p{M}\p{N}]+", " ", text)
    return str(regex.sub(r"(\p{Han})", r" \1 ", kept))


def _basic() -> Callable[[str], str]:
    whisper = BasicTextNormalizer()

    def apply(text: str) -> str:
        return str(whisper(_without_brackets(text)))

    return apply


def _plain(text: str) -> str:
    """Typographic apostrophes made plain, compatibility forms resolved, invisible characters dropped."""
    text = regex.sub(r"[\u2018\u2019\u02bc\uff07]", "'", text)
    text = regex.sub(r"[\p{Cc}\p{Zs}\p{Zl}\p{Zp}]", " ", unicodedata.normalize("NFKC", text))
    return str(regex.sub(r"\p{Cf}", "", text))


def _without_brackets(text: str) -> str:
    """Stage directions in brackets go, as Whisper has it, but leave a space: no two words are joined."""
    return str(regex.sub(r"\(([^)]+?)\)", " ", regex.sub(r"[<\[][^>\]]*[>\]]", " ", text)))
