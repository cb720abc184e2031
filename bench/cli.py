"""The command line: `asrbench`.

Exit codes: 0 done, 2 unusable input or usage, 75 out of time (`run --within`), 130 interrupted; `check`
and `gate` end with 1 for what they find, `gate` with 3 for what it cannot decide.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import typer

from bench import cli_align, cli_corpus, cli_export, cli_machine
from bench.deadline import NEVER, Deadline, OutOfTimeError
from data.errors import InputError
from results.records import Cell, RunRecord
from results.store import default_root, load_run

# typer brings its own copy of click, older ones use click itself: either way, the base of all usage errors.
_USAGE: type[Exception] = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"
)
app = typer.Typer(
    no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
)
INTERRUPTED = 130
OUT_OF_TIME = 75
app.add_typer(cli_corpus.app, name="corpus", help="The speech: list, show, check, get.")
app.command()(cli_align.align)
app.command()(cli_export.export)
app.command()(cli_machine.check)
app.command()(cli_machine.doctor)
app.command()(cli_machine.train)
_RunName = Annotated[str, typer.Argument(metavar="RUN", help="An id, a path, or latest.")]


@app.command()
def run(
    experiment: Annotated[str, typer.Argument(help="A TOML file, or the name of one that comes along.")],
    new: Annotated[bool, typer.Option("--new", help="Begin anew, whatever is unfinished.")] = False,
    only: Annotated[list[str] | None, typer.Option(help="These pipelines alone.")] = None,
    within: Annotated[
        float | None,
        typer.Option(
            parser=cli_machine.minutes, metavar="TIME", help="Stop after it, such as 8m, to go on later."
        ),
    ] = None,
) -> None:
    """Measure: corpora x pipelines x scenarios. Goes on where it was interrupted.

    After the time of --within the pass under way is finished, or the training under way stopped; exit code 75
    then asks for the same command again.
    """
    from bench.experiment import read_experiment
    from bench.progress import Display
    from bench.runner import Runner

    deadline = NEVER if within is None else Deadline.after(60 * within)
    wanted = read_experiment(experiment)
    with Display() as display:

        def announce(cell: Cell) -> None:
            words = f"{cell.key}: {cell.status}" + (f" ({cell.reason})" if cell.reason else "")
            if cell.status in ("failed", "skipped"):
                print(f"asrbench: {words}", file=sys.stderr)
            else:
                display.say(words)

        record = Runner(wanted, default_root(), display, announce, tuple(only or ()), deadline).run(new)
    print(f"run {record.run}: {_tally(record)}")


def _tally(record: RunRecord) -> str:
    states = [cell.status for cell in record.cells]
    return ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(sorted(states)))


@app.command()
def show(
    run: _RunName = "latest",
    as_json: Annotated[bool, typer.Option("--json", help="A list of objects.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="A line a value.")] = False,
    as_table: Annotated[bool, typer.Option("--table", help="A line a cell.")] = False,
) -> None:
    """Print every value of a run."""
    from bench.spreads import spreads_of
    from bench.summary import values_of

    record = load_run(run)
    values = values_of(record)
    if as_csv or as_table:
        from bench.tables import long_table, wide_table

        table = long_table(values) if as_csv else wide_table(values)
        print(table.to_csv(index=False) if as_csv else table.to_string(na_rep="", float_format="%.4g"))
        return
    if as_json:
        print(json.dumps([asdict(value) for value in values], indent=1, ensure_ascii=False, allow_nan=False))
        return
    for value in (*values, *spreads_of(record)):
        figure = value.status if value.value is None else f"{value.value:.6g} {value.unit}".rstrip()
        spread = "" if value.low is None else f" [{value.low:.6g}, {value.high:.6g}]" if value.high else ""
        place = f"{value.corpus}/{value.split}/{value.condition}"
        note = f"  ({value.note})" if value.note else ""
        print(
            f"{place}  {value.pipeline}  {value.scenario}  {value.metric}: {figure}{spread} n={value.n}{note}"
        )


@app.command()
def report(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Ids, paths, or latest.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The HTML file to write.")],
) -> None:
    """Write one self-contained HTML file about one or several runs."""
    from bench.summary import summarise
    from reports.render import write

    summary = summarise([load_run(name) for name in runs])
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        write(summary, output)
    except OSError as error:
        raise InputError(f"cannot be written ({error.strerror or error})", output) from error
    print(f"report: {output.resolve()}")


@app.command()
def gate(
    base: Annotated[
        str, typer.Argument(metavar="BASE", help="The run to be held against: id, path or latest.")
    ],
    new: _RunName = "latest",
    wer_limit: Annotated[float, typer.Option(min=0.0, help="Percent absolute that may be lost.")] = 0.5,
) -> None:
    """Whether a run is less accurate than another; exit code 1 where it is, 3 where nothing can be said."""
    from bench.gate import exit_code
    from bench.gate import gate as judge

    findings = judge(load_run(base), load_run(new), wer_limit)
    for finding in findings:
        print(f"{finding.verdict:14} {finding.cell}: {finding.detail}")
    if code := exit_code(findings):
        raise typer.Exit(code)


@app.command(name="version")
def show_version() -> None:
    """Print the version."""
    try:
        print(f"asrbench {version('asr-side-by-side')}")
    except PackageNotFoundError:
        print("asrbench (not installed)")


def main() -> None:
    """The console script: every complaint is one line on standard error."""
    try:
        code = app(standalone_mode=False)
        if code == INTERRUPTED:  # what typer makes of an interrupt, in its newer versions
            raise KeyboardInterrupt
    except InputError as error:
        code = _complain(str(error), 2)
    except typer.Exit as error:
        code = error.exit_code
    except OutOfTimeError as error:
        code = _complain(f"the time is up: {error}; go on: the same command", OUT_OF_TIME)
    except _USAGE as error:
        code = _misused(error)
    except (typer.Abort, KeyboardInterrupt):
        code = _complain("interrupted; what was finished is kept, the same command goes on", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = 0
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        code = _complain(f"{place}{error.strerror or error}", 2)
    sys.exit(code if isinstance(code, int) else 0)


def _misused(error: Any) -> int:
    """A usage error in one line; the whole help where nothing at all was asked."""
    if type(error).__name__ == "NoArgsIsHelpError":
        print(error.format_message())
        return 2
    return _complain(f"{error.format_message().rstrip('.')} (see: {_path(error)} --help)", 2)


def _path(error: Any) -> str:
    return str(error.ctx.command_path) if getattr(error, "ctx", None) else "asrbench"


def _complain(text: str, code: int) -> int:
    print(f"asrbench: {' '.join(text.splitlines())}", file=sys.stderr)
    return code


if __name__ == "__main__":
    main()
