"""Speaks sentences by espeak-ng. Run only as a process of its own: ``python -m data.synth_worker``.

espeak-ng is GPL-3.0, so the library is never loaded into the process of the benchmark. Standard input: a job
a line, ``{"text", "voice", "pitch", "range", "rate"}``. Standard output, per job: a line ``{"samples": n,
"rate": Hz, "events": [[character offset, sample], ...]}``, then n little-endian 16-bit samples.

The library keeps state between utterances (random numbers, filter memories), so what it says depends on what
it said before. Bytes repeat only when a freshly initialised parent forks for each utterance; so that is done.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from typing import Any, BinaryIO

_SYNCHRONOUS, _DONT_EXIT = 2, 0x8000
_UTF8, _PHONEMES = 1, 0x100  # the second lets a text hold phonemes in double brackets
_RATE, _PITCH, _RANGE = 1, 3, 4
_WORD = 1


class _Event(ctypes.Structure):
    """``espeak_EVENT`` of speak_lib.h."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("name", ctypes.c_char * 8),
    )


_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


def main() -> int:
    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    folder = str(espeakng_loader.get_data_path()).encode()
    sample_rate = library.espeak_Initialize(_SYNCHRONOUS, 0, folder, _DONT_EXIT)
    if sample_rate <= 0:
        print("espeak-ng could not be initialised", file=sys.stderr)
        return 1
    for line in sys.stdin.buffer:
        payload = _in_a_child(library, json.loads(line), sample_rate)
        if payload is None:
            print(f"espeak-ng could not say {line.decode().strip()}", file=sys.stderr)
            return 1
        sys.stdout.buffer.write(payload)
        sys.stdout.buffer.flush()
    return 0


def _in_a_child(library: ctypes.CDLL, job: dict[str, Any], sample_rate: int) -> bytes | None:
    """The reply to a job, spoken by a forked copy of this process; None where that failed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _child(library, job, sample_rate, os.fdopen(writing, "wb"))
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        payload = pipe.read()
    _, status = os.waitpid(child, 0)
    return payload if status == 0 else None


def _child(library: ctypes.CDLL, job: dict[str, Any], sample_rate: int, pipe: BinaryIO) -> None:
    """Never returns: the child leaves here, without the parent's clean-up."""
    code = 1
    try:
        samples, events = _speak(library, job)
        header = {"samples": len(samples) // 2, "rate": sample_rate, "events": events}
        pipe.write(json.dumps(header).encode() + b"\n" + samples)
        pipe.close()
        code = 0
    finally:
        os._exit(code)


def _speak(library: ctypes.CDLL, job: dict[str, Any]) -> tuple[bytes, list[tuple[int, int]]]:
    """The samples, and for each word event the 0-based offset in the text and the sample it starts at."""
    parts: list[bytes] = []
    events: list[tuple[int, int]] = []

    def hear(wave: Any, count: int, event: Any) -> int:
        if wave and count:
            parts.append(ctypes.string_at(wave, 2 * count))
        index = 0
        while event and event[index].type != 0:
            if event[index].type == _WORD:
                events.append((event[index].text_position - 1, event[index].sample))
            index += 1
        return 0

    callback = _CALLBACK(hear)
    library.espeak_ng_SetRandSeed(ctypes.c_long(1))
    library.espeak_SetSynthCallback(callback)
    if library.espeak_SetVoiceByName(str(job["voice"]).encode()) != 0:
        raise ValueError(f"no voice {job['voice']}")
    for parameter, key in ((_RATE, "rate"), (_PITCH, "pitch"), (_RANGE, "range")):
        library.espeak_SetParameter(parameter, int(job[key]), 0)
    text = str(job["text"]).encode()
    library.espeak_Synth(text, ctypes.c_size_t(len(text) + 1), 0, 1, 0, _UTF8 | _PHONEMES, None, None)
    library.espeak_Synchronize()
    return b"".join(parts), events


if __name__ == "__main__":
    sys.exit(main())
