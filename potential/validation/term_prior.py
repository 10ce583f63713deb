# SPDX-License-Identifier: BSD-3-Clause
"""The prior of the weights as a function of the δ² of the terms, the columns of the rows staying as
they are (docs/theory.md eq. 13i, 13j)."""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_triangular

from potential.terms.prior import prior_factor
from potential.validation.row_store import Prepared


class TermPrior:
    """P(s) = S⁻¹ (K_MM S + j) S⁻¹, S the scale of δ² of each column, j the jitter of K_MM S.

    Weights over S with this prior are those of a fit with the scaled δ².
    """

    def __init__(self, prepared: Prepared, jitter: float):
        self._prepared, self._jitter = prepared, jitter
        self.n_terms = len(prepared.settings.terms)

    def factor(self, log_deltas: np.ndarray | None = None) -> np.ndarray:
        """U (M, M), upper triangular, with UᵀU = P. log_deltas (n_terms,): log of the scales."""
        scale = self._scale(log_deltas)
        return prior_factor(self._prepared.K_MM * scale, self._jitter) / scale

    def slopes(
        self, U: np.ndarray, R: np.ndarray, weights: np.ndarray, log_deltas: np.ndarray
    ) -> np.ndarray:
        """∂ log p / ∂ log δ² (n_terms,), with RᵀR = K̃ = AᵀA + P and U = ``factor(log_deltas)``."""
        M, scale = len(U), self._scale(log_deltas)
        columns = self._prepared.by_column(np.arange(self.n_terms)).astype(int)

        def by_term(values: np.ndarray) -> np.ndarray:
            return np.bincount(columns, values, minlength=self.n_terms)

        # wᵀ P w + tr K̃⁻¹ P − tr P⁻¹ P, term by term: P is zero between terms
        solved = solve_triangular(R, U.T, trans=1)
        main = by_term((U @ weights) ** 2 + np.sum(solved**2, axis=0) - 1.0)
        # the same with S⁻² in the place of P
        of_R = np.sum(solve_triangular(R, np.eye(M)) ** 2, axis=1)
        of_U = np.sum(solve_triangular(U, np.eye(M)) ** 2, axis=1)
        unit = by_term((weights**2 + of_R - of_U) / scale**2)
        traces = self._jitter / M * by_term(scale * np.diag(self._prepared.K_MM))
        return 0.5 * (main + traces.sum() * unit - traces * unit.sum())

    def _scale(self, log_deltas: np.ndarray | None) -> np.ndarray:
        none = np.zeros(self.n_terms)
        return self._prepared.by_column(np.exp(none if log_deltas is None else log_deltas))
