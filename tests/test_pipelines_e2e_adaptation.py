"""A finished model goes on learning from other speech, with letters that it did not know."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tone_letters import SENTENCES, TINY, Tones, quiet

from data.errors import InputError
from pipelines.e2e import acoustics
from pipelines.e2e.adaptation import adapted, widened
from pipelines.e2e.pipeline import EndToEndPipeline
from pipelines.e2e.settings import train_settings

CPU = torch.device("cpu")
NEW = ["ad", "da ba", "cad", "bad ca", "dab", "ab da"]
FEW = {**TINY, "epochs": 4, "learning_rate": 0.002}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("known")
    EndToEndPipeline.train(Tones(SENTENCES), {**TINY, "epochs": 25}, folder, quiet)
    return folder


def test_old_tokens_keep_their_rows_and_new_ones_follow(model: Path) -> None:
    known = acoustics.load(model, CPU)
    basis = adapted(train_settings({**FEW, "start": str(model)}), 8000, NEW)
    assert known.tokens.symbols == ("", " ", "a", "b", "c")
    assert basis.tokens.symbols == ("", " ", "a", "b", "c", "d")
    old, new = known.network.state_dict(), basis.network.state_dict()
    assert old.keys() == new.keys()
    for name, value in old.items():
        assert torch.equal(new[name][: len(value)], value), name
    grown = {name for name, value in old.items() if new[name].shape != value.shape}
    assert grown == {"output.weight", "output.bias"}
    assert new["output.weight"][5].abs().sum() > 0
    x = torch.randn(1, 80, 80)
    known.network.eval()
    before, after = (n(x, torch.tensor([80])) for n in (known.network, basis.network.eval()))
    torch.testing.assert_close(after[..., :5], before)
    assert torch.equal(basis.front.mean, known.front.mean)
    same = widened(old, old, 5, 5)
    assert all(torch.equal(same[name], old[name]) for name in old)


def test_what_was_learned_is_gone_on_from(model: Path, tmp_path: Path) -> None:
    corpus = Tones([*NEW, *SENTENCES[:4]])
    EndToEndPipeline.train(corpus, {**FEW, "start": str(model)}, tmp_path / "on", quiet)
    EndToEndPipeline.train(corpus, {**FEW, "flat_epochs": 0}, tmp_path / "anew", quiet)
    on, anew = (json.loads((tmp_path / n / "card.json").read_text())["training"] for n in ("on", "anew"))
    assert on["settings"]["start"] == str(model) and on["settings"]["flat_epochs"] == 0
    assert on["loss"][0] < 0.7 * anew["loss"][0]
    assert acoustics.load(tmp_path / "on", CPU).tokens.symbols[-1] == "d"
    assert EndToEndPipeline.load(tmp_path / "on", {"decoder": "wfst"}).facts()["tokens"] == 6


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"architecture": "lstm"}, r"'conv_recurrent'.*'lstm'"),
        ({"sizes": {"kernel": 7}}, r"kernel = 9, the settings ask for 7"),
        ({"tokens": "pieces"}, r"characters.*pieces"),
        ({"start": "nowhere"}, r"nowhere: no trained network lies here"),
    ],
)
def test_a_start_that_does_not_fit_gets_one_line(
    model: Path, tmp_path: Path, config: dict[str, object], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        EndToEndPipeline.train(Tones(NEW), {**FEW, "start": str(model), **config}, tmp_path, quiet)


def test_audio_of_another_rate_is_no_start(model: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"16000 Hz.*8000 Hz"):
        corpus = replace(Tones(NEW), sample_rate=16000)
        EndToEndPipeline.train(corpus, {**FEW, "start": str(model)}, tmp_path, quiet)
