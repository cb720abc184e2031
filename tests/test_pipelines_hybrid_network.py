"""The DNN-HMM's networks: context, streams against whole utterances, ensembles, and files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from data.errors import InputError
from pipelines.hybrid.network import Ensemble, Network, accept_together, log_prior, mean_of
from pipelines.hybrid.network_layers import CnnSizes, Factored, LstmSizes, Sizes, TdnnSizes
from pipelines.hybrid.network_store import load_network, read_tensors, save_network, write_tensors

D, S = 12, 7
SMALL: dict[str, Sizes] = {
    "tdnn": TdnnSizes(16, 5, (1, 3, 3)),
    "cnn": CnnSizes((2, 3), 16, 5, (3, 6)),
    "lstm": LstmSizes(10, 9, 6, 2, 4, 6),
}
KINDS = list(SMALL)


def _network(kind: str, seed: int = 0) -> Network:
    """Weights, and what normalises, all random: nothing that is zero or one hides a mistake."""
    torch.manual_seed(seed)
    draw = np.random.default_rng(seed)
    stack = SMALL[kind].build(D, S, 0.3).eval()
    for name, tensor in stack.state_dict().items():
        if "running_var" in name:
            tensor.uniform_(0.5, 2.0)
        elif tensor.is_floating_point() and not tensor.any():
            tensor.normal_(0, 0.5)
    prior = np.log(draw.dirichlet(np.ones(S))).astype(np.float32)
    mean, scale = draw.normal(0, 1, (2, D)).astype(np.float32)
    return Network(kind, SMALL[kind], stack, mean, np.abs(scale) + 0.5, prior)


def _features(frames: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 2, (frames, D)).astype(np.float32)


def _streamed(network: Network | Ensemble, x: np.ndarray, chunk: int) -> np.ndarray:
    stream = network.open_stream()
    parts = [stream.accept(x[i : i + chunk]) for i in range(0, len(x), chunk)]
    return np.concatenate([*parts, stream.finish()])


@pytest.mark.parametrize("kind", KINDS)
def test_no_frame_beyond_the_right_context_changes_a_frame_and_the_last_within_does(kind: str) -> None:
    network, x, at = _network(kind), _features(80), 40
    before = network.log_likelihoods(x)[at]
    last = at + network.right
    np.testing.assert_allclose(network.log_likelihoods(_moved(x, last + 1, 80))[at], before, atol=1e-5)
    assert np.abs(network.log_likelihoods(_moved(x, last, last + 1))[at] - before).max() > 1e-5


@pytest.mark.parametrize("kind", ["tdnn", "cnn"])
def test_no_frame_before_the_left_context_changes_a_frame_and_the_first_within_does(kind: str) -> None:
    network, x, at = _network(kind), _features(80), 40
    before = network.log_likelihoods(x)[at]
    first = at - network.left
    np.testing.assert_allclose(network.log_likelihoods(_moved(x, 0, first))[at], before, atol=1e-5)
    assert np.abs(network.log_likelihoods(_moved(x, first, first + 1))[at] - before).max() > 1e-5


def _moved(x: np.ndarray, begin: int, end: int) -> np.ndarray:
    """`x` with other features in frames `begin` to `end`."""
    changed = x.copy()
    changed[begin:end] += 9.0
    return changed


@pytest.mark.parametrize("chunk", [1, 4, 16, 64])
@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_gives_what_the_whole_utterance_gives(kind: str, chunk: int) -> None:
    network = _network(kind)
    for frames in (1, 3, 70):
        x = _features(frames)
        np.testing.assert_allclose(_streamed(network, x, chunk), network.log_likelihoods(x), atol=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_frames_come_out_as_soon_as_their_right_context_is_there(kind: str) -> None:
    network = _network(kind)
    stream = network.open_stream()
    assert len(stream.accept(_features(network.right))) == 0
    assert len(stream.accept(_features(5))) == 5
    assert len(stream.accept(_features(0))) == 0
    assert len(stream.finish()) == network.right


def test_nothing_said_gives_nothing() -> None:
    network = mean_of([_network("tdnn"), _network("lstm")])
    assert network.log_likelihoods(_features(0)).shape == (0, S)
    assert network.open_stream().finish().shape == (0, S)


@pytest.mark.parametrize("kind", KINDS)
def test_streams_together_give_what_each_gives_alone(kind: str) -> None:
    network = _network(kind)
    utterances = [_features(frames, seed) for seed, frames in enumerate((40, 44, 31, 20))]
    streams = [network.open_stream() for _ in utterances]
    parts: list[list[np.ndarray]] = [[] for _ in utterances]
    for begin in range(0, 44, 6):
        chunks = [x[begin : begin + 6] for x in utterances]
        for i, scores in enumerate(accept_together(streams, chunks)):
            parts[i].append(scores)
    for x, stream, got in zip(utterances, streams, parts, strict=True):
        together = np.concatenate([*got, stream.finish()])
        np.testing.assert_allclose(together, network.log_likelihoods(x), atol=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_what_runs_is_what_was_trained(kind: str) -> None:
    network, x = _network(kind), _features(30)
    padded = np.pad((x - network.mean) * network.scale, ((network.left, network.right), (0, 0)), "edge")
    with torch.inference_mode():
        trained = torch.log_softmax(network.stack(torch.from_numpy(padded)[None])[0], -1).numpy()
    np.testing.assert_allclose(network.log_likelihoods(x), trained - network.log_prior, atol=2e-5)


def test_log_likelihoods_are_posteriors_over_priors() -> None:
    network = _network("tdnn")
    posteriors = np.exp(network.log_likelihoods(_features(9)) + network.log_prior)
    np.testing.assert_allclose(posteriors.sum(axis=1), 1.0, rtol=1e-4)


def test_every_third_frame_computed_alone_is_what_it_is_among_all() -> None:
    for kind in ("tdnn", "cnn"):
        stack = _network(kind).stack
        x = torch.randn(2, stack.left + 20 + stack.right, D)
        assert stack.saves(3)
        torch.testing.assert_close(stack(x, 3), stack(x)[:, ::3])
    assert not _network("lstm").stack.saves(3)


def test_the_constraint_makes_the_bottleneck_s_rows_orthogonal() -> None:
    torch.manual_seed(0)
    layer = Factored(16, 5, 1, 0.0)
    for _ in range(30):
        layer.orthonormalise()
    rows = layer.narrow.weight.detach()
    gram = rows @ rows.T
    torch.testing.assert_close(gram / gram[0, 0], torch.eye(5), atol=1e-4, rtol=0)


def test_priors_sum_to_one_and_none_is_tiny() -> None:
    prior = np.exp(log_prior([np.array([0, 0, 1], np.int32), np.array([1, 0, 3], np.int32)], 5))
    assert prior.sum() == pytest.approx(1.0)
    assert prior[0] > prior[1] > prior[3] > prior[2] == prior[4] > 1e-3 / 5


def test_an_ensemble_is_the_mean_and_streams_so() -> None:
    members = [_network("tdnn", 1), _network("lstm", 2), _network("cnn", 3)]
    both, x = mean_of(members), _features(50)
    expected = np.mean([m.log_likelihoods(x) for m in members], axis=0)
    np.testing.assert_allclose(both.log_likelihoods(x), expected, atol=1e-5)
    np.testing.assert_allclose(_streamed(both, x, 7), expected, atol=3e-5)


def test_one_network_is_its_own_mean_and_unlike_ones_have_none() -> None:
    network = _network("tdnn")
    assert mean_of([network]) is network
    other = Network("tdnn", SMALL["tdnn"], network.stack, network.mean, network.scale, network.log_prior[:-1])
    with pytest.raises(InputError, match="same senones"):
        mean_of([network, other])


@pytest.mark.parametrize("kinds", [["tdnn"], ["cnn"], ["lstm"], ["tdnn", "lstm"]])
def test_what_was_saved_is_what_is_loaded(kinds: list[str], tmp_path: Path) -> None:
    network, x = mean_of([_network(kind) for kind in kinds]), _features(30)
    save_network(network, tmp_path / "network.safetensors")
    loaded = load_network(tmp_path / "network.safetensors")
    np.testing.assert_array_equal(loaded.log_likelihoods(x), network.log_likelihoods(x))


def test_files_that_do_not_fit_name_themselves(tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    with pytest.raises(InputError, match=r"network\.safetensors: "):
        load_network(path)
    save_network(_network("tdnn"), path)
    tensors, header = read_tensors(path)
    for change, said in (
        ({"architecture": "tdn"}, "unknown architecture 'tdn'; did you mean 'tdnn'"),
        ({"architecture": "lstm"}, "sizes that a lstm does not have"),
        ({"senones": S + 1}, "not the weights of the tdnn"),
    ):
        write_tensors(path, tensors, header | {"members": [header["members"][0] | change]})
        with pytest.raises(InputError, match=f"network.safetensors: {said}"):
            load_network(path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(InputError, match=r"network.safetensors: not a network .*, or cut short"):
        load_network(path)


def test_features_of_another_dimension_are_refused() -> None:
    network, wrong = _network("tdnn"), np.zeros((4, D + 1), np.float32)
    for accept in (network.log_likelihoods, network.open_stream().accept):
        with pytest.raises(InputError, match=f"features of {D} dimensions, not {D + 1}"):
            accept(wrong)
