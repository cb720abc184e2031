"""Features for mixtures: neighbouring frames spliced, then LDA, then a semi-tied transform (MLLT).

A transform is a matrix (K, D) or, with an offset in its last column, (K, D + 1). The product of an MLLT
matrix and an affine LDA matrix is the affine matrix of both.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from data.errors import InputError
from pipelines.features import Features
from pipelines.hybrid.gmm import Doubles, Mixtures, States, posteriors_by_state
from pipelines.hybrid.outer_products import packed_products, unpacked

_SHRINKAGE = 1e-4  # of the within-class covariance, where it is singular
_BLOCK = 4_096  # frames at a time
_SWEEPS = 5  # over the rows of the transform, for each estimate of the variances


def splice(features: Features, context: int) -> Features:
    """Each frame with `context` neighbours on each side: (T, D) to (T, (2 context + 1) D), oldest first.

    The first and the last frame stand in for what is beyond the edges.
    """
    if not len(features):
        return np.zeros((0, (2 * context + 1) * features.shape[1]), features.dtype)
    padded = np.pad(features, ((context, context), (0, 0)), mode="edge")
    return _windows(padded, context)


def _windows(padded: Features, context: int) -> Features:
    """(T + 2 context, D) to (T, (2 context + 1) D)."""
    frames = max(0, len(padded) - 2 * context)
    return np.concatenate([padded[i : i + frames] for i in range(2 * context + 1)], axis=1)


class SpliceStream:
    """`splice` for chunks of any size: the same numbers, `context` frames late."""

    def __init__(self, context: int) -> None:
        self._context = context
        self._held: Features = np.zeros((0, 0), np.float32)

    def accept(self, x: Features) -> Features:
        """The frames that are complete with x (n, D): (m, (2 context + 1) D)."""
        if not len(x):
            return np.zeros((0, (2 * self._context + 1) * x.shape[1]), x.dtype)
        held = self._held if len(self._held) else np.repeat(x[:1], self._context, axis=0)
        return self._complete(np.concatenate([held, x]))

    def finish(self) -> Features:
        """The last frames: none, of no dimensions, where nothing was accepted."""
        return self._complete(np.concatenate([self._held, np.repeat(self._held[-1:], self._context, axis=0)]))

    def _complete(self, padded: Features) -> Features:
        self._held = padded[max(0, len(padded) - 2 * self._context) :]
        return _windows(padded, self._context)


def estimate_lda(
    spliced: Features,
    classes: npt.NDArray[np.int32],
    dims: int,
    *,
    most_frames: int = 200_000,
    seed: int = 0,
) -> Doubles:
    """Linear discriminant analysis of spliced (N, D) with classes (N,): an affine matrix (dims, D + 1).

    After it the mean is 0, the covariance within classes the identity, and the first dimension separates the
    classes best (Haeb-Umbach and Ney 1992; scikit-learn's generalised eigenvalues). Estimated from a seeded
    draw of `most_frames`. Raises InputError when `dims` is more than D or there are not two classes.
    """
    if dims > spliced.shape[1]:
        raise InputError(f"LDA to {dims} dimensions of {spliced.shape[1]}: ask for fewer or splice more")
    rows = _drawn(len(spliced), most_frames, seed)
    x, y = spliced[rows].astype(np.float64), classes[rows]
    if len(np.unique(y)) < 2:
        raise InputError("LDA needs frames of at least two classes: the alignment names fewer")
    directions = _discriminants(x, y)[:, :dims].T  # (dims, D)
    return np.concatenate([directions, -(directions @ x.mean(axis=0))[:, None]], axis=1)


def _discriminants(x: Doubles, classes: npt.NDArray[np.int32]) -> Doubles:
    """Generalised eigenvectors in columns, (D, D), the largest eigenvalue first."""
    try:
        analysis = LinearDiscriminantAnalysis(solver="eigen").fit(x, classes)
    except np.linalg.LinAlgError:
        analysis = LinearDiscriminantAnalysis(solver="eigen", shrinkage=_SHRINKAGE).fit(x, classes)
    return np.asarray(analysis.scalings_, np.float64)


def apply(matrix: Doubles, x: Features) -> Features:
    """x (N, D) by a matrix (K, D) or, affine, (K, D + 1): (N, K).

    Summed in double precision, so that what a frame becomes does not hang on the frames beside it.
    """
    result = np.empty((len(x), len(matrix)), np.float32)
    dims = x.shape[1]
    linear, offset = matrix[:, :dims].T, matrix[:, dims:].sum(axis=1)
    for begin in range(0, len(x), _BLOCK):
        block = slice(begin, begin + _BLOCK)
        result[block] = x[block].astype(np.float64) @ linear + offset
    return result


def estimate_mllt(
    mixtures: Mixtures,
    features: Features,
    states: States,
    iterations: int = 30,
    *,
    most_frames: int = 200_000,
    seed: int = 0,
) -> Doubles:
    """The semi-tied transform A (D, D) of Gales 1999 for features (N, D) aligned to states (N,).

    Maximises `mllt_objective` over A for the scatter of `mllt_covariances`. Follow it with `rotated` and a
    new estimate of the variances. Estimated from a seeded draw of `most_frames`.
    """
    rows = _drawn(len(features), most_frames, seed)
    occupancy, covariances = mllt_covariances(mixtures, features[rows], states[rows])
    return maximise_mllt(occupancy, covariances, iterations)


def mllt_covariances(mixtures: Mixtures, features: Features, states: States) -> tuple[Doubles, Doubles]:
    """Frames of each Gaussian, (G,), and their full covariances around its mean, (G, D, D).

    Each covariance is drawn towards the one within all Gaussians, as if by D frames of that: a Gaussian of
    fewer frames than dimensions would otherwise have directions without any variance.
    """
    dims = features.shape[1]
    occupancy = np.zeros(mixtures.gaussians)
    first = np.zeros((mixtures.gaussians, dims))
    second = np.zeros((mixtures.gaussians, dims * (dims + 1) // 2))
    for rows, mine, posteriors, _ in posteriors_by_state(mixtures, features, states):
        for begin in range(0, len(rows), _BLOCK):
            block = slice(begin, begin + _BLOCK)
            x, gamma = features[rows[block]].astype(np.float64), posteriors[block].astype(np.float64)
            occupancy[mine] += gamma.sum(axis=0)
            first[mine] += gamma.T @ x
            second[mine] += gamma.T @ packed_products(x)
    return occupancy, _smoothed(occupancy, _scatter(mixtures.means, occupancy, first, second))


def _scatter(means: Doubles, occupancy: Doubles, first: Doubles, second: Doubles) -> Doubles:
    """Sums of (x - mean) (x - mean)^T, (G, D, D), from sums of x and of the packed x x^T."""
    cross = first[:, :, None] * means[:, None, :]
    square = means[:, :, None] * means[:, None, :]
    scatter = unpacked(second, means.shape[1])
    scatter += occupancy[:, None, None] * square - cross - cross.swapaxes(1, 2)
    return scatter


def _smoothed(occupancy: Doubles, scatter: Doubles) -> Doubles:
    dims = scatter.shape[1]
    within = scatter.sum(axis=0) / occupancy.sum()
    return np.asarray((scatter + dims * within) / (occupancy + dims)[:, None, None])


def mllt_objective(matrix: Doubles, occupancy: Doubles, covariances: Doubles) -> float:
    """sum_g occupancy_g (log |det A| - 1/2 sum_i log a_i W_g a_i^T): Gales 1999, at the variances that are
    best for A. The log-likelihood of the frames up to a constant, in nats."""
    log_variances = np.log(_variances(matrix, covariances)).sum(axis=1)  # (G,)
    return float(occupancy @ (np.linalg.slogdet(matrix)[1] - 0.5 * log_variances))


def _variances(matrix: Doubles, covariances: Doubles) -> Doubles:
    """The diagonals of A W_g A^T: (G, D)."""
    return np.asarray(((matrix @ covariances) * matrix).sum(axis=2))


def maximise_mllt(occupancy: Doubles, covariances: Doubles, iterations: int) -> Doubles:
    """A (D, D) that maximises `mllt_objective`: variances and rows of A in turn, from the identity.

    Row i becomes c_i G_i^-1 sqrt(frames / c_i G_i^-1 c_i^T), c_i its cofactors and G_i the sum of
    occupancy_g / var_gi W_g (Gales 1999; Kaldi's transform/mllt.cc). No step lowers the objective.
    """
    dims = covariances.shape[1]
    matrix = np.eye(dims)
    flat = covariances.reshape(len(covariances), -1)  # (G, D D)
    for _ in range(iterations):
        weights = occupancy[:, None] / _variances(matrix, covariances)  # (G, D)
        inverses = np.linalg.inv((weights.T @ flat).reshape(dims, dims, dims))  # of G_i, for each row i
        for i in [*range(dims)] * _SWEEPS:
            cofactors = np.linalg.inv(matrix)[:, i]  # up to the determinant, which cancels
            row = inverses[i] @ cofactors
            matrix[i] = row * np.sqrt(occupancy.sum() / (cofactors @ row))
    return matrix


def rotated(mixtures: Mixtures, matrix: Doubles) -> Mixtures:
    """The mixtures in the space of A x: means moved by A (D, D), variances the diagonals of A Sigma A^T."""
    return Mixtures(
        mixtures.weights, mixtures.means @ matrix.T, mixtures.variances @ (matrix**2).T, mixtures.first
    )


def _drawn(frames: int, most: int, seed: int) -> npt.NDArray[np.int64]:
    if frames <= most:
        return np.arange(frames)
    return np.sort(np.random.default_rng(seed).choice(frames, most, replace=False))
