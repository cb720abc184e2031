"""Pronunciations in any language that espeak-ng speaks, kept on disk; the engine runs in its own process."""

from __future__ import annotations

import difflib
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

import regex

from data.errors import InputError

_MARKS: Final = regex.compile(r"\([\w-]+\)|[ˈˌ'‿\u200d]|[\u0361\u035c]")  # switches of language, stress, ties


def espeak_phones(words: Sequence[str], language: str, cache: Path) -> Mapping[str, tuple[str, ...]]:
    """Phonemes of `words`, in the International Phonetic Alphabet without stress; () where there are none.

    Each word is asked for once: then it is read from `cache`, a folder. A region without a voice of its own
    (`de-AT`) has its language's. Raises `InputError` for a language without a voice, naming the nearest that
    have one, and where the engine fails.
    """
    path = cache / f"espeak-{version('espeakng-loader')}-{_code(language)}.json"
    known = _kept(path)
    missing = sorted(set(words) - known.keys())
    if missing:
        known = {**known, **_asked(missing, language)}
        _keep(path, known)
    return {word: known[word] for word in words}


def _code(language: str) -> str:
    return "-".join(regex.findall(r"[a-z0-9]+", language.lower()))


def _asked(words: Sequence[str], language: str) -> dict[str, tuple[str, ...]]:
    command = [sys.executable, "-m", "data.espeak_worker", _code(language)]
    home = Path(__file__).resolve().parent.parent
    lines = "".join(" ".join(word.split()) + "\n" for word in words)
    ran = subprocess.run(command, input=lines.encode(), capture_output=True, cwd=home, check=False)
    replies = [json.loads(line) for line in ran.stdout.splitlines()]
    if replies and "known" in replies[0]:
        raise _no_voice(language, replies[0]["known"])
    if ran.returncode != 0 or len(replies) != len(words) + 1:
        last = ran.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
        raise InputError(f"the speech engine stopped ({last[0]}); reinstall espeakng-loader")
    return {word: _plain(reply) for word, reply in zip(words, replies[1:], strict=True)}


def _plain(phonemes: Sequence[str]) -> tuple[str, ...]:
    return tuple(plain for phoneme in phonemes if (plain := _MARKS.sub("", phoneme)))


def _no_voice(language: str, known: Sequence[str]) -> InputError:
    near = difflib.get_close_matches(language.lower(), known, n=3, cutoff=0.4)
    hint = f" (the nearest it speaks: {', '.join(near)})" if near else ""
    return InputError(
        f"espeak-ng speaks no '{language}'{hint}; correct the card's language, or name a dictionary in it"
    )


def _kept(path: Path) -> dict[str, tuple[str, ...]]:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return {word: tuple(phones) for word, phones in stored.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}  # never asked, or spoiled: ask again


def _keep(path: Path, known: Mapping[str, tuple[str, ...]]) -> None:
    """Whole or not at all, whoever else is writing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        "w", dir=path.parent, prefix=f".{path.name}-", delete=False, encoding="utf-8"
    ) as file:
        json.dump(known, file, ensure_ascii=False, separators=(",", ":"))
    Path(file.name).replace(path)
