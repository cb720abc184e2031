"""`asrbench align`: where the words of a corpus lie in its audio, by a trained hybrid.

Imports stand in the function, for a quick start.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from data.errors import InputError


def align(
    model: Annotated[Path, typer.Argument(metavar="MODEL_DIR", help="The folder of a trained hybrid.")],
    corpus: Annotated[str, typer.Argument(metavar="CORPUS", help="A card's name, a card, or a folder.")],
    split: Annotated[str, typer.Option(help="The part of the corpus to align.")] = "test",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The file to write; default: CORPUS-SPLIT-words.json."),
    ] = None,
) -> None:
    """Write the times of the reference words, for `word_times` of an experiment."""
    from bench.progress import Display
    from bench.word_times import WordTimes, write_word_times
    from data.corpus import default_cache, open_corpus
    from data.verify import verified
    from pipelines.hybrid.forced import corpus_alignment

    with Display() as display:
        whole = open_corpus(corpus)
        declared = {utterance.id for utterance in whole.split(split)}
        opened = verified(whole, display, default_cache())
        members = opened.split(split)
        found = corpus_alignment(
            model, opened, members, lambda done: display(done + 1, len(members), "reading")
        )
    broken = [(name, reason) for name, reason in opened.skipped if name in declared]
    left_out = [*broken, *((entry.utterance, entry.reason) for entry in found.dropped)]
    for utterance, reason in left_out:
        print(f"not aligned {utterance}: {reason}")
    if not found.words:
        raise InputError(f"nothing of the split '{split}' of {whole.name} could be aligned")
    path = output or Path(f"{whole.name}-{split}-words.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_word_times(path, WordTimes(found.words, f"aligned by {model.resolve().name}"))
    print(f"{path}: {len(found.words)} utterances aligned, {len(left_out)} could not be")
