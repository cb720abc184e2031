"""The words of `tones` as features without audio: phones lean on their neighbours, speakers have accents.

A speaker is an affine map of the static features, which is what fMLLR can undo.
"""

from __future__ import annotations

import numpy as np
from tones import WORDS

from pipelines.features import Features
from pipelines.hybrid.generations import Lessons
from pipelines.hybrid.topology import Topology, left_to_right
from pipelines.hybrid.train import Speech

DICTIONARY = {word: (phones,) for word, phones in WORDS.items()}
TOPOLOGY: Topology = left_to_right((p for phones in WORDS.values() for p in phones), silence_states=3)
STATICS = 13


class World:
    """The same means for all who speak in it; `accent` is how far speakers are from each other."""

    def __init__(self, seed: int = 1, accent: float = 1.0) -> None:
        draw = np.random.default_rng(seed)
        phones = len(TOPOLOGY.phones)
        self.means = draw.normal(0, 1.0, (phones, 3, STATICS))
        self.left, self.right = draw.normal(0, 0.8, (2, phones, STATICS))
        self.accent = accent

    def speech(self, speakers: range, each: int, seed: int) -> Speech:
        """`each` utterances of one to four words by each of the speakers."""
        draw = np.random.default_rng(seed)
        features, words, names = [], [], []
        for speaker in speakers:
            for _ in range(each):
                sentence = tuple(map(str, draw.choice(sorted(WORDS), int(draw.integers(1, 5)))))
                features.append(self._said(sentence, speaker, draw))
                words.append(sentence)
                names.append(f"s{speaker}")
        return Speech(tuple(features), tuple(words), (), tuple(names))

    def lessons(self, speakers: int = 16, each: int = 10) -> Lessons:
        speech = self.speech(range(speakers), each, seed=2)
        return Lessons("train", speech, DICTIONARY, tuple(f"u{i}" for i in range(len(speech))))

    def _said(self, sentence: tuple[str, ...], speaker: int, draw: np.random.Generator) -> Features:
        phones = [0]
        for word in sentence:
            phones += [TOPOLOGY.phone_ids[p] for p in WORDS[word]] + [0] * int(draw.random() < 0.5)
        phones += [0] * (phones[-1] != 0)
        rows = []
        for left, phone, right in zip([0, *phones], phones, [*phones[1:], 0], strict=False):
            near = (
                (self.left[left], np.zeros(STATICS), self.right[right]) if phone else np.zeros((3, STATICS))
            )
            for position in range(3):
                mean = self.means[phone, position] + near[position]
                rows += [mean] * int(draw.integers(2, 5))
        x = np.array(rows) + draw.normal(0, 0.9, (len(rows), STATICS))
        matrix, shift = self._accent(speaker)
        x = x @ matrix.T + shift
        slope = np.gradient(x, axis=0)
        return np.concatenate([x, slope, np.gradient(slope, axis=0)], axis=1).astype(np.float32)

    def _accent(self, speaker: int) -> tuple[np.ndarray, np.ndarray]:
        draw = np.random.default_rng((7, speaker))
        matrix = np.eye(STATICS) + self.accent * draw.normal(0, 0.12, (STATICS, STATICS))
        return matrix, self.accent * draw.normal(0, 0.8, STATICS)
