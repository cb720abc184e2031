"""The hybrid recogniser behind the `Pipeline` protocol: GMM-HMM, lexicon and n-gram model in one graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import soxr
from threadpoolctl import threadpool_limits

from data.errors import InputError, did_you_mean
from data.types import Audio, Samples, Transcript, Word
from pipelines.features import FRAME_SECONDS, Features, FeatureSettings, FeatureStream, Normalisation
from pipelines.fst import Arcs, const_fst
from pipelines.grammar import WordTable
from pipelines.hybrid import store
from pipelines.hybrid.align import Pronunciations
from pipelines.hybrid.graph import with_insertion_penalty
from pipelines.hybrid.model import AcousticModel, Tuned
from pipelines.hybrid.settings import DecodeSettings, decode_settings, train_settings
from pipelines.hybrid.word_times import word_spans
from pipelines.protocol import Capabilities, Chunk, Config, Progress, Session, SessionOverError, TrainingSet
from pipelines.search import Beam, LogLikelihoods, Search, Stream
from pipelines.search import Path as BestPath

_LOOK_AHEAD_MS = 55.0  # the deltas' four frames, and 15 ms of the window beyond its frame


class HybridSession:
    """One live stream: its features' memory, and its tokens."""

    def __init__(self, features: FeatureStream, stream: Stream, sample_rate: int) -> None:
        self.features = features
        self.stream = stream
        self.over = False
        self._sample_rate = sample_rate
        self._resampler: soxr.ResampleStream | None = None
        self._resampled_from = sample_rate

    def accept(self, chunk: Chunk) -> Features:
        """The features that `chunk` completes, (frames, dimensions)."""
        if self.over:
            raise SessionOverError("this session has had its last chunk")
        ready = self.features.accept(self._at_own_rate(chunk))
        if chunk.last:
            self.over = True
            ready = np.concatenate([ready, self.features.finish()])
        return ready

    def close(self) -> None:
        self.over = True

    def _at_own_rate(self, chunk: Chunk) -> Samples:
        if chunk.sample_rate == self._sample_rate:
            return chunk.samples
        if self._resampler is None:
            self._resampled_from = chunk.sample_rate
            self._resampler = soxr.ResampleStream(chunk.sample_rate, self._sample_rate, 1, dtype="float32")
        if chunk.sample_rate != self._resampled_from:
            raise InputError(f"a stream of {self._resampled_from} Hz went on at {chunk.sample_rate} Hz")
        return np.asarray(self._resampler.resample_chunk(chunk.samples, last=chunk.last), np.float32)


