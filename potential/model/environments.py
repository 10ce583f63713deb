# SPDX-License-Identifier: BSD-3-Clause
"""The environments of all atoms of a structure, as the core takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from potential import _core
from potential.structures.beads import species_of
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
        self._neighbors = neighbors

    def __len__(self) -> int:
        return len(self.species)

    def seeing(self, atoms: np.ndarray) -> np.ndarray:
        """(N,) whether each atom is one of these or has one among its neighbours."""
        is_one = np.isin(np.arange(len(self)), atoms)
        sees = is_one.copy()
        pairs = np.repeat(np.arange(len(self)), self._neighbors.counts)
        sees[pairs[is_one[self._neighbors.neighbor.astype(np.int64)]]] = True
        return sees

    def center(self, i: int) -> Environments:
        """Atom i with its neighbours, as atom 0 of a cluster in which no other atom has any."""
        begin, end = self._neighbors.offset[i : i + 2].tolist()
        of, r_ij = self._neighbors.neighbor[begin:end], self._neighbors.r_ij[begin:end]
        n = end - begin
        offset = np.full(n + 2, n, dtype=np.uint64)
        offset[0] = 0
        species = self.species[np.concatenate([[i], of.astype(np.int64)])]
        own = NeighborList(offset, np.arange(1, n + 1, dtype=np.uint64), r_ij)
        return Environments(species, own)


def geometry_of(atoms, positions=None, cell=None, pbc=None) -> tuple[Any, Any, Any, Any]:
    """Numbers, positions, cell and pbc from the arguments of ``Model.evaluate``."""
    if positions is not None:
        return atoms, positions, cell, False if pbc is None else pbc
    if cell is not None or pbc is not None or not hasattr(atoms, "positions"):
        raise TypeError("expected a structure alone, or numbers and positions")
    return species_of(atoms), atoms.positions, atoms.cell, atoms.pbc
