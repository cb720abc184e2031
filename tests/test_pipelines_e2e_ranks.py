"""Several processes train as one would, and a batch that is too large for the device is halved."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ranks_training import course_of
from safetensors.torch import load_file
from torch import Tensor

from data.errors import InputError
from pipelines.e2e.models.network import Window
from pipelines.e2e.models.registry import build
from pipelines.e2e.settings import TrainSettings
from pipelines.e2e.speech import Batch
from pipelines.e2e.train import Step, Trainer

TESTS = Path(__file__).parent


def together(folder: Path, count: int, **config: object) -> dict[str, Any]:
    """Trains as so many processes; gives what the first remembers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    shared = {**os.environ, "PYTHONPATH": paths, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    shared |= {"WORLD_SIZE": str(count), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "ranks_training", str(folder), json.dumps(config)]
    processes = [
        subprocess.Popen(command, env={**shared, "RANK": str(rank)}, stdout=subprocess.PIPE, text=True)
        for rank in range(count)
    ]
    said = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * count
    return json.loads(said[0])


def test_two_processes_learn_what_one_learns_of_the_same_batches(tmp_path: Path) -> None:
    config = {"agreement": 0.2, "crossed": 0.5}
    one, two = course_of(tmp_path / "one", **config), together(tmp_path / "two", 2, **config)
    assert one["cuts"] == two["cuts"] and any(one["cuts"])
    assert len(one["losses"]) > 8 and one["losses"] == pytest.approx(two["losses"], abs=1e-4)
    assert [s["errors"] for s in one["scores"]] == [s["errors"] for s in two["scores"]]
    weights = [load_file(tmp_path / name / "model.safetensors") for name in ("one", "two")]
    moved = max(float((a - b).abs().max()) for a, b in zip(*(w.values() for w in weights), strict=True))
    assert moved < 1e-3


class Cramped(torch.nn.Module):
    """A network on a device that holds so many utterances at once."""

    def __init__(self, room: int) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.inner = build("lstm", {"tokens": 4, "layers": 1, "hidden": 6, "dropout": 0.0})
        self.room, self.frames_out = room, self.inner.frames_out
        self.scores_of, self.full_loss = self.inner.scores_of, self.inner.full_loss

    def encode(self, features: Tensor, lengths: Tensor, window: Window | None) -> Tensor:
        if len(features) > self.room:
            raise torch.OutOfMemoryError("no room")
        return self.inner.encode(features, lengths, window)


def batch(count: int, views: int = 1) -> Batch:
    generator = torch.Generator().manual_seed(1)
    lengths = torch.tensor([60 + 9 * i for i in range(count)])
    features = torch.randn(views, count, int(lengths.max()), 80, generator=generator)
    labels = torch.randint(1, 4, (count, 5), generator=generator)
    spans = torch.stack([torch.zeros_like(lengths), lengths], 1)
    named = tuple(f"u{i}" for i in range(count))
    return Batch(named, features, lengths, labels, torch.tensor([5, 4, 3, 5, 2][:count]), spans)


def cramped(room: int, flat: int) -> Trainer:
    settings = TrainSettings(flat_epochs=flat, learning_rate=0.01, agreement=0.3)
    return Trainer(Cramped(room), settings, 10, Window(4, 0), torch.device("cpu"))


@pytest.mark.parametrize(("flat", "views"), [(0, 1), (1, 1), (0, 2)])
def test_a_batch_without_room_is_learned_in_halves_to_the_same_end(
    flat: int, views: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.e2e.device.cpu_has_bfloat16", lambda: False)
    roomy, narrow = cramped(5 * views, flat), cramped(3 * views, flat)
    full = batch(5, views)
    losses = [[x.step(full, Step(0, n, ()), False) for n in range(3)] for x in (roomy, narrow)]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
    torch.testing.assert_close(dict(roomy.average), dict(narrow.average), rtol=1e-3, atol=1e-5)


def test_a_half_without_room_stops_with_the_largest_utterance_named() -> None:
    trainer = cramped(2, 0)
    before = {name: value.clone() for name, value in trainer.network.state_dict().items()}
    with pytest.raises(InputError, match=r"3 utterances at once; the largest, u4, has 1\.0 s"):
        trainer.step(batch(5), Step(0, 0, ()), False)
    torch.testing.assert_close(trainer.network.state_dict(), before)
