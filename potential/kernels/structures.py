# SPDX-License-Identifier: BSD-3-Clause
"""Kernels of structures, of features of environments (docs/theory.md eq. 7c, 24 to 24e)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TypeAlias

import numpy as np

from potential.errors import SoapGprError
from potential.kernels.environments import kernel_of
from potential.kernels.rematch import rematch
from potential.runtime.parallel import ordered_map
from potential.selection.rows import power
from potential.settings.target_kernels import FEATURES, REMATCH
from potential.settings.terms import SHARED

# Environments of a side of a block of kernels, more only where a single structure has more.
SIDE = 512

Run: TypeAlias = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Structures:
    """Environments that count, with their weights: of a mean, those of a structure add up to 1."""

    values: np.ndarray  # (n, n_features)
    numbers: np.ndarray  # (n,) species of the centres, as any numbers
    weights: np.ndarray  # (n,) above 0
    offsets: np.ndarray  # (n_structures + 1,) where those of each structure begin

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @staticmethod
    def joined(parts: Sequence[Structures]) -> Structures:
        """All of several, one after the other."""
        counts = np.concatenate([np.diff(own.offsets) for own in parts])
        return Structures(
            np.concatenate([own.values for own in parts]),
            np.concatenate([own.numbers for own in parts]),
            np.concatenate([own.weights for own in parts]),
            np.concatenate([[0], np.cumsum(counts)]),
        )

    def run(self, run: Run) -> Structures:
        """Some of them, one after the other."""
        rows = slice(*self.offsets[list(run)])
        offsets = self.offsets[run[0] : run[1] + 1]
        return Structures(
            self.values[rows], self.numbers[rows], self.weights[rows], offsets - offsets[0]
        )

    def take(self, chosen: Sequence[int] | np.ndarray) -> Structures:
        """Those of these numbers, in this order."""
        chosen = np.asarray(chosen)
        counts = np.diff(self.offsets)[chosen]
        offsets = np.concatenate([[0], np.cumsum(counts)])
        rows = np.arange(offsets[-1]) + np.repeat(self.offsets[chosen] - offsets[:-1], counts)
        return Structures(self.values[rows], self.numbers[rows], self.weights[rows], offsets)

    def runs(self) -> Iterator[Run]:
        """As many structures as have at most SIDE environments, and at least one."""
        begin = 0
        while begin < len(self):
            end = int(np.searchsorted(self.offsets, self.offsets[begin] + SIDE, side="right")) - 1
            end = max(end, begin + 1)
            yield begin, end
            begin = end

    def pooled(self, rows: np.ndarray | bool = True) -> np.ndarray:
        """(n_structures, n_features) weighted sums of features, of some rows."""
        weighted = self.values * (self.weights * rows)[:, None]
        return np.add.reduceat(weighted, self.offsets[:-1], axis=0)


@dataclass(frozen=True)
class StructureKernel:
    """K(A, B) of eq. (7c), (24) or (24c), by what its settings are called."""

    zeta: float
    pooling: str
    centers: str
    gamma: float

    def between(self, A: Structures, B: Structures, n_threads: int | None = None) -> np.ndarray:
        """(n_A, n_B); of A with itself each pair once. Raises SoapGprError where a match is not
        found."""
        if self.pooling == FEATURES:
            return self._of_pooled(A, B)
        K, one = np.empty((len(A), len(B))), A is B
        pairs = [(I, J) for I, J in product(A.runs(), B.runs()) if not one or I <= J]

        def block_of(pair: tuple[Run, Run]) -> np.ndarray:
            return self._block(A, B, *pair)

        one_thread = n_threads == 1
        blocks = map(block_of, pairs) if one_thread else ordered_map(block_of, pairs, n_threads)
        for (I, J), block in zip(pairs, blocks, strict=True):
            K[slice(*I), slice(*J)] = block
            if one and I != J:
                K[slice(*J), slice(*I)] = block.T
        return K

    def of_each(self, A: Structures) -> np.ndarray:
        """(n_A,) of each structure with itself."""
        alone = (A.run((k, k + 1)) for k in range(len(A)))
        return np.array([self.between(own, own, 1)[0, 0] for own in alone])

    def _block(self, A: Structures, B: Structures, I: Run, J: Run) -> np.ndarray:
        X, Y = A.run(I), B.run(J)
        k = kernel_of(X.values, X.numbers, Y.values, Y.numbers, self.zeta, self.centers)
        if self.pooling == REMATCH:
            return self._matched(k, X, Y, I[0], J[0])
        k = np.add.reduceat(k * X.weights[:, None], X.offsets[:-1], axis=0)
        return np.add.reduceat(k * Y.weights, Y.offsets[:-1], axis=1)

    def _matched(
        self, k: np.ndarray, X: Structures, Y: Structures, first: int, other: int
    ) -> np.ndarray:
        if not np.isfinite(k).all():
            raise SoapGprError("found a kernel that is not finite")
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

    def _of_pooled(self, A: Structures, B: Structures) -> np.ndarray:
        if self.centers == SHARED:
            return power(A.pooled() @ B.pooled().T, self.zeta)
        K = np.zeros((len(A), len(B)))
        for z in np.intersect1d(A.numbers, B.numbers):
            K += A.pooled(A.numbers == z) @ B.pooled(B.numbers == z).T
        return power(K, self.zeta)


def normalized(K: np.ndarray, of_A: np.ndarray, of_B: np.ndarray) -> np.ndarray:
    """Eq. (24e) of K (n_A, n_B), K(A, A) (n_A,) and K(B, B) (n_B,); 0 where one of these is 0."""
    size = np.sqrt(np.outer(np.maximum(of_A, 0.0), np.maximum(of_B, 0.0)))
    return np.divide(K, size, out=np.zeros_like(K), where=size > 0)


class KernelOfSet:
    """The kernel between the structures of one set, by their numbers, normalised by eq. (24e) or
    not."""

    def __init__(self, kernel: StructureKernel, structures: Structures, normalize: bool):
        self.kernel, self.structures, self.normalize = kernel, structures, normalize

    def __len__(self) -> int:
        return len(self.structures)

    @cached_property
    def own(self) -> np.ndarray:
        """K(A, A) (n,), 1 or 0 where it is normalised."""
        return (self._plain_own > 0).astype(float) if self.normalize else self._plain_own

    def between(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """K (n_rows, n_columns). Raises SoapGprError where a match is not found."""
        A, B = self.structures.take(rows), self.structures.take(columns)
        K = self.kernel.between(A, B)
        own = self._plain_own if self.normalize else None
        return K if own is None else normalized(K, own[rows], own[columns])

    @cached_property
    def _plain_own(self) -> np.ndarray:
        return np.maximum(self.kernel.of_each(self.structures), 0.0)
