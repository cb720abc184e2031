"""A trained hybrid read back for decoding: the model that is asked for, its graph, its weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data.errors import InputError, did_you_mean
from data.types import Transcript
from pipelines.alternatives import Alternatives, read_rescoring
from pipelines.endpoint import KALDI_RULES, Endpointer, EndpointRule
from pipelines.features import FRAME_SECONDS, Features, FeatureSettings, Normalisation
from pipelines.fst import Arcs, const_fst
from pipelines.grammar import WordTable
from pipelines.hybrid import store
from pipelines.hybrid.adapt import Adaptation, Recogniser
from pipelines.hybrid.facts import count_facts, decoding_facts, model_facts, stages_of
from pipelines.hybrid.graph import with_insertion_penalty
from pipelines.hybrid.graphs import tied_as
from pipelines.hybrid.listening import Listening
from pipelines.hybrid.model import AcousticModel, Tuned, fused_tuning
from pipelines.hybrid.settings import (
    FUSED,
    GENERATIONS,
    NETWORKS,
    SAT,
    SI,
    DecodeSettings,
    hears_adapted,
    plain_network,
)
from pipelines.hybrid.topology import SILENCE
from pipelines.hybrid.tying import Tying
from pipelines.search import Beam, LogLikelihoods, Search

if TYPE_CHECKING:
    from pipelines.hybrid.networks import NetworkModel  # mixtures need no torch


@dataclass(frozen=True, eq=False)
class Parts:
    """All that decoding needs. `adaptation` is None for a model that hears speech as it is."""

    features: FeatureSettings
    normalisation: Normalisation
    model: AcousticModel | NetworkModel
    listening: Listening
    weight: float
    adaptation: Adaptation | None
    facts: Mapping[str, float | str]

    def decode(self, features: Features) -> Transcript:
        """What is heard in the front end's output, (frames, D)."""
        listener = self.listening.start()
        listener.accept(self.model.log_likelihoods(features) / np.float32(self.weight))
        return listener.finish()

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
    model = _model(folder, name, settings.lm, description["tuned"])
    graph = store.load_graph(folder / store.graph_file(tied_as(name), settings.lm))
    listening = _listening(folder, description, settings, model=model, search=_search(graph, tuned, settings))
    features, normalisation = store.load_features(folder / store.FEATURES)
    adaptation = _adaptation(folder, description, settings, graph) if hears_adapted(name) else None
    files = files_of(folder, settings)
    facts = {
        "model": name,
        "model_bytes": sum((folder / file).stat().st_size for file in files),
        "training_stage": stages_of(name),
        **model_facts(model, features),
        **decoding_facts(description, settings, tuned, graph),
        **count_facts(settings, tuned),
    }
    return Parts(features, normalisation, model, listening, tuned.weight, adaptation, facts)


def files_of(folder: Path, settings: DecodeSettings) -> list[str]:
    """Those that decoding by `settings` reads. Raises `InputError` as `load_parts` does."""
    name, _ = _chosen(store.load_json(folder / store.MODEL), settings, folder)
    return list(dict.fromkeys([*_files(name, settings.lm), *_rescoring_files(settings)]))


def facts_of(folder: Path) -> dict[str, Any]:
    """What a trained hybrid tells of its training."""
    description = store.load_json(folder / store.MODEL)
    told: dict[str, Any] = {key: description[key] for key in ("language", "ngrams")}
    return {**told, "words": len(description["pronunciations"])}


def _listening(
    folder: Path,
    description: Mapping[str, Any],
    settings: DecodeSettings,
    *,
    model: AcousticModel | NetworkModel,
    search: Search,
) -> Listening:
    pronunciations = store.pronunciations_of(description)
    words = WordTable(tuple(sorted(pronunciations)))
    return Listening(
        search,
        words,
        pronunciations,
        model.tying,
        _endpointer(settings, model.tying),
        _alternatives(folder, description, settings, words=words, search=search),
    )


