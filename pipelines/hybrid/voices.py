"""Speech in the voices of others: to features of nobody in particular, and back from there as someone else.

A speaker's fMLLR takes away what is that speaker's own; the inverse of another speaker's puts in what is that
one's. No audio is made, and frames stay where they were, so that alignments and posteriors hold for every
voice. After the stochastic feature mapping of Cui, Goel and Kingsbury 2015, "Data augmentation for deep
neural network acoustic modeling", who map from one speaker to the model of another.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pipelines.hybrid.gmm import Doubles
from pipelines.hybrid.train import Speech
from pipelines.hybrid.transforms import apply


def inverse(transform: Doubles) -> Doubles:
    """What undoes an affine transform; both (D, D + 1), the offset last."""
    back = np.linalg.inv(transform[:, :-1])
    return np.concatenate([back, -back @ transform[:, -1:]], axis=1)


def in_other_voices(speech: Speech, transforms: Mapping[str, Doubles], rng: np.random.Generator) -> Speech:
    """Adapted `speech`, each utterance as someone drawn from `transforms` (D, D + 1) would have said it."""
    voices = [inverse(transforms[name]) for name in sorted(transforms)]
    return speech.mapped(lambda x, _: apply(voices[rng.integers(len(voices))], x))
