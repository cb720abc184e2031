"""`asrbench check`, `doctor` and `train`: before a run, whether all is in place."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import typer

from bench import hardware
from bench.experiment import read_experiment
from bench.progress import Display
from bench.training import TrainingError, is_trainable, trained
from data.check import list_corpora
from data.corpus import open_corpus
from data.errors import InputError
from pipelines.conformance import check as conformance
from pipelines.protocol import PipelineSpec
from pipelines.registry import MissingPackage, load_class
from results.store import default_root

_PEERS = ("pocketsphinx",)


def check(
    name: Annotated[str, typer.Argument(help="A pipeline, or module:Class.")],
    model: Annotated[Path | None, typer.Option(help="The folder of a trained model.")] = None,
) -> None:
    """Whether a recogniser keeps the promises of the protocol; exit code 1 where it does not."""
    findings = conformance(load_class(name), model_dir=model)
    for finding in findings:
        print(f"{finding.status:5} {finding.check}" + (f": {finding.detail}" if finding.detail else ""))
    if any(finding.status == "fail" for finding in findings):
        raise typer.Exit(1)


def doctor() -> None:
    """What this machine can and cannot do."""
    facts, cores = hardware.machine(), hardware.choose_cores()
    print(f"machine: {hardware.recognised(facts)}")
    print(f"python {facts['python']}, {facts['system']}, clock step {facts['clock_step_seconds']:.1e} s")
    print(_cores(cores))
    gpus = ", ".join(gpu["name"] for gpu in facts["gpus"])
    print(f"GPU: {gpus}" if gpus else "GPU: none; streams per GPU cannot be measured, training is on the CPU")
    print(f"frequency governor: {facts['governor']}; virtualised: {facts['virtualised']}")
    load = facts["load_average"][0]
    if load > 0.5:
        print(f"the machine is busy (load {load:.1f}): speeds and latencies will suffer")
    for name in _PEERS:
        print(f"peer {name}: {_installed(name)}")
    here = [entry.card.name for entry in list_corpora() if entry.folder or entry.card.embedded]
    print(f"corpora at hand: {', '.join(here)}")
    print(f"runs and models go to: {default_root().resolve()}")


def _cores(cores: hardware.Cores) -> str:
    if cores.recogniser is None:
        return "cores: this system pins no process; streams per core is an approximation"
    where = f"recogniser on core {cores.recogniser}, load generator on core {cores.load}"
    shared = {"no": "", "siblings": " (hyper-threads of one core)", "yes": " (the same: figures will suffer)"}
    return f"cores: {where}{shared[cores.shared]}"


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed (pip install 'asr-side-by-side[peers]'); it will be skipped"


def train(
    experiment: Annotated[str, typer.Argument(help="A TOML file, or the name of one that comes along.")],
    only: Annotated[list[str] | None, typer.Option(help="These pipelines alone.")] = None,
) -> None:
    """Train what an experiment needs and has not yet."""
    wanted = read_experiment(experiment)
    names = {choice.spec.name for choice in wanted.pipelines}
    for name in only or ():
        if name not in names:
            raise InputError(f"experiment {wanted.name} has no pipeline '{name}'")
    with Display() as display:
        for choice in wanted.pipelines:
            for corpus in wanted.corpora:
                if choice.spec.name in (only or names) and corpus.name in (choice.corpora or (corpus.name,)):
                    print(
                        f"{choice.spec.name} on {corpus.name}: {_trained(choice.spec, corpus.name, display)}"
                    )


def _trained(spec: PipelineSpec, corpus: str, display: Display) -> str:
    try:
        if not is_trainable(spec.use):
            return "is not trained here"
        model = trained(spec, open_corpus(corpus), corpus, display)
    except MissingPackage as error:
        return f"skipped: {error}"
    except TrainingError as error:
        raise InputError(f"{spec.name}: training failed: {error}") from error
    return f"{model.model_dir} ({float(model.facts['seconds']):.0f} s)"
