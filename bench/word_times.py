"""Where the words of a reference lie in its audio: from the corpus, from a file, or from an alignment.

Latencies count from the end of a spoken word: these times belong to the measurement, not to a recogniser.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.collection import Corpus
from data.errors import InputError
from data.types import Seconds, Word
from results.store import write_whole

THE_CORPUS = "the corpus"


@dataclass(frozen=True)
class WordTimes:
    """Words by utterance id, in seconds from its start, and `source`: who says so."""

    words: Mapping[str, tuple[Word, ...]]
    source: str

    def first_end(self, utterance: str) -> Seconds | None:
        """The end of the first word, None where it is not known."""
        words = self.words.get(utterance)
        return words[0].end if words else None


NOT_KNOWN = WordTimes({}, "")


def corpus_word_times(corpus: Corpus, split: str) -> WordTimes:
    """What a JSONL manifest says: `words`, a list of (word, start, end). `NOT_KNOWN` for any other corpus."""
    if corpus.card.layout != "manifest":
        return NOT_KNOWN
    found: dict[str, tuple[Word, ...]] = {}
    for part in corpus.card.splits.get(split, ()):
        for line in (corpus.root / part).read_text(encoding="utf-8").splitlines():
            try:
                row = json.loads(line)
                found[str(row["id"])] = _words(row["words"])
            except (ValueError, KeyError, TypeError):
                continue  # a row that does not say, or is broken
    return WordTimes(found, THE_CORPUS) if found else NOT_KNOWN


def read_word_times(path: Path) -> WordTimes:
    """The file that `write_word_times` wrote, or a person. Raises `InputError`."""
    try:
        stored = json.loads(path.read_bytes())
        words = {str(name): _words(listed) for name, listed in stored["words"].items()}
        return WordTimes(words, str(stored.get("source") or path.name))
    except OSError as error:
        raise InputError(f"holds no word times ({error.strerror})", path) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        what = 'holds no word times: it has to be {"words": {"ID": [["word", start, end], ...]}}'
        raise InputError(what, path) from error


def write_word_times(path: Path, times: WordTimes) -> None:
    words = {name: [[w.text, w.start, w.end] for w in listed] for name, listed in times.words.items()}
    text = json.dumps({"source": times.source, "words": words}, ensure_ascii=False)
    write_whole(path, text.encode())


def _words(listed: Any) -> tuple[Word, ...]:
    """Raises `ValueError` or `TypeError` for what is no list of (word, start, end)."""
    return tuple(Word(str(text), float(start), float(end)) for text, start, end in listed)
