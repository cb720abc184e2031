"""The card of a reference model: what it learned from, at what price, and how well it hears."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bench.cells import Task
from bench.experiment import CorpusChoice
from bench.hardware import recognised
from bench.metrics import values_of_cell
from bench.models import FORMAT
from data.corpus import find_card, known_corpora
from pipelines.compact import without_folders
from results.records import Cell, RunRecord
from results.values import Value

_NO_FACTS = ("curve", "model_dir", "model_hash", "model")
User = tuple[Cell, Task]
"""A cell that decodes with the model, and what was asked for."""


def card_of(
    name: str, record: RunRecord, user: User, users: Sequence[User], about: Mapping[str, Any]
) -> dict[str, Any]:
    """Plain values without a path in them, about the model of `user`, which all `users` decode with.

    `about` is what the model tells itself.
    """
    cell, task = user
    training = {key: value for key, value in cell.training.items() if key not in _NO_FACTS}
    card = {
        "format": FORMAT,
        "name": name,
        "use": task.pipeline.spec.use,
        "data": _data(record, task.corpus, cell, about),
        "training": training,
        "settings": dict(task.pipeline.spec.train),
        "decode": dict(task.pipeline.spec.decode),
        "about": {key: value for key, value in about.items() if key != "utterances"},
        "asrbench": record.versions.get("asr-side-by-side", "not available"),
        "run": record.run,
        "machine": recognised(record.machine),
        "trained_hash": cell.training["model_hash"],
        "scores": [score for one in users for score in _scores(record, *one)],
    }
    plain: dict[str, Any] = without_folders(json.loads(json.dumps(card, default=str)))
    return plain


def _data(record: RunRecord, choice: CorpusChoice, cell: Cell, about: Mapping[str, Any]) -> dict[str, Any]:
    """What it learned from; licence and homepage from the corpus's card, or else from the run."""
    told: dict[str, Any] = {"corpus": CorpusChoice(choice.teacher).label, "split": "train"}
    if choice.teacher in known_corpora():
        card = find_card(choice.teacher)
        told |= {"title": card.title, "licence": card.licence, "homepage": card.homepage or ""}
    elif not choice.trained_on:
        told["licence"] = str(record.corpora.get(choice.label, {}).get("licence", "unknown"))
    told["hours"] = cell.training.get("audio_hours")
    told["utterances"] = cell.training.get("utterances", about.get("utterances"))
    return {key: value for key, value in told.items() if value not in (None, "")}


def _scores(record: RunRecord, cell: Cell, task: Task) -> Iterator[dict[str, Any]]:
    values = {value.metric: value for value in values_of_cell(record, cell)}
    found = values.get("wer") or values.get("cer")
    if found is not None and found.value is not None:
        yield {**_measured(found), "decode": dict(task.pipeline.spec.decode)}


def _measured(value: Value) -> dict[str, Any]:
    names = ("pipeline", "corpus", "split", "condition", "scenario", "metric", "value", "low", "high", "n")
    return {name: getattr(value, name) for name in names}


def page_of(card: Mapping[str, Any], place: str) -> str:
    """The card for people, in Markdown; `place` is what an experiment names the model by."""
    parts = (
        f"# {card['name']}",
        f"A trained model of the pipeline `{card['use']}`, to be decoded with as it is.",
        _snippet(card, place),
        _table(("", ""), _facts(card)),
        "Measured in that run" + (", before the matrices became float16:" if card["weights"] else ":"),
        _table(("corpus", "scenario", "decode", "error rate (95 %)", "n"), map(_score, card["scores"])),
    )
    return "\n\n".join(parts) + "\n"


def _snippet(card: Mapping[str, Any], place: str) -> str:
    lines = ("[[pipeline]]", f'name = "{card["name"]}"', f'model = "{place}"')
    return "\n".join(("```toml", *lines, f"decode = {_toml(card['decode'])}", "```"))


def _toml(value: Any) -> str:
    """As an experiment has it, on one line."""
    if isinstance(value, Mapping):
        inner = ", ".join(f"{key} = {_toml(entry)}" for key, entry in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    return json.dumps(value, ensure_ascii=False)


def _facts(card: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What it learned from, what the training took, what the model tells itself, and where all that was."""
    training = card["training"]
    yield from ((key, _text(value)) for key, value in card["data"].items())
    yield "settings", f"`{_toml(card['settings'])}`"
    seconds, used = (float(training.get(key, 0.0)) for key in ("seconds", "cpu_seconds"))
    yield "training", f"{seconds:.0f} s, {used:.0f} s of cores, on {training.get('machine', 'unknown')}"
    yield from ((key.replace("_", " "), _text(value)) for key, value in card["about"].items())
    yield "trained", f"{training.get('created', 'unknown')}, commit {training.get('code_commit', 'unknown')}"
    yield "run", f"{card['run']}, asrbench {card['asrbench']}, {card['machine']}"


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"`{_toml(value)}`"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _score(score: Mapping[str, Any]) -> tuple[str, ...]:
    spread = "" if score["low"] is None else f" ({score['low']:.1f}–{score['high']:.1f})"
    return (
        f"{score['corpus']}/{score['split']}, {score['condition']}",
        score["scenario"],
        f"`{_toml(score['decode'])}`",
        f"{score['metric'].upper()} {score['value']:.1f} %{spread}",
        str(score["n"]),
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
