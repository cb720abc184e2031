from __future__ import annotations

import sys

import numpy as np
import pytest

from data.errors import InputError
from data.types import Audio
from pipelines.protocol import Chunk, SessionOverError
from pipelines.registry import MissingPackage, load_class


def test_without_its_package_it_is_skipped_with_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    monkeypatch.delitem(sys.modules, "pipelines.peers.pocketsphinx", raising=False)
    with pytest.raises(MissingPackage, match=r"needs the package 'pocketsphinx'.*\[peers\]"):
        load_class("pocketsphinx")


@pytest.fixture(scope="module")
def sound():
    rng = np.random.default_rng(3)
    time = np.arange(16000) / 16000
    voice = 0.3 * np.sin(2 * np.pi * 150 * time) * (np.sin(2 * np.pi * 4 * time) > 0)
    return Audio((voice + 0.01 * rng.standard_normal(16000)).astype(np.float32), 16000)


@pytest.fixture(scope="module")
def pipeline():
    pytest.importorskip("pocketsphinx")
    loaded = load_class("pocketsphinx").load(None, {"sessions": 1})
    yield loaded
    loaded.close()


def chunks(audio, size):
    for first in range(0, len(audio.samples), size):
        piece = audio.samples[first : first + size]
        yield Chunk(piece, audio.sample_rate, first + size >= len(audio.samples))


def streamed(pipeline, audio, size=1600):
    session = pipeline.open_session()
    results = [pipeline.advance([session], [chunk])[0] for chunk in chunks(audio, size)]
    session.close()
    return results


def test_what_it_heard_before_does_not_change_what_it_hears(pipeline, sound):
    loud = Audio(np.clip(sound.samples * 3, -1, 1), 16000)
    first = streamed(pipeline, sound)[-1]
    streamed(pipeline, loud)
    pipeline.transcribe([loud])
    assert streamed(pipeline, sound)[-1] == first


def test_sessions_side_by_side_get_decoders_of_their_own(pipeline, sound):
    alone = streamed(pipeline, sound)[-1].text
    sessions = [pipeline.open_session() for _ in range(2)]
    for chunk in chunks(sound, 1600):
        results = pipeline.advance(sessions, [chunk, chunk])
    assert [result.text for result in results] == [alone, alone]
    with pytest.raises(SessionOverError):
        pipeline.advance(sessions[:1], [chunk])
    for session in sessions:
        session.close()
        session.close()


def test_words_have_times_within_the_audio_and_no_fillers(pipeline, sound):
    for word in pipeline.transcribe([sound])[0].words:
        assert 0 <= word.start < word.end <= sound.seconds + 0.05
        assert word.text[0] not in "<[+" and "(" not in word.text


def test_odd_audio(pipeline, sound):
    empty, eight = Audio(np.zeros(0, np.float32), 16000), Audio(sound.samples[::2].copy(), 8000)
    assert pipeline.transcribe([empty])[0].text == ""
    assert len(pipeline.transcribe([eight])) == 1
    assert streamed(pipeline, eight, 800)[-1].final
    broken = Audio(np.full(1600, np.nan, np.float32), 16000)
    with pytest.raises(InputError, match="NaN"):
        pipeline.transcribe([broken])


def test_settings_are_checked():
    pytest.importorskip("pocketsphinx")
    found = load_class("pocketsphinx")
    with pytest.raises(InputError, match="did you mean 'sessions'"):
        found.load(None, {"session": 1})
    with pytest.raises(InputError, match="no such file for 'lm'"):
        found.load(None, {"lm": "nowhere.lm"})


def test_its_facts_state_the_size_of_its_model(pipeline):
    assert pipeline.facts()["model_bytes"] > 10e6
