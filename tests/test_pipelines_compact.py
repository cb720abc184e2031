"""Models made small: what is kept, what is rounded, and that networks hear the same with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from data.errors import InputError
from data.types import Audio
from pipelines.compact import compact, without_folders
from pipelines.e2e import acoustics
from pipelines.e2e.acoustics import Acoustics
from pipelines.e2e.features import LogMel
from pipelines.e2e.models.network import Window
from pipelines.e2e.models.registry import build
from pipelines.e2e.tokens import tokens_of
from pipelines.hybrid.network import Network
from pipelines.hybrid.network_layers import TdnnSizes
from pipelines.hybrid.network_store import load_network, save_network

CPU = torch.device("cpu")
SIZES = {
    "conv_recurrent": {"channels": 32, "blocks": 2, "hidden": 24},
    "conformer": {"width": 32, "layers": 1, "heads": 2},
    "joint_lstm": {"hidden": 24},
}


@pytest.mark.parametrize("architecture", SIZES)
def test_a_network_in_half_precision_loads_as_a_whole_one(tmp_path: Path, architecture: str) -> None:
    torch.manual_seed(1)
    tokens, front = tokens_of(["abcd"]), LogMel(8000)
    front.mean.normal_()
    network = build(architecture, {**SIZES[architecture], "tokens": len(tokens)}).eval()
    acoustics.save(Acoustics(network, front, tokens, Window(6, 8), CPU), tmp_path, {})
    for file in ("card.json", "tokens.json", "model.safetensors"):
        compact(tmp_path / file, tmp_path / "small" / file)
    whole, small = (acoustics.load(folder, CPU) for folder in (tmp_path, tmp_path / "small"))
    assert {p.dtype for p in small.network.parameters()} == {torch.float32}
    audio = [Audio(np.random.default_rng(2).normal(0, 0.1, 9000).astype(np.float32), 8000)]
    (before,), (after,) = whole.posteriors(audio), small.posteriors(audio)
    assert 0 < np.abs(np.exp(before) - np.exp(after)).max() < 1e-2
    sizes = [(folder / "model.safetensors").stat().st_size for folder in (tmp_path, tmp_path / "small")]
    assert sizes[1] < 0.65 * sizes[0]


def test_a_hybrids_network_in_half_precision_scores_alike(tmp_path: Path) -> None:
    torch.manual_seed(1)
    draw, sizes = np.random.default_rng(1), TdnnSizes(16, 5, (1, 3, 3))
    prior = np.log(draw.dirichlet(np.ones(7))).astype(np.float32)
    mean, scale = draw.normal(0, 1, (2, 12)).astype(np.float32)
    stack = sizes.build(12, 7, 0.0).eval()
    for tensor in stack.state_dict().values():
        if not tensor.any() and tensor.is_floating_point():  # the last layer begins with nothing
            tensor.normal_(0, 0.5)
    network = Network("tdnn", sizes, stack, mean, np.abs(scale) + 0.5, prior)
    save_network(network, tmp_path / "network-tdnn.safetensors")
    compact(tmp_path / "network-tdnn.safetensors", tmp_path / "small.safetensors")
    features = draw.normal(0, 2, (50, 12)).astype(np.float32)
    before = network.log_likelihoods(features)
    after = load_network(tmp_path / "small.safetensors").log_likelihoods(features)
    assert after.dtype == np.float32
    assert 0 < np.abs(before - after).max() < 5e-2


def test_only_matrices_that_can_be_are_rounded(tmp_path: Path) -> None:
    tensors = {
        "matrix": np.array([[1 / 3, -2.0]], np.float32),
        "vector": np.array([1 / 3], np.float32),
        "wide": np.array([[1e6, 1.0]], np.float32),
        "counts": np.array([[7]], np.int64),
    }
    save_file(tensors, tmp_path / "a.safetensors", {"header": "kept"})
    compact(tmp_path / "a.safetensors", tmp_path / "b.safetensors")
    found = load_file(tmp_path / "b.safetensors")
    assert {name: tensor.dtype.name for name, tensor in found.items()} == {
        "matrix": "float16",
        "vector": "float32",
        "wide": "float32",
        "counts": "int64",
    }
    assert all(np.array_equal(found[name], tensors[name]) for name in ("vector", "wide", "counts"))
    np.testing.assert_allclose(found["matrix"], tensors["matrix"], rtol=1e-3)
    with safe_open(tmp_path / "b.safetensors", "np") as stored:
        assert stored.metadata() == {"header": "kept"}


def test_arrays_are_compressed_without_loss_and_texts_copied(tmp_path: Path) -> None:
    arrays = {"weights": np.arange(5000) % 7 / 3, "words": np.array("one\ntwo")}
    np.savez(tmp_path / "graph.npz", **arrays)
    (tmp_path / "lm.arpa").write_text("\\data\\\n")
    for name in ("graph.npz", "lm.arpa"):
        compact(tmp_path / name, tmp_path / "small" / name)
    with np.load(tmp_path / "small" / "graph.npz", allow_pickle=False) as found:
        assert all(np.array_equal(found[name], array) for name, array in arrays.items())
    assert (tmp_path / "small" / "graph.npz").stat().st_size < 5000
    assert (tmp_path / "small" / "lm.arpa").read_text() == "\\data\\\n"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("/home/anna/models/crnn", "crnn"),
        ("~/models/crnn", "crnn"),
        ("cannot read '/data/calls/1.wav': torn", "cannot read '1.wav': torn"),
        ("https://example.org/a/b and/or c", "https://example.org/a/b and/or c"),
        ("/", "/"),
        ("models/crnn", "models/crnn"),
    ],
)
def test_no_folder_of_a_machine_is_named(text: str, left: str) -> None:
    assert without_folders({"a": [text, 1]}) == {"a": [left, 1]}


@pytest.mark.parametrize("name", ["model.safetensors", "graph.npz", "card.json"])
def test_a_file_that_is_torn_gets_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"{ torn")
    with pytest.raises(InputError, match="cannot be read"):
        compact(tmp_path / name, tmp_path / "small" / name)
    assert not (tmp_path / "small" / name).exists()
