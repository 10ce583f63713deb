# SPDX-License-Identifier: BSD-3-Clause
"""Rows of a feature matrix: what methods of choosing them ask of it, kernels of their products, and
near-duplicates."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from potential.errors import SoapGprError

# A function of products p·p', elementwise.
Kernel = Callable[[np.ndarray], np.ndarray]
# Rows that are closer than this, |p - p'|^2, count as one.
DUPLICATE = 1e-12


@dataclass(frozen=True)
class Coupling:
    """Factors of the kernel by the species of the rows (docs/theory.md eq. 7d).

    species (n_rows,): indices; kappa (n_species, n_species).
    """

    species: np.ndarray
    kappa: np.ndarray

    def of(self, rows: np.ndarray) -> Coupling:
        """That of some of the rows."""
        return Coupling(self.species[rows], self.kappa)

    def diagonal(self) -> np.ndarray:
        """(n_rows,)"""
        return self.kappa[self.species, self.species]

    def __call__(self, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
        """(n, m) between rows (n,) and others (m,)."""
        return self.kappa[np.ix_(self.species[rows], self.species[others])]


class RowKernel(ABC):
    """A kernel of rows that is not a function of their products."""

    @abstractmethod
    def between(self, A: np.ndarray, B: np.ndarray) -> np.ndarray:
        """(n, m) of the rows of A (n, n_features) and B (m, n_features)."""

    @abstractmethod
    def of_rows(self, A: np.ndarray) -> np.ndarray:
        """(n,) of each row with itself."""


class RowKernels:
    """Kernels between rows of X (n_rows, n_features) by their indices, with the factors of a
    coupling where there is one."""

    def __init__(self, X: np.ndarray, kernel: Kernel | RowKernel, coupling: Coupling | None = None):
        self._X, self._kernel, self._coupling = X, kernel, coupling

    def own(self) -> np.ndarray:
        """(n_rows,) of each row with itself."""
        if isinstance(self._kernel, RowKernel):
            k = self._kernel.of_rows(self._X)
        else:
            k = self._kernel(np.einsum("ij,ij->i", self._X, self._X))
        return k if self._coupling is None else k * self._coupling.diagonal()

    def with_row(self, row: int) -> np.ndarray:
        """(n_rows,) of all rows with one."""
        if isinstance(self._kernel, RowKernel):
            k = self._kernel.between(self._X, self._X[[row]])[:, 0]
        else:
            k = self._kernel(self._X @ self._X[row])
        if self._coupling is None:
            return k
        return k * self._coupling(np.arange(len(k)), np.array([row]))[:, 0]

    def between(self, rows: np.ndarray, others: np.ndarray, copies: np.ndarray) -> np.ndarray:
        """(n, m) of rows (n,) with others (m,), of which the caller has copies (m, n_features)."""
        if isinstance(self._kernel, RowKernel):
            k = self._kernel.between(self._X[rows], copies)
        else:
            k = self._kernel(self._X[rows] @ copies.T)
        return k if self._coupling is None else k * self._coupling(rows, others)


def linear(products: np.ndarray) -> np.ndarray:
    """The kernel p·p'."""
    return products


def power(x: np.ndarray, zeta: float, out: np.ndarray | None = None) -> np.ndarray:
    """x^zeta, where a zeta that is not an integer takes what is not positive for 0 (eq. 7b)."""
    if zeta != int(zeta):
        x = np.maximum(x, 0.0, out=out)
    return np.power(x, zeta, out=out)


def checked(
    X: np.ndarray, n: int, n_taken: int, seed: int | np.random.Generator
) -> tuple[np.ndarray, np.random.Generator]:
    """X (n_rows, n_features) as float64 and a generator of random numbers.

    Raises SoapGprError when X is not a finite matrix, when n is not a number of its rows beside the
    first n_taken, and when the seed is not a whole number.
    """
    X = np.asarray(X, dtype=np.float64)
    if X.ndim != 2:
        raise SoapGprError(f"X: found an array of shape {X.shape}, expected (n_rows, n_features)")
    if not np.isfinite(X).all():
        raise SoapGprError("X: found a value that is not finite")
    most = len(X) - n_taken
    if not _is_whole(n) or not 1 <= n <= most:
        raise SoapGprError(f"n: found {n!r}, expected an integer from 1 to {most}, the rows of X")
    if not isinstance(seed, np.random.Generator) and not (_is_whole(seed) and seed >= 0):
        raise SoapGprError(f"seed: found {seed!r}, expected an integer of at least 0")
    return X, np.random.default_rng(seed)


def _is_whole(value: object) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def distinct(X: np.ndarray) -> np.ndarray:
    """Indices of the rows left when near-duplicates are dropped, in an order set by the rows."""
    direction = np.random.default_rng(0).standard_normal(X.shape[1])
    along = X @ direction
    order = np.argsort(along, kind="stable")
    close = np.flatnonzero(np.diff(along[order]) < np.sqrt(DUPLICATE) * np.linalg.norm(direction))
    keep = np.ones(len(order), dtype=bool)
    for k in close:
        difference = X[order[k + 1]] - X[order[k]]
        keep[k + 1] = difference @ difference > DUPLICATE
    return order[keep]
