"""A corpus that has been found, read and cleaned: utterances by split, and their audio in every condition."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from data.audio import read_audio
from data.card import Card
from data.degrade import CONDITIONS, VOICES, degrade
from data.errors import InputError, did_you_mean
from data.fingerprint import split_fingerprint
from data.layouts.shape import Skipped
from data.text import Normaliser
from data.types import Audio, Utterance


@dataclass(frozen=True, eq=False)
class Corpus:
    """Speech with its text. Fits `pipelines.protocol.TrainingSet` by shape.

    `splits` hold the usable utterances, `skipped` the others with the reason; no utterance is in two splits.
    `found_text`: the files of the card's `general_text` that are on this machine.
    """

    card: Card
    root: Path
    splits: Mapping[str, tuple[Utterance, ...]]
    normaliser: Normaliser
    skipped: tuple[Skipped, ...] = field(default=())
    found_text: tuple[Path, ...] = ()

    @property
    def name(self) -> str:
        return self.card.name

    @property
    def language(self) -> str:
        return self.card.language

    @property
    def sample_rate(self) -> int:
        return self.card.sample_rate

    @property
    def conditions(self) -> tuple[str, ...]:
        return self.card.conditions

    @property
    def train(self) -> Sequence[Utterance]:
        return self.splits.get("train", ())

    @property
    def dev(self) -> Sequence[Utterance]:
        return self.splits.get("dev", ())

    @property
    def dictionary(self) -> Path | None:
        return self._own_file(self.card.dictionary)

    @property
    def language_model(self) -> Path | None:
        return self._own_file(self.card.language_model)

    @property
    def text(self) -> Path | None:
        return self._own_file(self.card.text)

    @property
    def general_text(self) -> Sequence[Path]:
        """Books for language models; `InputError` where the card names some and they are not here."""
        if self.card.general_text and not self.found_text:
            raise InputError(
                f"the text '{self.card.general_text}' that the card names for language models is not on this "
                "machine; put it below the folder that ASRBENCH_CORPORA names, or take general_text out",
                self.card.path,
            )
        return self.found_text

    def split(self, name: str) -> tuple[Utterance, ...]:
        """The utterances of a split; `InputError` where the corpus has none of that name."""
        if name not in self.splits:
            known = ", ".join(self.splits)
            raise InputError(
                f"corpus {self.name} has no split '{name}'{did_you_mean(name, self.splits)} (it has: {known})"
            )
        return self.splits[name]

    def normalise(self, text: str) -> str:
        return self.normaliser(text)

    def audio(self, utterance: Utterance, condition: str = "clean") -> Audio:
        """Mono float32 audio at `sample_rate`, as heard in a condition; the same at every call.

        Raises `InputError` for a file that cannot be read and for an unknown condition.
        """
        if condition not in CONDITIONS:
            hint = did_you_mean(condition, CONDITIONS)
            raise InputError(f"unknown condition '{condition}'{hint} (known: {', '.join(CONDITIONS)})")
        clean = self._clean(utterance)
        if condition == "clean":
            return clean
        seed = _seed(self.name, condition, utterance.id)
        voices = (
            [self._clean(other) for other in self._others(utterance, seed)] if condition == "noisy" else []
        )
        return degrade(clean, condition, seed, voices)

    def fingerprint(self, split: str) -> str:
        """SHA-256 over the ids, speakers, texts, segments and audio contents of a split, in hexadecimal."""
        return split_fingerprint(self.split(split))

    def _clean(self, utterance: Utterance) -> Audio:
        return read_audio(utterance.source, utterance.start, utterance.duration, self.sample_rate)

    def _others(self, utterance: Utterance, seed: int) -> Sequence[Utterance]:
        """Utterances of the same split by other speakers; by anyone where there is but one speaker."""
        split = self._split_of.get(utterance.id)
        everyone = [other for other in self.splits.get(split or "", ()) if other.id != utterance.id]
        others = [other for other in everyone if other.speaker != utterance.speaker] or everyone
        if not others:
            return ()
        picks = np.random.default_rng(seed).choice(len(others), min(VOICES, len(others)), replace=False)
        return [others[int(pick)] for pick in picks]

    @cached_property
    def _split_of(self) -> Mapping[str, str]:
        return {utterance.id: split for split, members in self.splits.items() for utterance in members}

    def _own_file(self, relative: str | None) -> Path | None:
        path = self.root / relative if relative else None
        return path if path is not None and path.is_file() else None


def _seed(*parts: str) -> int:
    return int.from_bytes(
        hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()[:8], "big"
    )
