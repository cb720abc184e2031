"""The CTC bundles of torchaudio: wav2vec 2.0 and HuBERT, fine-tuned on characters, decoded greedily.

Their weights are published as files of torch's own format, which `torch.load(weights_only=True)` reads
without running what is in them; a safetensors file of the same tensors is taken as well.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from data.errors import InputError, did_you_mean
from data.types import Samples
from pipelines.pretrained.offline import OfflinePipeline, PretrainedSettings
from pipelines.protocol import Config
from pipelines.settings import filled
from pipelines.torchaudio_python import bundles, torchaudio

_SOURCE = "https://download.pytorch.org/torchaudio/models/"


@dataclass(frozen=True)
class Settings(PretrainedSettings):
    """`model` is a bundle of torchaudio; `weights` its file, if it is not in the folder of torch.hub."""

    model: str = "WAV2VEC2_ASR_BASE_960H"
    weights: str = ""


class TorchaudioPipeline(OfflinePipeline):
    """See `pipelines.protocol.Pipeline`."""

    def __init__(
        self, network: torch.nn.Module, labels: Sequence[str], settings: Settings, *, normalised: bool
    ) -> None:
        """`labels[0]` is the blank, ``|`` parts words; `normalised`: audio of mean 0 and deviation 1."""
        super().__init__(network, settings)
        self._labels, self._normalised = labels, normalised

    @classmethod
    def load(cls, model_dir: Path | None, config: Config) -> Self:
        """Raises `InputError` for an unknown bundle, and for weights that are not here."""
        settings = filled(Settings, config, "pretrained-torchaudio")
        known = {name: b for name, b in vars(bundles).items() if isinstance(b, bundles.Wav2Vec2ASRBundle)}
        if settings.model not in known:
            hint = did_you_mean(settings.model, known)
            raise InputError(f"torchaudio has no bundle {settings.model!r}{hint}; it has {', '.join(known)}")
        bundle: Any = known[settings.model]
        path = Path(settings.weights) if settings.weights else _in_hub(str(bundle._path), settings.download)
        tensors = dict(_read(path))
        for name in ("aux.weight", "aux.bias"):
            tensors[name] = _without(tensors[name], bundle._remove_aux_axis, len(bundle.get_labels()))
        network = build(bundle._params)
        try:
            network.load_state_dict(tensors)
        except RuntimeError as error:
            raise InputError(f"these are not the weights of {settings.model}", path) from error
        return cls(network, bundle.get_labels(), settings, normalised=bool(bundle._normalize_waveform))

    def hear(self, samples: Samples) -> str:
        waves = torch.from_numpy(samples).to(self.device)[None]  # (1, n)
        if self._normalised:
            waves = F.layer_norm(waves, waves.shape)
        scores = self.network(waves)[0][0]  # (T, labels)
        best = [label for label, _ in groupby(scores.argmax(-1).tolist())]
        return " ".join("".join(self._labels[i] for i in best if i).replace("|", " ").split())


def build(sizes: Mapping[str, Any]) -> torch.nn.Module:
    """An untrained network of these sizes, as `torchaudio.models.wav2vec2_model` takes them."""
    network: torch.nn.Module = torchaudio.models.wav2vec2_model(**sizes)
    return network


def _in_hub(name: str, download: bool) -> Path:
    """Where torch.hub keeps that file. Raises `InputError` where it is not and cannot be had."""
    path = Path(torch.hub.get_dir()) / "checkpoints" / name
    try:
        if not path.exists() and download:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(_SOURCE + name, str(path), progress=False)
    except OSError as error:
        raise InputError(f"{_SOURCE}{name} cannot be had ({error}); put it here by hand", path) from error
    if not path.exists():
        raise InputError(f"no weights lie here; download {_SOURCE}{name}, or set download = true", path)
    return path


def _read(path: Path) -> Mapping[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        tensors: Mapping[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, SafetensorError, RuntimeError, pickle.UnpicklingError) as error:
        raise InputError("no weights can be read here; download them again", path) from error
    return tensors


def _without(of: Tensor, unused: Sequence[int], wanted: int) -> Tensor:
    """The published outputs hold a few that never were labels; rows may be left out already."""
    if len(of) == wanted:
        return of
    return torch.stack([row for i, row in enumerate(of) if i not in unused])
