"""A trained hybrid read back for decoding: the model that is asked for, its graph, its weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data.errors import InputError, did_you_mean
from pipelines.features import Features, FeatureSettings, Normalisation
from pipelines.fst import Arcs, const_fst
from pipelines.grammar import WordTable
from pipelines.hybrid import store
from pipelines.hybrid.adapt import Adaptation, Recogniser
from pipelines.hybrid.graph import with_insertion_penalty
from pipelines.hybrid.graphs import tied_as
from pipelines.hybrid.model import AcousticModel, Tuned
from pipelines.hybrid.settings import GENERATIONS, NETWORKS, SAT, SI, DecodeSettings, hears_adapted
from pipelines.hybrid.word_graph import Pronunciations
from pipelines.search import Beam, LogLikelihoods, Search
from pipelines.search import Path as BestPath

if TYPE_CHECKING:
    from pipelines.hybrid.networks import NetworkModel  # mixtures need no torch


@dataclass(frozen=True, eq=False)
class Parts:
    """All that decoding needs. `adaptation` is None for a model that hears speech as it is."""

    features: FeatureSettings
    normalisation: Normalisation
    model: AcousticModel | NetworkModel
    search: Search
    weight: float
    words: WordTable
    pronunciations: Pronunciations
    adaptation: Adaptation | None
    facts: Mapping[str, float | str]

    def decode(self, features: Features) -> BestPath:
        """The best path for the front end's output, (frames, D)."""
        return Recogniser(self.model, self.search, self.weight).path(features)

    def open_stream(self) -> Any:
        """What a stream's network has to remember; nothing for mixtures."""
        return None if isinstance(self.model, AcousticModel) else self.model.open_stream()

    def scores(
        self, streams: Sequence[Any], features: Sequence[Features], last: Sequence[bool]
    ) -> list[LogLikelihoods]:
        """Scaled log-likelihoods (frames, labels) of what came in for each stream, (frames, D)."""
        factor = np.float32(1.0 / self.weight)
        if not isinstance(self.model, AcousticModel):
            return [scores * factor for scores in self.model.heard_together(streams, features, last)]
        together = self.model.log_likelihoods(np.concatenate(features)) * factor
        return np.split(together, np.cumsum([len(f) for f in features])[:-1])


def load_parts(folder: Path, settings: DecodeSettings) -> Parts:
    """Raises `InputError` for a folder without a hybrid, and a model or LM that it lacks."""
    description = store.load_json(folder / store.MODEL)
    name, tuned = _chosen(description, settings, folder)
    files = _files(name, settings.lm)
    model = _model(folder, name)
    graph = store.load_graph(folder / store.graph_file(tied_as(name), settings.lm))
    search = _search(graph, tuned, settings)
    features, normalisation = store.load_features(folder / store.FEATURES)
    pronunciations = {w: tuple(map(tuple, p)) for w, p in description["pronunciations"].items()}
    adaptation = _adaptation(folder, description, settings, graph) if hears_adapted(name) else None
    facts = {
        "model": name,
        "model_bytes": sum((folder / file).stat().st_size for file in files),
        "training_stage": _stages(name),
        **_model_facts(model, features),
        **_facts(description, settings, tuned, graph),
    }
    words = WordTable(tuple(sorted(pronunciations)))
    return Parts(
        features, normalisation, model, search, tuned.weight, words, pronunciations, adaptation, facts
    )


def _model(folder: Path, name: str) -> AcousticModel | NetworkModel:
    if name not in NETWORKS:
        return store.load_acoustic(folder / store.acoustic_file(name))
    from pipelines.hybrid.networks import load_network_model

    return load_network_model(folder, name)


def _files(name: str, lm: str) -> list[str]:
    """Those that a model decodes with."""
    files = [store.MODEL, store.FEATURES, store.graph_file(tied_as(name), lm), store.acoustic_file(name)]
    if name in NETWORKS:
        files.append(store.network_file(name))
    if hears_adapted(name):
        files += [store.acoustic_file(part) for part in (SI, SAT) if part != name]
    return files


def _stages(name: str) -> str:
    """The stages of the training that a model comes from."""
    last = GENERATIONS.index(tied_as(name)) + 1
    return " ".join([*GENERATIONS[:last], *([name] if name in NETWORKS else [])])


def _adaptation(
    folder: Path, description: Mapping[str, Any], settings: DecodeSettings, graph: Arcs
) -> Adaptation:
    si, sat = (store.load_acoustic(folder / store.acoustic_file(name)) for name in (SI, SAT))

    def recogniser(name: str, model: AcousticModel) -> Recogniser:
        tuned = Tuned(**description["tuned"][name][settings.lm])
        return Recogniser(model, _search(graph, tuned, settings), tuned.weight)

    return Adaptation(recogniser(SI, si), recogniser(SAT, sat), sat)


def _search(graph: Arcs, tuned: Tuned, settings: DecodeSettings) -> Search:
    fst = const_fst(with_insertion_penalty(graph, tuned.penalty))
    return Search(fst, Beam(settings.beam, settings.max_active))


def _chosen(description: Mapping[str, Any], settings: DecodeSettings, folder: Path) -> tuple[str, Tuned]:
    """The model's name, by default the best GMM that streams, and what was tuned for it."""
    known = description["tuned"]
    name = settings.model or (SI if SI in known else list(known)[-1])
    if name not in known:
        hint = did_you_mean(name, known)
        raise InputError(f"no model {name!r} was trained{hint} (there are: {', '.join(known)})", folder)
    if settings.lm not in known[name]:
        hint = did_you_mean(settings.lm, known[name])
        there = ", ".join(known[name])
        raise InputError(f"no language model {settings.lm!r} was prepared{hint} (there are: {there})", folder)
    tuned = Tuned(**known[name][settings.lm])
    weight = tuned.weight if settings.lm_weight is None else settings.lm_weight
    penalty = tuned.penalty if settings.insertion_penalty is None else settings.insertion_penalty
    return name, Tuned(weight, penalty, tuned.wer)


def _model_facts(model: AcousticModel | NetworkModel, features: FeatureSettings) -> dict[str, float | str]:
    about = f"{features.cepstra} MFCC + deltas, {features.sample_rate} Hz, causal normalisation, "
    facts: dict[str, float | str] = {
        "device": "cpu",
        "threads": 1,
        "states": model.tying.senones,
        "features": about + f"prior {features.prior_frames:g} frames",
    }
    if isinstance(model, AcousticModel):
        mixtures = model.mixtures
        size = mixtures.gaussians * (2 * mixtures.means.shape[1] + 1)
        return {**facts, "parameters": size, "gaussians": mixtures.gaussians}
    return {**facts, "parameters": model.parameters}


def _facts(
    description: Mapping[str, Any], settings: DecodeSettings, tuned: Tuned, graph: Arcs
) -> dict[str, float | str]:
    return {
        "graph_states": graph.states,
        "graph_arcs": len(graph.source),
        "ngrams": description["ngrams"][settings.lm],
        "words": len(description["pronunciations"]),
        "guessed_pronunciations": description["guessed_pronunciations"],
        "lm": settings.lm,
        "lm_weight": tuned.weight,
        "insertion_penalty": tuned.penalty,
        "dev_wer": "not available" if tuned.wer is None else tuned.wer,
        "beam": settings.beam,
        "max_active": settings.max_active,
        "dropped_utterances": len(description["dropped"]),
    }
