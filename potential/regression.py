# SPDX-License-Identifier: BSD-3-Clause
"""Regularised least squares in bounded memory (docs/theory.md, section 5).

w = argmin ‖A w − y‖² + wᵀ K_MM w, with rows already divided by their expected error, solved as the
least-squares problem [A; U] w = [y; 0], UᵀU = K_MM + jitter, by orthogonal transformations only.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cholesky, qr, solve_triangular
from scipy.linalg.lapack import dtrcon

from potential.errors import SoapGprError


class StreamingQR:
    """Triangular factor of [A y] for rows that come piece by piece (sequential TSQR).

    Memory: (1 + buffer_factor) (M + 1)² doubles, whatever the number of rows.
    """

    def __init__(self, n_columns: int, buffer_factor: int = 3):
        self._width = n_columns + 1
        self._triangle = np.zeros((0, self._width))
        self._buffer = np.empty((max(buffer_factor * self._width, 256), self._width))
        self._filled = 0
        self.n_rows = 0

    def add(self, rows: np.ndarray, targets: np.ndarray) -> None:
        """rows (n, n_columns) and targets (n,), both divided by the expected error."""
        self.n_rows += len(rows)
        while len(rows):
            n = min(len(rows), len(self._buffer) - self._filled)
            place = self._buffer[self._filled : self._filled + n]
            place[:, :-1], place[:, -1] = rows[:n], targets[:n]
            self._filled += n
            rows, targets = rows[n:], targets[n:]
            if self._filled == len(self._buffer):
                self._compress()

    def triangle(self) -> np.ndarray:
        """R (at most M + 1 rows) with RᵀR = [A y]ᵀ[A y]."""
        if self._filled:
            self._compress()
        return self._triangle

    def _compress(self) -> None:
        stacked = np.concatenate([self._triangle, self._buffer[: self._filled]])
        self._triangle = qr(stacked, mode="r", overwrite_a=True, check_finite=True)[0]
        self._triangle = self._triangle[: self._width].copy()
        self._filled = 0


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
    prior = np.concatenate([U, np.zeros((M, 1))], axis=1)
    R = qr(np.concatenate([triangle, prior]), mode="r", overwrite_a=True)[0][: M + 1]
    weights = solve_triangular(R[:M, :M], R[:M, M])
    if not np.isfinite(weights).all():
        raise SoapGprError("the regression has no finite solution: raise [solver] jitter tenfold")
    residual = float(R[M, M] ** 2) if len(R) > M else 0.0
    return Solution(weights, _condition_number(R[:M, :M]), residual)


def _condition_number(R: np.ndarray) -> float:
    reciprocal, _ = dtrcon(R)
    return float(1.0 / reciprocal) if reciprocal > 0 else float("inf")
