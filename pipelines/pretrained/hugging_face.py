"""CTC models in the form of Hugging Face's transformers, from a folder or the hub, decoded greedily."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import torch
from transformers import AutoModelForCTC, AutoProcessor

from data.errors import InputError
from data.types import Samples
from pipelines.pretrained.hub import fetched
from pipelines.pretrained.offline import RATE, OfflinePipeline, PretrainedSettings
from pipelines.protocol import Config
from pipelines.settings import filled


class HuggingFacePipeline(OfflinePipeline):
    """See `pipelines.protocol.Pipeline`."""

    def __init__(self, network: torch.nn.Module, processor: Any, settings: PretrainedSettings) -> None:
        super().__init__(network, settings)
        self._processor = processor

    @classmethod
    def load(cls, model_dir: Path | None, config: Config) -> Self:
        """Raises `InputError` for weights that are not here, or of another kind of model."""
        settings = filled(PretrainedSettings, config, "pretrained-hf")
        processor = fetched(AutoProcessor, settings)
        network = fetched(AutoModelForCTC, settings, use_safetensors=True)
        if not hasattr(processor, "tokenizer"):
            raise InputError("this model has no tokens of its own (vocab.json)", settings.model)
        return cls(network, processor, settings)

    def hear(self, samples: Samples) -> str:
        inputs = self._processor(samples, sampling_rate=RATE, return_tensors="pt").to(self.device)
        best = self.network(**inputs).logits.argmax(-1)  # (1, T)
        return str(self._processor.batch_decode(best)[0])
