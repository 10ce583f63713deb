# SPDX-License-Identifier: BSD-3-Clause
"""Choosing columns of a feature matrix: the methods for rows, on the transpose; and the maps from
chosen columns to all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from potential.errors import SoapGprError
from potential.runtime.progress import Progress, silent
from potential.selection.cur import Deflation, cur_points
from potential.selection.farthest import farthest_points
from potential.selection.rows import checked

COLUMN_METHODS = ("cur", "fps", "random")
# Singular values of the chosen columns, over the largest, that the pseudo-inverse takes for noise:
# coefficients of smaller ones would be fitted to the sample.
NOISE = 1e-6
# Columns that are chosen before it is looked whether the tolerance is met; then twice as many.
FIRST_COLUMNS = 64


@dataclass(frozen=True)
class Columns:
    """Columns of X (n_rows, n_columns) that stand for all of them."""

    chosen: np.ndarray  #: (n,) indices, ascending
    residual: float  #: ‖X − X_S P‖ / ‖X‖, docs/theory.md eq. (5h)
    map: np.ndarray  #: (n, n_columns) P = X_S⁺ X

    def recoupling(self) -> np.ndarray:
        """R = (P Pᵀ)^(1/2) (n, n), docs/theory.md eq. (5i)."""
        values, vectors = np.linalg.eigh(self.map @ self.map.T)
        return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T


def choose_columns(
    X: np.ndarray,
    method: str = "cur",
    *,
    n: int | None = None,
    tolerance: float | None = None,
    seed: int | np.random.Generator = 0,
    progress: Progress = silent,
) -> Columns:
    """Columns of X (n_rows, n_columns) by CUR, farthest point sampling or at random.

    Either n of them or as few as leave no more than the residual ``tolerance`` (docs/theory.md
    eq. 5g, 5h). "cur" and "fps" begin with the longest column and take nothing at random; fewer
    than n come back where no other adds anything. Raises SoapGprError for arguments that are of no
    use.
    """
    if method not in COLUMN_METHODS:
        raise SoapGprError(f"method: found {method!r}, expected one of {list(COLUMN_METHODS)}")
    if (n is None) == (tolerance is None):
        raise SoapGprError("expected either n or tolerance")
    if tolerance is not None and not 0 < tolerance < 1:
        raise SoapGprError(f"tolerance: found {tolerance!r}, expected a number from 0 to 1")
    X, rng = checked(np.asarray(X).T, 1 if n is None else n, 0, seed)
    longest = np.sqrt(np.einsum("ij,ij->i", X, X).max(initial=0.0))
    if longest == 0:
        raise SoapGprError("X: found zeros alone, expected features")
    X = X / longest
    left = None if tolerance is None else tolerance**2
    if method == "cur":
        order = cur_points(X, n or min(X.shape), tolerance=left or 0.0, progress=progress)
    elif method == "fps":
        order = _shortest(X, n, left, lambda count: _farthest(X, count, progress))
    else:
        at_random = rng.permutation(len(X))
        order = _shortest(X, n, left, lambda count: at_random[:count])
    return columns_of_choice(X.T, order)


def columns_of_choice(X: np.ndarray, chosen: np.ndarray) -> Columns:
    """The same of columns of X (n_rows, n_columns) that somebody else has chosen."""
    chosen = np.sort(chosen)
    U, values, V = np.linalg.svd(X[:, chosen], full_matrices=False)
    used = values > NOISE * values[0]
    P = (V[used].T / values[used]) @ (U[:, used].T @ X)
    residual = float(np.linalg.norm(X - X[:, chosen] @ P) / np.linalg.norm(X))
    return Columns(chosen, min(residual, 1.0), P)


def _farthest(X: np.ndarray, n: int, progress: Progress) -> np.ndarray:
    """The longest row of X and those farthest from all before, n in all."""
    order = np.argsort(-np.einsum("ij,ij->i", X, X), kind="stable")
    if n == 1:
        return order[:1]
    others = farthest_points(X[order], n - 1, n_taken=1, progress=progress)
    return order[np.concatenate([[0], others])]


def _shortest(
    X: np.ndarray, n: int | None, left: float | None, first: Callable[[int], np.ndarray]
) -> np.ndarray:
    """The first n rows of X, or as few as leave no more than this part of all squares; first: makes
    the first so many of an order."""
    if left is None:
        assert n is not None
        return first(n)
    n = min(FIRST_COLUMNS, len(X))
    while True:
        order = first(n)
        rows = Deflation(X, len(order))
        for k, row in enumerate(order):
            rows.take(row)
            if rows.left <= left:
                return order[: k + 1]
        if len(order) < n or n == len(X):  # the others are equal to some of them
            return order
        n = min(2 * n, len(X))
