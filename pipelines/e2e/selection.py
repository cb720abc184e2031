"""Which weights of a training are kept: those with the fewest errors on dev."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from data.errors import InputError
from data.types import Audio
from pipelines.e2e.acoustics import Acoustics
from pipelines.e2e.language import errors
from pipelines.e2e.ranks import Ranks
from pipelines.e2e.tokens import collapse
from pipelines.protocol import TrainingSet

_UTTERANCES = 100


def dev_part(corpus: TrainingSet, most: int) -> list[tuple[Audio, str]]:
    """Up to `most` utterances of dev, a few of every speaker, normalised; those that cannot be read are left
    out.
    """
    found = []
    for utterance in corpus.dev[:: len(corpus.dev) // most + 1]:
        try:
            found.append((corpus.audio(utterance), corpus.normalise(utterance.text)))
        except InputError:
            continue
    return found


@dataclass(frozen=True, eq=False)
class Judge:
    """Hears dev greedily by a copy of the network, so that the training goes on undisturbed.

    Each rank hears its share.
    """

    acoustics: Acoustics
    dev: Sequence[tuple[Audio, tuple[int, ...]]]
    ranks: Ranks

    def errors(self, weights: Mapping[str, Tensor]) -> float:
        """Substituted, deleted and inserted tokens for each token of dev."""
        self.acoustics.network.load_state_dict(weights)
        own = self.ranks.mine(self.dev)
        heard = self.acoustics.posteriors([audio for audio, _ in own])
        hypotheses = [collapse([int(i) for i in p.argmax(-1)]) if len(p) else [] for p in heard]
        wrong = errors([_spelt(labels) for _, labels in own], [_spelt(h) for h in hypotheses]) if own else 0
        all_wrong, tokens = self.ranks.total(wrong, sum(len(labels) for _, labels in own))
        return all_wrong / tokens


def _spelt(ids: Sequence[int]) -> str:
    """Each token as a word of its own."""
    return " ".join(map(str, ids))


def judge_of(corpus: TrainingSet, trained: Acoustics, ranks: Ranks) -> Judge:
    """A judge over a part of dev. Raises `InputError` where dev or the network has nothing to judge by."""
    if not trained.network.has_ctc:
        raise InputError("e2e: dev is scored by CTC: with attention_weight = 1 no score_epochs")
    network, front = copy.deepcopy(trained.network).eval(), copy.deepcopy(trained.front)
    own = replace(trained, network=network, front=front.to(trained.device))
    spoken = [(audio, tuple(own.tokens.encode(text))) for audio, text in dev_part(corpus, _UTTERANCES)]
    spoken = [(audio, labels) for audio, labels in spoken if labels]
    if not spoken:
        raise InputError(f"e2e: {corpus.name} has no dev speech; leave out score_epochs and patience")
    return Judge(own, spoken, ranks)
