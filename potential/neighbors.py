# SPDX-License-Identifier: BSD-3-Clause
"""Neighbour lists: all periodic images within a cutoff, the atom itself excluded."""

from dataclasses import dataclass

import numpy as np
import vesin
from ase.geometry import complete_cell

from potential import _core
from potential.errors import SoapGprError


@dataclass(frozen=True)
class NeighborList:
    """Pairs i → j sorted by i; the neighbours of i are [offset[i], offset[i + 1])."""

    offset: np.ndarray  # (N + 1,) uint64
    neighbor: np.ndarray  # (n_pairs,) uint64, index of j
    r_ij: np.ndarray  # (n_pairs, 3) Å, r_j − r_i + image


def neighbor_list(positions, cell, pbc, cutoff: float) -> NeighborList:
    """Neighbours within ``cutoff`` Å, also when the cell is smaller or atoms lie far outside it.

    positions (N, 3) Å, cell (3, 3) Å with the cell vectors as rows or None, pbc a bool or three.
    Raises SoapGprError for values that are not finite or a periodic direction without a vector.
    """
    positions = np.ascontiguousarray(positions, dtype=np.float64).reshape(-1, 3)
    pbc = np.broadcast_to(np.asarray(pbc, dtype=bool), (3,))
    cell = np.zeros((3, 3)) if cell is None else np.asarray(cell, dtype=np.float64).reshape(3, 3)
    if not (np.isfinite(positions).all() and np.isfinite(cell).all()):
        raise SoapGprError("found a position or cell vector that is not finite")
    if pbc.any() and np.linalg.matrix_rank(cell[pbc]) < pbc.sum():
        raise SoapGprError("found a periodic direction without a cell vector of its own")
    box = complete_cell(cell)
    positions, pbc = _cut_at_gaps(positions, box, pbc, cutoff)
    # every pair once and unsorted: sorting both directions in the core is quicker than in vesin
    half = vesin.NeighborList(cutoff=cutoff, full_list=False, sorted=False, n_threads=1)
    pairs = half.compute(positions, box, pbc, quantities="ijD", copy=False)
    return NeighborList(*_core.both_directions(*pairs, len(positions)))


def _cut_at_gaps(positions, box, pbc, cutoff):
    """The same neighbours with fewer periodic directions: the time of vesin grows with the volume
    of a periodic cell, and molecules in very large cells are common in i-PI.

    A direction with an empty slab wider than the cutoff is cut there and is not periodic any more.
    """
    pbc = pbc.copy()
    heights = 1.0 / np.linalg.norm(np.linalg.inv(box), axis=0)
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
