# SPDX-License-Identifier: BSD-3-Clause
"""Neighbour lists: all periodic images within a cutoff, the atom itself excluded."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import vesin
from ase.geometry import complete_cell

from potential import _core
from potential.errors import SoapGprError
from potential.structures.geometry import check_geometry

# Per atom of a structure, on average: liquid water has as many within 36 Å.
MOST_NEIGHBORS = 20_000
# Å: no two images of an atom are ever nearer, and no cutoff is shorter. vesin counts cells of both
# up to FARTHEST in 32 bits.
_THINNEST = _SHORTEST = 0.1
# In cutoffs, of a structure without gaps: beyond it distances lose their digits.
_LONGEST = 5e4
# vesin merges cells beyond this number, and divides by zero where a thin direction keeps none.
_MOST_CELLS = 1e5
# Pairs whose memory is compared with what is free, and the memory of each until forces are known.
_MANY_PAIRS = 1e7
_PAIR_BYTES = 130


@dataclass(frozen=True)
class NeighborList:
    """Pairs i → j sorted by i; the neighbours of i are [offset[i], offset[i + 1])."""

    offset: np.ndarray  # (N + 1,) uint64
    neighbor: np.ndarray  # (n_pairs,) uint64, index of j
    r_ij: np.ndarray  # (n_pairs, 3) Å, r_j − r_i + image

    @property
    def counts(self) -> np.ndarray:
        """Number of neighbours of each atom (N,)."""
        return np.diff(self.offset.astype(np.int64))


def neighbor_list(positions, cell, pbc, cutoff: float) -> NeighborList:
    """Neighbours within ``cutoff`` Å, also when the cell is smaller or atoms lie far outside it.

    positions (N, 3) Å, cell (3, 3) Å with the cell vectors as rows or None, pbc a bool or three.
    Raises SoapGprError as ``check_geometry`` does, for cells and structures of absurd size, and
    before any memory is taken for more neighbours than ``MOST_NEIGHBORS`` or than there is memory.
    """
    positions, cell, pbc = _arrays(positions, cell, pbc)
    check_geometry(positions, cell, pbc)
    if not _SHORTEST <= cutoff < math.inf:
        raise SoapGprError(f"found a cutoff of {cutoff:g} Å, expected {_SHORTEST} or more")
    box = _box(cell, pbc)
    heights = 1.0 / np.linalg.norm(np.linalg.inv(box), axis=0)
    if (heights[pbc] < _THINNEST).any():
        raise SoapGprError(
            f"found a periodic cell {heights[pbc].min():.3g} Å thick, expected {_THINNEST} or more"
        )
    positions, pbc = _cut_at_gaps(positions, box, heights, pbc, cutoff)
    positions, lengths = _close_gaps(positions, box, heights, pbc, cutoff)
    _require_few_pairs(positions, lengths, box, heights, pbc, cutoff)
    box, lengths, pbc = _all_periodic(box, lengths, heights, pbc, cutoff)
    # every pair once and unsorted: sorting both directions in the core is quicker than in vesin
    radius = _search_radius(lengths, cutoff)
    half = vesin.NeighborList(cutoff=radius, full_list=False, sorted=False, n_threads=1)
    try:
        i, j, r_ij = half.compute(positions, box, pbc, quantities="ijD", copy=False)
    except RuntimeError as error:
        raise SoapGprError(f"the neighbours within {cutoff:g} Å cannot be found: {error}") from None
    if radius > cutoff:
        near = np.einsum("kx,kx->k", r_ij, r_ij) < cutoff**2
        i, j, r_ij = (np.ascontiguousarray(values[near]) for values in (i, j, r_ij))
    return NeighborList(*_core.both_directions(i, j, r_ij, len(positions)))


def neighbors_of(structure, cutoff: float) -> NeighborList:
    """``neighbor_list`` of a Structure, which is named in what is raised."""
    try:
        return neighbor_list(structure.positions, structure.cell, structure.pbc, cutoff)
    except SoapGprError as error:
        raise SoapGprError(f"{structure.source}: {error}") from None


def in_order(neighbors: NeighborList, positions, cell, pbc) -> NeighborList:
    """The neighbours of every atom by their index, images of one atom by their lattice translation
    along the first cell vector, then the second and the third.

    The arguments that ``neighbor_list`` had. The order is that of docs/theory.md eq. (22f).
    """
    positions, cell, pbc = _arrays(positions, cell, pbc)
    i = np.repeat(np.arange(len(positions)), neighbors.counts)
    j = neighbors.neighbor.astype(np.int64)
    translations = neighbors.r_ij - (positions[j] - positions[i])
    shifts = np.rint(translations @ np.linalg.inv(_box(cell, pbc)))
    order = np.lexsort((*shifts.T[::-1], j, i))
    return NeighborList(neighbors.offset, neighbors.neighbor[order], neighbors.r_ij[order])


def two_of(span: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Every two entries of ``span`` (n,) once, the earlier one first, a million at a time: pairs of
    neighbours of an atom that may have very many."""
    n = len(span)
    step = max(1, 1_000_000 // max(1, n))
    for begin in range(0, n, step):
        first, second = np.triu_indices(min(step, n - begin), 1, n - begin)
        yield span[begin + first], span[begin + second]


def _arrays(positions, cell, pbc):
    positions = np.ascontiguousarray(positions, dtype=np.float64).reshape(-1, 3)
    cell = np.zeros((3, 3)) if cell is None else np.asarray(cell, dtype=np.float64).reshape(3, 3)
    return positions, cell, np.broadcast_to(np.asarray(pbc, dtype=bool), (3,))


def _box(cell, pbc):
    """Vectors of directions that are not periodic mean nothing, and may be anything."""
    return complete_cell(np.where(pbc[:, None], cell, 0.0))


def _cut_at_gaps(positions, box, heights, pbc, cutoff):
    """The same neighbours with fewer periodic directions: the time of vesin grows with the volume
    of a periodic cell, and molecules in very large cells are common in i-PI.

    A direction with an empty slab wider than the cutoff is cut there and is not periodic any more.
    """
    pbc = pbc.copy()
    wide = np.flatnonzero(pbc & (heights > 4 * cutoff))
    if len(wide) == 0 or len(positions) == 0:
        return positions, pbc
    fractional = positions @ np.linalg.inv(box)
    for axis in wide:
        along = np.sort(fractional[:, axis] % 1.0)
        gaps = np.diff(along, append=along[0] + 1.0)
        k = int(np.argmax(gaps))
        if gaps[k] * heights[axis] <= cutoff:
            continue
        start = along[(k + 1) % len(along)] - 0.5 * gaps[k]
        fractional[:, axis] = (fractional[:, axis] - start) % 1.0
        pbc[axis] = False
    return fractional @ box, pbc


def _close_gaps(positions, box, heights, pbc, cutoff):
    """The same neighbours with less empty space between atoms that are very far apart, as those of
    a molecule that has exploded: vesin takes long there. Returns positions and their lengths.

    Where there are many more cells than atoms, empty slabs wider than two cutoffs across a
    direction that is not periodic become that wide.
    """
    lengths = _lengths(positions, box, heights, pbc)
    if math.prod(_n_cells(lengths, cutoff)) > 1000 + 10 * len(positions):
        fractional = positions @ np.linalg.inv(box)
        for axis in np.flatnonzero(~pbc & (lengths > 4 * cutoff)):
            order = np.argsort(fractional[:, axis])
            gaps = np.minimum(np.diff(fractional[order, axis]), 2 * cutoff / heights[axis])
            fractional[order, axis] = np.concatenate([[0.0], np.cumsum(gaps)])
        positions = fractional @ box
        lengths = _lengths(positions, box, heights, pbc)
    if (lengths > _LONGEST * cutoff).any():
        raise SoapGprError(
            f"found a structure {lengths.max():.3g} Å long, expected less than {_LONGEST:g} cutoffs"
        )
    return positions, lengths


def _all_periodic(box, lengths, heights, pbc, cutoff):
    """The same neighbours with no mixture of periodic and other directions, where the time of vesin
    grows with the square of the cells along the others: these get an empty slab wider than the
    cutoff. Returns box, lengths and pbc.
    """
    if pbc.all() or not pbc.any():
        return box, lengths, pbc
    lengths = np.where(pbc, lengths, lengths + 1.01 * cutoff)
    return box * (lengths / heights)[:, None], lengths, np.ones(3, dtype=bool)


def _require_few_pairs(positions, lengths, box, heights, pbc, cutoff) -> None:
    """Raise SoapGprError when there are too many neighbours for anything physical, or for the
    memory that is free.

    Their number follows from the density around the atoms, in boxes as thick as the cutoff or as
    the periodic cell where that is thinner.
    """
    n_atoms = len(positions)
    most = n_atoms * math.prod((2 * cutoff / heights[pbc] + 1).tolist())  # in any arrangement
    if most * max(n_atoms, 50) <= 50 * MOST_NEIGHBORS:
        return
    n_boxes = np.maximum(lengths // cutoff, 1.0)
    thickness = np.where(pbc, heights / n_boxes, cutoff)
    fractional = positions @ np.linalg.inv(box)
    fractional -= np.where(pbc, np.floor(fractional), fractional.min(axis=0))
    place = np.floor(fractional * (heights / thickness))
    _, *strides = np.cumprod([1.0, *(place.max(axis=0) + 1)])
    flat = (place[:, 0] + place[:, 1] * strides[0] + place[:, 2] * strides[1]).astype(np.int64)
    few = strides[2] < 10 * n_atoms
    counts = np.bincount(flat) if few else np.unique(flat, return_counts=True)[1]
    volume = math.prod(thickness) * abs(np.linalg.det(box)) / math.prod(heights)
    neighbors = (counts**2.0).sum() / n_atoms / volume * 4 / 3 * math.pi * cutoff**3
    if neighbors > MOST_NEIGHBORS:
        raise SoapGprError(
            f"found about {neighbors:.2g} neighbours of each atom within {cutoff:g} Å, expected "
            f"{MOST_NEIGHBORS} at most: check cell, positions and units"
        )
    if n_atoms * neighbors > _MANY_PAIRS:
        _require_memory(n_atoms * neighbors, cutoff)


def _require_memory(n_pairs: float, cutoff: float) -> None:
    from potential.runtime.memory import (
        available_bytes,  # with the solvers, which a driver never needs
    )

    free = available_bytes()
    if free is not None and n_pairs * _PAIR_BYTES > free:
        raise SoapGprError(
            f"found about {n_pairs:.2g} pairs within {cutoff:g} Å, which need "
            f"{n_pairs * _PAIR_BYTES / 2**30:.1f} GiB and {free / 2**30:.1f} GiB are free"
        )


def _search_radius(lengths, cutoff: float) -> float:
    """The cutoff, or for large sheets and long rods what gives vesin fewer and thicker cells."""
    radius = cutoff
    while True:
        n = _n_cells(lengths, radius)
        total = math.prod(n)
        if total <= 0.9 * _MOST_CELLS or min(n) * (_MOST_CELLS / total) ** (1 / 3) >= 2:
            return radius
        radius *= 1.1


def _n_cells(lengths, cutoff: float) -> list[float]:
    """vesin's cells along each direction, at most: it may count the atoms at both ends."""
    return [length // cutoff + 1.0 for length in lengths.tolist()]


def _lengths(positions, box, heights, pbc):
    """(3,) Å across the cell, or across the atoms where it is not periodic."""
    if len(positions) == 0:
        return np.where(pbc, heights, 0.0)
    if pbc.all():
        return heights
    extent = np.ptp(positions @ np.linalg.inv(box), axis=0)
    return np.where(pbc, 1.0, extent) * heights
