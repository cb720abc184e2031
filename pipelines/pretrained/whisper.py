"""Whisper in the form of Hugging Face's transformers, from a folder or the hub.

Radford et al., "Robust speech recognition via large-scale weak supervision" (2022). Its window is 30 s;
longer audio goes through in the paper's way (section 3.8), which transformers does.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from transformers import AutoProcessor, WhisperForConditionalGeneration

from data.types import Samples
from pipelines.pretrained.hub import fetched
from pipelines.pretrained.offline import RATE, OfflinePipeline, PretrainedSettings
from pipelines.protocol import Config
from pipelines.settings import filled


@dataclass(frozen=True)
class Settings(PretrainedSettings):
    """`language` such as ``en``, empty: the model's only one, or its guess; `beams` of its search."""

    language: str = ""
    beams: int = 1


class WhisperPipeline(OfflinePipeline):
    """See `pipelines.protocol.Pipeline`."""

    def __init__(self, network: torch.nn.Module, processor: Any, settings: Settings) -> None:
        super().__init__(network, settings)
        self._processor, self._window = processor, int(processor.feature_extractor.n_samples)
        self._how: dict[str, Any] = {"num_beams": settings.beams}
        if settings.language:
            self._how |= {"language": settings.language, "task": "transcribe"}

    @classmethod
    def load(cls, model_dir: Path | None, config: Config) -> Self:
        """Raises `InputError` for weights that are not here, or of another kind of model."""
        settings = filled(Settings, config, "pretrained-whisper")
        processor = fetched(AutoProcessor, settings)
        return cls(
            fetched(WhisperForConditionalGeneration, settings, use_safetensors=True), processor, settings
        )

    def hear(self, samples: Samples) -> str:
        how: dict[str, Any] = {"return_timestamps": True} if len(samples) > self._window else {}
        inputs = self._inputs(samples).to(self.device)
        network: Any = self.network
        tokens = network.generate(**inputs, **self._how, **how)  # (1, tokens)
        return str(self._processor.batch_decode(tokens, skip_special_tokens=True)[0]).strip()

    def _inputs(self, samples: Samples) -> Any:
        long = {"truncation": False, "padding": "longest"} if len(samples) > self._window else {}
        return self._processor(
            samples, sampling_rate=RATE, return_tensors="pt", return_attention_mask=True, **long
        )