class HybridPipeline:
    """A trained hybrid; one core, one thread."""

    capabilities = Capabilities(streaming=True, word_times=True, look_ahead_ms=_LOOK_AHEAD_MS, trainable=True)

    def __init__(
        self,
        model: AcousticModel,
        features: FeatureSettings,
        normalisation: Normalisation,
        graph: Arcs,
        *,
        pronunciations: Pronunciations,
        settings: DecodeSettings,
        tuned: Tuned,
        facts: Mapping[str, float | str],
    ) -> None:
        threadpool_limits(1, user_api="blas")  # several threads are slower at these sizes, and change results
        self._model, self._features, self._normalisation = model, features, normalisation
        self._pronunciations, self._words = pronunciations, WordTable(tuple(sorted(pronunciations)))
        self._weight = np.float32(1.0 / tuned.weight)
        fst = const_fst(with_insertion_penalty(graph, tuned.penalty))
        self._search = Search(fst, Beam(settings.beam, settings.max_active))
        self._facts = facts

    @classmethod
    def train(cls, corpus: TrainingSet, config: Config, model_dir: Path, progress: Progress) -> None:
        from pipelines.hybrid.recipe import train_hybrid  # what learns is of no use to what decodes

        settings = train_settings(config)
        with threadpool_limits(1, user_api="blas"):
            train_hybrid(corpus, settings, model_dir, progress)

    @classmethod
    def load(cls, model_dir: Path | None, config: Config) -> Self:
        """Raises `InputError` for an unknown setting, an untrained folder, or an LM that was not prepared."""
        settings = decode_settings(config)
        if model_dir is None:
            raise InputError("the hybrid needs a trained model")
        description = store.load_json(model_dir / store.MODEL)
        tuned = _tuned(description, settings, model_dir)
        model, features, normalisation = store.load_acoustic(model_dir)
        graph = store.load_graph(model_dir / f"graph-{settings.lm}.npz")
        pronunciations = {w: tuple(map(tuple, p)) for w, p in description["pronunciations"].items()}
        facts = _facts(
            description, settings, tuned, model=model, features=features, graph=graph, folder=model_dir
        )
        return cls(
            model,
            features,
            normalisation,
            graph,
            pronunciations=pronunciations,
            settings=settings,
            tuned=tuned,
            facts=facts,
        )

    def transcribe(self, batch: Sequence[Audio]) -> list[Transcript]:
        return [self._whole(audio) for audio in batch]

    def open_session(self) -> HybridSession:
        stream = FeatureStream(self._features, self._normalisation)
        return HybridSession(stream, self._search.start(), self._features.sample_rate)

    def advance(self, sessions: Sequence[Session], chunks: Sequence[Chunk]) -> list[Transcript]:
        """The likelihoods of all sessions are one matrix product; the searches go one after another."""
        own = [_own(session) for session in sessions]
        features = [session.accept(chunk) for session, chunk in zip(own, chunks, strict=True)]
        if not own:
            return []
        scores = self._scores(np.concatenate(features))
        parts = np.split(scores, np.cumsum([len(f) for f in features])[:-1])
        return [
            self._advance(session, part, chunk)
            for session, part, chunk in zip(own, parts, chunks, strict=True)
        ]

    def synchronize(self) -> None:
        """Nothing to wait for on a CPU."""

    def facts(self) -> Mapping[str, float | str]:
        return self._facts

    def close(self) -> None:
        """Nothing is held open."""

    def _whole(self, audio: Audio) -> Transcript:
        session = self.open_session()
        return self.advance([session], [Chunk(audio.samples, audio.sample_rate, last=True)])[0]

    def _scores(self, features: Features) -> LogLikelihoods:
        return self._model.mixtures.log_likelihoods(features) * self._weight

    def _advance(self, session: HybridSession, scores: LogLikelihoods, chunk: Chunk) -> Transcript:
        session.stream.advance(scores)
        if chunk.last:
            return self._final(session.stream.finish())
        return Transcript(self._words.text(session.stream.partial()), final=False)

    def _final(self, path: BestPath) -> Transcript:
        texts = [self._words.words[label - 1] for label in path.words]
        spans = word_spans(path, texts, self._pronunciations, self._model.topology)
        words = tuple(
            Word(text, start * FRAME_SECONDS, end * FRAME_SECONDS)
            for text, (start, end) in zip(texts, spans, strict=True)
        )
        return Transcript(" ".join(texts), words)


def _own(session: Session) -> HybridSession:
    if not isinstance(session, HybridSession):
        raise TypeError("not a session of the hybrid")
    return session


def _tuned(description: Mapping[str, Any], settings: DecodeSettings, folder: Path) -> Tuned:
    known = description["tuned"]
    if settings.lm not in known:
        hint = did_you_mean(settings.lm, known)
        raise InputError(
            f"no language model {settings.lm!r} was prepared{hint} (there are: {', '.join(known)})", folder
        )
    tuned = Tuned(**known[settings.lm])
    return Tuned(
        tuned.weight if settings.lm_weight is None else settings.lm_weight,
        tuned.penalty if settings.insertion_penalty is None else settings.insertion_penalty,
        tuned.wer,
    )


def _facts(
    description: Mapping[str, Any],
    settings: DecodeSettings,
    tuned: Tuned,
    *,
    model: AcousticModel,
    features: FeatureSettings,
    graph: Arcs,
    folder: Path,
) -> Mapping[str, float | str]:
    used = (store.ACOUSTIC, store.MODEL, f"graph-{settings.lm}.npz")
    mixtures = model.mixtures
    return {
        "device": "cpu",
        "threads": 1,
        "model_bytes": sum((folder / name).stat().st_size for name in used),
        "parameters": mixtures.gaussians * (2 * mixtures.means.shape[1] + 1),
        "gaussians": mixtures.gaussians,
        "states": mixtures.states,
        "graph_states": graph.states,
        "graph_arcs": len(graph.source),
        "ngrams": description["ngrams"][settings.lm],
        "words": len(description["pronunciations"]),
        "guessed_pronunciations": description["guessed_pronunciations"],
        "lm": settings.lm,
        "lm_weight": tuned.weight,
        "insertion_penalty": tuned.penalty,
        "dev_wer": "not available" if tuned.wer is None else tuned.wer,
        "beam": settings.beam,
        "max_active": settings.max_active,
        "features": f"{features.cepstra} MFCC + deltas, {features.sample_rate} Hz, causal normalisation, "
        f"prior {features.prior_frames:g} frames",
        "dropped_utterances": len(description["dropped"]),
    }
