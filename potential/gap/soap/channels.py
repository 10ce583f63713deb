# SPDX-License-Identifier: BSD-3-Clause
"""Which products of density channels QUIP's soap keeps, and in which order (docs/gap.md).

QUIP's channels are k = s n_max + n, s in the order of species_Z. Its variants multiply two
contractions W_1, W_2 of them. Here both stand side by side as channels, and the features of
docs/theory.md eq. (5a) are the products that the variant keeps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

LARGEST = 40_000_000  # products of channels, before a selection


@dataclass(frozen=True)
class Channels:
    """W (n_species, n_max, Q), the products (first, second) in QUIP's order and their factors.

    Factors are relative to eq. (5).
    """

    W: np.ndarray
    first: np.ndarray
    second: np.ndarray
    factor: np.ndarray
    kept: np.ndarray | None = None  # of the features, l fastest; None: all

    @property
    def plain(self) -> bool:
        """Whether these are all products of all channels, each once."""
        K = self.W.shape[2]
        identity = self.W.reshape(-1, K)
        return (
            len(identity) == K
            and self.kept is None
            and len(self.first) == K * (K + 1) // 2
            and bool((self.factor == 1).all())
            and np.array_equal(identity, np.eye(K))
        )

    def places(self, l_max: int) -> np.ndarray:
        """Places (n_features,) in docs/theory.md eq. (5) of QUIP's features, l fastest."""
        Q = self.W.shape[2]
        low, high = np.minimum(self.first, self.second), np.maximum(self.first, self.second)
        within = low * Q - low * (low - 1) // 2 + high - low
        return self._kept((within[:, None] + np.arange(l_max + 1) * (Q * (Q + 1) // 2)).ravel())

    def scales(self, l_max: int) -> np.ndarray:
        """Factors (n_features,) γ of docs/theory.md eq. (5a), l fastest."""
        return self._kept(np.repeat(self.factor, l_max + 1))

    def by_rows(self) -> Channels:
        """The same with first <= second of one contraction, and in the order of rows."""
        if (self.second > self.first).all():  # two contractions
            return self
        first, second = np.triu_indices(self.W.shape[2])
        return replace(self, first=first, second=second)

    def _kept(self, values: np.ndarray) -> np.ndarray:
        return values if self.kept is None else values[self.kept]


def without_division(l_max: int) -> np.ndarray:
    """Factors (l_max + 1,) of channels that undo eq. (5)'s division by √(2l+1)."""
    return (2 * np.arange(l_max + 1) + 1) ** 0.25


def channels(n_species: int, n_max: int, diagonal_radial=False, nu_r=2, nu_s=2) -> Channels:
    """For soap and its options diagonal_radial, nu_R and nu_S."""
    W = [_kept(n_species, n_max, nu_r > i, nu_s > i) for i in range(2)]
    if nu_r == 1 or nu_s == 1:
        first, second = np.indices((W[0].shape[2], W[1].shape[2])).reshape(2, -1)
        # different channels, so that eq. (5) has a √2 that QUIP has not
        factor = np.full(len(first), np.sqrt(0.5))
        return Channels(np.concatenate(W, axis=2), first, second + W[0].shape[2], factor)
    first, second = np.tril_indices(W[0].shape[2])
    if diagonal_radial:
        same = first % n_max == second % n_max
        first, second = first[same], second[same]
    return Channels(W[0], first, second, np.ones(len(first)))


def _kept(n_species, n_max, keep_n, keep_s):
    """W of one factor of the product: what is not kept is summed over."""
    radial = np.eye(n_max) if keep_n else np.ones((n_max, 1))
    species = np.eye(n_species) if keep_s else np.ones((n_species, 1))
    W = np.einsum("nk,sj->snjk", radial, species)
    return W.reshape(n_species, n_max, -1)
