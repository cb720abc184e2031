"""Joint CTC/attention: any encoder, with an output for CTC and a speller that attends to what it encodes.

Watanabe et al., "Hybrid CTC/attention architecture for end-to-end speech recognition" (IEEE JSTSP 2017,
section III): both losses teach the encoder, CTC keeps attention in order. In streams CTC alone is heard. With
`attention_weight` 1 there is no CTC: the attention encoder-decoder of Chan et al., "Listen, attend and spell"
(ICASSP 2016).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from torch import Tensor, nn

from data.errors import InputError
from pipelines.e2e.losses import spelling_loss
from pipelines.e2e.models.network import Hops, Memory, Network, Window
from pipelines.e2e.models.speller import Speller, SpellerSizes


class Joint(Network):
    """See the module; the output of `encoder` becomes this network's."""

    shape: SpellerSizes

    def __init__(self, shape: SpellerSizes, encoder: Network) -> None:
        super().__init__()
        self.shape, self.subsampling = shape, encoder.subsampling
        self.output, encoder.output = encoder.output, nn.Identity()
        self.encoder = encoder
        self.speller = Speller(shape, cast(nn.Linear, self.output).in_features)

    @property
    def has_ctc(self) -> bool:
        return self.shape.attention_weight < 1

    def forward(self, features: Tensor, lengths: Tensor, window: Window | None = None) -> Tensor:
        """features (B, F, mels), of which `lengths` (B,) frames count -> (B, T, tokens), CTC's scores."""
        return self.scores_of(self.encode(features, lengths, window))

    def encode(self, features: Tensor, lengths: Tensor, window: Window | None = None) -> Tensor:
        return self.encoder(features, lengths, window)  # type: ignore[no-any-return]

    def scores_of(self, encoded: Tensor) -> Tensor:
        return self.output(encoded)  # type: ignore[no-any-return]

    def full_loss(
        self, loss: Tensor, encoded: Tensor, frames: Tensor, labels: Tensor, label_lengths: Tensor
    ) -> Tensor:
        """(1 - weight) * CTC + weight * attention (ibid., equation 20)."""
        spelt = self.speller(encoded.float(), frames, labels)  # (B, L + 1, tokens)
        attention = spelling_loss(spelt, labels, label_lengths, self.shape.smoothing)
        return loss.lerp(attention, self.shape.attention_weight)

    @property
    def streams(self) -> bool:
        return self.has_ctc and self.encoder.streams

    def look_ahead_frames(self, window: Window) -> int | None:
        return self.encoder.look_ahead_frames(window) if self.has_ctc else None

    def hops(self, window: Window) -> Hops:
        if not self.has_ctc:
            raise InputError("e2e: attention alone hears whole utterances; for streams train it with CTC")
        return _JointHops(self, self.encoder.hops(window))


@dataclass(frozen=True, eq=False)
class _JointHops:
    """The encoder's, with CTC's output."""

    network: Joint
    encoder: Hops

    @property
    def chunk(self) -> int:
        return self.encoder.chunk

    @property
    def lag(self) -> int:
        return self.encoder.lag

    @property
    def carried(self) -> Mapping[str, tuple[int, ...]]:
        return self.encoder.carried

    def scores(self, features: Tensor, first: Tensor, total: Tensor, memory: Memory) -> Tensor:
        return self.network.scores_of(self.encoder.scores(features, first, total, memory))
