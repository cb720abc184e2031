"""CTC models of NVIDIA's NeMo, where its package is installed: a ``.nemo`` file, or a name of its catalogue.

NeMo's own code reads these files, and they may hold pickles: take them from a source that you trust.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch

try:
    from nemo.collections.asr.models import EncDecCTCModel
except ModuleNotFoundError as missing:
    raise ImportError("it needs NeMo, which is not installed: pip install 'nemo_toolkit[asr]'") from missing

from data.errors import InputError
from data.types import Samples
from pipelines.pretrained.offline import OfflinePipeline, PretrainedSettings
from pipelines.protocol import Config
from pipelines.settings import filled


class NemoPipeline(OfflinePipeline):
    """See `pipelines.protocol.Pipeline`."""

    @classmethod
    def load(cls, model_dir: Path | None, config: Config) -> Self:
        """Raises `InputError` for weights that are not here."""
        settings = filled(PretrainedSettings, config, "pretrained-nemo")
        return cls(_network(settings), settings)

    def hear(self, samples: Samples) -> str:
        waves = torch.from_numpy(samples).to(self.device)[None]  # (1, n)
        network: Any = self.network
        log_probs, frames, _ = network(
            input_signal=waves, input_signal_length=torch.tensor([len(samples)], device=self.device)
        )
        found: Sequence[Any] = network.decoding.ctc_decoder_predictions_tensor(log_probs, frames)
        return str(getattr(found[0], "text", found[0]))


def _of_catalogue(name: str) -> torch.nn.Module:
    network: torch.nn.Module = EncDecCTCModel.from_pretrained(name, map_location="cpu")
    return network


def _network(settings: PretrainedSettings) -> torch.nn.Module:
    path = Path(settings.model)
    try:
        if path.suffix == ".nemo":
            network: torch.nn.Module = EncDecCTCModel.restore_from(str(path), map_location="cpu")
            return network
        if settings.download and settings.model:
            return _of_catalogue(settings.model)
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError("no model of NeMo can be read here; download it again", settings.model) from error
    raise InputError(
        "set model to a .nemo file (from catalog.ngc.nvidia.com), or download = true and its name"
    )
