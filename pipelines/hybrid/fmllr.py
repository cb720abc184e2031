"""fMLLR: an affine transform of a speaker's features that makes them likelier under diagonal mixtures.

Constrained MLLR of Gales 1998, "Maximum likelihood linear transformations for HMM-based speech recognition",
with the offset in the last column as in Kaldi's transform/fmllr-diag-gmm.cc: W = [A b], y = W [x; 1].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.features import Features
from pipelines.hybrid.gmm import Doubles, Mixtures, States, posteriors_by_state
from pipelines.hybrid.outer_products import packed_products, unpacked

_BLOCK = 4_096  # frames at a time
_SHIFT_SHARE = 0.1  # of the occupancy for a full transform, from which on a shift is estimated
_MOST_CONDITION = 1e7  # of the sums of [x; 1] [x; 1]^T: speech of 100 frames has 4e4, frames that repeat more


@dataclass(frozen=True, eq=False)
class FmllrStatistics:
    """Sums over frames and Gaussians: `occupancy` in frames, `k` (D, D + 1), `g` (D, D + 1, D + 1).

    Row i of k is sum gamma mean_i / var_i [x; 1]^T, g_i is sum gamma / var_i [x; 1] [x; 1]^T.
    Statistics of the same speaker and mixtures add up.
    """

    occupancy: float
    k: Doubles
    g: Doubles

    def __add__(self, other: FmllrStatistics) -> FmllrStatistics:
        return FmllrStatistics(self.occupancy + other.occupancy, self.k + other.k, self.g + other.g)

    def scaled(self, frames: float) -> FmllrStatistics:
        """The same, as if of so many frames.

        Those of all training speakers with the mixtures of training, scaled and added to a speaker's, are a
        prior that draws the transform towards the identity. Ten seconds of speech need one: on unseen
        speakers of AN4, the objective of other speech of theirs fell by 1.3 nats a frame for transforms of
        1,000 frames alone, and rose by 1.3 with a prior worth 1,000.
        """
        share = frames / self.occupancy
        return FmllrStatistics(frames, share * self.k, share * self.g)


def accumulate_fmllr(
    mixtures: Mixtures, features: Features, states: States, weights: Doubles | None = None
) -> FmllrStatistics:
    """Statistics of features (T, D) that an alignment (T,) gives to states; `weights` (T,) of the frames.

    Posteriors are those within the mixture of a frame's state. Frames of weight 0 cost nothing.
    """
    if weights is None:
        weights = np.ones(len(features))
    kept = np.flatnonzero(weights)
    features, states, weights = features[kept], states[kept], weights[kept]
    precision, pull = _per_frame(mixtures, features, states)  # (T, D) each
    precision *= weights[:, None]
    pull *= weights[:, None]
    dims = features.shape[1]
    k = np.zeros((dims, dims + 1))
    g = np.zeros((dims, (dims + 1) * (dims + 2) // 2))
    for begin in range(0, len(features), _BLOCK):
        block = slice(begin, begin + _BLOCK)
        x = np.pad(features[block].astype(np.float64), ((0, 0), (0, 1)), constant_values=1.0)  # (n, D + 1)
        k += pull[block].T @ x
        g += precision[block].T @ packed_products(x)
    return FmllrStatistics(float(weights.sum()), k, unpacked(g, dims + 1))


def _per_frame(mixtures: Mixtures, features: Features, states: States) -> tuple[Doubles, Doubles]:
    """sum_g gamma_g / var_g and sum_g gamma_g mean_g / var_g of each frame, both (T, D)."""
    precisions = 1.0 / mixtures.variances  # (G, D)
    precision, pull = np.zeros(features.shape), np.zeros(features.shape)
    for rows, mine, posteriors, _ in posteriors_by_state(mixtures, features, states):
        gamma = posteriors.astype(np.float64)
        precision[rows] = gamma @ precisions[mine]
        pull[rows] = gamma @ (mixtures.means[mine] * precisions[mine])
    return precision, pull


def fmllr_objective(statistics: FmllrStatistics, transform: Doubles) -> float:
    """The auxiliary function of W (D, D + 1), in nats over all frames, up to a constant.

    frames log |det A| + sum_i (w_i k_i^T - 1/2 w_i g_i w_i^T): Gales 1998.
    """
    log_det = np.linalg.slogdet(transform[:, :-1])[1]
    quadratic = np.einsum("ij,ijk,ik->", transform, statistics.g, transform)
    return float(statistics.occupancy * log_det + (transform * statistics.k).sum() - 0.5 * quadratic)


def estimate_fmllr(
    statistics: FmllrStatistics, iterations: int = 10, min_occupancy: float = 500.0
) -> Doubles:
    """W (D, D + 1) that maximises `fmllr_objective`, by `iterations` sweeps over its rows from the identity.

    Below `min_occupancy` frames (500, as in Kaldi) it is a shift alone, below a tenth of them the identity.
    Never worse than the identity by the objective: where the frames do not determine a transform, the shift
    is taken.
    """
    if statistics.occupancy < _SHIFT_SHARE * min_occupancy:
        return np.eye(len(statistics.k), len(statistics.k) + 1)
    shift = _shift(statistics)
    if statistics.occupancy < min_occupancy:
        return shift
    if np.linalg.cond(statistics.g).max() > _MOST_CONDITION:
        return shift
    full = _swept(statistics, iterations)
    return full if fmllr_objective(statistics, full) >= fmllr_objective(statistics, shift) else shift


def _shift(statistics: FmllrStatistics) -> Doubles:
    """The best W = [I b]: for each row one linear equation."""
    dims = len(statistics.k)
    diagonal = np.arange(dims)
    missing = statistics.k[:, -1] - statistics.g[diagonal, diagonal, -1]
    return np.concatenate([np.eye(dims), (missing / statistics.g[:, -1, -1])[:, None]], axis=1)


def _swept(statistics: FmllrStatistics, iterations: int) -> Doubles:
    """Row by row: w_i = (alpha p_i + k_i) g_i^-1, p_i the cofactors of row i and a 0."""
    dims = len(statistics.k)
    transform = np.eye(dims, dims + 1)
    inverses = np.linalg.inv(statistics.g)  # (D, D + 1, D + 1)
    still = np.einsum("ijk,ik->ij", inverses, statistics.k)  # k_i g_i^-1
    for i in [*range(dims)] * iterations:
        cofactors = np.linalg.inv(transform[:, :-1])[:, i]  # up to the determinant, which alpha takes up
        moved = inverses[i][:, :dims] @ cofactors
        alpha = _alpha(cofactors @ moved[:dims], float(cofactors @ still[i, :dims]), statistics.occupancy)
        transform[i] = alpha * moved + still[i]
    return transform


def _alpha(square: float, cross: float, frames: float) -> float:
    """The root of square alpha^2 + cross alpha - frames = 0 with the larger objective."""
    spread = np.sqrt(cross**2 + 4 * square * frames)
    roots = np.array([-cross + spread, -cross - spread]) / (2 * square)
    objective = frames * np.log(np.abs(roots * square + cross)) - 0.5 * roots**2 * square
    return float(roots[np.argmax(objective)])
