"""Dropout that draws bytes, and how a fresh network hears."""

import pytest
import torch
from torch.nn import functional as F

from pipelines.e2e.models.layers import Dropout
from pipelines.e2e.models.network import Network
from pipelines.e2e.models.registry import build


@pytest.mark.parametrize("rate", [0.1, 0.15, 0.5, 0.9])
def test_dropout_drops_its_share_and_keeps_the_mean_and_every_row_alike(rate: float) -> None:
    torch.manual_seed(1)
    x = torch.ones(301, 1001)
    heard = Dropout(rate).train()(x)
    assert float((heard == 0).double().mean()) == pytest.approx(rate, abs=0.005)
    assert float(heard.double().mean()) == pytest.approx(1, abs=0.02)
    assert float((heard == 0).double().mean(0).std()) < 0.04


def test_dropout_sends_gradients_where_it_let_through_and_is_drawn_by_torchs_seed() -> None:
    dropout = Dropout(0.25).train()
    x = torch.ones(7, 5, requires_grad=True)
    torch.manual_seed(2)
    heard = dropout(x)
    heard.sum().backward()
    assert x.grad is not None and torch.equal(x.grad, heard.detach())
    torch.manual_seed(2)
    assert torch.equal(dropout(x), heard)
    assert not torch.equal(dropout(x), heard)


@pytest.mark.parametrize("rate", [0.0, 0.25, 1.0])
def test_dropout_leaves_alone_what_is_not_trained_and_knows_its_ends(rate: float) -> None:
    x = torch.randn(3, 4)
    assert torch.equal(Dropout(rate).eval()(x), x)
    if rate in (0, 1):
        assert torch.equal(Dropout(rate).train()(x), F.dropout(x, rate, training=True))


@pytest.mark.parametrize("name", ["conformer", "fast_conformer"])
def test_a_fresh_network_hears_what_changes_over_time(name: str) -> None:
    torch.manual_seed(3)
    network = build(name, {"tokens": 30}).eval()
    x = _subsampled(network, torch.randn(1, 400, 80))[0]  # (T, width)
    assert float(x.std(0).mean()) > 0.5 * float(x.mean(0).std())


@torch.no_grad()
def _subsampled(network: Network, x: torch.Tensor) -> torch.Tensor:
    for layer in network.strided:  # type: ignore[union-attr]
        x = layer(F.pad(x, (0, 0, layer.left, 0)))
    return x
