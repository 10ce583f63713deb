# SPDX-License-Identifier: BSD-3-Clause
"""Choosing the sparse points of one species among its training environments.

Every method first drops duplicates and puts the environments into an order that depends on their
features alone, so that the choice is the same whatever the order of the training structures.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from potential.errors import SoapGprError
from potential.runtime.progress import Progress, silent

# Environments whose features are closer than this, |p - p'|^2, count as one.
DUPLICATE = 1e-12
LLOYD_STEPS = 20
OUTDATED = 32  # farthest points: distances brought up to date together
BLOCK_BYTES = 32 * 2**20  # of distances to cluster centres at a time


def select(
    X: np.ndarray,
    n_sparse: int,
    method: str = "fps",
    *,
    zeta: float = 1,
    offset: float = 0.0,
    normalized: bool = True,
    seed: int = 0,
    progress: Progress = silent,
    groups: np.ndarray | None = None,
    quotas: Mapping[str, int] | None = None,
) -> np.ndarray:
    """Indices into X (n, n_features) of at most n_sparse distinct environments, as chosen.

    zeta, offset: of the kernel (p.p' + offset)^zeta (theory.md eq. 7b), on which "fps" and "cur"
    stand, the latter for integers; normalized: whether all features have unit length. quotas: how
    many of them come from a group at least, where it has so many; groups (n,): the group of every
    environment.

    X holds the features of environments of one species. Fewer indices come back when there are
    fewer distinct environments; those whose features vanish are never chosen, as their kernels
    vanish too. theory.md section 5 [H 9-11].
    """
    if method not in _METHODS:
        raise SoapGprError(f"sparse_method: found {method!r}, expected one of {list(_METHODS)}")
    if not normalized:
        largest = _longest(X) ** 2
        X, offset = X / np.sqrt(largest), offset / largest
    kernel = _linear if method == "fps" and normalized else partial(_power, zeta, offset)
    unique = distinct_environments(X)
    if len(unique) <= n_sparse:
        return unique
    rng = np.random.default_rng(seed)
    chosen = unique[:0]
    for group, quota in sorted((quotas or {}).items()):
        assert groups is not None
        others = np.setdiff1d(unique[groups[unique] == group], chosen)
        chosen = _more(X, chosen, _in_order(others, unique), quota, method, kernel, rng, progress)
    others = _in_order(np.setdiff1d(unique, chosen), unique)
    return _more(X, chosen, others, n_sparse - len(chosen), method, kernel, rng, progress)


def _in_order(rows, unique):
    """Some of the unique rows in the order of all of them, which does not depend on the input's."""
    return unique[np.isin(unique, rows)]


def _more(X, chosen, others, count, method, kernel, rng, progress):
    """The chosen rows of X and at most count of the others."""
    if len(others) <= count:
        return np.concatenate([chosen, others])
    rows = np.concatenate([chosen, others])
    return np.concatenate(
        [chosen, rows[_METHODS[method](X[rows], len(chosen), count, kernel, rng, progress)]]
    )


def distinct_environments(X: np.ndarray, normalized: bool = True) -> np.ndarray:
    """Indices of the rows that differ and do not vanish, in an order set by the rows."""
    X = X if normalized else X / _longest(X)
    unique = distinct(X)
    return unique[np.einsum("ij,ij->i", X[unique], X[unique]) > DUPLICATE]


def _longest(X: np.ndarray) -> float:
    """The largest length of the rows; 1 where all vanish."""
    return float(np.sqrt(np.einsum("ij,ij->i", X, X).max(initial=0.0))) or 1.0


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


def _linear(dots):
    return dots


def _power(zeta, offset, dots):
    """The kernel of products p.p', over that of unit vectors that are equal."""
    values = (dots + offset) / (1.0 + offset)
    return values**zeta if isinstance(zeta, int) else np.maximum(values, 0.0) ** zeta


# Each method returns the indices of n_sparse rows of X beside the first n_taken, which are chosen
# already; fewer where the rest adds nothing.


def _random(X, n_taken, n_sparse, kernel, rng, progress):
    return n_taken + rng.choice(len(X) - n_taken, size=n_sparse, replace=False)


def _farthest(X, n_taken, n_sparse, kernel, rng, progress):
    """Farthest point sampling in the kernel metric d^2 = k_AA + k_BB - 2 k_AB [H 9].

    Dot products of power spectra are never negative, so that for those of unit length d grows with
    the linear kernel's d for every zeta and offset, and the linear kernel gives the same choice.
    """
    n = n_taken + n_sparse
    chosen, points, k_points = np.arange(n), np.empty((n, X.shape[1])), np.empty(n)
    k_self = kernel(np.einsum("ij,ij->i", X, X))
    # Distances to the points chosen so far only fall: one to the first seen[i] of them is a bound,
    # and those with large bounds alone are brought up to date.
    bound, seen = np.full(len(X), np.inf), np.ones(len(X), dtype=np.int64)
    for step in progress(range(n), "farthest points"):
        if step >= n_taken:
            chosen[step] = rng.integers(len(X)) if step == 0 else np.argmax(bound)
            while seen[chosen[step]] < step:
                for rows in _outdated(bound, seen, step):
                    news = slice(seen[rows[0]], step)
                    d2 = k_points[news] - 2.0 * kernel(X[rows] @ points[news].T)
                    bound[rows] = np.minimum(bound[rows], d2.min(axis=1) + k_self[rows])
                    seen[rows] = step
                chosen[step] = np.argmax(bound)
            if bound[chosen[step]] <= DUPLICATE:
                return chosen[n_taken:step]
        points[step], k_points[step] = X[chosen[step]], k_self[chosen[step]]
        if step == 0:
            bound = k_self + k_points[0] - 2.0 * kernel(X @ points[0])
        bound[chosen[step]] = -np.inf
    return chosen[n_taken:]


def _outdated(bound, seen, step):
    """Groups of rows with large bounds that have not seen all chosen points, the longest unseen
    first: of similar age, so that few distances are computed twice."""
    rows = (
        np.argpartition(bound, -OUTDATED)[-OUTDATED:] if len(bound) > OUTDATED else seen.argsort()
    )
    rows = rows[seen[rows] < step]
    return np.array_split(rows[np.argsort(seen[rows])], max(1, len(rows) // 8))


def _cur(X, n_taken, n_sparse, kernel, rng, progress):
    """Greedy deterministic CUR with deflation, as a pivoted Cholesky factorisation of the kernel.

    Each step takes the environment of which the chosen ones represent least, in the feature space
    of the kernel, and removes its direction from all others (Voronin & Martinsson,
    Adv. Comput. Math. 43, 495 (2017)). This stays well defined beyond n_features points.
    """
    total = n_taken + n_sparse
    residual = kernel(np.einsum("ij,ij->i", X, X))
    factor = np.zeros((total, len(X)))
    chosen = np.empty(total, dtype=np.int64)
    for step in progress(range(total), "CUR points"):
        pivot = chosen[step] = step if step < n_taken else np.argmax(residual)
        if residual[pivot] <= DUPLICATE:
            if step < n_taken:
                residual[pivot] = -np.inf
                continue
            return chosen[n_taken:step]
        row = kernel(X @ X[pivot]) - factor[:step, pivot] @ factor[:step]
        factor[step] = row / np.sqrt(residual[pivot])
        residual -= factor[step] ** 2
        residual[pivot] = -np.inf
    return chosen[n_taken:]


def _leverage(X, n_taken, n_sparse, kernel, rng, progress):
    """Random choice weighted by leverage pi_A = (1/c) sum_k v_kA^2 over c leading vectors [H 10].

    The right singular vectors v_k of X^T come from the small matrix X^T X = V L V^T as
    v_k = X V_k / sqrt(L_k).
    """
    X = X[n_taken:]
    eigenvalues, V = np.linalg.eigh(X.T @ X)
    rank = int((eigenvalues > 1e-12 * eigenvalues[-1]).sum())
    count = min(rank, n_sparse)
    vectors = (X @ V[:, -count:]) / np.sqrt(eigenvalues[-count:])
    leverage = np.einsum("ij,ij->i", vectors, vectors)
    weights = leverage + 1e-12 * leverage.max()
    return n_taken + rng.choice(len(X), size=n_sparse, replace=False, p=weights / weights.sum())


def _kmeans(X, n_taken, n_sparse, kernel, rng, progress):
    """The environment nearest the centre of each of n_sparse clusters (k-means++, Lloyd).

    An emptied cluster gives way to the environment farthest from its centre.
    """
    X = X[n_taken:]
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
    return n_taken + np.concatenate([chosen, others[: n_sparse - len(chosen)]])


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
