"""Words by their sound: spelled in phones, learned, heard and read back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tone_letters import RATE, SENTENCES, TINY, Tones, live, quiet, spoken

from data.errors import InputError
from data.types import Audio
from pipelines.e2e.decoder import Greedy
from pipelines.e2e.phones import sounds_of
from pipelines.e2e.pipeline import EndToEndPipeline
from pipelines.e2e.tokens import read_tokens, spoken_tokens


def test_phones_spell_by_sound_and_read_the_commonest_word_back(tmp_path: Path) -> None:
    corpus = replace(Tones(["他 是 我", "他 好", "她 好"]), language="zh-CN")
    tokens = spoken_tokens(sounds_of(corpus))
    assert tokens.kind == "phones" and not tokens.spaced and tokens.symbols[0] == ""
    ids = tokens.encode("她 好")
    assert [tokens.symbols[i] for i in ids] == ["▁t", "a_1", "▁h", "ao_3"]
    assert [tokens.begins(i) for i in ids] == [True, False, True, False]
    assert tokens.decode(ids) == "他 好"
    assert tokens.spellings("她") == tokens.spellings("他") == [ids[:2]]
    assert tokens.decode([ids[1], *ids[2:], ids[2], ids[1]]) == "好"  # nothing else sounds like a word
    posteriors = np.eye(len(tokens), dtype=np.float32)[[ids[1], 0, *ids[2:], ids[2], 0]]
    heard = Greedy(tokens).hear(posteriors)
    assert heard.text == "好" and [word.text for word in heard.words] == ["好"]
    assert not tokens.covers("她 坏") and tokens.encode("坏 好") == ids[2:] and not tokens.spellings("坏")
    assert tokens.grown(["好 她"]) is tokens
    with pytest.raises(InputError, match=r"lacks 1 words \(坏\)"):
        tokens.grown(["坏 她"])
    tokens.write(tmp_path / "tokens.json")
    again = read_tokens(tmp_path / "tokens.json")
    assert again == tokens and again.decode(ids) == "他 好"
    stored = json.loads((tmp_path / "tokens.json").read_text())
    for broken in ({**stored, "symbols": ["", "▁t"]}, {**stored, "sounds": 3}):
        (tmp_path / "tokens.json").write_text(json.dumps(broken))
        with pytest.raises(InputError, match="alphabet"):
            read_tokens(tmp_path / "tokens.json")


def test_it_learns_by_sound_too(tmp_path: Path) -> None:
    """Letters are phones here, but two words that nobody tells apart by ear: the sentence does."""
    sentences = [*SENTENCES, "cab ab", "xx ba", "ca xx"]  # xx sounds like ab, and stands where ab does not
    words = {word for sentence in sentences for word in sentence.split()}
    said = {word: " ".join("ab" if word == "xx" else word) for word in words}
    (tmp_path / "words.dict").write_text("".join(f"{w} {p.upper()}\n" for w, p in sorted(said.items())))
    heard_as = [sentence.replace("xx", "ab") for sentence in sentences]
    spoil = {f"u{i}": spoken(text, i) for i, text in enumerate(heard_as)}
    corpus = replace(Tones(sentences, spoil=spoil), dictionary=tmp_path / "words.dict")
    folder = tmp_path / "model"
    config = {**TINY, "tokens": "phones", "tune": ["wfst", "beam"], "epochs": 80, "flat_epochs": 25}
    EndToEndPipeline.train(corpus, config, folder, quiet)
    audio = [Audio(spoken(text, 100 + i), RATE) for i, text in enumerate(heard_as)]
    for decoder, wanted in (("wfst", sentences), ("greedy", heard_as)):
        pipeline = EndToEndPipeline.load(folder, {"decoder": decoder})
        heard = [t.text for t in pipeline.transcribe(audio)]
        assert sum(a == b for a, b in zip(heard, wanted, strict=True)) >= len(wanted) - 2, (decoder, heard)
    finals, _ = live(EndToEndPipeline.load(folder, {"decoder": "wfst"}), [a.samples for a in audio])
    assert sum(a == b for a, b in zip(finals, sentences, strict=True)) >= len(sentences) - 3, finals
    for decoder in ("beam", "attention"):
        with pytest.raises(InputError, match="this model's tokens are phones"):
            EndToEndPipeline.load(folder, {"decoder": decoder})
    with pytest.raises(InputError, match="the settings ask for pieces"):
        EndToEndPipeline.train(corpus, {**TINY, "tokens": "pieces"}, folder, quiet)
