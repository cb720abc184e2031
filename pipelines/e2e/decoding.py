"""The decoder that an experiment asks for, over a trained model's folder."""

from __future__ import annotations

from pathlib import Path

from pipelines.e2e import language
from pipelines.e2e.decoder import Decoder, Greedy, Weights
from pipelines.e2e.graph_search import GraphDecoder, GraphSearch
from pipelines.e2e.prefix_beam import PrefixBeam
from pipelines.e2e.settings import DecodeSettings
from pipelines.e2e.token_graph import read_token_graph
from pipelines.e2e.tokens import Tokens

Facts = dict[str, float | str]
_WIDTH, _BEAM = 64, 14.0


def open_decoder(model_dir: Path, tokens: Tokens, settings: DecodeSettings) -> tuple[Decoder, Facts]:
    """With the weights tuned for it unless they are set by hand, and its facts."""
    if settings.decoder == "greedy":
        return Greedy(tokens, settings.confidence), {"ngrams": 0.0}
    weights = _weights(model_dir, settings)
    arpa = language.arpa_path(model_dir, settings.lm)
    facts: Facts = {
        "lm": settings.lm,
        "lm_weight": weights.lm_weight,
        "insertion": weights.insertion,
        "ngrams": float(language.ngrams(arpa)),
    }
    nbest = settings.nbest if settings.confidence else 0
    if settings.decoder == "beam":
        return PrefixBeam(tokens, arpa, weights, int(settings.beam or _WIDTH), nbest=nbest), facts
    graph = read_token_graph(language.graph_path(model_dir, settings.lm))
    search = GraphSearch(graph, weights, settings.beam or _BEAM, settings.max_active)
    decoder = GraphDecoder(search, tokens, nbest=nbest, lattice_beam=settings.lattice_beam)
    return decoder, {**facts, "graph_arcs": float(len(graph.arcs.source))}


def _weights(model_dir: Path, settings: DecodeSettings) -> Weights:
    tuned = language.read_weights(model_dir, settings.decoder, settings.lm)
    return Weights(
        tuned.lm_weight if settings.lm_weight is None else settings.lm_weight,
        tuned.insertion if settings.insertion is None else settings.insertion,
    )
