"""`asrbench check`, `doctor` and `train`: before a run, whether all is in place.

Imports stand in the functions, for a quick start.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

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


def train(
    experiment: Annotated[str, typer.Argument(help="A TOML file, or the name of one that comes along.")],
    only: Annotated[list[str] | None, typer.Option(help="These pipelines alone.")] = None,
) -> None:
    """Train what an experiment needs and has not yet."""
    from bench.experiment import read_experiment
    from bench.progress import Display

    wanted = read_experiment(experiment)
    names = {name for choice in wanted.pipelines for name in choice.names}
    for name in only or ():
        if name not in names:
            raise InputError(f"experiment {wanted.name} has no pipeline '{name}'")
    with Display() as display:
        for choice in wanted.pipelines:
            for corpus in wanted.corpora:
                if choice.names & set(only or names) and corpus.name in (choice.corpora or (corpus.name,)):
                    told = _trained(choice.spec, corpus.teacher, display)
                    print(f"{choice.spec.name} on {corpus.teacher}: {told}")


def _trained(spec: PipelineSpec, corpus: str, progress: Progress) -> str:
    from bench.training import TrainingError, probe, trained
    from data.corpus import open_corpus
    from pipelines.registry import MissingPackage

    try:
        if not probe(spec.use)["trainable"]:
            return "is not trained here"
        model = trained(spec, open_corpus(corpus), corpus, progress)
    except MissingPackage as error:
        return f"skipped: {error}"
    except TrainingError as error:
        raise InputError(f"{spec.name}: training failed: {error}") from error
    return f"{model.model_dir} ({float(model.facts['seconds']):.0f} s)"
