"""A network's training: it learns, goes on after a kill to the same weights, and refuses bad input."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from data.errors import InputError
from pipelines.hybrid.network import Network
from pipelines.hybrid.network_batches import (
    IGNORED,
    Batches,
    Masks,
    assemble,
    epoch_batches,
    mask,
    pieces,
)
from pipelines.hybrid.network_layers import CnnSizes, LstmSizes, Sizes, TdnnSizes
from pipelines.hybrid.network_train import Aligned, NetworkSettings, frame_accuracy, train_network

D, S = 8, 5
SMALL: dict[str, Sizes] = {
    "tdnn": TdnnSizes(24, 8, (1, 3)),
    "cnn": CnnSizes((8, 16), 32, 12, (3,)),
    "lstm": LstmSizes(20, 20, 12, 1, 3, 5),
}
SETTINGS = NetworkSettings(
    epochs=8, learning_rate=0.01, batch_frames=400, longest=60, masks=Masks(1, 5, 1, 1)
)


def _speech(utterances: int, seed: int) -> Aligned:
    """Senones that last five frames, seen through noise: a frame alone tells little, its neighbours much."""
    means = np.random.default_rng(9).normal(0, 1, (S, D))
    draw = np.random.default_rng(seed)
    features, senones = [], []
    for _ in range(utterances):
        labels = np.repeat(draw.integers(0, S, int(draw.integers(5, 30))), 5).astype(np.int32)
        features.append((means[labels] + draw.normal(0, 2, (len(labels), D)) + 3).astype(np.float32))
        senones.append(labels)
    return Aligned(features, senones)


def _weights(network: Network) -> dict[str, torch.Tensor]:
    return network.stack.state_dict()


@pytest.mark.parametrize("kind", list(SMALL))
def test_it_learns_more_than_a_frame_alone_tells(kind: str) -> None:
    speech, other = _speech(40, 1), _speech(20, 2)
    network = train_network(kind, speech, S, SETTINGS, sizes=SMALL[kind])
    means = np.stack(
        [np.concatenate(speech.features)[np.concatenate(speech.senones) == s].mean(0) for s in range(S)]
    )
    alone = [
        np.square(x[:, None] - means).sum(-1).argmin(1) == y
        for x, y in zip(other.features, other.senones, strict=True)
    ]
    assert frame_accuracy(network, other) > np.concatenate(alone).mean() + 0.05


def test_a_kill_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    speech, settings = _speech(20, 1), replace(SETTINGS, epochs=4)
    whole = train_network("tdnn", speech, S, settings, sizes=SMALL["tdnn"])
    heard = []

    def killed(share: float, note: str) -> None:
        heard.append(share)
        if len(heard) == 2:
            raise KeyboardInterrupt

    again = {"sizes": SMALL["tdnn"], "checkpoint": tmp_path / "tdnn.checkpoint"}
    with pytest.raises(KeyboardInterrupt):
        train_network("tdnn", speech, S, settings, progress=killed, **again)
    resumed = train_network("tdnn", speech, S, settings, progress=killed, **again)
    assert heard == [0.25, 0.5, 0.75, 1.0]
    for name, tensor in _weights(whole).items():
        assert torch.equal(tensor, _weights(resumed)[name]), name


def test_a_checkpoint_of_other_speech_or_a_torn_one_is_not_gone_on_from(tmp_path: Path) -> None:
    path, settings = tmp_path / "checkpoint", replace(SETTINGS, epochs=1)
    shares: list[float] = []

    def train(speech: Aligned) -> Network:
        return train_network(
            "tdnn",
            speech,
            S,
            settings,
            sizes=SMALL["tdnn"],
            checkpoint=path,
            progress=lambda s, _: shares.append(s),
        )

    first, other = _speech(8, 1), _speech(8, 2)
    train(first)
    train(first)
    assert shares == [1.0]  # the second call found all done
    train(other)
    path.write_bytes(b"torn")
    train(other)
    assert shares == [1.0, 1.0, 1.0]


def test_the_seed_decides() -> None:
    speech, settings = _speech(8, 1), replace(SETTINGS, epochs=1)
    one, same = (train_network("lstm", speech, S, settings, sizes=SMALL["lstm"]) for _ in range(2))
    other = train_network("lstm", speech, S, replace(settings, seed=2), sizes=SMALL["lstm"])
    name = "layers.1.lstm.weight_hh_l0"
    assert torch.equal(_weights(one)[name], _weights(same)[name])
    assert not torch.equal(_weights(one)[name], _weights(other)[name])


def test_a_loss_that_is_no_number_stops_the_training() -> None:
    with pytest.raises(InputError, match=r"loss of the tdnn network is .* lower its learning_rate"):
        train_network("tdnn", _speech(20, 1), S, replace(SETTINGS, learning_rate=1e30), sizes=SMALL["tdnn"])


def test_what_cannot_be_learnt_from_is_named() -> None:
    good = _speech(3, 1)
    broken = [*good.features[:2], good.features[2].copy()]
    broken[2][4, 1] = np.nan
    wrong = {
        "utterance 2 has features that are not finite": Aligned(broken, good.senones),
        "utterance 0 has senones beyond": Aligned(good.features, [s + S for s in good.senones]),
        "utterance 1 has .* frames, but": Aligned(good.features, [good.senones[0], *good.senones[:2]]),
        "there is none": Aligned([], []),
    }
    for said, speech in wrong.items():
        with pytest.raises(InputError, match=said):
            train_network("tdnn", speech, S, SETTINGS, sizes=SMALL["tdnn"])
    with pytest.raises(InputError, match="unknown architecture 'dnn'; did you mean"):
        train_network("dnn", good, S, SETTINGS)
    with pytest.raises(InputError, match="not the sizes of a lstm"):
        train_network("lstm", good, S, SETTINGS, sizes=SMALL["tdnn"])


def test_batches_hold_every_frame_once_and_little_else() -> None:
    lengths = [1, 149, 150, 151, 700, 0, 40]
    cut = pieces(lengths, 150)
    assert max(p.end - p.begin for p in cut) == 150
    batches = epoch_batches(cut, 600, np.random.default_rng(0))
    seen = [np.zeros(n, int) for n in lengths]
    for batch in batches:
        assert len(batch) * max(p.end - p.begin for p in batch) <= 600
        for p in batch:
            seen[p.utterance][p.begin : p.end] += 1
    assert all((frames == 1).all() for frames in seen)


def test_a_piece_brings_its_context_and_edges_are_repeated() -> None:
    x = np.arange(20, dtype=np.float32)[:, None]
    senones = np.arange(20, dtype=np.int32)
    rows, labels = assemble(pieces([20], 8), [x], [senones], Batches(8, 99, left=2, right=3))
    assert rows[0, :, 0].tolist() == [0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert rows[2, :, 0].tolist() == [11, 12, 13, 14, 15, 16, 17, 18, 19, 19, 19, 19]
    assert labels.tolist() == [[*range(6), IGNORED], [*range(6, 13)], [*range(13, 20)]]


def test_masks_stay_within_their_sizes() -> None:
    x = np.ones((50, 30, 10), np.float32)
    mask(x, Masks(time=1, frames=6, bands=1, dimensions=3), np.random.default_rng(0))
    frames = (x == 0).all(axis=2).sum(axis=1)
    dimensions = (x == 0).all(axis=1).sum(axis=1)
    assert frames.max() == 6 and dimensions.max() == 3
    assert frames.min() == 0 and dimensions.min() == 0
