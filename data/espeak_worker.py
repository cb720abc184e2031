"""Words to phonemes by espeak-ng. Run only as a process of its own: ``python -m data.espeak_worker de``.

espeak-ng is GPL-3.0, so the library is never loaded into the process of the benchmark. Standard input: a word
a line, UTF-8. Standard output: first a JSON line, ``{"voice": "de"}``, or ``{"known": [languages]}`` where
there is no voice for it, and that is the end; then for each word a JSON line, the list of its phonemes.
"""

from __future__ import annotations

import ctypes
import json
import sys
from typing import Any

_SYNCHRONOUS, _DONT_EXIT = 2, 0x8000
_UTF8 = 1
_IPA = 0x02
_SEPARATOR = "_"


class _Voice(ctypes.Structure):
    """The beginning of ``espeak_VOICE`` of speak_lib.h; `languages` is a priority byte, then the code."""

    _fields_ = (("name", ctypes.c_char_p), ("languages", ctypes.c_void_p))


def main(language: str) -> int:
    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    folder = str(espeakng_loader.get_data_path()).encode()
    if library.espeak_Initialize(_SYNCHRONOUS, 0, folder, _DONT_EXIT) <= 0:
        print("espeak-ng could not be initialised", file=sys.stderr)
        return 1
    voice = next((v for v in (language, language.partition("-")[0]) if _set(library, v)), None)
    if voice is None:
        _tell({"known": _languages(library)})
        return 0
    _tell({"voice": voice})
    for line in sys.stdin.buffer:
        _tell(_phonemes(library, line.strip()))
    return 0


def _tell(reply: Any) -> None:
    sys.stdout.write(json.dumps(reply) + "\n")


def _set(library: ctypes.CDLL, voice: str) -> bool:
    return int(library.espeak_SetVoiceByName(voice.encode())) == 0


def _languages(library: ctypes.CDLL) -> list[str]:
    """The codes of all voices, sorted."""
    library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
    voices = library.espeak_ListVoices(None)
    found, index = set(), 0
    while voices[index]:
        found.add(ctypes.string_at(voices[index].contents.languages + 1).decode())
        index += 1
    return sorted(found)


def _phonemes(library: ctypes.CDLL, word: bytes) -> list[str]:
    """In the International Phonetic Alphabet, as espeak-ng writes them, stress marks among them."""
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    text = ctypes.c_char_p(word)
    spoken: list[str] = []
    while text.value is not None:
        said = library.espeak_TextToPhonemes(ctypes.byref(text), _UTF8, ord(_SEPARATOR) << 8 | _IPA)
        spoken += (said or b"").decode().replace(" ", _SEPARATOR).split(_SEPARATOR)
    return [phoneme for phoneme in spoken if phoneme]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
