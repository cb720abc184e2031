"""Losses against enumeration, batches, augmentation, and the parts of a training that a run cannot show."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from data.errors import InputError
from pipelines.e2e.augment import Augmentation, at_speed, disturb, mask, pad, reverberated
from pipelines.e2e.checkpoint import read_state, save_tensors, write_state
from pipelines.e2e.features import FLOOR, LogMel
from pipelines.e2e.losses import ctc, disagreement, speech_span, spread
from pipelines.e2e.models.conv_recurrent import ConvRecurrent, Shape, Window
from pipelines.e2e.settings import TrainSettings
from pipelines.e2e.speech import Example, Speech, epoch_order, make_batch, needed_frames
from pipelines.e2e.tokens import collapse
from pipelines.e2e.train import Trainer


@pytest.mark.parametrize("labels", [[1], [1, 2], [2, 2], [1, 2, 1]])
def test_ctc_is_the_sum_over_all_paths(labels: list[int]) -> None:
    frames = 5
    scores = torch.from_numpy(
        np.random.default_rng(len(labels)).normal(0, 1, (1, frames, 3)).astype(np.float32)
    )
    log_probs = scores[0].log_softmax(-1).numpy()
    total = -np.inf
    for path in itertools.product(range(3), repeat=frames):
        if collapse(path) == labels:
            total = np.logaddexp(total, sum(log_probs[t, i] for t, i in enumerate(path)))
    found = ctc(scores, torch.tensor([frames]), torch.tensor([labels]), torch.tensor([len(labels)]))
    assert float(found) * len(labels) == pytest.approx(-total, rel=1e-4)


def test_disagreement_is_the_mean_of_both_divergences_over_real_frames() -> None:
    scores = torch.randn(2, 2, 4, 3, generator=torch.Generator().manual_seed(3), requires_grad=True)
    frames = [4, 2]
    expected = 0.0
    for i, count in enumerate(frames):
        p, q = scores[:, i, :count].detach().softmax(-1).double()
        expected += 0.5 * float((p * (p / q).log() + q * (q / p).log()).sum())
    found = disagreement(scores, torch.tensor(frames))
    assert float(found.detach()) == pytest.approx(expected, rel=1e-5)
    found.backward()
    logs = scores.detach().softmax(-1)
    torch.testing.assert_close(scores.grad[:, 0], 0.5 * (logs - logs.flip(0))[:, 0])  # targets stand still


def test_views_of_an_utterance_are_of_one_speed_and_differ_in_what_disturbs_them() -> None:
    rng = np.random.default_rng(5)
    variants = [torch.from_numpy(rng.normal(-5, 2, (n, 80)).astype(np.float32)) for n in (90, 100, 81)]
    speech = Speech((Example("a", tuple(variants), (1, 2)), Example("b", tuple(variants[::-1]), (3,))), 0)
    front = LogMel(16000)
    front.learn(variants)
    plain = make_batch(speech, [0, 1], front, speeds=True, settings=None, rng=rng, views=2)
    torch.testing.assert_close(plain.features[0], plain.features[1])
    found = make_batch(speech, [0, 1], front, speeds=True, settings=Augmentation(), rng=rng, views=2)
    assert found.features.shape == (2, 2, int(found.lengths.max()), 80) and found.ids == ("a", "b")
    assert bool((found.features[0] != found.features[1]).any(-1)[:, : int(found.lengths.min())].all())
    part = found.rows([1])
    torch.testing.assert_close(part.features, found.features[:, 1:, : int(part.lengths)])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=6), st.integers(14, 60), st.integers(0, 3))
def test_the_flat_start_spreads_labels_in_order_within_the_speech(
    labels: list[int], frames: int, lead: int
) -> None:
    spans = torch.tensor([[lead, frames - 1]])
    targets = spread(
        torch.tensor([frames]), torch.tensor([labels]), torch.tensor([len(labels)]), spans, frames + 3
    )
    row = targets[0].tolist()
    if frames - 1 - lead >= 4 * len(labels):
        assert collapse(row[:frames]) == labels
    assert row[frames:] == [-1, -1, -1]
    assert set(row[:lead]) <= {0}


def test_the_span_of_speech_leaves_out_the_silence() -> None:
    raw = torch.full((100, 80), -12.0)
    raw[30:70] = -4.0
    assert speech_span(raw) == (30, 70)
    assert speech_span(torch.zeros(0, 80)) == (0, 0)


@given(st.lists(st.integers(1, 3), max_size=10))
def test_the_frames_that_ctc_needs(labels: list[int]) -> None:
    assert needed_frames(labels) == len(labels) + sum(a == b for a, b in itertools.pairwise(labels))


def examples(count: int) -> list[Example]:
    rng = np.random.default_rng(0)
    return [Example(str(i), (torch.zeros(int(rng.integers(50, 900)), 80),), (1,)) for i in range(count)]


@pytest.mark.parametrize("short_first", [True, False])
def test_an_epoch_holds_every_utterance_once_in_batches_that_fit(short_first: bool) -> None:
    all_of_them = examples(60)
    batches = epoch_order(all_of_them, 20.0, short_first, np.random.default_rng(1))
    assert sorted(i for b in batches for i in b) == list(range(60))
    for batch in batches:
        assert len(batch) == 1 or max(all_of_them[i].seconds for i in batch) * len(batch) <= 20.0
    longest = [max(all_of_them[i].seconds for i in b) for b in batches]
    assert (np.diff(longest) > -1.5).all() == short_first
    assert batches == epoch_order(all_of_them, 20.0, short_first, np.random.default_rng(1))


def test_augmentation_keeps_the_shape_and_follows_its_generator() -> None:
    raw, other = torch.randn(120, 80), torch.randn(50, 80)
    for seed in range(30):
        a, b = (disturb(raw, other, Augmentation(), np.random.default_rng(seed)) for _ in range(2))
        assert a.shape == raw.shape and bool(a.isfinite().all()) and torch.equal(a, b)
    batch, lengths = pad([raw, other])
    before = torch.random.get_rng_state()
    a, b = (mask(batch, lengths, Augmentation(), np.random.default_rng(3)) for _ in range(2))
    assert torch.equal(a, b) and not torch.equal(a, batch)
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_room_leaves_a_tail_of_the_asked_length_and_ratio() -> None:
    impulse = torch.full((150, 80), -50.0)
    impulse[10] = 0.0
    heard = reverberated(impulse, decay_s=0.5, ratio_db=6.0)
    assert float(heard[:10].max()) < -49 and float(heard[10].abs().max()) < 1e-4  # the direct sound stays
    power = heard[11:60].exp()
    torch.testing.assert_close(power.sum(0), torch.full((80,), 10**-0.6), rtol=1e-3, atol=0)
    fallen = 10 * torch.log10(power[0] / power[40])  # in dB, over 0.4 s
    assert fallen[0] == pytest.approx(48, abs=0.5) and fallen[-1] == pytest.approx(96, abs=1)


def test_rooms_that_are_not_asked_for_change_nothing() -> None:
    raw, other = torch.randn(120, 80), torch.randn(50, 80)

    def made(**rooms: float) -> Tensor:
        settings = Augmentation(noise=0.0, narrow=0.0, **rooms)
        return disturb(raw, other, settings, np.random.default_rng(1))

    assert torch.equal(made(), made(rooms=0.0))
    assert float((made(rooms=1.0) - made()).min()) > -1e-4  # a tail adds power
    assert made(rooms=1.0).shape == raw.shape and float((made(rooms=1.0) - made()).max()) > 0.1


def test_a_checkpoint_that_cannot_be_written_or_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be written.*make room"):
        save_tensors({"x": torch.zeros(3)}, tmp_path / "missing" / "model.safetensors")
    window, shape = Window(8, 12), Shape(tokens=4, channels=8, blocks=1, hidden=4)
    trainer = Trainer(ConvRecurrent(shape), TrainSettings(), 10, window, torch.device("cpu"))
    path = tmp_path / "checkpoint.safetensors"
    write_state(path, trainer.state(0))
    assert read_state(path, trainer) == 0
    larger = Trainer(
        ConvRecurrent(replace(shape, hidden=5)), TrainSettings(), 10, window, torch.device("cpu")
    )
    with pytest.raises(InputError, match="does not fit the model"):
        read_state(path, larger)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="does not fit the model"):
        read_state(path, trainer)


def test_speeds_change_the_duration() -> None:
    samples = torch.randn(16000)
    assert at_speed(samples, 16000, 1.0) is samples
    assert abs(len(at_speed(samples, 16000, 0.9)) - 16000 / 0.9) < 2
    assert abs(len(at_speed(samples, 16000, 1.1)) - 16000 / 1.1) < 2


@pytest.mark.parametrize("rate", [8000, 16000])
def test_features_are_the_same_in_pieces(rate: int) -> None:
    front = LogMel(rate)
    samples = torch.randn(rate)
    whole = front(samples)
    assert len(whole) == front.frames(rate)
    for first, count in ((0, 5), (17, 30)):
        piece = samples[first * front.hop : (first + count - 1) * front.hop + front.size]
        torch.testing.assert_close(front(piece), whole[first : first + count], rtol=1e-4, atol=1e-4)
    assert front.frames(front.size - 1) == 0 and len(front(samples[: front.size - 1])) == 0


def test_the_normalisation_is_learned_from_the_training_speech() -> None:
    front = LogMel(16000)
    speech = [torch.randn(300, 80) * 3 - 7, torch.randn(200, 80) * 3 - 7]
    front.learn(speech)
    together = front.normalise(torch.cat(speech))
    torch.testing.assert_close(together.mean(0), torch.zeros(80), atol=1e-4, rtol=0)
    torch.testing.assert_close(together.std(0), torch.ones(80), atol=1e-2, rtol=0)
    assert front.raw(torch.zeros(16000)).max() == pytest.approx(np.log(FLOOR))
