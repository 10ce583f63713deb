# SPDX-License-Identifier: BSD-3-Clause
"""What a map is valued by: losses of a Gaussian process of structures, with their derivatives.

Each takes the covariance C (N, N) of labels y (N,), known up to a factor, with their weights (N,)
and the number of functions that C leaves open, and returns a number without units and its
derivatives by C, symmetric (N, N).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.linalg import cho_factor, cho_solve

Loss = Callable[[np.ndarray, np.ndarray, np.ndarray, int], tuple[float, np.ndarray]]


def leave_one_out(
    C: np.ndarray, y: np.ndarray, weights: np.ndarray, n_open: int = 0
) -> tuple[float, np.ndarray]:
    """Σ w e² / Σ w y², where e is the error at a label of the process that all others make,
    docs/theory.md eq. (13n)."""
    A, _ = _inverse(C)
    alpha, diagonal = A @ y, np.diag(A)
    errors = alpha / diagonal
    total = weights @ y**2
    v = 2.0 * weights * errors / total / diagonal  # ∂loss/∂alpha
    Av = A @ v
    dC = (A * (v * errors)) @ A
    dC -= 0.5 * (np.outer(Av, alpha) + np.outer(alpha, Av))
    return float(weights @ errors**2 / total), dC


def marginal_likelihood(
    C: np.ndarray, y: np.ndarray, weights: np.ndarray, n_open: int = 0
) -> tuple[float, np.ndarray]:
    """−log p(y) / N at the factor of C that makes it largest, less what does not depend on C,
    docs/theory.md eq. (13o). Its weights are those of the noise. What is open has no factor."""
    A, log_det = _inverse(C)
    alpha, N = A @ y, len(y)
    square = float(y @ alpha)
    left = 1.0 - n_open / N
    value = 0.5 * (left * np.log(square / N) + log_det / N)
    return float(value), 0.5 * (A / N - left * np.outer(alpha, alpha) / square)


LOSSES: dict[str, Loss] = {
    "leave_one_out": leave_one_out,
    "marginal_likelihood": marginal_likelihood,
}


def _inverse(C: np.ndarray) -> tuple[np.ndarray, float]:
    """C⁻¹ and log det C. Raises LinAlgError when C is not positive."""
    factor = cho_factor(C, lower=True)
    return cho_solve(factor, np.eye(len(C))), 2.0 * float(np.log(np.diag(factor[0])).sum())
