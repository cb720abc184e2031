"""Sums of x x^T as matrix products: the upper triangle of each frame's outer product, in one row."""

from __future__ import annotations

import numpy as np

from pipelines.hybrid.gmm import Doubles


def packed_products(x: Doubles) -> Doubles:
    """The upper triangle of x x^T, row by row: (N, D) to (N, D (D + 1) / 2)."""
    dims = x.shape[1]
    products = np.empty((len(x), dims * (dims + 1) // 2))
    begin = 0
    for i in range(dims):
        np.multiply(x[:, i:], x[:, [i]], out=products[:, begin : begin + dims - i])
        begin += dims - i
    return products


def unpacked(products: Doubles, dims: int) -> Doubles:
    """Symmetric matrices of (weighted sums of) packed products: (M, D (D + 1) / 2) to (M, D, D)."""
    rows, columns = np.triu_indices(dims)
    matrices = np.empty((len(products), dims, dims))
    matrices[:, rows, columns] = products
    matrices[:, columns, rows] = products
    return matrices
