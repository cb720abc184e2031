"""The streaming network: equal to its windowed form, and blind to what lies beyond its look-ahead."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipelines.e2e.features import LogMel
from pipelines.e2e.models.conv_recurrent import ConvRecurrent, Shape, Window, frames_out
from pipelines.e2e.streaming import Feed, StreamingNetwork

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
    feeds = [streaming.open() for _ in audio]
    heard: list[list[np.ndarray]] = [[] for _ in audio]
    for at in range(0, max(map(len, audio)), chunk):
        live = [(i, f) for i, f in enumerate(feeds) if at < len(audio[i])]
        for i, feed in live:
            feed.add(audio[i][at : at + chunk], at + chunk >= len(audio[i]))
        while due := [(i, f) for i, f in live if streaming.due(f)]:
            for (i, _), out in zip(due, streaming.hop([f for _, f in due]), strict=True):
                heard[i].append(out)
    for feed in feeds:
        streaming.release(feed)
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
    feed: Feed = streaming.open()
    need = round(streaming.look_ahead_s * RATE)
    feed.add(noise(4.0, 1)[: need - 1], False)
    early = 0
    while streaming.due(feed):
        early += len(streaming.hop([feed])[0])
    assert early == 0
    feed.add(noise(0.1, 1)[:1], False)
    assert streaming.due(feed)
    assert len(streaming.hop([feed])[0]) == WINDOWS[0].chunk


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
