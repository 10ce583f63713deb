# SPDX-License-Identifier: BSD-3-Clause
"""Choosing the sparse points of one species among its training environments.

Every method first drops duplicates and puts the environments into an order that depends on their
features alone, so that the choice is the same whatever the order of the training structures.
"""

from __future__ import annotations

import numpy as np

from potential.errors import SoapGprError
from potential.progress import Progress, silent

# Environments whose features are closer than this, |p - p'|^2, count as one.
DUPLICATE = 1e-12
LLOYD_STEPS = 20
BLOCK_BYTES = 32 * 2**20  # of distances to cluster centres at a time


def select(
    X: np.ndarray,
    n_sparse: int,
    method: str = "fps",
    *,
    zeta: int = 1,
    seed: int = 0,
    progress: Progress = silent,
) -> np.ndarray:
    """Indices into X (n, n_features) of at most n_sparse distinct environments, as chosen.

    X holds the features of environments of one species. Fewer indices come back when there are
    fewer distinct environments; those whose features vanish are never chosen, as their kernels
    vanish too. theory.md section 5 [H 9-11].
    """
    if method not in _METHODS:
        raise SoapGprError(f"sparse_method: found {method!r}, expected one of {list(_METHODS)}")
    unique = distinct(X)
    unique = unique[np.einsum("ij,ij->i", X[unique], X[unique]) > DUPLICATE]
    if len(unique) <= n_sparse:
        return unique
    rng = np.random.default_rng(seed)
    chosen = _METHODS[method](X[unique], n_sparse, zeta, rng, progress)
    return unique[chosen]


def distinct(X: np.ndarray) -> np.ndarray:
    """Indices of the rows left when near-duplicates are dropped, in an order set by the rows."""
    direction = np.random.default_rng(0).standard_normal(X.shape[1])
    along = X @ direction
    order = np.argsort(along, kind="stable")
    close = np.flatnonzero(np.diff(along[order]) < np.sqrt(DUPLICATE) * np.linalg.norm(direction))
    keep = np.ones(len(order), dtype=bool)
    for k in close:
        difference = X[order[k + 1]] - X[order[k]]
        keep[k + 1] = difference @ difference > DUPLICATE
    return order[keep]


def _random(X, n_sparse, zeta, rng, progress):
    return rng.choice(len(X), size=n_sparse, replace=False)


def _farthest(X, n_sparse, zeta, rng, progress):
    """Farthest point sampling in the kernel metric d^2 = k_AA + k_BB - 2 k_AB [H 9].

    Dot products of power spectra are never negative, so that d grows with the linear kernel's d for
    every zeta, and the linear kernel gives the same choice.
    """
    chosen = np.empty(n_sparse, dtype=np.int64)
    chosen[0] = rng.integers(len(X))
    k_self = np.einsum("ij,ij->i", X, X)
    nearest = np.full(len(X), np.inf)
    for step in progress(range(1, n_sparse), "farthest points"):
        last = chosen[step - 1]
        np.minimum(nearest, k_self + k_self[last] - 2.0 * (X @ X[last]), out=nearest)
        nearest[last] = -np.inf
        chosen[step] = np.argmax(nearest)
        if nearest[chosen[step]] <= DUPLICATE:
            return chosen[:step]
    return chosen


def _cur(X, n_sparse, zeta, rng, progress):
    """Greedy deterministic CUR with deflation, as a pivoted Cholesky factorisation of the kernel.

    Each step takes the environment of which the chosen ones represent least, in the feature space
    of the kernel (p.p')^zeta, and removes its direction from all others (Voronin & Martinsson,
    Adv. Comput. Math. 43, 495 (2017)). This stays well defined beyond n_features points.
    """
    residual = np.einsum("ij,ij->i", X, X) ** zeta
    factor = np.empty((n_sparse, len(X)))
    chosen = np.empty(n_sparse, dtype=np.int64)
    for step in progress(range(n_sparse), "CUR points"):
        pivot = chosen[step] = np.argmax(residual)
        if residual[pivot] <= DUPLICATE:
            return chosen[:step]
        row = (X @ X[pivot]) ** zeta - factor[:step, pivot] @ factor[:step]
        factor[step] = row / np.sqrt(residual[pivot])
        residual -= factor[step] ** 2
        residual[pivot] = -np.inf
    return chosen


def _leverage(X, n_sparse, zeta, rng, progress):
    """Random choice weighted by leverage pi_A = (1/c) sum_k v_kA^2 over c leading vectors [H 10].

    The right singular vectors v_k of X^T come from the small matrix X^T X = V L V^T as
    v_k = X V_k / sqrt(L_k).
    """
    eigenvalues, V = np.linalg.eigh(X.T @ X)
    rank = int((eigenvalues > 1e-12 * eigenvalues[-1]).sum())
    count = min(rank, n_sparse)
    vectors = (X @ V[:, -count:]) / np.sqrt(eigenvalues[-count:])
    leverage = np.einsum("ij,ij->i", vectors, vectors)
    weights = leverage + 1e-12 * leverage.max()
    return rng.choice(len(X), size=n_sparse, replace=False, p=weights / weights.sum())


def _kmeans(X, n_sparse, zeta, rng, progress):
    """The environment nearest the centre of each of n_sparse clusters (k-means++, Lloyd).

    An emptied cluster gives way to the environment farthest from its centre.
    """
    centres = X[_spread(X, n_sparse, rng)]
    for _ in progress(range(LLOYD_STEPS), "k-means"):
        cluster, distance = _nearest_centre(X, centres)
        size = np.bincount(cluster, minlength=n_sparse)
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
    return np.concatenate([chosen, others[: n_sparse - len(chosen)]])


def _spread(X, n_sparse, rng):
    """k-means++: each next one at random, in proportion to its squared distance from the others."""
    chosen = np.empty(n_sparse, dtype=np.int64)
    chosen[0] = rng.integers(len(X))
    squares = np.einsum("ij,ij->i", X, X)
    nearest = np.full(len(X), np.inf)
    for step in range(1, n_sparse):
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


_METHODS = {
    "fps": _farthest,
    "cur": _cur,
    "leverage": _leverage,
    "random": _random,
    "kmeans": _kmeans,
}
