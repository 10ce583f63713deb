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
    RowKernels,
    checked,
    linear,
)


def cur_points(
    X: np.ndarray,
    n: int,
    *,
    kernel: Kernel | RowKernel = linear,
    coupling: Coupling | None = None,
    n_taken: int = 0,
    tolerance: float = 0.0,
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
    methods have it. Fewer than n come back where the rest adds nothing, or where no more than the
    part ``tolerance`` of the sum of all k(p, p) is left. Raises SoapGprError for X and n that are
    of no use.
    """
    X, _ = checked(X, n, n_taken, seed)
    total = n_taken + n
    rows = Deflation(X, total, kernel, coupling)
    chosen = np.empty(total, dtype=np.int64)
    for step in progress(range(total), "CUR points"):
        if step >= n_taken and rows.left <= tolerance:
            return chosen[n_taken:step]
        chosen[step] = step if step < n_taken else np.argmax(rows.residual)
        if not rows.take(chosen[step]) and step >= n_taken:
            return chosen[n_taken:step]
    return chosen[n_taken:]


class Deflation:
    """What chosen rows of X leave of all rows, in the feature space of a kernel (eq. 18).

    residual (n_rows,): of each row's k(p, p), −inf for those taken; left: their sum over that of
    all k(p, p).
    """

    def __init__(
        self,
        X: np.ndarray,
        most: int,
        kernel: Kernel | RowKernel = linear,
        coupling: Coupling | None = None,
    ):
        self._kernels = RowKernels(X, kernel, coupling)
        self.residual = self._kernels.own()
        self._all = float(self.residual.sum())
        self._factor = np.zeros((most, len(X)))
        self._step = 0

    @property
    def left(self) -> float:
        rest = float(np.maximum(self.residual, 0.0).sum())
        return rest / self._all if self._all > 0 else 0.0

    def take(self, row: int) -> bool:
        """Count a row as chosen; whether it had anything that the others lack."""
        own = self.residual[row]
        if own > DUPLICATE:
            done, factor = self._factor[: self._step], self._factor[self._step]
            k = self._kernels.with_row(row)
            factor[:] = (k - done[:, row] @ done) / np.sqrt(own)
            self.residual -= factor**2
        self.residual[row] = -np.inf
        self._step += 1
        return bool(own > DUPLICATE)
