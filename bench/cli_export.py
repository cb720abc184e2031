"""`asrbench export`: the model of a finished run as a folder to hand on.

Imports stand in the function, for a quick start.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    run: Annotated[str, typer.Argument(metavar="RUN", help="An id, a path, or latest.")],
    pipeline: Annotated[str, typer.Argument(metavar="PIPELINE", help="A pipeline, or an entry with seeds.")],
    *,
    seed: Annotated[int | None, typer.Option(help="The training's; default: the entry's first.")] = None,
    corpus: Annotated[str, typer.Option(help="The measured one, where the run has several.")] = "",
    name: Annotated[str, typer.Option(help="Of the model; default: CORPUS-PIPELINE.")] = "",
    to: Annotated[
        Path | None, typer.Option(help="The folder for it; default: results/models of this asrbench.")
    ] = None,
) -> None:
    """Write the model of a run as a folder to hand on, for `model` of an experiment.

    Its matrices become float16; a card tells what it learned from, the price and the error rates of the run.
    """
    from bench.export import Choice
    from bench.export import export as write
    from results.store import MODELS, find_run

    written = write(find_run(run), Choice(pipeline, seed, corpus), to or MODELS, name)
    size = sum(path.stat().st_size for path in written.rglob("*") if path.is_file())
    named = written.name if to is None else str(written)
    print(f'{written}: {size / 2**20:.1f} MiB; in an experiment: model = "{named}"')
