# SPDX-License-Identifier: BSD-3-Clause
"""Structures or environments as the points of a space: kernels and distances of their features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from potential.descriptors.chosen import TermFeatures
from potential.descriptors.features import Features
from potential.descriptors.kernels import checked
from potential.descriptors.structure_kernels import kernel_called, weighted
from potential.descriptors.weights import weights_of
from potential.errors import SoapGprError
from potential.kernels.environments import kernel_of
from potential.kernels.structures import KernelOfSet, normalized
from potential.runtime.memory import available_bytes
from potential.runtime.progress import Progress, silent
from potential.selection.rows import power
from potential.settings.target_kernels import FEATURES, REMATCH
from potential.settings.terms import SEPARATE, SHARED
from potential.structures.structure import Structure

SIDE = 512  # points of a side of a block of kernels
# d² below this part of k(a, a) + k(b, b) is what rounding leaves of 0.
ROUNDING = 1e-14


@dataclass(frozen=True)
class PointKernel:
    """How alike two points are; parameters as ``structure_kernel`` names them.

    Environments, ``per_atom``, take zeta, centers and normalize alone.
    """

    zeta: float
    centers: str = SEPARATE
    pooling: str = FEATURES
    gamma: float | None = None
    normalize: bool = False
    per_atom: bool = False

    @property
    def condenses(self) -> bool:
        """Whether the mean features of the atoms of each species are all that counts."""
        linear = self.zeta == 1 and self.pooling != REMATCH
        return not self.per_atom and (linear or self.pooling == FEATURES)


class Points:
    """What is to be compared, each a structure or, with ``kernel.per_atom``, an environment.

    weights (n_environments,): how much each row of the features counts in its structure; None: 1.
    """

    def __init__(self, features: Features, kernel: PointKernel, weights: np.ndarray | None = None):
        self.features, self.kernel = features, kernel
        self._set = None
        if not kernel.per_atom:
            checked(features, None, kernel.zeta, kernel.centers)
            of = kernel_called(kernel.zeta, kernel.pooling, kernel.centers, kernel.gamma)
            counts = weights_of(weights, features.numbers, features.offsets)
            own = weighted(features, counts, kernel.pooling)
            self._set = KernelOfSet(of, own, kernel.normalize)

    def __len__(self) -> int:
        return len(self.features.values) if self._set is None else len(self._set)

    @cached_property
    def own(self) -> np.ndarray:
        """k(a, a) (n,) of each point, 1 or 0 for a normalised kernel."""
        if self._set is not None:
            return self._set.own
        own = self._plain_own
        return (own > 0).astype(float) if self.kernel.normalize else own

    def between(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """k (n_rows, n_columns) of points by their indices."""
        if self._set is not None:
            with threadpool_limits(limits=1, user_api="blas"):  # threads are spread over blocks
                return self._set.between(rows, columns)
        X, z, kernel = self.features.values, self.features.numbers, self.kernel
        K = kernel_of(X[rows], z[rows], X[columns], z[columns], kernel.zeta, kernel.centers)
        own = self._plain_own if kernel.normalize else None
        return K if own is None else normalized(K, own[rows], own[columns])

    def distances(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """d (n_rows, n_columns) with d² = k(a, a) + k(b, b) - 2 k(a, b), docs/theory.md eq. (24i);
        0 where rounding may have made all of it."""
        sums = self.own[rows][:, None] + self.own[columns]
        square = sums - 2.0 * self.between(rows, columns)
        square[square < ROUNDING * sums] = 0.0
        return np.sqrt(square)

    @cached_property
    def _plain_own(self) -> np.ndarray:
        """Of environments."""
        X = self.features.values
        return power(np.einsum("ij,ij->i", X, X), self.kernel.zeta)


def points_of(
    term: TermFeatures,
    structures: Sequence[Structure],
    kernel: PointKernel,
    chosen: Sequence[np.ndarray] | None = None,
    progress: Progress = silent,
) -> Points:
    """The structures or their environments as points.

    chosen: the atoms of each structure that count, at least one; None: all. A kernel that condenses
    keeps a row of each species of a structure, all others one of each atom. Raises SoapGprError for
    features that there is no memory for, and as ``TermFeatures.rows``.
    """
    numbers = [s.numbers for s in structures]
    if chosen is not None:
        numbers = [z[own] for z, own in zip(numbers, chosen, strict=True)]
    sets = [np.unique(z) if kernel.condenses else z for z in numbers]
    offsets = np.cumsum([0, *map(len, sets)])
    values = _room(int(offsets[-1]), term.n_features, kernel)
    weights = np.ones(len(values))
    rows = zip(term.rows(progress(structures, "features")), numbers, sets, strict=True)
    for s, (X, z, own) in enumerate(rows):
        X = X if chosen is None else X[chosen[s]]
        place = slice(*offsets[s : s + 2])
        if kernel.condenses:
            values[place] = [X[z == a].mean(axis=0) for a in own]
            weights[place] = [np.count_nonzero(z == a) for a in own]
        else:
            values[place] = X
    return Points(Features(values, np.concatenate(sets), offsets), kernel, weights)


def blocks(n: int) -> Iterator[np.ndarray]:
    """Indices 0 to n - 1, ``SIDE`` at a time."""
    for begin in range(0, n, SIDE):
        yield np.arange(begin, min(begin + SIDE, n))


def _room(n_rows: int, n_features: int, kernel: PointKernel) -> np.ndarray:
    """An empty array for all features. Raises SoapGprError when there is no memory for it."""
    needed, free = 8 * n_rows * n_features, available_bytes()
    if free is not None and needed > 0.9 * free:
        advice = "fewer structures or features"
        if not kernel.condenses and not kernel.per_atom:
            advice += f", or pooling {FEATURES!r}, which keeps their means"
        raise SoapGprError(
            f"{n_rows} rows of {n_features} features need {needed / 2**30:.1f} GiB and "
            f"{free / 2**30:.1f} GiB are free: take {advice}"
        )
    return np.empty((n_rows, n_features))


def kernel_for(term: TermFeatures, name: str, shared: bool, **asked: Any) -> PointKernel:
    """The kernel of the term with what is asked for in its place.

    asked: fields of PointKernel; a zeta of None is that of the term. shared: centres of different
    species have kernels in common. name: what messages call the term. Raises SoapGprError for terms
    whose kernel of environments is no (p·p')^zeta.
    """
    entry = term.entry
    zeta = asked.pop("zeta", None)
    if zeta is None:
        zeta = entry.get("zeta")
    if zeta is None:
        raise SoapGprError(
            f"{name}: found a product of kernels, expected a zeta for one of all its features"
        )
    centers = SHARED if shared else entry.get("centers", SEPARATE)
    if centers not in (SEPARATE, SHARED):
        raise SoapGprError(f"{name}: found centers = {centers!r}, expected separate or shared ones")
    return PointKernel(zeta=zeta, centers=centers, **asked)
