# SPDX-License-Identifier: BSD-3-Clause
"""Regularised least squares in bounded memory (docs/theory.md, section 5).

w = argmin ‖A w − y‖² + wᵀ K_MM w, with rows already divided by their expected error, solved as the
least-squares problem [A; U] w = [y; 0], UᵀU = K_MM + jitter, by orthogonal transformations only.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.linalg import solve_triangular
from scipy.linalg.lapack import dtpqrt, dtrcon

from potential.errors import SoapGprError
from potential.terms.prior import prior_factor

# Rows that wait until they are rotated into the triangle together, and columns per Householder
# block: where LAPACK reaches the processor's speed.
BUFFER_ROWS = 1024
_BLOCK = 32


class StreamingQR:
    """Triangular factor of [A y] for rows that come piece by piece (sequential TSQR).

    Memory: (M + 1)² + 1024 (M + 1) doubles, whatever the number of rows. ``R``, ``waiting`` (rows
    that are not in R yet) and ``n_rows`` are its whole state.
    """

    def __init__(self, n_columns: int):
        width = n_columns + 1
        self.R = np.zeros((width, width), order="F")
        self._buffer = np.zeros((BUFFER_ROWS, width), order="F")
        self._filled = 0
        self.n_rows = 0

    @property
    def waiting(self) -> np.ndarray:
        return self._buffer[: self._filled]

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
            n = min(len(rows), BUFFER_ROWS - self._filled)
            place = self._buffer[self._filled : self._filled + n]
            place[:, :-1], place[:, -1] = rows[:n], targets[:n]
            self._filled += n
            rows, targets = rows[n:], targets[n:]
            if self._filled == BUFFER_ROWS:
                self.compress()

    def compress(self) -> None:
        """Rotate the waiting rows into R, which then stands for all of them."""
        if self._filled:
            self._buffer[self._filled :] = 0.0
            merge(self.R, self._buffer, dense=True)
            self._filled = 0

    def restore(self, R: np.ndarray, waiting: np.ndarray, n_rows: int) -> None:
        """Take up the state of another object of the same size; raises ValueError for others."""
        shapes = R.shape == self.R.shape and waiting.shape[1:] == self.R.shape[1:]
        if not shapes or len(waiting) >= BUFFER_ROWS:
            raise ValueError(f"found a state of shapes {R.shape} and {waiting.shape}")
        if not (np.isfinite(R).all() and np.isfinite(waiting).all()):
            raise ValueError("found a state that is not finite")
        self.R[:] = R
        self._filled = len(waiting)
        self._buffer[: self._filled] = waiting
        self.n_rows = n_rows

    def triangle(self) -> np.ndarray:
        """A copy of R (M + 1, M + 1) with RᵀR = [A y]ᵀ[A y]."""
        self.compress()
        return self.R.copy(order="F")

    def finish(self) -> np.ndarray:
        """R itself, (M + 1, M + 1) in LAPACK's order; no rows can be added after that."""
        self.compress()
        self._buffer = np.zeros((0, len(self.R)), order="F")
        return self.R


def merge(R: np.ndarray, B: np.ndarray, *, dense: bool = False) -> None:
    """R (n, n) becomes the triangular factor of [R; B]; B (m, n) is overwritten.

    Both in LAPACK's order; B is upper trapezoidal with m ≤ n unless dense. Raises ValueError when
    R is not what LAPACK can change in place.
    """
    if R.dtype != np.float64 or not (R.flags.f_contiguous and R.flags.writeable):
        raise ValueError("R: expected a float64 array in Fortran's order that can be written to")
    block = min(_BLOCK, len(R))
    dtpqrt(0 if dense else len(B), block, R, B, overwrite_a=1, overwrite_b=1)


def compact(R: np.ndarray) -> np.ndarray:
    """The rows of a triangle that are not zero, an upper trapezoid.

    Few rows leave many of a triangle's zero, but not always the last ones: a column that is zero,
    or depends on those before, takes up none of them. What rounding has left counts as zero.
    """
    largest = np.abs(R).max(axis=1, initial=0.0)
    rounding = len(R) * np.finfo(float).eps * largest.max(initial=0.0)
    return R if (largest > rounding).all() else np.asfortranarray(R[largest > rounding])


@dataclass(frozen=True)
class Triangle:
    """R (M + 1, M + 1) with RᵀR = [A y]ᵀ[A y], rows and targets over sigma (docs/theory.md
    eq. 13b), and what there was to say while it was made."""

    R: np.ndarray
    n_rows: int
    warnings: list[str] = field(default_factory=list)
    blocks: list[np.ndarray] = field(default_factory=list)  # the same of each block of structures

    @classmethod
    def of_blocks(
        cls, blocks: list[np.ndarray], n_rows: int, warnings: list[str] | None = None
    ) -> Triangle:
        """That of all rows from those of the blocks."""
        R = blocks[0].copy(order="F")
        for own in blocks[1:]:
            merge(R, own.copy(order="F"))
        return cls(R, n_rows, warnings or [], blocks)


@dataclass(frozen=True)
class Solution:
    weights: np.ndarray  # (M,)
    condition_number: float  # of the regularised triangular factor, 1-norm estimate
    residual: float  # ‖A w − y‖² + wᵀ K_MM w


def with_prior(triangle: np.ndarray, U: np.ndarray, *, overwrite: bool = False) -> np.ndarray:
    """The triangle (M + 1, M + 1) of a problem with its prior, in LAPACK's order.

    U (M, M + 1) of the prior, with a column of zeros, is overwritten; the triangle without the
    prior may be, to save its copy.
    """
    R = np.asfortranarray(triangle) if overwrite else triangle.copy(order="F")
    merge(R, U)
    return R


def solve(
    triangle: np.ndarray, K_MM: np.ndarray, jitter: float, *, overwrite: bool = False
) -> Solution:
    """Weights from R of [A y] (docs/theory.md eq. 13).

    triangle: R (M + 1, M + 1), which may be overwritten to save its copy. jitter is relative to the
    mean of K_MM's diagonal. Raises SoapGprError when K_MM + jitter is not positive definite or the
    solution is not finite.
    """
    M = len(K_MM)
    U = prior_factor(K_MM, jitter, more_columns=1)
    R = with_prior(triangle, U, overwrite=overwrite)
    weights = solve_triangular(R[:M, :M], R[:M, M])
    if not np.isfinite(weights).all():
        raise SoapGprError("the regression has no finite solution: raise [solver] jitter tenfold")
    return Solution(weights, _condition_number(R[:M, :M]), float(R[M, M] ** 2))


def _condition_number(R: np.ndarray) -> float:
    reciprocal, _ = dtrcon(R)
    return float(1.0 / reciprocal) if reciprocal > 0 else float("inf")
