"""A small language of tones: four phones, four words, a corpus that speaks it, and speech beside that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from data.types import Audio, Samples, Transcript, Utterance
from pipelines.protocol import Chunk, Pipeline

RATE = 8000
PHONES = {"A": (400, 900), "B": (700, 1800), "C": (1200, 2600), "D": (500, 3300)}
WORDS = {"abba": ("A", "B", "A"), "bed": ("B", "D"), "cab": ("C", "A", "B"), "dac": ("D", "A", "C")}


def say(words: list[str], seed: int) -> Samples:
    """Each phone 70 to 130 ms of two tones in noise, pauses of noise between words and at both ends."""
    draw = np.random.default_rng(seed)
    parts = [_noise(draw, 0.15)]
    for word in words:
        for phone in WORDS[word]:
            time = np.arange(int(draw.uniform(0.07, 0.13) * RATE)) / RATE
            low, high = (f * draw.uniform(0.97, 1.03) for f in PHONES[phone])
            tone = np.sin(2 * np.pi * low * time) + 0.7 * np.sin(2 * np.pi * high * time)
            parts.append((0.2 * tone).astype(np.float32) + _noise(draw, len(time) / RATE)[: len(time)])
        if draw.random() < 0.5:
            parts.append(_noise(draw, draw.uniform(0.05, 0.15)))
    parts.append(_noise(draw, 0.15))
    return np.concatenate(parts)


def _noise(draw: np.random.Generator, seconds: float) -> Samples:
    return (0.005 * draw.standard_normal(int(np.ceil(seconds * RATE)))).astype(np.float32)


SENTENCES = (["abba"], ["cab", "dac"], ["bed", "abba", "cab", "bed"])
"""That the corpus does not hold: so spoken, each as `SPEECH` has it."""


def spoken(sentences: Sequence[list[str]] = SENTENCES) -> list[Samples]:
    return [say(sentence, seed=900 + i) for i, sentence in enumerate(sentences)]


SPEECH = spoken()


def chunks(samples: Samples, size: int) -> list[Chunk]:
    """Of `size` samples, the last one of what is left."""
    begins = range(0, len(samples), size)
    return [Chunk(samples[b : b + size], RATE, last=b + size >= len(samples)) for b in begins]


def streamed(pipeline: Pipeline, samples: Samples, size: int) -> list[Transcript]:
    """What a session says after each of the `chunks`."""
    session = pipeline.open_session()
    return [pipeline.advance([session], [chunk])[0] for chunk in chunks(samples, size)]


@dataclass(frozen=True)
class ToneCorpus:
    """Fits `pipelines.protocol.TrainingSet`."""

    train: tuple[Utterance, ...]
    dev: tuple[Utterance, ...]
    dictionary: Path
    speech: dict[str, Samples]
    name: str = "tones"
    language: str = "en"
    sample_rate: int = RATE
    language_model: Path | None = None
    text: Path | None = None
    general_text: tuple[Path, ...] = ()

    def audio(self, utterance: Utterance) -> Audio:
        return Audio(self.speech[utterance.id], RATE)

    def normalise(self, text: str) -> str:
        return text.lower()

    def with_speech(self, utterance: Utterance, samples: Samples) -> ToneCorpus:
        return replace(self, speech={**self.speech, utterance.id: samples})


def tone_corpus(folder: Path, utterances: int = 40, dev: int = 6) -> ToneCorpus:
    """Its dictionary, in Sphinx's form, lies in `folder`."""
    dictionary = folder / "tones.dic"
    dictionary.write_text("".join(f"{w.upper()}  {' '.join(p)}\n" for w, p in WORDS.items()))
    draw = np.random.default_rng(0)
    all_, speech = [], {}
    for i in range(utterances + dev):
        words = [str(w) for w in draw.choice(sorted(WORDS), int(draw.integers(1, 5)))]
        name = f"u{i:02d}"
        speech[name] = say(words, seed=i)
        all_.append(Utterance(name, f"s{i % 4}", " ".join(words).upper(), folder / f"{name}.wav"))
    return ToneCorpus(tuple(all_[:utterances]), tuple(all_[utterances:]), dictionary, speech)
