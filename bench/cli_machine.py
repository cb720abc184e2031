"""`asrbench check`, `doctor` and `train`: before a run, whether all is in place.

Imports stand in the functions, for a quick start.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.ranks import leads
from data.errors import InputError

if TYPE_CHECKING:
    from pipelines.protocol import PipelineSpec, Progress


def check(
    name: Annotated[str, typer.Argument(help="A pipeline, or module:Class.")],
    model: Annotated[Path | None, typer.Option(help="The folder of a trained model.")] = None,
) -> None:
    """Whether a recogniser keeps the promises of the protocol; exit code 1 where it does not."""
    from pipelines.conformance import check as conformance
    from pipelines.registry import load_class

    findings = conformance(load_class(name), model_dir=model)
    for finding in findings:
        print(f"{finding.status:5} {finding.check}" + (f": {finding.detail}" if finding.detail else ""))
    if any(finding.status == "fail" for finding in findings):
        raise typer.Exit(1)


def doctor() -> None:
    """What this machine can and cannot do."""
    from bench.doctor import doctor as look

    for finding in look():
        print(f"{finding.status:8} {finding.subject}: {finding.detail}")


def minutes(text: str) -> float:
    """``90s``, ``30m`` or ``1h30m`` in minutes."""
    number = r"(\d+(?:\.\d+)?)"
    found = re.fullmatch(f"(?:{number}h)?(?:{number}m)?(?:{number}s)?", text.strip())
    hours, minutes, seconds = (float(part or 0) for part in found.groups()) if found else (0.0, 0.0, 0.0)
    total = 60 * hours + minutes + seconds / 60
    if total <= 0:
        raise typer.BadParameter(f"'{text}' is no time; write such as 90s, 30m or 1h30m")
    return int(total) if total == int(total) else total  # 30, as an experiment has it: the same model


def train(
    experiment: Annotated[str, typer.Argument(help="A TOML file, or the name of one that comes along.")],
    only: Annotated[list[str] | None, typer.Option(help="These pipelines alone.")] = None,
    budget: Annotated[
        float | None,
        typer.Option(parser=minutes, metavar="TIME", help="For each training, such as 30m or 1h30m."),
    ] = None,
) -> None:
    """Train what an experiment needs and has not yet.

    A budget makes models of their own; `budget_minutes` among the train settings of an experiment asks for
    the same ones.
    """
    from bench.experiment import read_experiment
    from bench.progress import Display

    wanted = read_experiment(experiment)
    names = {name for choice in wanted.pipelines for name in choice.names}
    for name in only or ():
        if name not in names:
            raise InputError(f"experiment {wanted.name} has no pipeline '{name}'")
    with Display(hidden=not leads()) as display:
        for choice in wanted.pipelines:
            for corpus in wanted.corpora:
                if choice.names & set(only or names) and corpus.name in (choice.corpora or (corpus.name,)):
                    told = _trained(choice.spec, corpus.teacher, display, budget)
                    if leads():
                        print(f"{choice.spec.name} on {corpus.teacher}: {told}")


def _trained(spec: PipelineSpec, corpus: str, progress: Progress, minutes: float | None) -> str:
    from bench.models import find_model
    from bench.training import TrainingError, probe, trained
    from data.corpus import open_corpus
    from pipelines.registry import MissingPackage

    if spec.model:
        return f"{find_model(spec.model)} (finished before)"
    try:
        able = probe(spec.use)
        if not able["trainable"]:
            return "is not trained here"
        if not (leads() or able["parallel"]):
            return "is trained by the first process alone"
        if minutes is not None:
            if not able["budget"]:
                raise InputError(f"pipeline {spec.name} cannot train to a budget; name others with --only")
            spec = replace(spec, train={**spec.train, "budget_minutes": minutes})
        model = trained(spec, open_corpus(corpus), corpus, progress)
    except MissingPackage as error:
        return f"skipped: {error}"
    except TrainingError as error:
        raise InputError(f"{spec.name}: training failed: {error}") from error
    return f"{model.model_dir} ({float(model.facts['seconds']):.0f} s)"
