"""The embedded corpus: a call centre's sentences, spoken by espeak-ng, the same bytes on every run."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import soundfile
import soxr

from data.synth_grammar import reference, sentences
from data.synth_speech import Job, Speech, speak
from data.synth_voices import Voice, voices
from data.types import Samples

Progress: TypeAlias = Callable[[int, int, str], None]
SAMPLE_RATE = 16000
MEAN_SECONDS = 3.51  # of an utterance, over the training part of the default
_BLOCK = 50


@dataclass(frozen=True)
class SynthSpec:
    """How much to speak: utterances and speakers per split; `extra_text`: sentences for the LM alone."""

    name: str = "quick-1"
    seed: int = 1
    train: int = 1500
    dev: int = 90
    test: int = 200
    train_speakers: int = 300
    dev_speakers: int = 20
    test_speakers: int = 40
    extra_text: int = 5000
    noise_db: float = -42.0  # noise floor, against the speech's mean power

    def splits(self) -> tuple[tuple[str, int, int], ...]:
        """Name, utterances, speakers; held-out splits first, since the others avoid their sentences."""
        return (
            ("test", self.test, self.test_speakers),
            ("dev", self.dev, self.dev_speakers),
            ("train", self.train, self.train_speakers),
        )


@dataclass(frozen=True)
class _Line:
    """One utterance to be: `sentence` has letters in capitals."""

    id: str
    sentence: str
    voice: Voice


def spec_of(hours: float | None) -> SynthSpec:
    """The corpus ``quick``, about 1.7 hours; or with about so many `hours` to train on, by the same speakers.

    Speakers and sentences of dev and test are the same for every size.
    """
    if hours is None:
        return SynthSpec()
    return replace(SynthSpec(), train=max(1, round(3600 * hours / MEAN_SECONDS)))


def ensure_synthetic(cache: Path, spec: SynthSpec, progress: Progress) -> Path:
    """A folder with FLAC files, ``train|dev|test.jsonl`` and ``text.txt``, made whole or not at all.

    A folder of another spec under the same name is kept apart by the spec's hash in its name.
    """
    folder = cache / _folder_name(spec)
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{spec.name}-", dir=cache))
    try:
        _generate(building, spec, progress)
        building.chmod(0o755)
        _publish(building, folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return folder


def _publish(building: Path, folder: Path) -> None:
    """Another process may have been faster; its folder holds the same bytes."""
    try:
        building.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise


def _folder_name(spec: SynthSpec) -> str:
    if spec == SynthSpec():
        return spec.name
    return f"{spec.name}-{hashlib.sha256(json.dumps(asdict(spec)).encode()).hexdigest()[:10]}"


def _generate(folder: Path, spec: SynthSpec, progress: Progress) -> None:
    splits, text = _plan(spec)
    total = sum(len(lines) for lines in splits.values())
    done = itertools.count(1)
    for split, lines in splits.items():
        (folder / split).mkdir()
        with (folder / f"{split}.jsonl").open("w", encoding="utf-8") as manifest:
            for row in _spoken_rows(folder, split, lines, spec):
                manifest.write(json.dumps(row) + "\n")
                progress(next(done), total, "speaking the embedded corpus")
    (folder / "text.txt").write_text("".join(f"{line}\n" for line in text), encoding="utf-8")


def _plan(spec: SynthSpec) -> tuple[dict[str, list[_Line]], list[str]]:
    """The utterances of each split, and the LM's text: the training references and extra sentences.

    No sentence is in two splits, and none of test or dev is in the text.
    """
    everyone = iter(
        voices(spec.train_speakers + spec.dev_speakers + spec.test_speakers, _rng(spec, "voices"))
    )
    avoid: set[str] = set()
    splits = {}
    for split, count, speakers in spec.splits():
        cast = list(itertools.islice(everyone, speakers))
        drawn = list(itertools.islice(sentences(_rng(spec, split), avoid), count))
        avoid |= {reference(sentence) for sentence in drawn}
        splits[split] = [
            _Line(f"{cast[n % speakers].speaker}-{split}-{n:05d}", sentence, cast[n % speakers])
            for n, sentence in enumerate(drawn)
        ]
    extra = itertools.islice(sentences(_rng(spec, "text"), avoid), spec.extra_text)
    text = [reference(line.sentence) for line in splits["train"]]
    return splits, text + [reference(sentence) for sentence in extra]


def _rng(spec: SynthSpec, purpose: str) -> random.Random:
    return random.Random(f"{spec.seed} {purpose}")


def _spoken_rows(
    folder: Path, split: str, lines: list[_Line], spec: SynthSpec
) -> Iterator[dict[str, object]]:
    blocks = [lines[start : start + _BLOCK] for start in range(0, len(lines), _BLOCK)]
    pool = ThreadPoolExecutor(os.cpu_count() or 1)
    try:
        for rows in pool.map(lambda block: _block(folder, split, block, spec), blocks):
            yield from rows
    finally:
        pool.shutdown(cancel_futures=True)


def _block(folder: Path, split: str, lines: list[_Line], spec: SynthSpec) -> list[dict[str, object]]:
    """Speaks and writes a block of utterances; returns their manifest rows."""
    rows = []
    for line, speech in zip(lines, speak(_jobs(lines)), strict=True):
        audio = f"{split}/{line.id}.flac"
        samples = _recorded(speech, line.id, spec)
        soundfile.write(folder / audio, samples, SAMPLE_RATE, subtype="PCM_16")
        rows.append(
            {
                "id": line.id,
                "audio": audio,
                "duration": round(len(samples) / SAMPLE_RATE, 4),
                "text": reference(line.sentence),
                "speaker": line.voice.speaker,
                "words": [[word, start, end] for word, start, end in speech.words],
            }
        )
    return rows


def _jobs(lines: Iterable[_Line]) -> list[Job]:
    return [Job(line.sentence, line.voice) for line in lines]


def _recorded(speech: Speech, utterance: str, spec: SynthSpec) -> Samples:
    """The speech at 16 kHz, at a level drawn for the utterance, over a seeded noise floor; shape (n,).

    Without the noise, digital silence between words would give features of log 0.
    """
    seed = hashlib.sha256(f"{spec.seed} {utterance}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(seed[:8], "little"))
    clean = np.asarray(soxr.resample(speech.samples, speech.rate, SAMPLE_RATE), dtype=np.float64)  # (n,)
    power = float(np.sqrt(np.mean(clean**2))) or 1.0
    noise = rng.standard_normal(len(clean)) * 10 ** (spec.noise_db / 20)
    noise[1:] = 0.6 * noise[1:] + 0.4 * noise[:-1]  # a little darker than white, as rooms are
    level = 10 ** (rng.uniform(-30.0, -20.0) / 20)
    return np.clip(level * (clean / power + noise), -0.99, 0.99).astype(np.float32)
