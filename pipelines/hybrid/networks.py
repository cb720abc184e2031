"""The networks of a training: what each hears, on whose alignments it learns, where it lies on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.fft import idct

from pipelines.features import Features, FeatureSettings, Normalisation
from pipelines.hybrid import store
from pipelines.hybrid.front import FrontEnd
from pipelines.hybrid.fused import Fused
from pipelines.hybrid.generations import SEED_STRIDE, Lessons, adapted
from pipelines.hybrid.gmm import Doubles, Mixtures, States
from pipelines.hybrid.model import Stage
from pipelines.hybrid.network import Ensemble, LikelihoodStream, Network, accept_together, mean_of
from pipelines.hybrid.network_layers import parameters
from pipelines.hybrid.network_store import load_network, save_network
from pipelines.hybrid.network_train import Aligned, default_settings, train_network
from pipelines.hybrid.parallel import Step, side_by_side
from pipelines.hybrid.settings import ADAPTED, TrainSettings, hears_adapted
from pipelines.hybrid.train import Speech, stretched
from pipelines.hybrid.tying import Tying
from pipelines.search import LogLikelihoods

_LIFTER = 22.0  # Kaldi's
_CNN = "cnn"


@dataclass(frozen=True, eq=False)
class NetworkModel:
    """A network for the senones of a tying, over what `front` makes of the features.

    `self_loops` as in `AcousticModel`.
    """

    tying: Tying
    self_loops: Doubles
    network: Network | Ensemble | Fused
    front: FrontEnd

    @property
    def look_ahead(self) -> int:
        """Frames of features beyond a frame that its likelihoods wait for."""
        return self.front.look_ahead + self.network.right

    def log_likelihoods(self, features: Features) -> LogLikelihoods:
        """Of the labels: (frames, D) of the front end's output to (frames, labels)."""
        return self.network.log_likelihoods(features)[:, self.tying.label_senone]

    @property
    def parameters(self) -> int:
        """All that is trained, the mixtures beside it too."""
        if isinstance(self.network, Fused):
            network, beside = self.network.network, self.network.mixtures.parameters
        else:
            network, beside = self.network, 0
        members = network.members if isinstance(network, Ensemble) else (network,)
        return beside + sum(parameters(member.stack) for member in members)

    def open_stream(self) -> LikelihoodStream:
        return self.network.open_stream()

    def heard_together(
        self, streams: Sequence[Any], features: Sequence[Features], last: Sequence[bool]
    ) -> list[LogLikelihoods]:
        """What came in for each stream, (n, D), to (m, labels); streams at their end give all they hold."""
        if isinstance(self.network, Network):
            ready = accept_together(streams, features)
        else:
            ready = [stream.accept(x) for stream, x in zip(streams, features, strict=True)]
        whole = [
            np.concatenate([scores, stream.finish()]) if over else scores
            for stream, scores, over in zip(streams, ready, last, strict=True)
        ]
        return [scores[:, self.tying.label_senone] for scores in whole]


def front_of(name: str, sat: FrontEnd, features: FeatureSettings, normalisation: Normalisation) -> FrontEnd:
    """Mel spectra for a CNN, which looks for neighbours in frequency; else what the adapted model hears."""
    if not name.startswith(_CNN):
        return sat
    count = features.cepstra
    spectra = idct(np.eye(features.mel_bins), norm="ortho", axis=0)[:, :count]  # (mel bins, cepstra)
    lifter = 1.0 + 0.5 * _LIFTER * np.sin(np.pi * np.arange(count) / _LIFTER)
    matrix = spectra / (lifter * normalisation.scale[:count])
    return FrontEnd(np.pad(matrix, ((0, 0), (0, 1))), count, context=0)


@dataclass(frozen=True, eq=False)
class Teacher:
    """Teaches networks on the alignments of `sat`, and leaves them in `folder`.

    They do not learn from the last `held_out` utterances of `lessons`, on which the weight of the language
    model is tuned.
    """

    sat: Stage
    lessons: Lessons
    held_out: int
    settings: TrainSettings
    folder: Path

    def teach(self, fronts: Mapping[str, FrontEnd], step: Step) -> None:
        """All networks of these names that are not there yet."""
        missing = [name for name in fronts if not (self.folder / store.network_file(name)).exists()]
        pieces = [partial(self._one, name, fronts[name]) for name in missing]
        side_by_side(pieces, step, self.settings.jobs)

    def _one(self, name: str, front: FrontEnd, step: Step) -> None:
        step(0.0, f"{name}: features", name)
        heard = self.lessons.speech.mapped(lambda x, _: front.whole(x))
        if hears_adapted(name):
            heard = adapted(heard, self.sat.transforms)
        count = self.settings.adapted_members if hears_adapted(name) else 1
        checkpoints = [self.folder / f"{name}-{i}.checkpoint" for i in range(count)]
        parts, members = self._parts(heard), []
        for i, checkpoint in enumerate(checkpoints):

            def note(share: float, text: str, i: int = i) -> None:
                step((i + share) / count, f"{name}, {i + 1} of {count}: {text}", name)

            members.append(self._network(name, i, parts, checkpoint, note))
        model = self.sat.model
        store.save_states(self.folder / store.acoustic_file(name), model.tying, model.self_loops, front)
        save_network(mean_of(members), self.folder / store.network_file(name))
        for checkpoint in checkpoints:
            checkpoint.unlink(missing_ok=True)

    def _network(
        self,
        name: str,
        member: int,
        parts: tuple[Aligned, Aligned | None],
        checkpoint: Path,
        note: Callable[[float, str], None],
    ) -> Network:
        """The `member`th of this name, from a seed of its own."""
        kind = name.removesuffix(ADAPTED)
        usual = default_settings(kind)
        seed = self.settings.seed + SEED_STRIDE * member
        options = replace(usual, seed=seed, epochs=self.settings.epochs or usual.epochs)
        train, dev = parts
        return train_network(
            kind,
            train,
            self.sat.model.tying.senones,
            options,
            held_out=dev,
            checkpoint=checkpoint,
            progress=note,
        )

    def _parts(self, speech: Speech) -> tuple[Aligned, Aligned | None]:
        """The first utterances with their copies, and those held out."""
        first = len(speech) - self.held_out
        every = [*enumerate(speech.features), *((i, x) for i, x in speech.copies if i < first)]
        senone = self.sat.model.tying.label_senone
        pairs: tuple[list[tuple[Features, States]], list[tuple[Features, States]]] = ([], [])
        for i, x in every:
            labels = self.sat.alignments[i]
            if labels is not None:
                pairs[i >= first].append((x, senone[stretched(labels, len(x))].astype(np.int32)))
        train, dev = (Aligned([x for x, _ in part], [s for _, s in part]) for part in pairs)
        return train, dev if dev.features else None


def load_network_model(folder: Path, name: str) -> NetworkModel:
    """Raises `InputError` for files that are missing or broken."""
    tying, self_loops, front = store.load_states(folder / store.acoustic_file(name))
    return NetworkModel(tying, self_loops, load_network(folder / store.network_file(name)), front)


def with_mixtures(model: NetworkModel, mixtures: Mixtures, share: float) -> NetworkModel:
    """The same network, and mixtures for its senones beside it; see `Fused` for their `share`."""
    assert not isinstance(model.network, Fused)
    return replace(model, network=Fused(model.network, mixtures, share))
