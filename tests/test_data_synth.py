"""The embedded corpus, in a tiny version."""

from __future__ import annotations

import hashlib
import itertools
import json
import random
from pathlib import Path

import numpy as np
import pytest
import soundfile

from data import synth
from data.errors import InputError
from data.lexicon import cmudict_entries
from data.synth import SynthSpec, ensure_synthetic
from data.synth_grammar import reference, sentences, spoken
from data.synth_speech import Job, speak
from data.synth_voices import Voice, voices
from data.text import normaliser

TINY = SynthSpec(
    "tiny", train=6, dev=3, test=4, train_speakers=4, dev_speakers=2, test_speakers=2, extra_text=20
)


def _quiet(done: int, total: int, note: str) -> None:
    assert 0 < done <= total


def _digest(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ensure_synthetic(tmp_path_factory.mktemp("one"), TINY, _quiet)


def test_two_generations_have_the_same_bytes(tiny: Path, tmp_path: Path) -> None:
    other = ensure_synthetic(tmp_path, TINY, _quiet)
    assert other != tiny
    assert _digest(other) == _digest(tiny)


def test_splits_share_neither_speakers_nor_sentences(tiny: Path) -> None:
    rows = {s: [json.loads(line) for line in (tiny / f"{s}.jsonl").open()] for s in ("train", "dev", "test")}
    assert [len(rows[s]) for s in rows] == [6, 3, 4]
    text = set((tiny / "text.txt").read_text().splitlines())
    assert {row["text"] for row in rows["train"]} <= text
    assert not text & {row["text"] for s in ("dev", "test") for row in rows[s]}
    for one, other in itertools.combinations(rows.values(), 2):
        for key in ("speaker", "text", "id"):
            assert not {row[key] for row in one} & {row[key] for row in other}


def test_audio_is_what_the_manifest_says(tiny: Path) -> None:
    for line in (tiny / "test.jsonl").open():
        row = json.loads(line)
        samples, rate = soundfile.read(tiny / row["audio"])
        assert rate == 16000 and samples.ndim == 1
        assert len(samples) / rate == pytest.approx(row["duration"], abs=1e-3)
        assert [word for word, _, _ in row["words"]] == row["text"].split()
        times = [time for _, *span in row["words"] for time in span]
        assert times == sorted(times) and times[-1] <= row["duration"] + 1e-2
        frames = samples[: len(samples) // 400 * 400].reshape(-1, 400)
        assert np.all(frames.std(axis=1) > 1e-5)  # no digital silence


def test_an_interrupted_generation_leaves_nothing(tmp_path: Path) -> None:
    def stop(done: int, total: int, note: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure_synthetic(tmp_path, TINY, stop)
    assert list(tmp_path.iterdir()) == []


def test_more_hours_leave_dev_and_test_as_they_are() -> None:
    small, large = (synth._plan(synth.spec_of(hours)) for hours in (None, 2))
    assert all(small[0][split] == large[0][split] for split in ("dev", "test"))
    voice = {line.voice for line in large[0]["train"]}
    assert voice == {line.voice for line in small[0]["train"]}
    assert len(large[0]["train"]) == pytest.approx(2 * 3600 / 3.51, abs=1)


def test_the_language_is_a_thousand_normal_words() -> None:
    drawn = list(itertools.islice(sentences(random.Random(5)), 6000))
    words = {word for sentence in drawn for word in reference(sentence).split()}
    assert 900 <= len(words) <= 1100
    assert len(words - set(cmudict_entries())) < 15
    normalise = normaliser("en")
    assert all(normalise(reference(s)) == reference(s) for s in drawn[:1500])
    assert len({reference(s) for s in drawn}) == len(drawn)


def test_the_letter_a_is_not_the_article() -> None:
    assert spoken("a name A B Z") == "a name [['eI]] B [[z'i:]]"


def test_the_default_has_the_promised_speakers() -> None:
    drawn = voices(360, random.Random(1))
    assert len({voice.speaker for voice in drawn}) == 360
    splits, _ = synth._plan(SynthSpec())
    cast = [{line.voice.speaker for line in lines} for lines in splits.values()]
    assert [len(speakers) for speakers in cast] == [40, 20, 300]
    assert len(set.union(*cast)) == 360


def test_a_voice_that_the_engine_lacks_is_an_input_error() -> None:
    with pytest.raises(InputError, match=r"could not say .*en-xx"):
        list(speak([Job("hello", Voice("s1", "en-xx", 50, 50, 150))]))
