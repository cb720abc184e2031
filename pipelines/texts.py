"""The language model that both roads share: the corpus's own sentences, mixed with its books, if any."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from data.errors import InputError
from data.lexicon import known_words
from data.prose import prose_sentences
from data.types import Utterance
from pipelines.ngram import RESERVED, NgramModel, Perplexity, estimate, perplexity
from pipelines.ngram_mix import interpolated, tuned_weights
from pipelines.ngram_prune import pruned
from pipelines.protocol import TrainingSet

GENERAL_WORDS = 15_000
THRESHOLD = 1e-7


@dataclass(frozen=True, eq=False)
class TextModel:
    """A language model and how it came about.

    `model` is to decode with. `unheard` is to tune on dev with: the dev references have no part in it.
    `general_share` is the weight of the books in the mixture, 0 without any; `dev` the perplexity that
    `unheard` has on the dev references, None where there are none.
    """

    model: NgramModel
    unheard: NgramModel
    general_share: float
    dev: Perplexity | None


def text_sentences(corpus: TrainingSet) -> Iterator[list[str]]:
    """The corpus's own text for language models, normalised; nothing where it has none."""
    if corpus.text is not None:
        yield from read_sentences(corpus.text, corpus.normalise)


def read_sentences(path: Path, normalise: Callable[[str], str]) -> Iterator[list[str]]:
    """The words of a text file's lines, normalised; empty ones are left out."""
    try:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                words = normalise(line).split()
                if words:
                    yield words
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("text that cannot be read as UTF-8", path) from error


def general_sentences(corpus: TrainingSet) -> Iterator[list[str]]:
    """The sentences of the books that the corpus names, normalised."""
    for path in corpus.general_text:
        yield from prose_sentences(path, corpus.normalise)


def common_words(
    sentences: Iterable[Sequence[str]], most: int, known: Collection[str] = frozenset()
) -> set[str]:
    """The `most` frequent words, of equals those first in the alphabet; and all that are `known`."""
    counts = Counter(word for sentence in sentences for word in sentence if word not in RESERVED)
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    return {word for rank, word in enumerate(ranked) if rank < most or word in known}


def text_model(
    own: Iterable[Sequence[str]],
    general: Iterable[Sequence[str]] = (),
    dev: Sequence[Sequence[str]] = (),
    order: int = 3,
    *,
    known: Collection[str] = frozenset(),
    general_words: int = GENERAL_WORDS,
    threshold: float = THRESHOLD,
    join_dev: bool = False,
) -> TextModel:
    """Modified Kneser-Ney of `own` sentences, mixed with that of `general` ones, pruned by `threshold`.

    The mixture knows all words of `own`, the `general_words` most frequent ones of `general`, and those of
    `general` whose pronunciation is `known`: the others would be guessed. Its weights are those best for
    `dev`, equal without any. `dev` must not be part of `own`: the books would lose their weight. With
    `join_dev` it joins `own` once the weights are found.
    Without `general`, the model of `own` alone, unpruned.
    Raises `InputError` for no text at all, or a word that the format reserves.
    """
    inside, outside = ([tuple(sentence) for sentence in text] for text in (own, general))
    join_dev = join_dev and bool(dev)
    everything = [*inside, *map(tuple, dev)]
    if not outside:
        unheard, share = estimate(inside, order), 0.0
        model = estimate(everything, order) if join_dev else unheard
    else:
        common = common_words(outside, general_words, known)
        parts = _parts(inside, outside, common, order)
        weights = tuned_weights(parts, dev)
        unheard, share = pruned(interpolated(parts, weights), threshold), weights[1]
        model = unheard
        if join_dev:
            parts = _parts(everything, outside, common, order)
            model = pruned(interpolated(parts, weights), threshold)
    return TextModel(model, unheard, share, perplexity(unheard, dev) if dev else None)


def _parts(
    inside: Sequence[Sequence[str]], outside: Sequence[Sequence[str]], common: set[str], order: int
) -> list[NgramModel]:
    """The models to mix, over the same words."""
    words = {word for sentence in inside for word in sentence} | common
    return [estimate(text, order, words) for text in (inside, outside)]


def corpus_model(
    corpus: TrainingSet, order: int = 3, threshold: float = THRESHOLD, *, join_dev: bool = False
) -> TextModel:
    """`text_model` of the training references, the text and the books, tuned for the dev references.

    References with a word that the format reserves are left out.
    """
    references, dev = (
        [words for utterance in split if not RESERVED.intersection(words := _words(corpus, utterance))]
        for split in (corpus.train, corpus.dev)
    )
    known = known_words(corpus.dictionary, corpus.language, corpus.normalise) if corpus.general_text else ()
    own = [*references, *text_sentences(corpus)]
    return text_model(
        own, general_sentences(corpus), dev, order, known=known, threshold=threshold, join_dev=join_dev
    )


def _words(corpus: TrainingSet, utterance: Utterance) -> list[str]:
    return corpus.normalise(utterance.text).split()
