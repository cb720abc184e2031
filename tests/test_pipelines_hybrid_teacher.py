"""What a network is taught: which speech, in which features."""

from __future__ import annotations

from pathlib import Path

import kaldi_native_fbank
import numpy as np
import pytest
from accents import TOPOLOGY
from scipy.fft import dct, idct
from spoken import random_tying
from tones import RATE, SPEECH

from pipelines.features import FeatureSettings, Normalisation, estimate_normalisation, features, raw_features
from pipelines.hybrid.front import FrontEnd
from pipelines.hybrid.generations import Lessons
from pipelines.hybrid.gmm import Mixtures
from pipelines.hybrid.model import AcousticModel, Stage
from pipelines.hybrid.networks import Teacher, front_of
from pipelines.hybrid.settings import TrainSettings
from pipelines.hybrid.train import Speech

TYING = random_tying(TOPOLOGY, seed=4)


def _teacher(held_out: int, alignments: tuple[np.ndarray | None, ...]) -> Teacher:
    mixtures = Mixtures(np.ones(1), np.zeros((1, 2)), np.ones((1, 2)), np.array([0, 1]))
    model = AcousticModel(TYING, mixtures, np.full(TYING.labels, 0.5))
    lessons = Lessons("all", Speech((), ()), {}, ())
    return Teacher(Stage("sat", model, alignments), lessons, held_out, TrainSettings(), Path())


def _marked(frames: int, mark: float) -> np.ndarray:
    return np.full((frames, 2), mark, np.float32)


def test_copies_of_what_is_held_out_are_not_learnt_from() -> None:
    """Nor is what could not be aligned; a copy has its utterance's states, stretched to its own length."""
    labels = np.arange(8, dtype=np.int32) % TYING.labels
    speech = Speech(
        tuple(_marked(8, i) for i in range(5)),
        ((),) * 5,
        tuple((i, _marked(16 if i % 2 else 4, 10 + i)) for i in (0, 1, 2, 3, 4)),
    )
    train, dev = _teacher(2, (labels, labels[::-1], None, labels, labels))._parts(speech)
    assert dev is not None
    assert [x[0, 0] for x in train.features] == [0, 1, 10, 11]
    assert [x[0, 0] for x in dev.features] == [3, 4]
    senones = TYING.label_senone[labels]
    expected = (senones, senones[::-1], senones[::2], np.repeat(senones[::-1], 2))
    for found, wanted in zip(train.senones, expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert all(len(x) == len(s) for x, s in zip(dev.features, dev.senones, strict=True))


def test_without_dev_speech_everything_is_learnt() -> None:
    labels = np.zeros(8, np.int32)
    speech = Speech((_marked(8, 0), _marked(8, 1)), ((), ()), ((1, _marked(8, 2)),))
    train, dev = _teacher(0, (labels, labels))._parts(speech)
    assert [x[0, 0] for x in train.features] == [0, 1, 2]
    assert dev is None


FEATURES = FeatureSettings(RATE, noise=0.0)


def _log_mel(samples: np.ndarray) -> np.ndarray:
    """(frames, mel bins), by the library's own filter bank."""
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.samp_freq = RATE
    options.frame_opts.dither = 0.0
    options.mel_opts.num_bins = FEATURES.mel_bins
    options.mel_opts.low_freq = FEATURES.low_hz
    options.mel_opts.high_freq = FEATURES.high_hz
    bank = kaldi_native_fbank.OnlineFbank(options)
    bank.accept_waveform(RATE, (samples * 32768.0).tolist())
    bank.input_finished()
    return np.stack([bank.get_frame(i) for i in range(bank.num_frames_ready)])


@pytest.fixture(scope="module")
def mel() -> tuple[Normalisation, FrontEnd]:
    normalisation = estimate_normalisation([raw_features(x, FEATURES) for x in SPEECH], FEATURES)
    return normalisation, front_of("cnn", FrontEnd(), FEATURES, normalisation)


def test_a_cnn_hears_mel_spectra(mel: tuple[Normalisation, FrontEnd]) -> None:
    """Smoothed by their 13 cepstra, and less their mean: normalisation and lifter are undone."""
    normalisation, front = mel
    heard = front.whole(features(SPEECH[2], FEATURES, normalisation))
    spectra = _log_mel(SPEECH[2])
    cepstra = dct(spectra, norm="ortho", axis=1)[:, : FEATURES.cepstra]
    smooth = idct(cepstra, n=FEATURES.mel_bins, norm="ortho", axis=1)
    assert heard.shape == spectra.shape
    np.testing.assert_allclose(heard - heard[0], smooth - smooth[0], atol=2e-3)
    assert np.corrcoef((spectra - spectra.mean(0)).ravel(), (heard - heard.mean(0)).ravel())[0, 1] > 0.9


@pytest.mark.parametrize("size", [1, 4, 100])
def test_mel_spectra_come_at_once(mel: tuple[Normalisation, FrontEnd], size: int) -> None:
    normalisation, front = mel
    x = features(SPEECH[0], FEATURES, normalisation)
    stream = front.stream()
    parts = [stream.accept(x[i : i + size]) for i in range(0, len(x), size)]
    assert front.look_ahead == 0
    np.testing.assert_allclose(np.concatenate(parts), front.whole(x), atol=1e-4)
    assert len(stream.finish()) == 0


@pytest.mark.parametrize("name", ["tdnn", "lstm", "tdnn+gmm", "lstm-sat", "tdnn-sat+gmm"])
def test_other_networks_hear_what_the_adapted_model_hears(
    mel: tuple[Normalisation, FrontEnd], name: str
) -> None:
    sat = FrontEnd(np.ones((4, 92)))
    assert front_of(name, sat, FEATURES, mel[0]) is sat
