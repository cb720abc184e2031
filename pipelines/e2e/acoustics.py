"""The trained network with its features: audio in, log posteriors out; kept as safetensors and JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from data.errors import InputError
from data.types import Audio
from pipelines.e2e.augment import pad
from pipelines.e2e.checkpoint import save_tensors
from pipelines.e2e.decoder import LogProbs
from pipelines.e2e.features import LogMel
from pipelines.e2e.models.network import Network, Window
from pipelines.e2e.models.registry import build, name_of
from pipelines.e2e.tokens import AUTO, Tokens, read_tokens

FORMAT = 1
_BATCH_SECONDS = {"cpu": 120.0, "cuda": 3600.0}  # of padded audio in one forward pass


@dataclass(frozen=True, eq=False)
class Acoustics:
    """All that stands between samples and posteriors; `window` is the one it was trained for in streams."""

    network: Network
    front: LogMel
    tokens: Tokens
    window: Window
    device: torch.device

    @property
    def architecture(self) -> str:
        return name_of(self.network)

    @property
    def parameters(self) -> int:
        return sum(p.numel() for p in self.network.parameters())

    def check(self, sample_rate: int) -> None:
        """Raises `InputError` for audio of another rate than the training's."""
        if sample_rate != self.front.sample_rate:
            raise InputError(
                f"the audio has {sample_rate} Hz, the network was trained on {self.front.sample_rate} Hz;"
                " resample it"
            )

    def posteriors(self, batch: Sequence[Audio]) -> list[LogProbs]:
        """Natural logs of shape (frames, tokens) for each, batched by duration; a click has no frames."""
        return self._over(batch, lambda encoded: self.network.scores_of(encoded).float().log_softmax(-1))

    def encoded(self, batch: Sequence[Audio]) -> list[LogProbs]:
        """As `posteriors`, but what they are made of (frames, D); see `Network.encode`."""
        return self._over(batch, lambda encoded: encoded.float())

    def _over(self, batch: Sequence[Audio], finish: Callable[[Tensor], Tensor]) -> list[LogProbs]:
        out: list[LogProbs] = [np.zeros((0, len(self.tokens)), np.float32)] * len(batch)
        order = sorted(range(len(batch)), key=lambda i: len(batch[i].samples))
        group: list[int] = []
        for i in order:
            self.check(batch[i].sample_rate)
            if group and batch[i].seconds * (len(group) + 1) > _BATCH_SECONDS[self.device.type]:
                self._group(batch, group, finish, out)
                group = []
            group.append(i)
        if group:
            self._group(batch, group, finish, out)
        return out

    @torch.inference_mode()
    def _group(
        self,
        batch: Sequence[Audio],
        group: list[int],
        finish: Callable[[Tensor], Tensor],
        out: list[LogProbs],
    ) -> None:
        audio = [torch.from_numpy(np.asarray(batch[i].samples, np.float32)).to(self.device) for i in group]
        features, lengths = pad([self.front(samples) for samples in audio])
        lengths = lengths.to(self.device)
        if features.shape[1] < self.network.subsampling:
            return
        found = finish(self.network.encode(features, lengths)).cpu().numpy()  # (B, T, D or tokens)
        for row, i, n in zip(found, group, self.network.frames_out(lengths).tolist(), strict=True):
            out[i] = row[:n]


def save(acoustics: Acoustics, model_dir: Path, history: Mapping[str, Any]) -> None:
    """The card is written last: a folder with a card is a finished model."""
    tensors = {f"network.{k}": v for k, v in acoustics.network.state_dict().items()}
    tensors |= {"front.mean": acoustics.front.mean, "front.deviation": acoustics.front.deviation}
    save_tensors(tensors, model_dir / "model.safetensors")
    acoustics.tokens.write(model_dir / "tokens.json")
    card = {
        "format": FORMAT,
        "sample_rate": acoustics.front.sample_rate,
        "architecture": acoustics.architecture,
        "shape": asdict(acoustics.network.shape),
        "window": asdict(acoustics.window),
        "training": dict(history),
    }
    part = model_dir / "card.json.part"
    part.write_text(json.dumps(card, indent=1), encoding="utf-8")
    part.replace(model_dir / "card.json")


def is_finished(model_dir: Path) -> bool:
    return (model_dir / "card.json").exists()


def check_architecture(model_dir: Path, wanted: str) -> None:
    """Raises `InputError` where the finished model here is of another architecture."""
    try:
        found = _architecture(json.loads((model_dir / "card.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, AttributeError) as error:
        raise InputError("the card here is damaged; train the model again", model_dir) from error
    if found != wanted:
        raise InputError(
            f"the model here is of the architecture {found!r}, the settings ask for {wanted!r};"
            " take another folder, or delete it to train anew",
            model_dir,
        )


def check_tokens(model_dir: Path, wanted: str) -> None:
    """Raises `InputError` where the finished model here has tokens of another kind; `AUTO` takes any."""
    found = read_tokens(model_dir / "tokens.json").kind
    if wanted not in (AUTO, found):
        raise InputError(
            f"the model here has {found} for tokens, the settings ask for {wanted};"
            " take another folder, or delete it to train anew",
            model_dir,
        )


def _architecture(card: Mapping[str, Any]) -> str:
    """Cards from before there was a choice name none."""
    return str(card.get("architecture", "conv_recurrent"))


def load(model_dir: Path, device: torch.device) -> Acoustics:
    """In float32, also of a model that was handed on in half precision (`pipelines.compact`).

    Raises `InputError` for a folder that holds no finished model of this kind.
    """
    if not is_finished(model_dir):
        raise InputError("no trained network lies here; train the pipeline first", model_dir)
    try:
        card = json.loads((model_dir / "card.json").read_text(encoding="utf-8"))
        network = build(_architecture(card), card["shape"])
        front = LogMel(int(card["sample_rate"]))
        tensors = load_file(model_dir / "model.safetensors")
        network.load_state_dict(
            {k.removeprefix("network."): v for k, v in tensors.items() if k.startswith("network.")}
        )
        front.mean.copy_(tensors["front.mean"])
        front.deviation.copy_(tensors["front.deviation"])
        window = Window(**card["window"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError) as error:
        raise InputError(
            "the model here is damaged or of another version; train it again", model_dir
        ) from error
    tokens = read_tokens(model_dir / "tokens.json")
    if len(tokens) != network.shape.tokens:
        raise InputError(
            f"the network here was trained on {network.shape.tokens} tokens, its tokens.json has"
            f" {len(tokens)}; put back the one that it was trained with, or train again",
            model_dir,
        )
    return Acoustics(network.eval().to(device), front.to(device), tokens, window, device)
