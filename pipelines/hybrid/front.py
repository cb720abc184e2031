"""What the acoustic models of a generation see of the features: deltas as they come, or a learnt projection.

From the LDA stage on a frame is its static cepstra and those of three neighbours on each side, projected
(LDA, then MLLT); a speaker's fMLLR comes on top.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.features import Features
from pipelines.hybrid.gmm import Doubles
from pipelines.hybrid.transforms import SpliceStream, apply, splice

CONTEXT = 3  # frames on each side


@dataclass(frozen=True, eq=False)
class FrontEnd:
    """`matrix` (K, statics * (2 * context + 1) + 1), the last column an offset; None: deltas as is."""

    matrix: Doubles | None = None
    statics: int = 13
    context: int = CONTEXT

    @property
    def look_ahead(self) -> int:
        """Frames that an output waits for."""
        return 0 if self.matrix is None else self.context

    def whole(self, features: Features) -> Features:
        """Of an utterance: (frames, D) to (frames, K)."""
        return features if self.matrix is None else apply(self.matrix, self.spliced(features))

    def spliced(self, features: Features) -> Features:
        """Static cepstra with their neighbours: (frames, statics * (2 * context + 1))."""
        return splice(features[:, : self.statics], self.context)

    def stream(self) -> FrontStream:
        return FrontStream(self)


class FrontStream:
    """The same, chunk by chunk."""

    def __init__(self, front: FrontEnd) -> None:
        self._matrix = front.matrix
        self._statics = front.statics
        self._splice = SpliceStream(front.context)
        self._dimensions = 0 if front.matrix is None else len(front.matrix)

    def accept(self, features: Features) -> Features:
        """The frames whose right context is there: (n, D) to (m, K)."""
        if self._matrix is None:
            self._dimensions = features.shape[1]
            return features
        return self._projected(self._matrix, self._splice.accept(features[:, : self._statics]))

    def finish(self) -> Features:
        """The rest, (k, K), as if the last frame went on."""
        if self._matrix is None:
            return np.zeros((0, self._dimensions), np.float32)
        return self._projected(self._matrix, self._splice.finish())

    def _projected(self, matrix: Doubles, spliced: Features) -> Features:
        return apply(matrix, spliced) if len(spliced) else np.zeros((0, self._dimensions), np.float32)
