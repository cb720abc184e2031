"""What else may have been said: an n-best list for confidences and for a bigger language model's opinion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from data.errors import InputError
from pipelines.confidence import confidences
from pipelines.grammar import WordTable
from pipelines.lattice import Lattice
from pipelines.nbest import nbest
from pipelines.rescoring import SentenceModel, rescored
from pipelines.search import LogLikelihoods, Search
from pipelines.search import Path as BestPath

BEAM = 9.0
"""Of the search for the lattice: what a wider one finds takes many times as long, and is hardly ever said."""


@dataclass(frozen=True, eq=False)
class Rescoring:
    """`weight` of the graph's language model, `old`, gives way to `new`; see `pipelines.rescoring`."""

    old: SentenceModel
    new: SentenceModel
    words: WordTable
    weight: float

    def best_first(self, paths: Sequence[BestPath]) -> tuple[BestPath, ...]:
        return rescored(paths, self.old, self.new, self.words, self.weight)


@dataclass(frozen=True, eq=False)
class Alternatives:
    """Judges a best path by up to `n` word sequences that cost at most `lattice_beam` more.

    For confidences `scale` multiplies the search's costs, and `timed` puts the words of a path where they
    were said, if that is not where they come out of the graph.
    """

    search: Search
    n: int
    lattice_beam: float
    confidence: bool
    rescoring: Rescoring | None = None
    scale: float = 1.0
    timed: Callable[[BestPath], BestPath] | None = None

    def judged(self, path: BestPath, scores: LogLikelihoods) -> tuple[BestPath, tuple[float, ...] | None]:
        """The path, or the one that the bigger model likes better, and how sure each of its words is.

        `scores`: scaled log-likelihoods (frames, labels) of the whole utterance.
        """
        paths = self._paths(path, scores)
        if self.rescoring is not None:
            paths = self.rescoring.best_first(paths)
            path = paths[0]
        return path, self._confidences(paths, path) if self.confidence else None

    def _confidences(self, paths: Sequence[BestPath], path: BestPath) -> tuple[float, ...]:
        if self.timed is None:
            return confidences(paths, path, self.scale)
        return confidences([self.timed(other) for other in paths], self.timed(path), self.scale)

    def _paths(self, path: BestPath, scores: LogLikelihoods) -> tuple[BestPath, ...]:
        """`path` is among them, unless it was cut off where others came to their end."""
        lattice = self._lattice(path, scores)
        if path.final and not lattice.complete:
            return (path,)
        found = nbest(lattice, self.n)
        if found and (lattice.complete != path.final or path.words in {other.words for other in found}):
            return found
        return (path, *found)

    def _lattice(self, path: BestPath, scores: LogLikelihoods) -> Lattice:
        """In a narrow beam; in wider ones where that loses the end, as the search keeps a few tokens more."""
        own = self.search.beam.beam
        lattice = self.search.lattice(scores, self.lattice_beam, min(BEAM, own))
        for wider in (own, 2 * own):
            if path.final and not lattice.complete:
                lattice = self.search.lattice(scores, self.lattice_beam, wider)
        return lattice


def read_rescoring(old: Path, new: Path, words: WordTable, weight: float) -> Rescoring:
    """From two ARPA files. Raises `InputError` for one that kenlm does not read."""
    return Rescoring(_language_model(old), _language_model(new), words, weight)


def _language_model(arpa: Path) -> SentenceModel:
    import kenlm  # here, since where it has no wheel all else has to work

    config = kenlm.Config()
    config.show_progress = False
    config.arpa_complain = kenlm.ARPALoadComplain.NONE
    try:
        model: SentenceModel = kenlm.Model(str(arpa), config)
    except (OSError, RuntimeError) as error:
        raise InputError(
            "kenlm rescores by models of order 2 or more, and cannot read this one", arpa
        ) from error
    return model
