"""What every recogniser of whole utterances that others trained has in common: settings, audio, refusals."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
import torch

from data.errors import InputError
from data.types import Audio, Samples, Transcript
from pipelines.protocol import Capabilities, Chunk, Config, Progress, Session, TrainingSet

RATE = 16_000
SHORTEST = 400
"""Samples of one frame of the convolutions of wav2vec 2.0 and its kin; less has no text."""


@dataclass(frozen=True)
class PretrainedSettings:
    """`model`: a name, or a folder or file on this machine. Without `download`, nothing is."""

    model: str = ""
    download: bool = False
    device: str = "auto"
    threads: int = 1


class OfflinePipeline(ABC):
    """See `pipelines.protocol.Pipeline`. Utterances go through one by one: padding changes such models."""

    capabilities = Capabilities(streaming=False, devices=("cpu", "cuda"))

    def __init__(self, network: torch.nn.Module, settings: PretrainedSettings) -> None:
        torch.set_num_threads(settings.threads)
        self.device = _device(settings.device)
        self.network = network.eval().to(self.device)
        self._settings = settings

    @classmethod
    def train(cls, corpus: TrainingSet, config: Config, model_dir: Path, progress: Progress) -> None:
        raise InputError("this model was trained by others; there is nothing to train here")

    @abstractmethod
    def hear(self, samples: Samples) -> str:
        """The text of 16 kHz audio of `SHORTEST` samples at least."""

    @torch.inference_mode()
    def transcribe(self, batch: Sequence[Audio]) -> list[Transcript]:
        return [Transcript(self._text(at_model_rate(audio))) for audio in batch]

    def _text(self, samples: Samples) -> str:
        return self.hear(samples) if len(samples) >= SHORTEST else ""

    def open_session(self) -> Session:
        raise InputError("this model hears whole utterances; it has no streams")

    def advance(self, sessions: Sequence[Session], chunks: Sequence[Chunk]) -> list[Transcript]:
        raise InputError("this model hears whole utterances; it has no streams")

    def synchronize(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def facts(self) -> Mapping[str, float | str]:
        weights = list(self.network.parameters())
        return {
            "model": self._settings.model,
            "model_bytes": float(sum(w.numel() * w.element_size() for w in weights)),
            "parameters": float(sum(w.numel() for w in weights)),
            "device": self.device.type,
            "threads": float(torch.get_num_threads()),
        }

    def close(self) -> None:  # noqa: B027 - it is no seam to fill
        """Nothing is held but memory."""


def at_model_rate(audio: Audio) -> Samples:
    """The samples at 16 kHz. Raises `InputError` for samples that are no numbers."""
    if not np.isfinite(audio.samples).all():
        raise InputError("the audio holds samples that are no numbers (NaN or infinite)")
    if audio.sample_rate == RATE or not len(audio.samples):
        return np.asarray(audio.samples, np.float32)
    return np.asarray(soxr.resample(audio.samples, audio.sample_rate, RATE), np.float32)


def _device(wish: str) -> torch.device:
    """`auto`: cuda where there is one. Raises `InputError` for a device that is not there."""
    if wish not in ("auto", "cpu", "cuda"):
        raise InputError(f"device is {wish!r}; there are auto, cpu, cuda")
    if wish == "cuda" and not torch.cuda.is_available():
        raise InputError("device is 'cuda', but torch sees none; take 'auto' or 'cpu'")
    return torch.device("cuda" if wish != "cpu" and torch.cuda.is_available() else "cpu")
