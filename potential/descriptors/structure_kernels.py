# SPDX-License-Identifier: BSD-3-Clause
"""Kernels of structures: sums and averages over pairs of environments, averaged features, REMatch
(docs/theory.md eq. 7c, 24 to 24e)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TypeAlias

import numpy as np
from threadpoolctl import threadpool_limits

from potential.descriptors.features import POOLINGS, Features, require_pooling
from potential.descriptors.kernels import checked, is_number, kernel_of
from potential.descriptors.rematch import rematch
from potential.descriptors.weights import Weights, weights_of
from potential.errors import SoapGprError
from potential.runtime.parallel import ordered_map
from potential.selection.rows import power
from potential.settings import SoapTermSettings
from potential.settings.terms import SEPARATE, SHARED

FEATURES, REMATCH = "features", "rematch"
GAMMA = 0.1
# Environments of a side of a block of kernels, more only where a single structure has more.
SIDE = 512

Run: TypeAlias = tuple[int, int]


def structure_kernel(
    A: Features,
    B: Features | None = None,
    *,
    zeta: float = SoapTermSettings.zeta,
    pooling: str = "mean",
    centers: str = SEPARATE,
    weights: Weights | Sequence[np.ndarray] | None = None,
    normalize: bool = False,
    gamma: float | None = None,
) -> np.ndarray:
    """Kernel (n_A, n_B) of the structures of A and B, by default A, of k(i, j) of
    ``environment_kernel``.

    - pooling "sum": K(A, B) = Σ_i∈A Σ_j∈B k(i, j), for properties that are sums over atoms; "mean":
      the same over N_A N_B, for properties per atom (docs/theory.md eq. 7c); "features": the power
      ζ of the products of mean features (eq. 24); "rematch": Σ_ij P_ij k(i, j) with P that matches
      similar environments (eq. 24c);
    - centers: "separate" for k(i, j) = 0 between centres of different species, or "shared";
    - weights: how much each environment counts (eq. 24b), numbers that are not negative: by species
      as in {"H": 0.5}, where all others count 1, or an array (n_environments,) of A, with B a pair
      of them;
    - normalize: K(A, B) over the root of K(A, A) K(B, B) (eq. 24e);
    - gamma: how much "rematch" smooths, by default 0.1: the best match of environments at 0, their
      average at infinity.

    Memory is that of the result and, for each thread, of a block of the kernel of environments.
    Raises SoapGprError as ``environment_kernel`` does, for other values of these parameters, and
    where a match is not found as gamma is too small.
    """
    require_pooling(pooling, (*POOLINGS, FEATURES, REMATCH))
    smoothing = _gamma(gamma, pooling)
    if not isinstance(normalize, bool):
        raise SoapGprError(f"normalize: found {normalize!r}, expected True or False")
    other = checked(A, B, zeta, centers)
    own_weights, other_weights = _weights(weights, A, B)
    X = _weighted(A, own_weights, pooling)
    Y = X if B is None else _weighted(other, other_weights, pooling)
    kernel = _Kernel(zeta, pooling, centers, smoothing)
    K = kernel.between(X, Y)
    if normalize:
        of_A = np.diag(K) if B is None else kernel.of_each(X)
        of_B = of_A if B is None else kernel.of_each(Y)
        size = np.sqrt(np.outer(np.maximum(of_A, 0.0), np.maximum(of_B, 0.0)))
        K = np.divide(K, size, out=np.zeros_like(K), where=size > 0)
    return K


@dataclass(frozen=True, eq=False)
class _Structures:
    """Environments that count, with their weights: of a mean, those of a structure add up to 1."""

    values: np.ndarray
    numbers: np.ndarray
    weights: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def run(self, run: Run) -> _Structures:
        """Some of them, one after the other."""
        rows = slice(*self.offsets[list(run)])
        offsets = self.offsets[run[0] : run[1] + 1]
        return _Structures(
            self.values[rows], self.numbers[rows], self.weights[rows], offsets - offsets[0]
        )

    def runs(self) -> Iterator[Run]:
        """As many structures as have at most SIDE environments, and at least one."""
        begin = 0
        while begin < len(self):
            end = int(np.searchsorted(self.offsets, self.offsets[begin] + SIDE, side="right")) - 1
            end = max(end, begin + 1)
            yield begin, end
            begin = end

    def pooled(self, rows: np.ndarray | bool = True) -> np.ndarray:
        """(n, n_features) weighted sums of features, of some rows."""
        weighted = self.values * (self.weights * rows)[:, None]
        return np.add.reduceat(weighted, self.offsets[:-1], axis=0)


@dataclass(frozen=True)
class _Kernel:
    zeta: float
    pooling: str
    centers: str
    gamma: float

    def between(self, A: _Structures, B: _Structures) -> np.ndarray:
        """(n_A, n_B); of A with itself each pair once."""
        if self.pooling == FEATURES:
            return self._of_pooled(A, B)
        K, one = np.empty((len(A), len(B))), A is B
        pairs = [(I, J) for I, J in product(A.runs(), B.runs()) if not one or I <= J]
        with threadpool_limits(limits=1, user_api="blas"):  # threads are spread over blocks
            blocks = ordered_map(lambda pair: self._block(A, B, *pair), pairs)
            for (I, J), block in zip(pairs, blocks, strict=True):
                K[slice(*I), slice(*J)] = block
                if one and I != J:
                    K[slice(*J), slice(*I)] = block.T
        return K

    def of_each(self, A: _Structures) -> np.ndarray:
        """(n_A,) of each structure with itself."""
        alone = (A.run((k, k + 1)) for k in range(len(A)))
        return np.array([self.between(own, own)[0, 0] for own in alone])

    def _block(self, A: _Structures, B: _Structures, I: Run, J: Run) -> np.ndarray:
        X, Y = A.run(I), B.run(J)
        k = kernel_of(X.values, X.numbers, Y.values, Y.numbers, self.zeta, self.centers)
        if self.pooling == REMATCH:
            return self._matched(k, X, Y, I[0], J[0])
        k = np.add.reduceat(k * X.weights[:, None], X.offsets[:-1], axis=0)
        return np.add.reduceat(k * Y.weights, Y.offsets[:-1], axis=1)

    def _matched(
        self, k: np.ndarray, X: _Structures, Y: _Structures, first: int, other: int
    ) -> np.ndarray:
        rows, found = zip(X.offsets[:-1], X.offsets[1:], strict=True), []
        for s, (begin, end) in enumerate(rows):
            own = slice(begin, end)
            try:
                found.append(rematch(k[own], X.weights[own], Y.weights, Y.offsets, self.gamma))
            except SoapGprError as error:
                raise SoapGprError(
                    f"structure {first + s} with {other} to {other + len(Y) - 1}: {error}"
                ) from None
        return np.array(found)

    def _of_pooled(self, A: _Structures, B: _Structures) -> np.ndarray:
        if self.centers == SHARED:
            return power(A.pooled() @ B.pooled().T, self.zeta)
        K = np.zeros((len(A), len(B)))
        for z in np.intersect1d(A.numbers, B.numbers):
            K += A.pooled(A.numbers == z) @ B.pooled(B.numbers == z).T
        return power(K, self.zeta)


def _gamma(gamma: object, pooling: str) -> float:
    if gamma is None:
        return GAMMA
    if not is_number(gamma) or not 0 < gamma < np.inf:  # type: ignore[operator]
        raise SoapGprError(f"gamma: found {gamma!r}, expected a number above 0")
    if pooling != REMATCH:
        raise SoapGprError(f"gamma: found with pooling {pooling!r}, expected it with {REMATCH!r}")
    return float(gamma)  # type: ignore[arg-type]


def _weights(
    weights: Weights | Sequence[np.ndarray] | None, A: Features, B: Features | None
) -> tuple[np.ndarray, np.ndarray]:
    """(n_environments,) of A and of B."""
    if B is None or weights is None or isinstance(weights, Mapping):
        both = weights, weights
    elif isinstance(weights, (tuple, list)) and len(weights) == 2:
        both = tuple(weights)
    else:
        raise SoapGprError("weights: expected a number by species or a pair of arrays, for A and B")
    own = weights_of(both[0], A.numbers, A.offsets)
    return own, own if B is None else weights_of(both[1], B.numbers, B.offsets)


def _weighted(features: Features, weights: np.ndarray, pooling: str) -> _Structures:
    """Without the environments of weight 0."""
    there = weights > 0
    counts = np.add.reduceat(there.astype(np.int64), features.offsets[:-1])
    offsets = np.concatenate([[0], np.cumsum(counts)])
    kept = weights[there]
    if pooling != "sum":
        kept = kept / np.repeat(np.add.reduceat(kept, offsets[:-1]), counts)
    values = features.values if there.all() else features.values[there]
    return _Structures(values, features.numbers[there], kept, offsets)
