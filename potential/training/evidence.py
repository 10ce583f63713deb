# SPDX-License-Identifier: BSD-3-Clause
"""The marginal likelihood of labels in groups, each with a noise level of its own, from the
triangular factor of the rows of each group (docs/theory.md eq. 13d, 28)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular
from scipy.optimize import minimize

from potential.training.regression import merge

RANGE = 1e3  # a level moves at most by this factor from where the search begins, up or down
_MOST_STEPS = 100


@dataclass(frozen=True)
class Point:
    """The likelihood at some levels, and what it was made of."""

    value: float  # log p(y), but for a constant
    slopes: np.ndarray  # (n_groups,) by log sigma
    prior_slope: float  # by the logarithm of the factor of δ
    norm: float  # wᵀ K_MM w, with that factor
    undetermined: float  # tr K̃⁻¹ K_MM, the weights that no label determines
    misfits: np.ndarray  # (n_groups,) ‖A_g w − y_g‖² / sigma_g²
    determined: np.ndarray  # (n_groups,) γ_g, the weights that the labels of a group determine
    R: np.ndarray  # (M, M) with RᵀR = K̃
    weights: np.ndarray  # (M,)


class Evidence:
    """log p(y) as a function of one scale for the levels of each group.

    fixed: factors (n, M + 1) of [A y] of labels whose levels stay; factors: those of each group;
    all upper trapezoidal, of rows over the levels to start from. n_labels: how many rows each group
    had.
    """

    def __init__(
        self,
        fixed: Sequence[np.ndarray],
        factors: Sequence[Sequence[np.ndarray]],
        n_labels: Sequence[int],
    ):
        self._fixed, self._factors = list(fixed), list(factors)
        self.n_labels = np.array(n_labels, dtype=float)

    def __call__(
        self, U: np.ndarray, log_scales: Sequence[float] | np.ndarray, log_delta: float = 0.0
    ) -> Point:
        """At these logarithms (n_groups,) of the scales and of a factor of δ, with the prior UᵀU of
        the weights, which that divides by its square."""
        M, scales = len(U), np.exp(-np.asarray(log_scales, dtype=float))
        U = U * np.exp(-log_delta)
        R = np.zeros((M + 1, M + 1), order="F")
        R[:M, :M] = U
        for T in self._fixed:
            merge(R, np.array(T, order="F"))
        for own, scale in zip(self._factors, scales, strict=True):
            for T in own:
                merge(R, np.asfortranarray(T * scale))
        square, R, y = R[M, M] ** 2, R[:M, :M], R[:M, M]
        weights = solve_triangular(R, y)

        def misfit(T: np.ndarray) -> float:
            return float(np.sum((T[:, :M] @ weights - T[:, M]) ** 2))

        def trace(T: np.ndarray) -> float:  # tr(K̃⁻¹ AᵀA) = |R⁻ᵀ Aᵀ|²
            return float(np.sum(solve_triangular(R, T[:, :M].T, trans=1) ** 2))

        misfits = scales**2 * [sum(map(misfit, own)) for own in self._factors]
        determined = scales**2 * [sum(map(trace, own)) for own in self._factors]
        log_det = 2.0 * (_log_diagonal(R) - _log_diagonal(U))
        value = -0.5 * (square + log_det) - self.n_labels @ np.asarray(log_scales)
        slopes = misfits + determined - self.n_labels
        norm = float(np.sum((U @ weights) ** 2))
        undetermined = float(np.sum(solve_triangular(R, U.T, trans=1) ** 2))
        of_prior = norm + undetermined - M, norm, undetermined
        return Point(float(value), slopes, *of_prior, misfits, determined, R, weights)


def climbed(
    value: Callable[[np.ndarray], tuple[float, np.ndarray]],
    start: np.ndarray,
    widths: np.ndarray,
    limits: np.ndarray,
) -> np.ndarray:
    """Where a likelihood is largest, for -limits <= x <= limits.

    value: log p and its slopes (n,) at x (n,). widths (n,): about how well each x is determined;
    steps are taken in these units, and the search ends at a tenth of them.
    """

    def negative(t: np.ndarray) -> tuple[float, np.ndarray]:
        found, slopes = value(start + t * widths)
        return -found, -slopes * widths

    ends = zip((-limits - start) / widths, (limits - start) / widths, strict=True)
    found = minimize(
        negative,
        np.zeros(len(start)),
        jac=True,
        method="L-BFGS-B",
        bounds=list(ends),
        options={"maxiter": _MOST_STEPS, "gtol": 0.1, "ftol": 1e-12},
    )
    return start + found.x * widths


def level_widths(n_labels: np.ndarray) -> np.ndarray:
    """About how well log sigma is determined by so many labels: the spread of the maximum."""
    return 1.0 / np.sqrt(2.0 * n_labels)


def _log_diagonal(R: np.ndarray) -> float:
    return float(np.sum(np.log(np.abs(np.diag(R)))))
