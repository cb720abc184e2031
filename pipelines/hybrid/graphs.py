"""The decoding graphs of a training: one for each tying of states and language model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pipelines.fst import Arcs
from pipelines.grammar import WordTable, grammar_graph
from pipelines.hybrid import store
from pipelines.hybrid.adapt import Heard
from pipelines.hybrid.graph import decoding_graph
from pipelines.hybrid.settings import GENERATIONS, SAT
from pipelines.hybrid.word_graph import Pronunciations

TUNING = "tuning-"


@dataclass(frozen=True)
class Graphs:
    """Made from the ARPA files in `folder`, one for each of `lms`, and kept there.

    `purpose` goes before the names of the files that are not to stay: graphs to tune on dev with. They are
    made from the ARPA file that begins with `TUNING`, where there is one.
    """

    folder: Path
    pronunciations: Pronunciations
    lms: tuple[str, ...]
    purpose: str = ""

    @cached_property
    def words(self) -> WordTable:
        return WordTable(tuple(sorted(self.pronunciations)))

    def of(self, name: str, model: Heard, lm: str) -> Arcs:
        """The graph of a model's states; models that are tied alike share it."""
        path = self.folder / (self.purpose + store.graph_file(tied_as(name), lm))
        if not path.exists():
            grammar = grammar_graph(self._arpa(lm), self.words)
            arcs = decoding_graph(grammar, self.words, self.pronunciations, model.tying, model.self_loops)
            store.save_graph(path, arcs)
        return store.load_graph(path)

    def _arpa(self, lm: str) -> Path:
        kept = self.folder / store.arpa_file(lm)
        unheard = kept.with_name(TUNING + kept.name)
        return unheard if self.purpose and unheard.exists() else kept

    def drop(self) -> None:
        """Removes all that was made to tune with."""
        for path in self.folder.glob(f"{TUNING}*"):
            path.unlink()


def tied_as(name: str) -> str:
    """The generation whose states, and so whose graphs, a model shares."""
    return name if name in GENERATIONS else SAT
