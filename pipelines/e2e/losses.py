"""What training makes small: CTC, before it a flat start that breaks its plateau of blanks, and spelling."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from pipelines.e2e.tokens import BLANK

_NONE = -1  # the target of what lies beyond an utterance


def ctc(scores: Tensor, frames: Tensor, labels: Tensor, label_lengths: Tensor) -> Tensor:
    """The negative log-likelihood a token. scores (B, T, V), frames (B,), labels (B, L), label_lengths (B,).

    Graves et al., "Connectionist temporal classification" (ICML 2006).
    """
    log_probs = scores.float().log_softmax(-1).transpose(0, 1)  # (T, B, V)
    loss = F.ctc_loss(log_probs, labels, frames, label_lengths, blank=BLANK, reduction="sum")
    return loss / label_lengths.sum()


def disagreement(scores: Tensor, frames: Tensor) -> Tensor:
    """How far two views of the same speech differ, summed over all frames, in nats.

    scores (2, B, T, V), of which frames (B,) count. Each view is drawn to the other one, which stands still:
    the mean of both Kullback-Leibler divergences (Yao et al., "CR-CTC: Consistency regularization on CTC",
    ICLR 2025, equation 3).
    """
    logs = scores.float().log_softmax(-1)  # (2, B, T, V)
    apart = F.kl_div(logs, logs.flip(0).detach(), reduction="none", log_target=True).sum(-1)  # (2, B, T)
    t = torch.arange(scores.shape[2], device=frames.device)[None]
    return (apart * (t < frames[:, None])).sum() / 2


def spelling_loss(scores: Tensor, labels: Tensor, label_lengths: Tensor, smoothing: float) -> Tensor:
    """Cross-entropy of scores (B, L + 1, V) against labels (B, L) and the blank that ends each, a label.

    `smoothing` of each target goes to all tokens alike (Szegedy et al., CVPR 2016, section 7).
    """
    targets = F.pad(labels, (0, 1), value=BLANK)  # (B, L + 1)
    t = torch.arange(targets.shape[1], device=labels.device)[None]
    targets = torch.where(t < label_lengths[:, None], targets, BLANK)
    targets = torch.where(t <= label_lengths[:, None], targets, _NONE)
    loss = F.cross_entropy(
        scores.float().flatten(0, 1),
        targets.flatten(),
        ignore_index=_NONE,
        label_smoothing=smoothing,
        reduction="sum",
    )
    return loss / label_lengths.sum()


def flat_start(
    scores: Tensor, frames: Tensor, labels: Tensor, label_lengths: Tensor, spans: Tensor
) -> Tensor:
    """Cross-entropy of each frame against the labels spread evenly over `spans` (B, 2), in frames."""
    targets = spread(frames, labels, label_lengths, spans, scores.shape[1])
    return F.cross_entropy(scores.float().flatten(0, 1), targets.flatten(), ignore_index=_NONE)


def spread(frames: Tensor, labels: Tensor, label_lengths: Tensor, spans: Tensor, width: int) -> Tensor:
    """(B, width): the target of each frame: a label, a blank in the second half of each and outside the span.

    Beyond an utterance's frames it is -1.
    """
    t = torch.arange(width, device=frames.device)[None]  # (1, T)
    first, last = spans[:, :1], spans[:, 1:]  # (B, 1)
    half = (2 * (t - first) * label_lengths[:, None]) // (last - first).clamp(min=1)  # (B, T) half-slots
    slot = (half // 2).clamp(min=0).minimum(label_lengths[:, None] - 1)
    spoken = (half % 2 == 0) & (t >= first) & (t < last)
    target = torch.where(spoken, labels.gather(1, slot), torch.full_like(slot, BLANK))
    return torch.where(t < frames[:, None], target, torch.full_like(target, _NONE))


def speech_span(raw: Tensor) -> tuple[int, int]:
    """First and last frame of raw log-mel features (F, mels) that are louder than a third of the way up."""
    if not len(raw):
        return 0, 0
    loudness = raw.mean(1)  # (F,)
    low, high = torch.quantile(loudness, torch.tensor([0.05, 0.95], dtype=loudness.dtype)).tolist()
    loud = (loudness > low + (high - low) / 3).nonzero()
    return (int(loud[0]), int(loud[-1]) + 1) if len(loud) else (0, len(raw))
