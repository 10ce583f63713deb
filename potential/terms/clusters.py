# SPDX-License-Identifier: BSD-3-Clause
"""What terms of pairs and triplets share: their functions' names and order in the model file."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from potential.basis.cutoff import COSINE, CutoffFunction
from potential.model import Environments
from potential.settings.terms import FunctionTermSettings
from potential.structures.neighbors import neighbors_of
from potential.structures.structure import Structure, symbol
from potential.terms.term import Draft, Entry, SparseTerm


def pairs(n_species: int) -> list[tuple[int, int]]:
    """Species indices of every pair, in the order of the model file."""
    return [(a, b) for a in range(n_species) for b in range(a, n_species)]


def triplets(n_species: int) -> list[tuple[int, int, int]]:
    """Species indices (centre, neighbour, neighbour) of every triplet, in the file's order."""
    return [(a, *both) for a in range(n_species) for both in pairs(n_species)]


def pair_names(species: Sequence[int]) -> list[str]:
    """Such as Si-O, one per pair."""
    return [f"{symbol(species[a])}-{symbol(species[b])}" for a, b in pairs(len(species))]


def triplet_names(species: Sequence[int]) -> list[str]:
    """Such as H-O-H, the centre in the middle, one per triplet."""
    symbols = [symbol(z) for z in species]
    return [f"{symbols[b]}-{symbols[a]}-{symbols[c]}" for a, b, c in triplets(len(species))]


def fading_entry(settings: FunctionTermSettings) -> Entry:
    """The cutoff function in the entry of a term."""
    f_c = settings.f_c()
    return {"cutoff": f_c.cutoff, "cutoff_width": f_c.width, "cutoff_function": f_c.kind}


def f_c_of(entry: Entry) -> CutoffFunction:
    """The cutoff function of a term; older files have a cosine and do not say so."""
    kind = entry.get("cutoff_function", COSINE)
    return CutoffFunction(entry["cutoff"], entry["cutoff_width"], kind)


class ClusterTerm(SparseTerm):
    """A term of one fitted function for each pair or triplet of species, kept as a spline.

    A draft holds the entry, ``sparse_points`` {p: (M_p, ...)} in Å and, where known, ``weights``
    {p: (M_p,)}.
    """

    ARRAYS = ("sparse_points", "weights")

    @staticmethod
    @abstractmethod
    def table(
        entry: Entry, n_species: int, p: int, points: np.ndarray, weights: np.ndarray
    ) -> np.ndarray:
        """The spline of function p in the model file, from its sparse points and weights (M,)."""

    @abstractmethod
    def set_rows(
        self, p: int, points: np.ndarray, environments: Environments, gradients: bool
    ) -> np.ndarray:
        """Columns of the design matrix of one sparse set, see ``Term.row_blocks``."""

    @abstractmethod
    def center_rows(
        self, p: int, points: np.ndarray, centers: Sequence[Environments]
    ) -> np.ndarray:
        """Columns (n, M) of one sparse set in the rows of the energies of these centres."""

    @abstractmethod
    def of_points(self, p: int) -> dict[str, np.ndarray]:
        """Arrays from which kernels of an environment with each sparse point of function p follow,
        by what comes after ``variance.`` in their names in the model file."""

    @classmethod
    def arrays_of(cls, draft: Draft, n_species: int) -> dict[str, np.ndarray]:
        arrays = {}
        for p, points in draft["sparse_points"].items():
            own = draft.get("weights", {}).get(p, np.zeros(len(points)))
            arrays[f"table.{p}"] = cls.table(draft, n_species, p, points, own)
            arrays[f"sparse_points.{p}"] = points
            arrays[f"weights.{p}"] = own
        return arrays

    def row_blocks(self, environments: Environments, gradients: bool) -> list[np.ndarray]:
        return [
            self.set_rows(p, points, environments, gradients)
            for p, points in self.sparse_points.items()
        ]

    def atom_rows(self, environments: Environments) -> np.ndarray:
        centers = [environments.center(i) for i in range(len(environments))]
        sets = self.sparse_points.items()
        return np.concatenate([self.center_rows(p, points, centers) for p, points in sets], axis=1)

    def tables(self, a: int, points: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
        n_species = len(self.model.species)
        return {f"table.{a}": self.table(self.entry, n_species, a, points, weights)}

    def evaluated_arrays(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        own = self.weight_arrays(weights)
        return {name: array for name, array in own.items() if name.startswith("table.")}

    @property
    def description(self) -> str:
        kind, cutoff, length_scale, delta = (
            self.entry[key] for key in ("kind", "cutoff", "length_scale", "delta")
        )
        return f"{kind}, cutoff {cutoff:g} Å, length scale {length_scale:g} Å, delta {delta:g} eV"


def shortest_distances(
    cutoff: float, species: Sequence[int], structures: Sequence[Structure]
) -> np.ndarray:
    """Shortest distance in Å of each pair of species (n_functions,), inf where none is below the
    cutoff."""
    index = {z: a for a, z in enumerate(species)}
    place = {pair: p for p, pair in enumerate(pairs(len(species)))}
    shortest = np.full(len(place), np.inf)
    for structure in structures:
        neighbors = neighbors_of(structure, cutoff)
        own = np.array([index[int(z)] for z in structure.numbers])
        first = np.repeat(own, neighbors.counts)
        second = own[neighbors.neighbor.astype(np.int64)]
        r = np.linalg.norm(neighbors.r_ij, axis=1)
        for (a, b), p in place.items():
            # a < b appears in both directions
            of_pair = r[(first == a) & (second == b)]
            shortest[p] = min(shortest[p], of_pair.min(initial=np.inf))
    return np.where(shortest < cutoff, shortest, np.inf)
