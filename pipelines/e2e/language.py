"""The language models beside a network: made at training time, their weights tuned on dev alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import jiwer

from data.errors import InputError
from pipelines.e2e.decoder import LogProbs, Weights
from pipelines.e2e.graph_search import GraphSearch
from pipelines.e2e.pace import Pace
from pipelines.e2e.prefix_beam import PrefixBeam
from pipelines.e2e.settings import CORPUS_LM, TRIGRAM
from pipelines.e2e.token_graph import arpa_words, token_graph
from pipelines.e2e.tokens import Tokens
from pipelines.grammar import clean_arpa
from pipelines.ngram import write_arpa
from pipelines.protocol import TrainingSet
from pipelines.texts import corpus_model

LM_WEIGHTS = (0.3, 0.5, 0.7, 1.0, 1.3, 1.7, 2.2)
INSERTIONS = (-1.0, 0.0, 1.0, 2.0, 3.0, 4.5, 6.0)
TUNING = "tuning-"
_BEAM_UTTERANCES = 60


@dataclass(frozen=True, eq=False)
class Heard:
    """An utterance of dev: its posteriors (T, tokens), natural logs, and what was said, normalised."""

    log_probs: LogProbs
    reference: str


def arpa_path(model_dir: Path, lm: str) -> Path:
    return model_dir / "lm" / f"{lm}.arpa"


def graph_path(model_dir: Path, lm: str) -> Path:
    return model_dir / "lm" / f"{lm}.npz"


def weights_path(model_dir: Path) -> Path:
    return model_dir / "lm" / "weights.json"


def prepare(corpus: TrainingSet, lms: Sequence[str], tokens: Tokens, model_dir: Path) -> tuple[str, ...]:
    """Writes an ARPA file and a token graph for each of `lms`; where a corpus has no ARPA, no `corpus`.

    What stays has learned from the dev references too; of the trigram there is a second one to tune with,
    under the name that `to_tune_with` gives, until `drop_tuning`.
    """
    (model_dir / "lm").mkdir(parents=True, exist_ok=True)
    made = []
    for lm in lms:
        target = arpa_path(model_dir, lm)
        if lm == TRIGRAM:
            text = corpus_model(corpus, join_dev=True)
            write_arpa(text.model, target)
            write_arpa(text.unheard, arpa_path(model_dir, TUNING + lm))
            _write_graph(model_dir, TUNING + lm, tokens)
        elif lm == CORPUS_LM and corpus.language_model is not None:
            source = corpus.language_model
            words = {corpus.normalise(word) for word in arpa_words(source)}
            clean_arpa(source, target, {w for w in words if w and " " not in w}, corpus.normalise)
        else:
            continue
        _write_graph(model_dir, lm, tokens)
        made.append(lm)
    return tuple(made)


def _write_graph(model_dir: Path, lm: str, tokens: Tokens) -> None:
    token_graph(arpa_path(model_dir, lm), tokens).write(graph_path(model_dir, lm))


def to_tune_with(model_dir: Path, lm: str) -> str:
    """The name of the language model like `lm` in which dev has no part."""
    return TUNING + lm if arpa_path(model_dir, TUNING + lm).exists() else lm


def drop_tuning(model_dir: Path) -> None:
    for path in (model_dir / "lm").glob(f"{TUNING}*"):
        path.unlink()


def errors(references: Sequence[str], hypotheses: Sequence[str]) -> int:
    """Substitutions, deletions and insertions of words, over all pairs."""
    pairs = [(r, h) for r, h in zip(references, hypotheses, strict=True) if r]
    counted = jiwer.process_words([r for r, _ in pairs], [h for _, h in pairs])
    return int(counted.substitutions + counted.deletions + counted.insertions)


def tune_graph(heard: Sequence[Heard], make: Callable[[Weights], GraphSearch], pace: Pace) -> Weights:
    """The weights with the fewest errors on dev, by turns along the grid, while `pace` has time."""
    references = [h.reference for h in heard]
    scored: dict[Weights, int] = {}

    def least(candidates: Iterable[Weights]) -> Weights:
        here = {}
        for weights in candidates:
            if weights not in scored and not (scored and pace.over):
                decoder = make(weights)
                scored[weights] = errors(references, [decoder.decode(h.log_probs) for h in heard])
                pace.tick()
            if weights in scored:
                here[weights] = scored[weights]
        return _best(here or scored)

    best = Weights()
    pace.begin(0)
    for _ in range(2):
        best = least(Weights(weight, best.insertion) for weight in LM_WEIGHTS)
        best = least(Weights(best.lm_weight, insertion) for insertion in INSERTIONS)
    return best


def tune_beam(heard: Sequence[Heard], decoder: PrefixBeam, start: Weights) -> Weights:
    """As `tune_graph`, but only around `start`: the search is slow."""
    some = heard[:_BEAM_UTTERANCES]
    scored = {}
    for factor, step in ((1.0, 0.0), (0.7, 0.0), (1.4, 0.0), (1.0, -1.0), (1.0, 1.0)):
        weights = Weights(round(start.lm_weight * factor, 3), start.insertion + step)
        decoder.reweigh(weights)
        scored[weights] = errors([h.reference for h in some], [decoder.decode(h.log_probs) for h in some])
    return _best(scored)


def _best(scored: Mapping[Weights, int]) -> Weights:
    least = min(scored.values())
    equal = sorted((w for w, n in scored.items() if n == least), key=lambda w: (w.lm_weight, w.insertion))
    # of equals the middle: its neighbours are as good, hence chance has the least say
    return equal[len(equal) // 2]


def write_weights(model_dir: Path, tuned: Mapping[str, Mapping[str, Weights]]) -> None:
    """`tuned[decoder][lm]`."""
    plain = {decoder: {lm: asdict(w) for lm, w in of.items()} for decoder, of in tuned.items()}
    weights_path(model_dir).write_text(json.dumps(plain, indent=1), encoding="utf-8")


def read_weights(model_dir: Path, decoder: str, lm: str) -> Weights:
    """Those tuned for this decoder, or else for the token graph; raises `InputError` for an unknown `lm`."""
    path = weights_path(model_dir)
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError("the tuned weights cannot be read; train the model again", path) from error
    found = stored.get(decoder, {}).get(lm) or stored.get("wfst", {}).get(lm)
    if found is None:
        raise InputError(f"e2e: the model was trained without the language model {lm!r}; add it to train.lms")
    return Weights(**found)


def ngrams(arpa: Path) -> int:
    """How many n-grams of all orders an ARPA file announces."""
    return sum(_announced(arpa))


def order(arpa: Path) -> int:
    """The highest order of which an ARPA file has n-grams."""
    return len(_announced(arpa))


def _announced(arpa: Path) -> list[int]:
    counts = []
    with arpa.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.startswith("\\1-grams:"):
                break
            if line.startswith("ngram "):
                counts.append(int(line.split("=")[1]))
    return counts
