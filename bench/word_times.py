"""Where the first word of an utterance ends, for corpora whose manifest says so."""

from __future__ import annotations

import json

from data.collection import Corpus
from data.types import Seconds


def first_word_ends(corpus: Corpus, split: str) -> dict[str, Seconds]:
    """Seconds from each utterance's start, by id; empty for a corpus without word times.

    Read from `words`, a list of (word, start, end), in the rows of a JSONL manifest.
    """
    if corpus.card.layout != "manifest":
        return {}
    ends: dict[str, Seconds] = {}
    for part in corpus.card.splits.get(split, ()):
        for line in (corpus.root / part).read_text(encoding="utf-8").splitlines():
            found = _first_word(line)
            if found is not None:
                ends[found[0]] = found[1]
    return ends


def _first_word(line: str) -> tuple[str, Seconds] | None:
    """The id and the end of the first word, None for a row that does not say, or is broken."""
    try:
        row = json.loads(line)
        return str(row["id"]), float(row["words"][0][2])
    except (ValueError, KeyError, IndexError, TypeError):
        return None
