"""Every architecture: streams equal to whole utterances, look-ahead as stated, padding without effect."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from data.errors import InputError
from data.types import Audio
from pipelines.e2e import acoustics
from pipelines.e2e.acoustics import Acoustics
from pipelines.e2e.checkpoint import read_state, write_state
from pipelines.e2e.decoder import Greedy
from pipelines.e2e.features import LogMel
from pipelines.e2e.losses import ctc
from pipelines.e2e.models.network import Network, Window
from pipelines.e2e.models.registry import ARCHITECTURES, build, name_of
from pipelines.e2e.pipeline import EndToEndPipeline
from pipelines.e2e.recipe import train as train_recipe
from pipelines.e2e.settings import DecodeSettings, TrainSettings, decode_settings, train_settings
from pipelines.e2e.streaming import StreamingNetwork
from pipelines.e2e.tokens import Tokens
from pipelines.e2e.train import Trainer
from pipelines.protocol import Chunk

RATE = 16000
CPU = torch.device("cpu")
ALPHABET = Tokens(("", " ", "a", "b", "c", "d", "e"))
CONVOLUTIONS = {"channels": 2, "kernel": 5, "bands": 5, "layers": 2, "hidden": 8, "look_ahead": 3}
ATTENTION = {"width": 16, "layers": 2, "heads": 2, "kernel": 5, "chunk": 4, "left": 6}
SPELLING = {"cells": 16, "spelling_dropout": 0.0, "smoothing": 0.0}
SMALL = {
    "lstm": ("lstm", {"layers": 2, "hidden": 8, "delay": 3}),
    "lstm stacked by 8": ("lstm", {"layers": 1, "hidden": 8, "stack": 8, "delay": 1}),
    "deep_speech_2": ("deep_speech_2", CONVOLUTIONS),
    "deep_speech_2 batch": ("deep_speech_2", {**CONVOLUTIONS, "norm": "batch"}),
    "conformer": ("conformer", ATTENTION),
    "conformer 8": ("conformer", {**ATTENTION, "subsampling": 8, "chunk": 2, "left": 3}),
    "fast_conformer": ("fast_conformer", {**ATTENTION, "channels": 3, "chunk": 2, "left": 3}),
    "joint_conformer": ("joint_conformer", {**ATTENTION, **SPELLING}),
    "joint_lstm": ("joint_lstm", {"layers": 2, "hidden": 8, "delay": 3, **SPELLING}),
}


def network(case: str, causal: bool) -> Network:
    torch.set_num_threads(1)
    name, sizes = SMALL[case]
    with torch.random.fork_rng():
        torch.manual_seed(3)
        net = build(name, {"tokens": len(ALPHABET), **sizes, "causal": causal, "dropout": 0.0})
        for key, buffer in net.named_buffers():  # running statistics of a training that there was not
            buffer.copy_(torch.rand_like(buffer) + key.endswith("variance"))
    return net.eval()


def front() -> LogMel:
    found = LogMel(RATE)
    found.mean.fill_(-9.0)
    return found


def noise(seconds: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, int(seconds * RATE)).astype(np.float32)


def stream(streaming: StreamingNetwork, audio: list[np.ndarray], size: int) -> list[np.ndarray]:
    """Log posteriors of all of `audio` side by side, `size` samples at a time; each ends when it ends."""
    slots = [streaming.open() for _ in audio]
    heard: list[list[np.ndarray]] = [[] for _ in audio]
    for at in range(0, max(map(len, audio)), size):
        live = [i for i in range(len(audio)) if at < len(audio[i])]
        pieces = [audio[i][at : at + size] for i in live]
        last = [at + size >= len(audio[i]) for i in live]
        for hop in streaming.advance([slots[i] for i in live], pieces, last):
            for row, log_probs, _ in hop:
                heard[live[row]].append(log_probs)
    for slot in slots:
        streaming.release(slot)
    return [np.concatenate(h) for h in heard]


@torch.no_grad()
def scores(net: Network, features: torch.Tensor) -> torch.Tensor:
    """features (F, mels) -> (F // subsampling, tokens)."""
    found: torch.Tensor = net(features[None], torch.tensor([len(features)]))[0]
    return found


@pytest.mark.parametrize("ms", [40, 160, 640])
@pytest.mark.parametrize("case", SMALL)
def test_streams_in_chunks_give_the_posteriors_of_the_whole_utterance(case: str, ms: int) -> None:
    net, mel = network(case, causal=True), front()
    audio = [noise(s, i) for i, s in enumerate((1.9, 0.35, 2.6))]
    streaming = StreamingNetwork(net, mel, Window(max(1, ms // (10 * net.subsampling)), 0), CPU)
    for _ in range(2):  # the second time in used slots
        for samples, heard in zip(audio, stream(streaming, audio, ms * RATE // 1000), strict=True):
            whole = scores(net, mel(torch.from_numpy(samples))).log_softmax(-1).numpy()
            assert heard.shape == whole.shape
            np.testing.assert_allclose(heard, whole, atol=2e-5)


@pytest.mark.parametrize("case", SMALL)
def test_frames_beyond_the_stated_look_ahead_change_nothing_and_the_last_within_it_does(case: str) -> None:
    net = network(case, causal=True)
    x = torch.randn(160, 80, generator=torch.Generator().manual_seed(1))
    before = scores(net, x)
    look_ahead = net.look_ahead_frames(Window(1, 0))
    assert look_ahead is not None
    for t in range(12):
        beyond, within = x.clone(), x.clone()
        cut = (t + 1) * net.subsampling + look_ahead
        beyond[cut:] += 3.0
        torch.testing.assert_close(scores(net, beyond)[: t + 1], before[: t + 1], atol=1e-6, rtol=0)
        within[cut - 1] += 3.0
        if t % 4 == 0:  # where a chunk of attention begins
            assert not torch.allclose(scores(net, within)[t], before[t], atol=1e-6, rtol=0)


@pytest.mark.parametrize("case", SMALL)
def test_audio_beyond_the_latency_of_the_stream_changes_nothing_that_was_emitted(case: str) -> None:
    net, mel = network(case, causal=True), front()
    streaming = StreamingNetwork(net, mel, Window(2, 0), CPU)
    samples, other = noise(2.0, 1), noise(2.0, 2)
    for frame in (0, 9):
        cut = int((frame * net.subsampling * 0.01 + streaming.look_ahead_s) * RATE)
        changed = np.concatenate([samples[:cut], other[cut:]])
        a, b = (stream(streaming, [x], 1600)[0][: frame + 1] for x in (samples, changed))
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("case", SMALL)
def test_the_offline_form_sees_all_and_does_not_stream(case: str) -> None:
    net = network(case, causal=False)
    x = torch.randn(48, 80, generator=torch.Generator().manual_seed(1))
    changed = x.clone()
    changed[40:] += 3.0
    assert net.look_ahead_frames(Window(1, 0)) is None
    assert not torch.allclose(scores(net, x)[0], scores(net, changed)[0], atol=1e-6, rtol=0)
    with pytest.raises(InputError, match="offline form"):
        StreamingNetwork(net, front(), Window(4, 0), CPU)
    pipeline = pipeline_of(net)
    assert not pipeline.capabilities.streaming and pipeline.capabilities.look_ahead_ms is None
    assert pipeline.transcribe([Audio(noise(0.5, 1), RATE)])
    with pytest.raises(InputError, match=f"{name_of(net)} was trained in its offline form"):
        pipeline.open_session()


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("case", SMALL)
def test_padding_changes_nothing(case: str, causal: bool, training: bool) -> None:
    net = network(case, causal).train(training)
    lengths = torch.tensor([100, 37, 64])
    x = torch.randn(3, 100, 80, generator=torch.Generator().manual_seed(1))
    wider = torch.full((3, 130, 80), 9.0)
    for row, whole, n in zip(wider, x, lengths.tolist(), strict=True):
        row[:n] = whole[:n]
    with torch.no_grad():
        a, b = net(x, lengths), net(wider, lengths)
        for i, n in enumerate(net.frames_out(lengths).tolist()):
            torch.testing.assert_close(a[i, :n], b[i, :n], atol=1e-5, rtol=1e-4)
            if not training:
                alone = scores(net, x[i, : int(lengths[i])])
                torch.testing.assert_close(a[i, :n], alone[:n], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("case", SMALL)
def test_it_learns_a_batch_by_heart(case: str, causal: bool) -> None:
    net = network(case, causal).train()
    x = torch.randn(2, 80, 80, generator=torch.Generator().manual_seed(1))
    lengths, labels = torch.tensor([80, 64]), torch.tensor([[2, 3, 4], [5, 2, 0]])
    optimiser = torch.optim.Adam(net.parameters(), 0.01)
    losses = []
    frames, label_lengths = net.frames_out(lengths), torch.tensor([3, 2])
    for _ in range(25):
        encoded = net.encode(x, lengths)
        loss = ctc(net.scores_of(encoded), frames, labels, label_lengths)
        loss = net.full_loss(loss, encoded, frames, labels, label_lengths)
        optimiser.zero_grad()
        loss.backward()
        assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in net.parameters())
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0], losses


def pipeline_of(net: Network) -> EndToEndPipeline:
    trained = Acoustics(net, front(), ALPHABET, Window(4, 0), CPU)
    return EndToEndPipeline(trained, Greedy(ALPHABET), DecodeSettings())


@pytest.mark.parametrize("case", SMALL)
def test_live_transcripts_are_those_of_the_whole_audio_and_the_latency_is_stated(case: str) -> None:
    net = network(case, causal=True)
    pipeline = pipeline_of(net)
    audio = [noise(1.3, 1) * np.linspace(0, 3, int(1.3 * RATE), dtype=np.float32) for _ in range(2)]
    finals = {}
    for size in (640, 2560, 10240):
        sessions = [pipeline.open_session() for _ in audio]
        for at in range(0, len(audio[0]), size):
            chunks = [Chunk(a[at : at + size], RATE, at + size >= len(a)) for a in audio]
            heard = pipeline.advance(sessions, chunks)
        finals[size] = [t.text for t in heard]
    whole = [t.text for t in pipeline.transcribe([Audio(a, RATE) for a in audio])]
    assert all(found == whole for found in finals.values())
    inherent = net.look_ahead_frames(Window(4, 0))
    assert inherent is not None
    assert (pipeline.capabilities.look_ahead_ms or 0) >= 10 * (inherent + net.subsampling)


def test_a_stored_model_names_its_architecture_and_fits_no_other(tmp_path: Path) -> None:
    small = {"conv_recurrent": {"channels": 4, "hidden": 4}, **dict(SMALL.values())}
    small = {**{f"joint_{name}": {**sizes, "cells": 4} for name, sizes in small.items()}, **small}
    for name in ARCHITECTURES:
        sizes = {"tokens": len(ALPHABET), **small[name]}
        trained = Acoustics(build(name, sizes).eval(), front(), ALPHABET, Window(4, 2), CPU)
        folder = tmp_path / name
        folder.mkdir()
        acoustics.save(trained, folder, {})
        again = acoustics.load(folder, CPU)
        assert (again.architecture, again.network.shape) == (name, trained.network.shape)
        x = torch.randn(64, 80)
        torch.testing.assert_close(scores(again.network, x), scores(trained.network, x))
    with pytest.raises(InputError, match=r"'lstm'.*'conformer'"):
        train_recipe(None, TrainSettings(architecture="conformer"), tmp_path / "lstm", None)  # type: ignore[arg-type]
    Tokens(("", " ", "a")).write(tmp_path / "lstm" / "tokens.json")
    with pytest.raises(InputError, match=r"trained on 7 tokens.*has 3"):
        acoustics.load(tmp_path / "lstm", CPU)
    card = tmp_path / "conv_recurrent" / "card.json"
    old = json.loads(card.read_text())
    assert old.pop("architecture") == "conv_recurrent"
    card.write_text(json.dumps(old))  # from before there was a choice
    assert acoustics.load(card.parent, CPU).architecture == "conv_recurrent"
    card.write_text(json.dumps({**old, "architecture": "conformr"}))
    with pytest.raises(InputError, match="did you mean 'conformer'"):
        acoustics.load(card.parent, CPU)


def trainer(case: str, symbols: tuple[str, ...]) -> Trainer:
    return Trainer(network(case, causal=True), TrainSettings(), 10, Window(4, 0), CPU, symbols=symbols)


def test_a_checkpoint_of_another_architecture_or_alphabet_names_both(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    own = trainer("lstm", ALPHABET.symbols)
    write_state(path, own.state(3))
    assert read_state(path, trainer("lstm", ALPHABET.symbols)) == 3
    for case, symbols, said in (
        ("conformer", ALPHABET.symbols, r"architecture.*lstm.*conformer"),
        ("lstm stacked by 8", ALPHABET.symbols, r"sizes.*\"layers\": 2.*\"layers\": 1"),
        ("lstm", ("", " ", "x"), r"tokens.*\"d\", \"e\".*\"x\""),
    ):
        with pytest.raises(InputError, match=said):
            read_state(path, trainer(case, symbols))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"architecture": "conformr"}, "did you mean 'conformer'"),
        ({"architecture": "lstm", "sizes": {"hiden": 3}}, "sizes of lstm: unknown key 'hiden'"),
        ({"architecture": "lstm", "sizes": 3}, "wants a table"),
        ({"architecture": "lstm", "sizes": {"stack": 3}}, "stack 4 or 8"),
        ({"architecture": "conformer", "sizes": {"subsampling": 5}}, "4 or 8, not 5"),
        ({"architecture": "conformer", "sizes": {"heads": 5}}, "twice the heads"),
        ({"architecture": "deep_speech_2", "sizes": {"norm": "group"}}, "there are layer, batch"),
        ({"architecture": "joint_lstm", "sizes": {"stack": 3}}, "stack 4 or 8"),
        ({"architecture": "joint_lstm", "sizes": {"attention_weight": 0.0}}, "above 0 and up to 1"),
        ({"sizes": {"causal": True}}, "sizes of conv_recurrent: unknown key 'causal'"),
    ],
)
def test_wrong_sizes_get_one_line(config: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        train_settings(config)


@pytest.mark.parametrize("chunk_ms", [40, 80, 120, 640])
@pytest.mark.parametrize("case", ["conformer 8", "fast_conformer", "lstm stacked by 8"])
def test_frames_of_80_ms_take_windows_given_in_multiples_of_40(case: str, chunk_ms: int) -> None:
    net = network(case, causal=True)
    trained = Acoustics(net, front(), ALPHABET, Window(4, 0), CPU)
    settings = decode_settings({"chunk_ms": chunk_ms, "right_ms": 40})
    pipeline = EndToEndPipeline(trained, Greedy(ALPHABET), settings)
    audio = noise(2.0, 4)
    session = pipeline.open_session()
    heard = [pipeline.advance([session], [Chunk(c, RATE)])[0] for c in np.split(audio, 10)]
    heard += pipeline.advance([session], [Chunk(audio[:0], RATE, last=True)])
    assert heard[-1].text == pipeline.transcribe([Audio(audio, RATE)])[0].text
    frames = -(-chunk_ms // 80)  # a chunk that is not whole waits for its last frame
    assert pipeline.capabilities.look_ahead_ms is not None
    assert 80 * frames <= pipeline.capabilities.look_ahead_ms <= 80 * (frames + 2) + 32
