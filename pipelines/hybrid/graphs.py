"""The decoding graphs of a training: one for each tying of states and language model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pipelines.fst import Arcs
from pipelines.grammar import WordTable, grammar_graph
from pipelines.hybrid import store
from pipelines.hybrid.adapt import Heard
from pipelines.hybrid.graph import decoding_graph
from pipelines.hybrid.model import Stage
from pipelines.hybrid.settings import GENERATIONS, SAT
from pipelines.hybrid.word_graph import Pronunciations


@dataclass(frozen=True)
class Graphs:
    """Made from the ARPA files in `folder`, one for each of `lms`."""

    folder: Path
    pronunciations: Pronunciations
    lms: tuple[str, ...]

    @cached_property
    def words(self) -> WordTable:
        return WordTable(tuple(sorted(self.pronunciations)))

    def of(self, model: Heard, lm: str) -> Arcs:
        """The graph of a model's states."""
        grammar = grammar_graph(self.folder / store.arpa_file(lm), self.words)
        return decoding_graph(grammar, self.words, self.pronunciations, model.tying, model.self_loops)

    def save(self, stages: Mapping[str, Stage]) -> None:
        """For all of them, once for each tying."""
        for name, stage in stages.items():
            if name == tied_as(name):
                for lm in self.lms:
                    store.save_graph(self.folder / store.graph_file(name, lm), self.of(stage.model, lm))


def tied_as(name: str) -> str:
    """The generation whose states, and so whose graphs, a model shares."""
    return name if name in GENERATIONS else SAT
