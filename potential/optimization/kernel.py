# SPDX-License-Identifier: BSD-3-Clause
"""Kernels between structures, docs/theory.md eq. (13m), and derivatives in reverse mode."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from potential.optimization.features import power_spectra
from potential.optimization.mixing import Mixing
from potential.optimization.reverse import PullBack
from potential.selection.rows import power

BLOCK = 512  # rows of environments in flight


@dataclass(frozen=True)
class KernelOfStructures:
    """K_AB = Σ_{i ∈ A} Σ_{j ∈ B} κ_c(a_i, a_j) (p_i·p_j + offset)^ζ, docs/theory.md eq. (13m).

    centers: κ_c is δ ("separate"), the cosine of the rows of the alchemical map ("alchemical") or
    1 ("shared").
    """

    zeta: float = 1
    normalize: bool = True
    offset: float = 0.0
    centers: str = "separate"

    def __call__(self, own: Mixing, table: np.ndarray) -> tuple[np.ndarray, PullBack]:
        """K (n_structures, n_structures) of the densities mixed by a table, and how derivatives by
        K, symmetric, become those by the table."""
        X, to_table = power_spectra(own, table, self.normalize)
        center = own.center if self.centers != "shared" else np.zeros_like(own.center)
        structure, pool = own.structure, None
        if self.zeta == 1 and self.offset == 0:  # linear: the sum over alike atoms can come first
            pool, structure, center = _pooling(structure, center)
            X = pool @ X
        kappa, of_centers = own.coupling(table)
        if self.centers != "alchemical":
            kappa = np.ones((own.n_species,) * 2)
        blocks = list(self._blocks(center))

        K = np.zeros((own.n_structures,) * 2)
        for rows, columns in blocks:
            k = power(X[rows] @ X[columns].T + self.offset, self.zeta)
            k *= kappa[center[rows]][:, center[columns]]
            K += _sums(structure[rows], len(K)) @ k @ _sums(structure[columns], len(K)).T

        def pull_back(dK: np.ndarray) -> np.ndarray:
            dX, d_kappa = np.zeros_like(X), np.zeros_like(kappa)
            for rows, columns in blocks:
                t = X[rows] @ X[columns].T + self.offset
                g = dK[structure[rows]][:, structure[columns]]
                if self.centers == "alchemical":
                    by_center = _sums(center[rows], len(kappa)), _sums(center[columns], len(kappa))
                    d_kappa += by_center[0] @ (g * power(t, self.zeta)) @ by_center[1].T
                g *= kappa[center[rows]][:, center[columns]]
                if self.zeta != 1:
                    g *= self.zeta * power(t, self.zeta - 1)
                dX[rows] += 2.0 * (g @ X[columns])
            of_features = to_table(dX if pool is None else pool.T @ dX)
            return of_features + of_centers(d_kappa)

        return K, pull_back

    def _blocks(self, center: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Rows and columns of the kernels of environments that are not zero."""
        everything = np.arange(len(center))
        groups = [everything]
        if self.centers == "separate":
            groups = [np.flatnonzero(center == a) for a in np.unique(center)]
        for group in groups:
            for begin in range(0, len(group), BLOCK):
                yield group[begin : begin + BLOCK], group


def _sums(index: np.ndarray, size: int) -> csr_array:
    """(size, len(index)): the sum over all that have an index."""
    shape = (size, len(index))
    return csr_array((np.ones(len(index)), (index, np.arange(len(index)))), shape=shape)


def _pooling(structure: np.ndarray, center: np.ndarray) -> tuple[csr_array, np.ndarray, np.ndarray]:
    """The sums over the atoms of a structure with equal centres; their structures and centres."""
    n = int(center.max()) + 1
    kind, group = np.unique(structure * n + center, return_inverse=True)
    return _sums(group, len(kind)), kind // n, kind % n
