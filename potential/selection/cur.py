# SPDX-License-Identifier: BSD-3-Clause
"""CUR decomposition: greedy, deterministic, with deflation."""

from __future__ import annotations

import numpy as np

from potential.runtime.progress import Progress, silent
from potential.selection.rows import (
    DUPLICATE,
    Coupling,
    Kernel,
    RowKernel,
    between,
    checked,
    linear,
    of_rows,
)


def cur_points(
    X: np.ndarray,
    n: int,
    *,
    kernel: Kernel | RowKernel = linear,
    coupling: Coupling | None = None,
    n_taken: int = 0,
    seed: int | np.random.Generator = 0,
    progress: Progress = silent,
) -> np.ndarray:
    """Indices of n rows of X (n_rows, n_features) by pivoted Cholesky factorisation of the kernel.

    Each step takes the row of which the chosen ones represent least, in the feature space of the
    kernel, and removes its direction from all others (docs/theory.md eq. 18; Voronin & Martinsson,
    Adv. Comput. Math. 43, 495 (2017)). kernel: a function of all products p·p', by default they
    themselves; with another one there may be more than n_features such rows. coupling: further
    factors of the kernel, by species.
    The first n_taken rows count as chosen already; nothing is random, seed is there because other
    methods have it. Fewer than n come back where the rest adds nothing. Raises SoapGprError for X
    and n that are of no use.
    """
    X, _ = checked(X, n, n_taken, seed)
    total = n_taken + n
    residual = of_rows(kernel, X)
    if coupling is not None:
        residual = residual * coupling.diagonal()
    everything = np.arange(len(X))
    factor = np.zeros((total, len(X)))
    chosen = np.empty(total, dtype=np.int64)
    for step in progress(range(total), "CUR points"):
        pivot = chosen[step] = step if step < n_taken else np.argmax(residual)
        if residual[pivot] <= DUPLICATE:
            if step < n_taken:
                residual[pivot] = -np.inf
                continue
            return chosen[n_taken:step]
        row = between(kernel, X, X[pivot])
        if coupling is not None:
            row = row * coupling(everything, chosen[step : step + 1])[:, 0]
        row = row - factor[:step, pivot] @ factor[:step]
        factor[step] = row / np.sqrt(residual[pivot])
        residual -= factor[step] ** 2
        residual[pivot] = -np.inf
    return chosen[n_taken:]
