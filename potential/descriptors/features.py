# SPDX-License-Identifier: BSD-3-Clause
"""Features of the environments of one or several structures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from potential.errors import SoapGprError

POOLINGS = ("mean", "sum")


@dataclass(frozen=True, eq=False)
class FeatureGradients:
    """Derivatives of feature rows, of those atoms alone that an environment sees.

    Environments and atoms are counted through all structures: atom j of structure s is row
    ``offsets[s] + j`` of ``Features``. Pairs are sorted by environment, whose own atom comes first.
    All periodic images of an atom move with it.
    """

    environment: np.ndarray  #: (n_pairs,) row of the features
    atom: np.ndarray  #: (n_pairs,) the atom that moves, once per environment that sees it
    positions: np.ndarray  #: (n_pairs, 3, n_features) ∂p̂/∂(x, y, z) in 1/Å
    strain: np.ndarray  #: (n_environments, 6, n_features) ∂p̂/∂ε by xx, yy, zz, yz, xz, xy


@dataclass(frozen=True, eq=False)
class Features:
    """Features of the atoms of all structures, one below the other."""

    values: np.ndarray  #: (n_environments, n_features)
    numbers: np.ndarray  #: (n_environments,) atomic numbers of the centres
    offsets: np.ndarray  #: (n_structures + 1,) rows of structure s: offsets[s] to offsets[s + 1]
    gradients: FeatureGradients | None = None

    @property
    def structure(self) -> np.ndarray:
        """(n_environments,) index of the structure of each row."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))

    def pooled(self, pooling: str = "mean") -> np.ndarray:
        """(n_structures, n_features): the mean or the sum of the rows of each structure.

        Raises SoapGprError for another word.
        """
        require_pooling(pooling)
        sums = np.add.reduceat(self.values, self.offsets[:-1], axis=0)
        return sums / np.diff(self.offsets)[:, None] if pooling == "mean" else sums


def require_pooling(pooling: object, allowed: Sequence[object] = POOLINGS) -> None:
    """Raise SoapGprError for a pooling that is not one of those allowed."""
    if pooling not in allowed:
        expected = " or ".join(repr(name) for name in allowed)
        raise SoapGprError(f"pooling: found {pooling!r}, expected {expected}")
