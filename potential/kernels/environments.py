# SPDX-License-Identifier: BSD-3-Clause
"""Kernels of environments (docs/theory.md eq. 7c)."""

from __future__ import annotations

import numpy as np

from potential.selection.rows import power
from potential.settings.terms import SHARED


def kernel_of(
    X: np.ndarray,
    numbers: np.ndarray,
    Y: np.ndarray,
    others: np.ndarray,
    zeta: float,
    centers: str,
) -> np.ndarray:
    """k (n, m) of rows X (n, n_features) and Y (m, n_features) of centres of these species."""
    k = power(X @ Y.T, zeta)
    return k if centers == SHARED else np.where(numbers[:, None] == others, k, 0.0)
