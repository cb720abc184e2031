"""Word pieces: parts of words that are common in the training text, by sentencepiece's unigram model.

Source: Kudo, "Subword regularization" (ACL 2018), section 3.2, as `sentencepiece` implements it; imported
where it is needed, for models that spell in characters run without it.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from data.errors import InputError

MARK = "▁"
"""Begins the piece that begins a word."""


@dataclass(frozen=True)
class Pieces:
    """`model` are the bytes of a sentencepiece model, a protocol buffer."""

    model: bytes

    @cached_property
    def _processor(self) -> Any:
        from sentencepiece import SentencePieceProcessor

        return SentencePieceProcessor(model_proto=self.model)

    @property
    def symbols(self) -> frozenset[str]:
        """All pieces but the mark alone, see `split`."""
        every = (self._processor.id_to_piece(i) for i in range(self._processor.get_piece_size()))
        return frozenset(piece for i, piece in enumerate(every) if i and piece != MARK)

    def split(self, word: str) -> tuple[str, ...]:
        """The most probable pieces of `word`, the first one marked.

        Where sentencepiece makes the mark a piece of its own, a sound that nobody hears, it goes to the
        character behind it. Characters that the model does not know come one by one.
        """
        first, *rest = self._processor.encode(word, out_type=str)
        if first == MARK and rest:
            first, rest = MARK + rest[0][0], [*rest[0][1:], *rest[1:]]
        known = [(piece,) if self._processor.piece_to_id(piece) else tuple(piece) for piece in rest]
        return (first, *(symbol for symbols in known for symbol in symbols))


def train_pieces(words: Sequence[str], size: int) -> Pieces:
    """A model of at most `size` pieces that spell the running `words`, the same for the same words.

    Raises `InputError` where `size` is less than the characters that they are written in.
    """
    from sentencepiece import SentencePieceTrainer

    written = io.BytesIO()
    try:
        SentencePieceTrainer.train(
            sentence_iterator=iter(words),
            model_writer=written,
            vocab_size=size,
            hard_vocab_limit=False,  # a small corpus has fewer
            model_type="unigram",
            character_coverage=1.0,
            normalization_rule_name="identity",  # the corpus has been normalised
            unk_id=0,
            bos_id=-1,
            eos_id=-1,
            num_threads=1,
            minloglevel=2,
        )
    except RuntimeError as error:
        known = len({c for word in words for c in word})
        raise InputError(
            f"e2e: train: {size} pieces cannot spell words of {known} characters; "
            f"set pieces to {2 * known + 2} or more"
        ) from error
    return Pieces(written.getvalue())


def read_pieces(path: Path) -> Pieces:
    """Raises `InputError` for a file that holds no sentencepiece model."""
    try:
        pieces = Pieces(path.read_bytes())
        _ = pieces.symbols  # tries the model
    except (OSError, RuntimeError) as error:
        raise InputError("no model of word pieces can be read here; train the model again", path) from error
    return pieces
