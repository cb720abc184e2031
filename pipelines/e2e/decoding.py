"""The decoder that an experiment asks for, over a trained model's folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from data.errors import InputError
from data.text import normaliser
from pipelines.e2e import language
from pipelines.e2e.acoustics import Acoustics
from pipelines.e2e.attention_search import AttentionSearch
from pipelines.e2e.decoder import Decoder, Greedy, Weights
from pipelines.e2e.graph_search import GraphDecoder, GraphSearch
from pipelines.e2e.hot_words import NO_HOT_WORDS, HotWords, hot_words
from pipelines.e2e.models.joint import Joint
from pipelines.e2e.prefix_beam import PrefixBeam
from pipelines.e2e.settings import ATTENTION, DecodeSettings
from pipelines.e2e.token_graph import TokenGraph, arpa_words, read_token_graph, token_graph
from pipelines.e2e.tokens import PHONES, Tokens
from pipelines.e2e.word_scores import WordScores
from pipelines.ngram import write_arpa
from pipelines.ngram_adapt import adapted
from pipelines.texts import read_sentences

Facts = dict[str, float | str]
_WIDTH, _BEAM, _SENTENCES = 64, 14.0, 10


@dataclass(frozen=True)
class _Known:
    """What there is to decode with: the language model as a file and, unless made anew, as a graph."""

    arpa: Path
    graph: Path | None
    weights: Weights
    hot: HotWords


def open_decoder(model_dir: Path, trained: Acoustics, settings: DecodeSettings) -> tuple[Decoder, Facts]:
    """With the weights tuned for it unless they are set by hand, and its facts.

    Raises `InputError` for a decoder of scores or tokens that the network has not learned.
    """
    tokens = trained.tokens
    if tokens.kind == PHONES and settings.decoder in ("beam", ATTENTION):
        raise InputError(
            f"e2e: decoder {settings.decoder!r} puts words together from letters, and this model's tokens"
            " are phones; take decoder = 'wfst' or 'greedy'"
        )
    if settings.decoder == ATTENTION:
        return _attention(model_dir, trained, settings)
    if not trained.network.has_ctc:
        raise InputError(
            "e2e: this network was trained without CTC (attention_weight = 1), which decoder"
            f" {settings.decoder!r} hears; take decoder = 'attention'"
        )
    if settings.decoder == "greedy":
        return Greedy(tokens, settings.confidence), {"ngrams": 0.0}
    with TemporaryDirectory() as folder:
        known = _known(model_dir, settings, Path(folder))
        facts = _facts(known, settings)
        if settings.decoder == "beam":
            return _prefix_beam(known, tokens, settings), facts
        graph = token_graph(known.arpa, tokens) if known.graph is None else read_token_graph(known.graph)
        return _graph_decoder(known, graph, tokens, settings), {
            **facts,
            "graph_arcs": float(len(graph.arcs.source)),
        }


def _known(model_dir: Path, settings: DecodeSettings, folder: Path) -> _Known:
    """A language model that is adapted to a text lies in `folder`."""
    weights = _weights(model_dir, settings)
    arpa, graph = (path(model_dir, settings.lm) for path in (language.arpa_path, language.graph_path))
    if not (settings.text or settings.hot_words):
        return _Known(arpa, graph, weights, NO_HOT_WORDS)
    normalise = _normaliser(model_dir)
    if settings.text:
        own, arpa = arpa, folder / "adapted.arpa"
        sentences = list(read_sentences(Path(settings.text), normalise))
        if not sentences:
            raise InputError("no sentence to adapt the language model to", Path(settings.text))
        write_arpa(adapted(own, sentences, settings.text_share), arpa)
    hot = hot_words(settings.hot_words, settings.hot_word_bonus, arpa_words(arpa), normalise)
    return _Known(arpa, None if settings.text else graph, weights, hot)


def _facts(known: _Known, settings: DecodeSettings) -> Facts:
    facts: Facts = {
        "lm": settings.lm,
        "lm_weight": known.weights.lm_weight,
        "insertion": known.weights.insertion,
        "ngrams": float(language.ngrams(known.arpa)),
    }
    if settings.text:
        facts |= {"text": Path(settings.text).name, "text_share": settings.text_share}
    if known.hot.words:
        facts |= {"hot_words": float(len(known.hot.words)), "hot_word_bonus": known.hot.bonus}
    return facts


def _prefix_beam(known: _Known, tokens: Tokens, settings: DecodeSettings) -> PrefixBeam:
    width, nbest = int(settings.beam or _WIDTH), settings.nbest if settings.confidence else 0
    return PrefixBeam(tokens, known.arpa, known.weights, width, nbest=nbest, hot=known.hot)


def _graph_decoder(
    known: _Known, graph: TokenGraph, tokens: Tokens, settings: DecodeSettings
) -> GraphDecoder:
    beam, nbest = settings.beam or _BEAM, settings.nbest if settings.confidence else 0
    search = GraphSearch(graph, known.weights, beam, settings.max_active, known.hot)
    return GraphDecoder(search, tokens, nbest=nbest, lattice_beam=settings.lattice_beam)


def _attention(model_dir: Path, trained: Acoustics, settings: DecodeSettings) -> tuple[Decoder, Facts]:
    """The search of a speller; with lm_weight = 0 set by hand, without a language model."""
    network = trained.network
    if not isinstance(network, Joint):
        raise InputError(
            f"e2e: decoder 'attention' wants a network that attends; this is a {trained.architecture},"
            f" train a joint_{trained.architecture} for it"
        )
    learned = 1.0 - network.shape.attention_weight
    weight = learned if settings.ctc_weight is None else settings.ctc_weight
    if weight and not network.has_ctc:
        raise InputError("e2e: this network was trained without CTC (attention_weight = 1): ctc_weight is 0")
    words: WordScores | None = None
    facts: Facts = {"ngrams": 0.0}
    if settings.lm_weight != 0:
        with TemporaryDirectory() as folder:
            known = _known(model_dir, settings, Path(folder))
            words = WordScores(known.arpa, known.weights, trained.tokens)
            facts = _facts(known, settings)
    width = int(settings.beam or _SENTENCES)
    search = AttentionSearch(network, trained.tokens, words, ctc_weight=weight, width=width)
    return search, {**facts, "ctc_weight": weight}


def _weights(model_dir: Path, settings: DecodeSettings) -> Weights:
    tuned = language.read_weights(model_dir, settings.decoder, settings.lm)
    return Weights(
        tuned.lm_weight if settings.lm_weight is None else settings.lm_weight,
        tuned.insertion if settings.insertion is None else settings.insertion,
    )


def _normaliser(model_dir: Path) -> Callable[[str], str]:
    """That of the training's language; models from before it was noted take words as they come."""
    try:
        card = json.loads((model_dir / "card.json").read_text(encoding="utf-8"))
        spoken = card["training"].get("language")
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise InputError("the card here is damaged; train the model again", model_dir) from error
    return normaliser(spoken) if spoken else lambda text: " ".join(text.split())
