# SPDX-License-Identifier: BSD-3-Clause
"""Rows nearest the centres of clusters."""

from __future__ import annotations

import numpy as np

from potential.runtime.progress import Progress, silent
from potential.selection.rows import DUPLICATE, checked

LLOYD_STEPS = 20
BLOCK_BYTES = 32 * 2**20  # of distances to cluster centres at a time


def kmeans_points(
    X: np.ndarray,
    n: int,
    *,
    n_taken: int = 0,
    seed: int | np.random.Generator = 0,
    progress: Progress = silent,
) -> np.ndarray:
    """Indices of n rows of X (n_rows, n_features): the nearest to the centre of each of n clusters.

    Clusters are those of k-means (k-means++, then at most 20 of Lloyd's steps); an emptied one
    gives way to the row farthest from its centre. The first n_taken rows are left out. Raises
    SoapGprError for X, n and seed that are of no use.
    """
    X, rng = checked(X, n, n_taken, seed)
    X = X[n_taken:]
    centres = X[_spread(X, n, rng)]
    for _ in progress(range(LLOYD_STEPS), "k-means"):
        cluster, distance = _nearest_centre(X, centres)
        size = np.bincount(cluster, minlength=n)
        order = np.argsort(cluster, kind="stable")
        used = np.flatnonzero(size)
        starts = np.cumsum(size[used]) - size[used]
        moved = centres.copy()
        moved[used] = np.add.reduceat(X[order], starts, axis=0) / size[used, None]
        if np.abs(moved - centres).max() < np.sqrt(DUPLICATE):
            break
        centres = moved
    cluster, distance = _nearest_centre(X, centres)
    by_distance = np.lexsort((distance, cluster))
    chosen = by_distance[np.unique(cluster[by_distance], return_index=True)[1]]
    others = np.setdiff1d(np.argsort(-distance, kind="stable"), chosen, assume_unique=True)
    return n_taken + np.concatenate([chosen, others[: n - len(chosen)]])


def _spread(X, n, rng):
    """k-means++: each next one at random, in proportion to its squared distance from the others."""
    chosen = np.empty(n, dtype=np.int64)
    chosen[0] = rng.integers(len(X))
    squares = np.einsum("ij,ij->i", X, X)
    nearest = np.full(len(X), np.inf)
    for step in range(1, n):
        last = chosen[step - 1]
        np.minimum(nearest, squares + squares[last] - 2.0 * (X @ X[last]), out=nearest)
        np.maximum(nearest, 1e-300, out=nearest)
        nearest[chosen[:step]] = 0.0
        chosen[step] = rng.choice(len(X), p=nearest / nearest.sum())
    return chosen


def _nearest_centre(X, centres):
    """Cluster (n,) and squared distance (n,), in blocks of bounded memory."""
    cluster, distance = np.empty(len(X), dtype=np.int64), np.empty(len(X))
    half = 0.5 * np.einsum("ij,ij->i", centres, centres)
    block = max(1, BLOCK_BYTES // (8 * len(centres)))
    for start in range(0, len(X), block):
        rows = X[start : start + block]
        score = rows @ centres.T - half
        best = cluster[start : start + block] = np.argmax(score, axis=1)
        distance[start : start + block] = (
            np.einsum("ij,ij->i", rows, rows) - 2.0 * score[np.arange(len(rows)), best]
        )
    return cluster, distance
