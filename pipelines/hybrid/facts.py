"""What a loaded hybrid tells of itself: counters free of noise, and the settings in force."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pipelines.features import FeatureSettings
from pipelines.fst import Arcs
from pipelines.hybrid.graphs import tied_as
from pipelines.hybrid.model import AcousticModel, Tuned
from pipelines.hybrid.settings import GENERATIONS, NETWORKS, DecodeSettings, plain_network

if TYPE_CHECKING:
    from pipelines.hybrid.networks import NetworkModel


def stages_of(name: str) -> str:
    """The stages of the training that a model comes from."""
    last = GENERATIONS.index(tied_as(name)) + 1
    plain = plain_network(name)
    return " ".join([*GENERATIONS[:last], *([plain] if plain in NETWORKS else [])])


def model_facts(model: AcousticModel | NetworkModel, features: FeatureSettings) -> dict[str, float | str]:
    about = f"{features.cepstra} MFCC + deltas, {features.sample_rate} Hz, causal normalisation, "
    facts: dict[str, float | str] = {
        "device": "cpu",
        "threads": 1,
        "states": model.tying.senones,
        "features": about + f"prior {features.prior_frames:g} frames",
    }
    if isinstance(model, AcousticModel):
        mixtures = model.mixtures
        return {**facts, "parameters": mixtures.parameters, "gaussians": mixtures.gaussians}
    return {**facts, "parameters": model.parameters}


def decoding_facts(
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
        **_alternatives(description, settings),
        **_endpoint(settings),
    }


def _alternatives(description: Mapping[str, Any], settings: DecodeSettings) -> dict[str, float | str]:
    if not (settings.confidence or settings.rescore):
        return {}
    facts: dict[str, float | str] = {"nbest": settings.nbest, "lattice_beam": settings.lattice_beam}
    facts["confidence"] = "yes" if settings.confidence else "no"
    if settings.rescore:
        facts["rescore"] = settings.rescore
        facts["rescore_weight"] = settings.rescore_weight
        facts["rescore_ngrams"] = description["rescore_ngrams"][settings.rescore]
    return facts


def _endpoint(settings: DecodeSettings) -> dict[str, float | str]:
    quiet = [f"{settings.endpoint_seconds:g} s of silence"] if settings.endpoint_seconds else []
    rules = [*(["Kaldi's rules"] if settings.endpoint else []), *quiet]
    return {"endpoint": " or ".join(rules)} if rules else {}


def count_facts(settings: DecodeSettings, tuned: Tuned) -> dict[str, float]:
    """What was counted in training; nothing for a search with other settings than it was counted with."""
    usual = DecodeSettings(settings.model, settings.lm)
    asked = (settings.beam, settings.max_active, settings.lm_weight, settings.insertion_penalty)
    if asked != (usual.beam, usual.max_active, None, None) or tuned.tokens_per_frame is None:
        return {}
    return {"tokens_per_frame": tuned.tokens_per_frame, "arcs_per_frame": tuned.arcs_per_frame or 0.0}
