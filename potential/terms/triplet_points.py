# SPDX-License-Identifier: BSD-3-Clause
"""Triplets of structures, thinned: candidates for the sparse points of triplet terms.

docs/theory.md eq. (22d).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from potential.runtime.progress import Progress, silent
from potential.structures.neighbors import neighbors_of, two_of
from potential.structures.structure import Structure

_WAITING = 200_000  # triplets, before they are thinned


def candidates(
    structures: Sequence[Structure],
    cutoff: float,
    species: Sequence[int],
    functions: Sequence[tuple[int, int, int]],
    edge: float,
    progress: Progress = silent,
) -> list[np.ndarray]:
    """Triplets (n, 3) in Å of every function, at most one in each cube of this edge: the lowest.

    functions: species indices of centre and two neighbours. Memory is bounded by the number of
    cubes, and the order of the structures plays no part.
    """
    places = {own: p for p, own in enumerate(functions)}
    kept = [Thinned(edge) for _ in places]
    for structure in progress(structures, "triplets"):
        for own, found in _triplets(structure, cutoff, species):
            kept[places[own]].add(found)
    return [own.points() for own in kept]


class Thinned:
    """Triplets, of which one in each cube is kept; bounded by the number of cubes."""

    def __init__(self, edge: float):
        self._edge = edge
        self._kept, self._waiting, self._count = np.zeros((0, 3)), list[np.ndarray](), 0

    def add(self, points: np.ndarray) -> None:
        self._waiting.append(points)
        self._count += len(points)
        if self._count > _WAITING:
            self.points()

    def points(self) -> np.ndarray:
        """(n, 3), in an order that does not depend on that of ``add``."""
        points = np.concatenate([self._kept, *self._waiting])
        points = points[np.lexsort(points.T)]
        _, lowest = np.unique((points / self._edge).astype(np.int64), axis=0, return_index=True)
        self._kept, self._waiting, self._count = points[np.sort(lowest)], [], 0
        return self._kept


def _triplets(
    structure: Structure, cutoff: float, species: Sequence[int]
) -> Iterator[tuple[tuple[int, int, int], np.ndarray]]:
    """(centre, neighbour, neighbour) and distances (n, 3) Å, centre by centre.

    Neighbours of one species come with the shorter distance first.
    """
    neighbors = neighbors_of(structure, cutoff)
    index = {z: a for a, z in enumerate(species)}
    own = np.array([index[int(z)] for z in structure.numbers])
    distance = np.linalg.norm(neighbors.r_ij, axis=1)
    of_neighbor = own[neighbors.neighbor.astype(np.int64)]
    offset = neighbors.offset.astype(np.int64)
    for i, a in enumerate(own.tolist()):
        span = np.arange(offset[i], offset[i + 1])
        span = span[distance[span] < cutoff]
        span = span[np.lexsort((distance[span], of_neighbor[span]))]
        for first, second in two_of(span):
            r_jk = np.linalg.norm(neighbors.r_ij[second] - neighbors.r_ij[first], axis=1)
            found = np.stack([distance[first], distance[second], r_jk], axis=1)
            kinds = of_neighbor[first] * len(species) + of_neighbor[second]
            for kind in np.unique(kinds).tolist():
                yield (a, *divmod(kind, len(species))), found[kinds == kind]
