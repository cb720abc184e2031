"""A training of a hybrid's networks that is killed on the way, and goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hybrid_trainings import KilledError
from tones import ToneCorpus

from pipelines.hybrid import networks, store
from pipelines.hybrid.network import Network
from pipelines.hybrid.network_train import Aligned
from pipelines.hybrid.pipeline import HybridPipeline

STREAMING = ("tdnn", "tdnn+gmm")
OFFLINE = ("tdnn-sat", "tdnn-sat+gmm")
TRAINED = ("tdnn", "tdnn-sat")
NETWORKS = (*STREAMING, *OFFLINE)
EPOCHS = 4
CONFIG = {
    "lms": ["trigram"],
    "gaussians": 40,
    "iterations": 5,
    "members": 1,
    "jobs": 1,
    "tri_iterations": 5,
    "leaves": 40,
    "min_gain": 50.0,
    "min_occupancy": 20.0,
    "tri_gaussians": 50,
    "mllt_gaussians": 50,
    "sat_gaussians": 60,
    "positions": False,
    "networks": list(TRAINED),
    "epochs": EPOCHS,
    "network_copies": 1,
    "adapted_members": 2,
}


@dataclass(eq=False)
class Training:
    """A training killed in the second member of its second network, and gone on with."""

    folder: Path
    notes: list[tuple[str, str]] = field(default_factory=list)  # (stage, note) after the kill
    taught: list[tuple[Aligned, Aligned | None]] = field(default_factory=list)  # what each network got
    left: frozenset[str] = frozenset()  # by the kill
    first: bytes = b""  # the first network then

    def train(self, corpus: ToneCorpus, told: Callable[[str, str], None]) -> None:
        """`told` gets (stage, note)."""
        plain = networks.train_network

        def noted(kind: str, train: Aligned, *rest, held_out: Aligned | None, **options) -> Network:
            self.taught.append((train, held_out))
            return plain(kind, train, *rest, held_out=held_out, **options)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(networks, "train_network", noted)
            HybridPipeline.train(
                corpus, CONFIG, self.folder, lambda done, total, note="", *, stage="": told(stage, note)
            )


def killed_and_gone_on(corpus: ToneCorpus, folder: Path) -> Training:
    training = Training(folder)

    def kill(stage: str, note: str) -> None:
        if "tdnn-sat, 2 of 2: tdnn: epoch 2" in note:
            raise KilledError

    with pytest.raises(KilledError):
        training.train(corpus, kill)
    training.left = frozenset(path.name for path in folder.iterdir())
    training.first = (folder / store.network_file("tdnn")).read_bytes()
    training.train(corpus, lambda stage, note: training.notes.append((stage, note)))
    return training
