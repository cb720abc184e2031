"""Frame-wise training of a network on aligned speech; a kill goes on from the last epoch, to the same bits.

Cross-entropy against the senones of an alignment; AdamW with a linear warm-up and half a cosine, gradients
clipped, the weights averaged exponentially. The targets are smoothed towards the prior, not towards equal
shares: divided by the prior, that floor is the same for every senone, and rare ones gain nothing by it.
Whatever is random is drawn from generators seeded by (seed, epoch) or (seed, step).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from data.errors import InputError
from pipelines.features import Features
from pipelines.hybrid.gmm import States
from pipelines.hybrid.network import Network, log_prior
from pipelines.hybrid.network_batches import (
    IGNORED,
    Batches,
    Masks,
    Piece,
    assemble,
    epoch_batches,
    mask,
    pieces,
)
from pipelines.hybrid.network_checkpoint import Checkpoint, Progressing, key_of
from pipelines.hybrid.network_layers import ARCHITECTURES, Sizes
from pipelines.hybrid.network_store import sizes_of

_LAST_RATE = 0.01  # of the highest
_ORTHONORMALISED = 4  # steps from one to the next


@dataclass(frozen=True)
class NetworkSettings:
    """`epochs` are passes over the pieces; in each, a network that saves by it learns one frame of `every`.

    `longest` and `batch_frames`: of a piece and of a batch, in frames. `smoothing`: of the targets, towards
    the prior. `average`: the decay of the running mean of the weights. `orthonormal`: see `Factored`.
    """

    epochs: int = 15
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    batch_frames: int = 2000
    longest: int = 150
    every: int = 3
    dropout: float = 0.15
    smoothing: float = 0.05
    masks: Masks = field(default_factory=Masks)
    warm_up: float = 0.1
    clip: float = 2.0
    average: float = 0.99
    orthonormal: bool = True
    seed: int = 1
    threads: int = 1


def default_settings(kind: str) -> NetworkSettings:
    """For 40 minutes of speech: less than five minutes on one core, whatever the architecture."""
    # an LSTM has to compute every frame, and its epochs take twice as long
    return NetworkSettings(epochs=10) if kind == "lstm" else NetworkSettings()


@dataclass(frozen=True, eq=False)
class Aligned:
    """Utterances: features (T, D) float32 and senones (T,) int32, one for each frame."""

    features: Sequence[Features]
    senones: Sequence[States]


def train_network(
    kind: str,
    speech: Aligned,
    senone_count: int,
    settings: NetworkSettings,
    *,
    sizes: Sizes | None = None,
    held_out: Aligned | None = None,
    checkpoint: Path | None = None,
    progress: Callable[[float, str], None] = lambda share, note: None,
) -> Network:
    """A network called `kind` in `ARCHITECTURES`, of `sizes` (its default ones if None).

    Goes on from `checkpoint` where an interrupted training of the same speech and settings left it, and
    leaves it there. `progress` gets the share done after each epoch, the loss, the accuracy on `held_out`.
    Raises `InputError` for an unknown kind, features that are not finite, senones out of range, and a loss
    that stops being a number.
    """
    sizes = sizes or sizes_of(kind, {})
    if type(sizes) is not ARCHITECTURES.get(kind):
        raise InputError(f"{type(sizes).__name__} are not the sizes of a {kind} network")
    _check(speech, senone_count)
    with _threads(settings.threads):
        training = _Training(kind, sizes, speech, senone_count, settings)
        return training.run(held_out, checkpoint, progress)


def frame_accuracy(network: Network, speech: Aligned) -> float:
    """The share of frames whose most probable senone is the aligned one."""
    right = frames = 0
    for x, senones in zip(speech.features, speech.senones, strict=True):
        posteriors = network.log_likelihoods(x) + network.log_prior
        right += int((posteriors.argmax(axis=1) == senones).sum())
        frames += len(senones)
    return right / max(1, frames)


class _Training:
    """The network being trained, its optimiser, and the running mean of its weights."""

    def __init__(
        self, kind: str, sizes: Sizes, speech: Aligned, senones: int, settings: NetworkSettings
    ) -> None:
        self.kind, self.sizes, self.settings = kind, sizes, settings
        self.mean, self.scale = _normalisation(speech.features)
        self.speech = Aligned([(x - self.mean) * self.scale for x in speech.features], speech.senones)
        self.log_prior = log_prior(speech.senones, senones)
        self.prior = torch.from_numpy(np.exp(self.log_prior))  # (senones,)
        with _seeded(settings.seed):
            self.stack = sizes.build(len(self.mean), senones, settings.dropout)
        self.every = settings.every if self.stack.saves(settings.every) else 1
        self.cut = pieces([len(x) for x in speech.features], settings.longest)
        self.around = Batches(settings.longest, settings.batch_frames, self.stack.left, self.stack.right)
        self.optimiser = torch.optim.AdamW(
            self.stack.parameters(), settings.learning_rate, (0.9, 0.98), weight_decay=settings.weight_decay
        )
        self.average = {name: t.detach().clone() for name, t in self.stack.state_dict().items()}
        self.step = 0

    def run(
        self, held_out: Aligned | None, path: Path | None, progress: Callable[[float, str], None]
    ) -> Network:
        epochs = self.settings.epochs
        checkpoint = self._checkpoint(path) if path else None
        begin, self.step = checkpoint.read(self._progressing) if checkpoint else (0, 0)
        plans = [epoch_batches(self.cut, self.around.frames, self._rng(0, e)) for e in range(epochs)]
        total = sum(map(len, plans))
        for epoch in range(begin, epochs):
            loss = self._epoch(epoch, plans[epoch], total)
            if checkpoint:
                checkpoint.write(self._progressing, epoch + 1, self.step)
            note = f"{self.kind}: epoch {epoch + 1} of {epochs}, loss {loss:.3f}"
            if held_out:
                note += f", {frame_accuracy(self.network(), held_out):.1%} of the held-out frames"
            progress((epoch + 1) / epochs, note)
        return self.network()

    def network(self) -> Network:
        """The network with the averaged weights."""
        stack = self.sizes.build(len(self.mean), len(self.log_prior), 0.0)
        stack.load_state_dict(self.average)
        return Network(self.kind, self.sizes, stack.eval(), self.mean, self.scale, self.log_prior)

    def _epoch(self, epoch: int, batches: Sequence[Sequence[Piece]], total: int) -> float:
        """One pass; returns the mean loss of its steps."""
        self.stack.train()
        losses = []
        for batch in batches:
            rng = self._rng(1, self.step)
            x, labels = assemble(batch, self.speech.features, self.speech.senones, self.around)
            mask(x, self.settings.masks, rng)
            # each epoch starts a frame later, so that all have their turn
            begin = epoch % min(self.every, labels.shape[1])
            x, labels = x[:, begin:], labels[:, begin :: self.every]
            with _seeded(self.settings.seed * 1_000_003 + self.step):
                losses.append(self._update(torch.from_numpy(x), torch.from_numpy(labels), batch))
            self._follow(total)
        return float(np.mean(losses))

    def _update(self, x: Tensor, labels: Tensor, batch: Sequence[Piece]) -> float:
        """x (B, left + T + right, D), labels (B, T / every); the weights stay where the loss is no number."""
        loss = self._loss(self.stack(x, self.every), labels)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise InputError(
                f"the loss of the {self.kind} network is {value} at step {self.step + 1} "
                f"(utterance {batch[0].utterance} and others): lower its learning_rate"
            )
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.stack.parameters(), self.settings.clip)
        return value

    def _loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Logits (B, T, senones) against labels (B, T), mean over the frames that count."""
        counted = labels != IGNORED
        scores = F.log_softmax(logits[counted], -1)  # (frames, senones)
        hard = F.nll_loss(scores, labels[counted])
        soft = -(scores @ self.prior).mean()
        return (1 - self.settings.smoothing) * hard + self.settings.smoothing * soft

    @torch.no_grad()
    def _follow(self, total: int) -> None:
        """The optimiser's step, the constraint, and the running mean."""
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate(total)
        self.optimiser.step()
        if self.settings.orthonormal and self.step % _ORTHONORMALISED == 0:
            self.stack.orthonormalise()
        decay = min(self.settings.average, (1 + self.step) / (10 + self.step))
        for name, value in self.stack.state_dict().items():
            mean = self.average[name]
            mean.lerp_(value, 1 - decay) if mean.is_floating_point() else mean.copy_(value)
        self.step += 1

    def _rate(self, total: int) -> float:
        warm = max(1, round(self.settings.warm_up * total))
        if self.step < warm:
            return self.settings.learning_rate * (self.step + 1) / warm
        share = (self.step - warm) / max(1, total - warm)
        cosine = 0.5 * (1 + math.cos(math.pi * share))
        return self.settings.learning_rate * (_LAST_RATE + (1 - _LAST_RATE) * cosine)

    def _rng(self, purpose: int, index: int) -> np.random.Generator:
        return np.random.default_rng((self.settings.seed, purpose, index))

    def _checkpoint(self, path: Path) -> Checkpoint:
        settings = {
            "kind": self.kind,
            "sizes": asdict(self.sizes),
            "settings": asdict(self.settings),
            "senones": len(self.log_prior),
        }
        return Checkpoint(path, key_of(settings, (*self.speech.features, *self.speech.senones)))

    @property
    def _progressing(self) -> Progressing:
        return Progressing(self.stack, self.optimiser, self.average)


def _normalisation(features: Sequence[Features]) -> tuple[Features, Features]:
    """The mean of each dimension, shape (D,), and the inverse of its deviation."""
    everything = np.concatenate(features).astype(np.float64)
    deviation = np.maximum(everything.std(axis=0), 1e-6)
    return everything.mean(axis=0).astype(np.float32), (1.0 / deviation).astype(np.float32)


def _check(speech: Aligned, senone_count: int) -> None:
    if not speech.features or not sum(map(len, speech.features)):
        raise InputError("a network needs aligned speech to learn from, and there is none")
    for i, (x, senones) in enumerate(zip(speech.features, speech.senones, strict=True)):
        if len(x) != len(senones):
            raise InputError(
                f"training utterance {i} has {len(x)} frames, but {len(senones)} of its alignment"
            )
        if not np.isfinite(x).all():
            raise InputError(f"training utterance {i} has features that are not finite: leave it out")
        if len(senones) and not 0 <= senones.min() <= senones.max() < senone_count:
            raise InputError(f"training utterance {i} has senones beyond the {senone_count} there are")


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
