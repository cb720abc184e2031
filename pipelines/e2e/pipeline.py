"""The end-to-end road: a CTC network on characters, greedy or with a language model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from data.errors import InputError
from data.types import Audio, Transcript, Utterance, Word
from pipelines.e2e import acoustics, handing, recipe
from pipelines.e2e.acoustics import Acoustics
from pipelines.e2e.decoder import Decoder, DecoderStream
from pipelines.e2e.decoding import open_decoder
from pipelines.e2e.device import find_device, peak_bytes
from pipelines.e2e.features import HOP_S
from pipelines.e2e.hypothesis import Hypothesis
from pipelines.e2e.models.network import Window
from pipelines.e2e.quantised import quantised
from pipelines.e2e.settings import ATTENTION, DecodeSettings, decode_settings, train_settings
from pipelines.e2e.streaming import StreamingNetwork
from pipelines.protocol import (
    Capabilities,
    Chunk,
    Config,
    Progress,
    Session,
    SessionOverError,
    TrainingSet,
)

_NO_NUMBERS = "the audio holds samples that are no numbers (NaN or infinite)"


class EndToEndSession:
    """One live stream: its place in the network's states, and its decoder."""

    def __init__(self, network: StreamingNetwork, decoder: DecoderStream) -> None:
        self._network, self.decoder = network, decoder
        self.slot = network.open()
        self.text = ""
        self.over = False
        self._open = True

    @property
    def error(self) -> str | None:
        spoilt = self._network.spoilt_s(self.slot)
        return None if spoilt is None else f"from {spoilt:.2f} s on {_NO_NUMBERS}; they count as silence"

    def close(self) -> None:
        self.over = True
        if self._open:
            self._open = False
            self._network.release(self.slot)


class EndToEndPipeline:
    """See `pipelines.protocol.Pipeline`."""

    capabilities = Capabilities(
        streaming=True,
        word_times=True,
        devices=("cpu", "cuda"),
        trainable=True,
        budget=True,
        parallel=True,
    )

    def __init__(self, acoustics: Acoustics, decoder: Decoder, settings: DecodeSettings) -> None:
        self._acoustics, self._decoder, self._settings = acoustics, decoder, settings
        window = _window(acoustics, settings)
        self._network: StreamingNetwork | None = None
        if acoustics.network.streams and settings.decoder != ATTENTION:
            self._network = StreamingNetwork(
                acoustics.network,
                acoustics.front,
                window,
                acoustics.device,
                half=settings.half,
                padded=acoustics.device.type == "cuda",
            )
        self._facts: dict[str, float | str] = {}
        self.capabilities = Capabilities(
            streaming=self._network is not None,
            word_times=True,
            devices=("cpu", "cuda"),
            sample_rate=acoustics.front.sample_rate,
            look_ahead_ms=None if self._network is None else round(1000 * self._network.look_ahead_s, 1),
            trainable=True,
            budget=True,
            parallel=True,
        )

    @classmethod
    def train(cls, corpus: TrainingSet, config: Config, model_dir: Path, progress: Progress) -> None:
        recipe.train(corpus, train_settings(config), model_dir, progress)

    @classmethod
    def load(cls, model_dir: Path | None, config: Config) -> Self:
        if model_dir is None:
            raise InputError("e2e: needs a trained model; train the pipeline first")
        settings = decode_settings(config)
        torch.set_num_threads(settings.threads)
        trained = acoustics.load(model_dir, find_device(settings.device))
        parameters = float(trained.parameters)
        if settings.runtime == "int8":
            trained = replace(trained, network=quantised(trained.network, trained.device))
        decoder, facts = open_decoder(model_dir, trained, settings)
        pipeline = cls(trained, decoder, settings)
        size = (model_dir / "model.safetensors").stat().st_size
        pipeline._facts = {"model_bytes": float(size), "parameters": parameters, **facts}
        return pipeline

    @classmethod
    def align_corpus(
        cls, model_dir: Path, corpus: TrainingSet, utterances: Sequence[Utterance]
    ) -> Mapping[str, Sequence[Word]]:
        from pipelines.e2e.alignment import align_corpus

        return align_corpus(model_dir, corpus, utterances)

    @classmethod
    def model_files(cls, model_dir: Path, config: Config) -> Sequence[str]:
        return handing.model_files(model_dir)

    @classmethod
    def model_facts(cls, model_dir: Path) -> Mapping[str, Any]:
        return handing.model_facts(model_dir)

    def transcribe(self, batch: Sequence[Audio]) -> list[Transcript]:
        for audio in batch:
            if not np.isfinite(audio.samples).all():
                raise InputError(_NO_NUMBERS)
        spells = self._settings.decoder == ATTENTION
        heard = self._acoustics.encoded(batch) if spells else self._acoustics.posteriors(batch)
        return [self._heard(self._decoder.hear(one)) for one in heard]

    def open_session(self) -> EndToEndSession:
        decoder = self._decoder.start()
        return EndToEndSession(self._streaming(), decoder)

    def _streaming(self) -> StreamingNetwork:
        if self._network is None:
            raise InputError(
                f"e2e: this {self._acoustics.architecture} was trained in its offline form, which does not"
                " stream; train it with sizes = {causal = true}"
            )
        return self._network

    def advance(self, sessions: Sequence[Session], chunks: Sequence[Chunk]) -> list[Transcript]:
        own = [_own(session) for session in sessions]
        for chunk in chunks:
            self._acoustics.check(chunk.sample_rate)
        audio, last = [chunk.samples for chunk in chunks], [chunk.last for chunk in chunks]
        grown: set[int] = set()
        for heard in self._streaming().advance([session.slot for session in own], audio, last):
            for row, log_probs, best in heard:
                own[row].decoder.advance(log_probs, best)
                grown.add(row)
        for row in grown:
            own[row].text = own[row].decoder.partial()
        return [
            self._final(session) if over else Transcript(session.text, final=False, error=session.error)
            for session, over in zip(own, last, strict=True)
        ]

    def _final(self, session: EndToEndSession) -> Transcript:
        error = session.error
        session.close()
        return replace(self._heard(session.decoder.finish()), error=error)

    def _heard(self, hypothesis: Hypothesis) -> Transcript:
        return hypothesis.transcript(HOP_S * self._acoustics.network.subsampling)

    def synchronize(self) -> None:
        if self._acoustics.device.type == "cuda":
            torch.cuda.synchronize()

    def facts(self) -> Mapping[str, float | str]:
        return {
            "parameters": float(self._acoustics.parameters),
            **self._facts,
            "tokens": float(len(self._acoustics.tokens)),
            "architecture": self._acoustics.architecture,
            "device": self._acoustics.device.type,
            **peak_bytes(self._acoustics.device),
            "threads": float(torch.get_num_threads()),
            "decoder": self._settings.decoder,
            "runtime": self._settings.runtime,
            "look_ahead_ms": float(self.capabilities.look_ahead_ms or 0.0),
        }

    def close(self) -> None:
        """Nothing is held but memory."""


def _own(session: Session) -> EndToEndSession:
    if not isinstance(session, EndToEndSession):
        raise TypeError(f"not a session of the end-to-end pipeline: {type(session).__name__}")
    if session.over:
        raise SessionOverError("the session was fed after its last chunk")
    return session


def _window(trained: Acoustics, settings: DecodeSettings) -> Window:
    rate = trained.network.subsampling
    asked = recipe.window_of(settings.chunk_ms or 0, settings.right_ms or 0, rate)
    return Window(
        trained.window.chunk if settings.chunk_ms is None else asked.chunk,
        trained.window.right if settings.right_ms is None else asked.right,
    )
