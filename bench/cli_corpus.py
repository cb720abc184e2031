"""`asrbench corpus`: what speech there is, what is in it, and where to get it.

Imports stand in the functions: half of the libraries take longer to load than most commands take to run.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from data.check import SplitReport

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
_Name = Annotated[str, typer.Argument(help="A card's name.")]


@app.command(name="list")
def show_all() -> None:
    """All known corpora, and where they lie."""
    from data.check import list_corpora

    for entry in list_corpora():
        place = "generated on first use" if entry.card.embedded else entry.folder or "not on this machine"
        print(f"{entry.card.name:18} {','.join(entry.card.languages):6} {entry.card.title}  [{place}]")


@app.command()
def show(name: _Name) -> None:
    """What a card says."""
    from data.check import describe

    entry = describe(name)
    card = entry.card
    facts = {
        "name": card.name,
        "title": card.title,
        "languages": ", ".join(card.languages),
        "licence": card.licence,
        "layout": card.layout,
        "sampling rate": f"{card.sample_rate} Hz",
        "splits": ", ".join(f"{split} ({', '.join(parts)})" for split, parts in card.splits.items()),
        "conditions": ", ".join(card.conditions),
        "from": card.homepage or "",
        "folder": entry.folder or ("generated on first use" if card.embedded else "not on this machine"),
        "notes": card.notes,
    }
    for key, value in facts.items():
        if value:
            print(f"{key + ':':15} {value}")


@app.command()
def check(corpus: Annotated[str, typer.Argument(help="A card's name, a card, or a folder.")]) -> None:
    """Decode and count everything: hours, speakers, vocabulary, OOV, duplicates, broken files."""
    from bench.progress import Display
    from data.check import check as check_corpus
    from data.corpus import open_corpus

    with Display() as display:
        report = check_corpus(open_corpus(corpus), display)
    print(f"{report.name} in {report.folder}, normaliser {report.normaliser}")
    for split in report.splits:
        _print_split(split)
    for overlap in report.overlaps:
        if overlap.sentences or overlap.speakers:
            shared = f"{overlap.sentences} sentences of {overlap.second} also occur in {overlap.first}"
            print(f"{shared}; {len(overlap.speakers)} speakers in both")
    broken = [entry for split in report.splits for entry in split.broken]
    for entry in (*report.skipped, *broken):
        print(f"skipped {entry.utterance}: {entry.reason}")
    print("sound" if report.sound else f"{len(report.skipped) + len(broken)} utterances cannot be used")


def _print_split(split: SplitReport) -> None:
    print(
        f"{split.split}: {split.utterances} utterances, {split.hours:.2f} h, {split.speakers} speakers, "
        f"{split.tokens} tokens, {split.vocabulary} types, {split.repeated_sentences} repeated sentences"
    )
    if split.oov_against is not None:
        few = ", ".join(split.oov_types[:10])
        print(
            f"  OOV against {split.oov_against}: {split.oov_tokens} tokens of {len(split.oov_types)} types"
            + (f" ({few})" if few else "")
        )


@app.command()
def get(
    name: _Name,
    into: Annotated[Path | None, typer.Option(help="Folder for it; default: the cache.")] = None,
) -> None:
    """Download and unpack a corpus; goes on where it was interrupted."""
    from bench.progress import Display
    from data.corpus import default_cache, find_card, open_corpus
    from data.fetch import fetch

    card = find_card(name)
    if card.embedded:
        print(f"{name}: {open_corpus(name, cache=into).root}")
        return
    with Display() as display:
        done = fetch(card, into or default_cache(), display)
    for url, digest in done.checksums.items():
        print(f"sha256 {digest}  {url}")
    print(f"{name}: {done.folder}")
