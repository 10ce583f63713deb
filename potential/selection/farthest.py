# SPDX-License-Identifier: BSD-3-Clause
"""Farthest point sampling."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from potential.runtime.progress import Progress, silent
from potential.selection.rows import (
    DUPLICATE,
    Coupling,
    Kernel,
    RowKernel,
    RowKernels,
    checked,
    linear,
)

OUTDATED = 32  # distances brought up to date together


def farthest_points(
    X: np.ndarray,
    n: int,
    *,
    kernel: Kernel | RowKernel = linear,
    coupling: Coupling | None = None,
    n_taken: int = 0,
    seed: int | np.random.Generator = 0,
    progress: Progress = silent,
) -> np.ndarray:
    """Indices of n rows of X (n_rows, n_features) by farthest point sampling [H 9].

    From a random first row, always the row whose distance to the nearest chosen one is largest
    (docs/theory.md eq. 17). kernel: a function of all products p·p', or of rows, whose metric
    d^2 = k_AA + k_BB - 2 k_AB the distance is; by default the Euclidean one. For power spectra of
    unit length, whose products are never negative, it gives the choice of every (p·p')^zeta.
    coupling: further factors of the kernel, by species.
    The first n_taken rows count as chosen already. Fewer than n come back where all others are
    within d^2 = 1e-12 of a chosen one. Raises SoapGprError for X, n and seed that are of no use.
    """
    X, rng = checked(X, n, n_taken, seed)
    total = n_taken + n
    chosen, points, k_points = np.arange(total), np.empty((total, X.shape[1])), np.empty(total)
    kernels = RowKernels(X, kernel, coupling)
    k_self = kernels.own()
    # Distances to the points chosen so far only fall: one to the first seen[i] of them is a bound,
    # and those with large bounds alone are brought up to date.
    bound, seen = np.full(len(X), np.inf), np.ones(len(X), dtype=np.int64)
    for step in progress(range(total), "farthest points"):
        if step >= n_taken:
            chosen[step] = rng.integers(len(X)) if step == 0 else np.argmax(bound)
            while seen[chosen[step]] < step:
                for rows in _outdated(bound, seen, step):
                    news = slice(seen[rows[0]], step)
                    k = kernels.between(rows, chosen[news], points[news])
                    d2 = k_points[news] - 2.0 * k
                    bound[rows] = np.minimum(bound[rows], d2.min(axis=1) + k_self[rows])
                    seen[rows] = step
                chosen[step] = np.argmax(bound)
            if bound[chosen[step]] <= DUPLICATE:
                return chosen[n_taken:step]
        points[step], k_points[step] = X[chosen[step]], k_self[chosen[step]]
        if step == 0:
            bound = k_self + k_points[0] - 2.0 * kernels.with_row(chosen[0])
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


def farthest_of(
    own: np.ndarray,
    between: Callable[[np.ndarray, np.ndarray], np.ndarray],
    n: int,
    *,
    n_taken: int = 0,
    seed: int | np.random.Generator = 0,
    progress: Progress = silent,
) -> np.ndarray:
    """``farthest_points`` of whatever has a kernel: places of n of them.

    own (n_all,): of each with itself; between: kernels (n, m) of those at some places with others.
    """
    places = np.arange(len(own), dtype=float)[:, None]
    kernel = _OfPlaces(own, between)
    return farthest_points(places, n, kernel=kernel, n_taken=n_taken, seed=seed, progress=progress)


class _OfPlaces(RowKernel):
    """The kernel of rows that are places (n, 1)."""

    def __init__(self, own: np.ndarray, between: Callable[[np.ndarray, np.ndarray], np.ndarray]):
        self._own, self._between = own, between

    def between(self, A: np.ndarray, B: np.ndarray) -> np.ndarray:
        return self._between(A[:, 0].astype(np.int64), B[:, 0].astype(np.int64))

    def of_rows(self, A: np.ndarray) -> np.ndarray:
        return self._own[A[:, 0].astype(np.int64)]
