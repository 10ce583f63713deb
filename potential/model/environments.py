# SPDX-License-Identifier: BSD-3-Clause
"""The environments of all atoms of a structure, as the core takes them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from potential import _core
from potential.structures.neighbors import NeighborList


class Environments(_core.Environments):
    """Species and neighbours of every atom of a structure; ``len`` is the number of atoms.

    species (N,) int32: places in the model's list of species; columns (N,): those of the atoms
    that its targets ask for.
    """

    def __init__(
        self,
        species: np.ndarray,
        neighbors: NeighborList,
        columns: Mapping[str, np.ndarray] | None = None,
    ):
        of_neighbor = species[neighbors.neighbor.astype(np.int64)]
        super().__init__(species, neighbors.offset, neighbors.neighbor, of_neighbor, neighbors.r_ij)
        self.species, self.columns = species, columns or {}

    def __len__(self) -> int:
        return len(self.species)
