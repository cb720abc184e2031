"""A trained hybrid read back for decoding: the model that is asked for, its graph, its weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from pipelines.hybrid.settings import SAT, SI, DecodeSettings
from pipelines.hybrid.word_graph import Pronunciations
from pipelines.search import Beam, LogLikelihoods, Search
from pipelines.search import Path as BestPath


@dataclass(frozen=True, eq=False)
class Parts:
    """All that decoding needs. `adaptation` is None for a model that hears speech as it is."""

    features: FeatureSettings
    normalisation: Normalisation
    model: AcousticModel
    network: Any
    search: Search
    weight: float
    words: WordTable
    pronunciations: Pronunciations
    adaptation: Adaptation | None
    facts: Mapping[str, float | str]

    @property
    def look_ahead(self) -> int:
        """Frames of features beyond a frame that its likelihoods wait for."""
        return self.model.front.look_ahead

    def decode(self, features: Features) -> BestPath:
        """The best path for the front end's output, (frames, D)."""
        return Recogniser(self.model, self.search, self.weight).path(features)

    def scores(
        self, streams: Sequence[Any], features: Sequence[Features], last: Sequence[bool]
    ) -> list[LogLikelihoods]:
        """Scaled log-likelihoods (frames, labels) of what came in for each stream, (frames, D)."""
        together = self.model.log_likelihoods(np.concatenate(features)) * np.float32(1.0 / self.weight)
        return np.split(together, np.cumsum([len(f) for f in features])[:-1])


def load_parts(folder: Path, settings: DecodeSettings) -> Parts:
    """Raises `InputError` for a folder without a hybrid, and a model or LM that it lacks."""
    description = store.load_json(folder / store.MODEL)
    name, tuned = _chosen(description, settings, folder)
    model = store.load_acoustic(folder / store.acoustic_file(name))
    graph_file = store.graph_file(tied_as(name), settings.lm)
    graph = store.load_graph(folder / graph_file)
    search = _search(graph, tuned, settings)
    features, normalisation = store.load_features(folder / store.FEATURES)
    pronunciations = {w: tuple(map(tuple, p)) for w, p in description["pronunciations"].items()}
    files = [store.MODEL, store.FEATURES, graph_file, store.acoustic_file(name)]
    adaptation = None
    if name == SAT:
        files.append(store.acoustic_file(SI))
        si = store.load_acoustic(folder / store.acoustic_file(SI))
        first = Tuned(**description["tuned"][SI][settings.lm])
        adaptation = Adaptation(
            Recogniser(si, _search(graph, first, settings), first.weight),
            Recogniser(model, search, tuned.weight),
        )
    size = sum((folder / file).stat().st_size for file in files)
    facts: dict[str, float | str] = {"model": name, "model_bytes": size, "training_stage": tied_as(name)}
    return Parts(
        features,
        normalisation,
        model,
        None,
        search,
        tuned.weight,
        WordTable(tuple(sorted(pronunciations))),
        pronunciations,
        adaptation,
        {**facts, **_facts(description, settings, tuned, model=model, features=features, graph=graph)},
    )


def _search(graph: Arcs, tuned: Tuned, settings: DecodeSettings) -> Search:
    fst = const_fst(with_insertion_penalty(graph, tuned.penalty))
    return Search(fst, Beam(settings.beam, settings.max_active))


def _chosen(description: Mapping[str, Any], settings: DecodeSettings, folder: Path) -> tuple[str, Tuned]:
    """The model's name, by default the last one trained, and what was tuned for it."""
    known = description["tuned"]
    name = settings.model or list(known)[-1]
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


def _facts(
    description: Mapping[str, Any],
    settings: DecodeSettings,
    tuned: Tuned,
    *,
    model: AcousticModel,
    features: FeatureSettings,
    graph: Arcs,
) -> Mapping[str, float | str]:
    mixtures = model.mixtures
    return {
        "device": "cpu",
        "threads": 1,
        "parameters": mixtures.gaussians * (2 * mixtures.means.shape[1] + 1),
        "gaussians": mixtures.gaussians,
        "states": mixtures.states,
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
        "features": f"{features.cepstra} MFCC + deltas, {features.sample_rate} Hz, causal normalisation, "
        f"prior {features.prior_frames:g} frames",
        "dropped_utterances": len(description["dropped"]),
    }
