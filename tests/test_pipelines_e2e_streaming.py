"""The streaming network: equal to its windowed form, and blind to what lies beyond its look-ahead."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipelines.e2e.features import LogMel
from pipelines.e2e.models.conv_recurrent import ConvRecurrent, Shape, Window, frames_out
from pipelines.e2e.streaming import StreamingNetwork

RATE = 16000
SHAPE = Shape(tokens=7, channels=16, blocks=4, kernel=5, hidden=8)
WINDOWS = [Window(8, 12), Window(4, 6), Window(3, 0)]


def network() -> tuple[ConvRecurrent, LogMel]:
    torch.set_num_threads(1)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        net = ConvRecurrent(SHAPE).eval()
    front = LogMel(RATE)
    front.mean.fill_(-9.0)
    return net, front


def noise(seconds: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, int(seconds * RATE)).astype(np.float32)


def stream(streaming: StreamingNetwork, audio: list[np.ndarray], chunk: int) -> list[np.ndarray]:
    """All of `audio` side by side, `chunk` samples at a time; each ends when it ends."""
    slots = [streaming.open() for _ in audio]
    heard: list[list[np.ndarray]] = [[] for _ in audio]
    for at in range(0, max(map(len, audio)), chunk):
        live = [i for i in range(len(audio)) if at < len(audio[i])]
        pieces = [audio[i][at : at + chunk] for i in live]
        last = [at + chunk >= len(audio[i]) for i in live]
        for hop in streaming.advance([slots[i] for i in live], pieces, last):
            for row, log_probs, _ in hop:
                heard[live[row]].append(log_probs)
    for slot in slots:
        streaming.release(slot)
    return [np.concatenate(h) if h else np.zeros((0, SHAPE.tokens)) for h in heard]


def at_once(net: ConvRecurrent, front: LogMel, samples: np.ndarray, window: Window | None) -> np.ndarray:
    features = front(torch.from_numpy(samples))[None]
    with torch.no_grad():
        scores = net(features, torch.tensor([features.shape[1]]), window)
    return scores[0].log_softmax(-1).numpy()


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("chunk", [1600, 777])
def test_streams_of_different_lengths_side_by_side_equal_the_windowed_network(
    window: Window, chunk: int
) -> None:
    net, front = network()
    audio = [noise(s, i) for i, s in enumerate((2.3, 0.9, 0.31, 3.17))]
    for samples, heard in zip(
        audio, stream(StreamingNetwork(net, front, window, torch.device("cpu")), audio, chunk), strict=True
    ):
        expected = at_once(net, front, samples, window)
        assert heard.shape == expected.shape
        np.testing.assert_allclose(heard, expected, atol=2e-5)


def test_slots_are_clean_when_used_again() -> None:
    net, front = network()
    streaming = StreamingNetwork(net, front, WINDOWS[0], torch.device("cpu"))
    samples = noise(1.5, 1)
    first = stream(streaming, [samples], 1600)[0]
    stream(streaming, [noise(1.0, 5), noise(2.0, 6)], 1600)
    np.testing.assert_array_equal(stream(streaming, [samples], 1600)[0], first)


@pytest.mark.parametrize("window", WINDOWS)
def test_audio_beyond_the_look_ahead_changes_nothing_that_was_emitted(window: Window) -> None:
    net, front = network()
    streaming = StreamingNetwork(net, front, window, torch.device("cpu"))
    frame_s = 0.04
    samples, other = noise(4.0, 1), noise(4.0, 2)
    for frame in (0, 13, 40):
        cut = int((frame * frame_s + streaming.look_ahead_s) * RATE)
        changed = np.concatenate([samples[:cut], other[cut:]])
        a, b = (stream(streaming, [x], 1600)[0][: frame + 1] for x in (samples, changed))
        np.testing.assert_array_equal(a, b)
        assert not np.array_equal(*(at_once(net, front, x, None)[: frame + 1] for x in (samples, changed)))


def test_a_frame_comes_out_as_soon_as_the_look_ahead_is_there() -> None:
    net, front = network()
    streaming = StreamingNetwork(net, front, WINDOWS[0], torch.device("cpu"))
    slot = streaming.open()
    need = round(streaming.look_ahead_s * RATE)
    early = streaming.advance([slot], [noise(4.0, 1)[: need - 1]], [False])
    assert not any(frames for hop in early for frames in hop)
    (hop,) = streaming.advance([slot], [noise(0.1, 1)[:1]], [False])
    ((_, log_probs, _),) = hop
    assert len(log_probs) == WINDOWS[0].chunk


@pytest.mark.parametrize("window", [None, *WINDOWS])
def test_a_padded_batch_equals_single_utterances(window: Window | None) -> None:
    net, front = network()
    features = [front(torch.from_numpy(noise(s, i))) for i, s in enumerate((1.0, 2.7, 0.4))]
    lengths = torch.tensor([len(f) for f in features])
    padded = torch.full((3, int(lengths.max()), 80), 9.0)  # what lies in the padding must not matter
    for row, f in zip(padded, features, strict=True):
        row[: len(f)] = f
    with torch.no_grad():
        together = net(padded, lengths, window)
        for row, f, n in zip(together, features, frames_out(lengths).tolist(), strict=True):
            alone = net(f[None], torch.tensor([len(f)]), window)[0]
            torch.testing.assert_close(row[:n], alone[:n], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("padded", [False, True])
def test_64_streams_of_different_starts_and_chunks_equal_single_ones(padded: bool) -> None:
    net, front = network()
    window, device, rng = Window(4, 2), torch.device("cpu"), np.random.default_rng(3)
    many = StreamingNetwork(net, front, window, device, padded=padded)
    sizes = rng.integers(200, 9000, 64)
    audio = [noise(float(rng.uniform(0.02, 0.8)), i) for i in range(64)]
    starts, slots = rng.integers(0, 6, 64), {}
    heard: dict[int, list[np.ndarray]] = {i: [] for i in range(64)}
    fed = [0] * 64
    for turn in range(100):
        live = [i for i in range(64) if turn >= starts[i] and fed[i] < len(audio[i])]
        for i in live:
            if i not in slots:
                slots[i] = many.open()
        pieces = [audio[i][fed[i] : fed[i] + sizes[i]] for i in live]
        for i, piece in zip(live, pieces, strict=True):
            fed[i] += len(piece)
        last = [fed[i] == len(audio[i]) for i in live]
        for hop in many.advance([slots[i] for i in live], pieces, last):
            for row, log_probs, best in hop:
                assert best == log_probs.argmax(-1).tolist()
                heard[live[row]].append(log_probs)
        for i, over in zip(live, last, strict=True):
            if over:
                many.release(slots[i])  # for a stream that starts later
    assert len(set(slots.values())) < 64
    single = StreamingNetwork(net, front, window, device)
    for i in range(64):
        expected = stream(single, [audio[i]], 1600)[0]
        found = np.concatenate([*heard[i], np.zeros((0, SHAPE.tokens), np.float32)])
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, atol=2e-5)


def test_bfloat16_streams_give_nearly_the_same_posteriors() -> None:
    net, front = network()
    samples = noise(1.5, 1)
    plain, half = (
        stream(StreamingNetwork(net, front, WINDOWS[0], torch.device("cpu"), half=half), [samples], 1600)[0]
        for half in (False, True)
    )
    assert 0 < np.abs(plain - half).max() < 0.05


def test_the_first_sample_that_is_no_number_is_named_and_counts_as_silence() -> None:
    net, front = network()
    streaming = StreamingNetwork(net, front, WINDOWS[0], torch.device("cpu"))
    good, bad = noise(2.0, 1), noise(2.0, 2)
    silent = bad.copy()
    bad[[9000, 9001, 20000]] = np.nan, np.inf, -np.inf
    silent[[9000, 9001, 20000]] = 0.0
    slots = [streaming.open() for _ in range(2)]
    heard: list[list[np.ndarray]] = [[], []]
    for at in range(0, 32000, 1600):
        for hop in streaming.advance(slots, [bad[at : at + 1600], good[at : at + 1600]], [at == 30400] * 2):
            for row, log_probs, _ in hop:
                heard[row].append(log_probs)
    assert streaming.spoilt_s(slots[0]) == 9000 / RATE and streaming.spoilt_s(slots[1]) is None
    for found, samples in zip(heard, (silent, good), strict=True):
        np.testing.assert_allclose(np.concatenate(found), stream(streaming, [samples], 1600)[0], atol=2e-5)
    streaming.release(slots[0])
    assert streaming.spoilt_s(streaming.open()) is None
