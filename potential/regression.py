# SPDX-License-Identifier: BSD-3-Clause
"""Regularised least squares in bounded memory (docs/theory.md, section 5).

w = argmin ‖A w − y‖² + wᵀ K_MM w, with rows already divided by their expected error, solved as the
least-squares problem [A; U] w = [y; 0], UᵀU = K_MM + jitter, by orthogonal transformations only.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cholesky, solve_triangular
from scipy.linalg.lapack import dgeqrf, dgeqrf_lwork, dtrcon

from potential.errors import SoapGprError


class StreamingQR:
    """Triangular factor of [A y] for rows that come piece by piece (sequential TSQR).

    Memory: (1 + buffer_factor) (M + 1)² doubles, whatever the number of rows.
    """

    def __init__(self, n_columns: int, buffer_factor: int = 3):
        width = n_columns + 1
        # The triangle so far, then the rows that wait; LAPACK's order, so that nothing is copied.
        self._stack = np.zeros((width + max(buffer_factor * width, 256), width), order="F")
        self._filled = width
        self.n_rows = 0

    def add(self, rows: np.ndarray, targets: np.ndarray) -> None:
        """rows (n, n_columns) and targets (n,), both divided by the expected error.

        Raises SoapGprError when they are not finite.
        """
        if not (np.isfinite(rows).all() and np.isfinite(targets).all()):
            raise SoapGprError(
                "a label over its expected error is too large a number: raise the level in [noise]"
            )
        self.n_rows += len(rows)
        while len(rows):
            n = min(len(rows), len(self._stack) - self._filled)
            place = self._stack[self._filled : self._filled + n]
            place[:, :-1], place[:, -1] = rows[:n], targets[:n]
            self._filled += n
            rows, targets = rows[n:], targets[n:]
            if self._filled == len(self._stack):
                self._compress()

    def triangle(self) -> np.ndarray:
        """R (M + 1, M + 1) with RᵀR = [A y]ᵀ[A y]."""
        width = self._stack.shape[1]
        if self._filled > width:
            self._compress()
        return self._stack[:width].copy()

    def _compress(self) -> None:
        width = self._stack.shape[1]
        self._stack[self._filled :] = 0.0
        self._stack[:width] = _triangular_factor(self._stack)
        self._filled = width


@dataclass(frozen=True)
class Solution:
    weights: np.ndarray  # (M,)
    condition_number: float  # of the regularised triangular factor, 1-norm estimate
    residual: float  # ‖A w − y‖² + wᵀ K_MM w


def solve(triangle: np.ndarray, K_MM: np.ndarray, jitter: float) -> Solution:
    """Weights from the factor R of [A y] (docs/theory.md eq. 13).

    jitter is relative to the mean of K_MM's diagonal. Raises SoapGprError when K_MM + jitter is
    not positive definite or the solution is not finite.
    """
    M = len(K_MM)
    shifted = K_MM.copy()
    shifted[np.diag_indices(M)] += jitter * np.mean(np.diag(K_MM))
    try:
        U = cholesky(shifted, lower=False, overwrite_a=True)
    except LinAlgError:
        raise SoapGprError(
            f"the kernel matrix of the sparse points is singular at jitter = {jitter:g}: "
            "raise [solver] jitter tenfold or ask for fewer sparse points"
        ) from None
    stacked = np.zeros((len(triangle) + M, M + 1), order="F")
    stacked[: len(triangle)] = triangle
    stacked[len(triangle) :, :M] = U
    R = _triangular_factor(stacked)
    weights = solve_triangular(R[:M, :M], R[:M, M])
    if not np.isfinite(weights).all():
        raise SoapGprError("the regression has no finite solution: raise [solver] jitter tenfold")
    return Solution(weights, _condition_number(R[:M, :M]), float(R[M, M] ** 2))


def _triangular_factor(A: np.ndarray) -> np.ndarray:
    """R (n, n) of A (m, n), m ≥ n, in LAPACK's order; A is overwritten."""
    work_size = int(dgeqrf_lwork(*A.shape)[0])
    factored, *_ = dgeqrf(A, lwork=work_size, overwrite_a=True)
    return np.triu(factored[: A.shape[1]])


def _condition_number(R: np.ndarray) -> float:
    reciprocal, _ = dtrcon(R)
    return float(1.0 / reciprocal) if reciprocal > 0 else float("inf")
