# SPDX-License-Identifier: BSD-3-Clause
"""Fits to some of the blocks of structures, from the triangle of each block (docs/theory.md eq. 25,
25b, 25l).

In coordinates v = R w, R of the full fit, the matrix of the full problem is 1 and those of its
parts lie between 0 and 1: sums of squares, which would lose half of the digits of the weights, are
harmless there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import cached_property

import numpy as np
from scipy.linalg import LinAlgError, cho_solve, cholesky, solve_triangular
from scipy.linalg.blas import dsyrk, dtrsm

from potential.errors import SoapGprError
from potential.runtime.parallel import ordered_map


class WhitenedBlocks:
    """The regression in whitened coordinates, block by block.

    R (M + 1, M + 1): triangle of the full problem with its prior and, as the last column, its
    targets; U (M, M): that of the prior, for ``weights`` alone; blocks: triangles (M + 1, M + 1) of
    [A_b y_b], which are taken out of the list as they are used, so that memory does not grow.
    """

    def __init__(self, R: np.ndarray, U: np.ndarray | None, blocks: list[np.ndarray]):
        self.M = M = len(R) - 1
        self.R, self.v = R[:M, :M], R[:M, M].copy()
        self.n_blocks = len(blocks)
        parts = list(ordered_map(self._whitened, _taken(blocks)))
        self._G = [G for G, _ in parts]
        self._g = [g for _, g in parts]
        self._U = U

    @cached_property
    def _prior(self) -> np.ndarray:
        assert self._U is not None
        return self._whitened(np.pad(self._U, ((0, 0), (0, 1))))[0]

    def weights(self, blocks: Collection[int]) -> np.ndarray:
        """w (M,) of the fit to these blocks alone, eq. (25)."""
        S = self._prior.copy(order="F")
        for b in blocks:
            S += self._G[b]
        v = cho_solve((_cholesky(S), True), np.sum([self._g[b] for b in blocks], axis=0))
        return self._back(v)

    def committee(self, halves: Sequence[Collection[int]]) -> np.ndarray:
        """w (n_members, M) of the fits to each of these sets of blocks."""
        _ = self._prior  # once for all threads
        return np.array(list(ordered_map(self.weights, halves)))

    def without(self, b: int, inverse: bool = True) -> tuple[np.ndarray, np.ndarray | None]:
        """w (M,) of the fit to all other blocks, and with ``inverse`` T (M, M) of eq. (25l): the
        posterior variance of a linear functional a of that fit is |a T|²."""
        L = _cholesky(np.eye(self.M, order="F") - self._G[b])
        w = self._back(cho_solve((L, True), self.v - self._g[b]))
        if not inverse:
            return w, None
        T = solve_triangular(L, np.eye(self.M), lower=True, overwrite_b=True).T
        return w, solve_triangular(self.R, T)

    def _whitened(self, R_b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """G = XᵀX and g = Xᵀy with X = A_b R⁻¹, both triangles of G."""
        X = dtrsm(1.0, self.R, np.asfortranarray(R_b[:, : self.M]), side=1)
        G = dsyrk(1.0, X, trans=1, lower=1)
        G += np.tril(G, -1).T
        return G, X.T @ R_b[:, self.M]

    def _back(self, v: np.ndarray) -> np.ndarray:
        return solve_triangular(self.R, v)


def _taken(blocks: list[np.ndarray]) -> Iterator[np.ndarray]:
    while blocks:
        yield blocks.pop(0)


def _cholesky(S: np.ndarray) -> np.ndarray:
    try:
        return cholesky(S, lower=True, overwrite_a=True)
    except LinAlgError:
        raise SoapGprError(
            "the fit to some of the structures is singular: raise [solver] jitter tenfold, or the "
            "expected errors in [noise]"
        ) from None