def _endpointer(settings: DecodeSettings, tying: Tying) -> Endpointer | None:
    rules = [*(KALDI_RULES if settings.endpoint else ())]
    if settings.endpoint_seconds:
        rules.append(EndpointRule(silence=settings.endpoint_seconds))
    silence = tying.topology.phone_ids[SILENCE]
    labels = frozenset((np.flatnonzero(tying.label_phone == silence) + 1).tolist())
    return Endpointer(labels, FRAME_SECONDS, tuple(rules)) if rules else None


def _alternatives(
    folder: Path,
    description: Mapping[str, Any],
    settings: DecodeSettings,
    *,
    words: WordTable,
    search: Search,
) -> Alternatives | None:
    if not (settings.confidence or settings.rescore):
        return None
    rescoring = None
    if settings.rescore:
        known = description.get("rescore_ngrams", {})
        if settings.rescore not in known:
            there = f"there are: {', '.join(known)}" if known else "train it with big_order = 5"
            raise InputError(f"no language model {settings.rescore!r} to rescore with ({there})", folder)
        old, new = (folder / store.arpa_file(lm) for lm in (settings.lm, settings.rescore))
        rescoring = read_rescoring(old, new, words, settings.rescore_weight)
    return Alternatives(search, settings.nbest, settings.lattice_beam, settings.confidence, rescoring)


def _all_tuned(stored: Mapping[str, Any]) -> dict[str, dict[str, Tuned]]:
    """By model and language model; networks with mixtures beside them follow from what was tuned for each.

    Both were tuned apart, each on speech that it had not heard; the mean of their scaled log-likelihoods
    needs nothing else.
    """
    tuned = {name: {lm: Tuned(**values) for lm, values in by_lm.items()} for name, by_lm in stored.items()}
    for name in [f for f in FUSED if plain_network(f) in tuned]:
        beside = tuned[_beside(name)]
        tuned[name] = {lm: fused_tuning(own, beside[lm]) for lm, own in tuned[plain_network(name)].items()}
    return tuned


def _beside(name: str) -> str:
    """The mixtures beside a network that hears what they hear."""
    return SAT if hears_adapted(name) else SI


def _model(folder: Path, name: str, lm: str, tuned: Mapping[str, Any]) -> AcousticModel | NetworkModel:
    if name in (*GENERATIONS, SI):
        return store.load_acoustic(folder / store.acoustic_file(name))
    from pipelines.hybrid.networks import load_network_model, with_mixtures

    plain = plain_network(name)
    network = load_network_model(folder, plain)
    if name == plain:
        return network
    own, beside = (Tuned(**tuned[part][lm]) for part in (plain, _beside(name)))
    mixtures = store.load_acoustic(folder / store.acoustic_file(_beside(name))).mixtures
    return with_mixtures(network, mixtures, own.weight / beside.weight)


def _files(name: str, lm: str) -> list[str]:
    """Those that a model decodes with."""
    plain = plain_network(name)
    files = [store.MODEL, store.FEATURES, store.graph_file(tied_as(name), lm), store.acoustic_file(plain)]
    if plain in NETWORKS:
        files.append(store.network_file(plain))
    beside = (SI, SAT) if hears_adapted(name) else (SI,) if name != plain else ()
    files += [store.acoustic_file(part) for part in beside if part != name]
    return files


def _rescoring_files(settings: DecodeSettings) -> list[str]:
    return [store.arpa_file(lm) for lm in (settings.lm, settings.rescore)] if settings.rescore else []


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
    known = _all_tuned(description["tuned"])
    name = settings.model or (SI if SI in known else list(known)[-1])
    if name not in known:
        hint = did_you_mean(name, known)
        raise InputError(f"no model {name!r} was trained{hint} (there are: {', '.join(known)})", folder)
    if settings.lm not in known[name]:
        hint = did_you_mean(settings.lm, known[name])
        there = ", ".join(known[name])
        raise InputError(f"no language model {settings.lm!r} was prepared{hint} (there are: {there})", folder)
    tuned = known[name][settings.lm]
    weight = tuned.weight if settings.lm_weight is None else settings.lm_weight
    penalty = tuned.penalty if settings.insertion_penalty is None else settings.insertion_penalty
    return name, replace(tuned, weight=weight, penalty=penalty)
