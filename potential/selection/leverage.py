# SPDX-License-Identifier: BSD-3-Clause
"""Random choice by leverage scores."""

from __future__ import annotations

import numpy as np

from potential.runtime.progress import Progress, silent
from potential.selection.rows import checked


def leverage_points(
    X: np.ndarray,
    n: int,
    *,
    n_taken: int = 0,
    seed: int | np.random.Generator = 0,
    progress: Progress = silent,
) -> np.ndarray:
    """Indices of n rows of X (n_rows, n_features) at random, weighted by leverage [H 10].

    pi_A = (1/c) sum_k v_kA^2 over the c leading singular vectors (docs/theory.md eq. 19); the right
    singular vectors v_k of X^T come from the small matrix X^T X = V L V^T: v_k = X V_k / sqrt(L_k).
    The first n_taken rows are left out. Raises SoapGprError for X, n and seed that are of no use.
    """
    X, rng = checked(X, n, n_taken, seed)
    X = X[n_taken:]
    eigenvalues, V = np.linalg.eigh(X.T @ X)
    rank = int((eigenvalues > 1e-12 * eigenvalues[-1]).sum())
    count = min(rank, n)
    vectors = (X @ V[:, -count:]) / np.sqrt(eigenvalues[-count:])
    leverage = np.einsum("ij,ij->i", vectors, vectors)
    weights = leverage + 1e-12 * leverage.max()
    return n_taken + rng.choice(len(X), size=n, replace=False, p=weights / weights.sum())
