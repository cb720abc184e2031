"""Small corpora of every folder shape, with audio that differs from file to file."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import soundfile

RATE = 16_000
SUBTYPES = {".opus": ("OGG", "OPUS"), ".mp3": ("MP3", "MPEG_LAYER_III"), ".sph": ("NIST", "PCM_16")}


def write_audio(path: Path, seconds: float = 0.3, rate: int = RATE) -> Path:
    """A noise that depends on the file's name alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(zlib.crc32(path.name.encode()))
    container, subtype = SUBTYPES.get(path.suffix, (None, None))
    samples = 0.1 * generator.standard_normal(int(seconds * rate))
    soundfile.write(path, samples, rate, format=container, subtype=subtype)
    return path


def write_text(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def write_an4(root: Path, speakers: int = 7) -> Path:
    """An AN4 with two utterances of each training speaker, and a test set of one."""
    folder = root / "an4"
    fileids, texts = [], []
    for speaker in ("s" + "abcdefghij"[number] for number in range(speakers)):
        for name in (f"an1-{speaker}-b", f"an2-{speaker}-b"):
            write_audio(folder / "wav" / "an4_clstk" / speaker / f"{name}.flac")
            fileids.append(f"an4_clstk/{speaker}/{name}")
            texts.append(f"<s> HELLO {speaker.upper()} </s> ({name})")
    write_text(folder / "etc" / "an4_train.fileids", *fileids)
    write_text(folder / "etc" / "an4_train.transcription", *texts)
    write_audio(folder / "wav" / "an4test_clstk" / "t00" / "an9-t00-b.sph")
    write_text(folder / "etc" / "an4_test.fileids", "an4test_clstk/t00/an9-t00-b")
    write_text(folder / "etc" / "an4_test.transcription", "HELLO WORLD (an9-t00-b)")
    write_text(folder / "etc" / "an4.dic", "HELLO  HH AH L OW", "HELLO(2)  HH EH L OW", "SA  S", "SB  S")
    return folder
