# SPDX-License-Identifier: BSD-3-Clause
"""Neighbour lists against brute force and against ASE."""

import numpy as np
import pytest
import slow_twin
from ase import Atoms
from ase.neighborlist import neighbor_list as ase_neighbor_list

from potential.neighbors import neighbor_list

CELLS = {
    "cube": 6.0 * np.eye(3),
    "smaller than the cutoff": np.array([[2.0, 0, 0], [0.7, 2.2, 0], [-0.4, 0.9, 2.4]]),
    "flat": np.diag([3.0, 3.0, 80.0]),
    "huge": np.array([[500.0, 0, 0], [120.0, 400.0, 0], [-70.0, 90.0, 300.0]]),
}


def pairs_of(offset, neighbor, r_ij):
    first = np.repeat(np.arange(len(offset) - 1), np.diff(offset.astype(int)))
    table = np.column_stack([first, neighbor.astype(int), np.round(r_ij, 6)])
    return table[np.lexsort(table.T[::-1])]


@pytest.mark.parametrize("pbc", [True, False, [True, True, False], [False, True, False]])
@pytest.mark.parametrize("name", CELLS)
def test_pairs_equal_brute_force(name, pbc):
    rng = np.random.default_rng(0)
    cell, cutoff = CELLS[name], 3.5
    positions = rng.uniform(0, 6, (9, 3)) + rng.integers(-5, 5, (9, 3)) @ (cell * np.array([pbc]).T)
    found = neighbor_list(positions, cell, pbc, cutoff)
    expected = slow_twin.neighbours(positions, cell, pbc, cutoff)
    assert np.diff(found.offset.astype(int)).tolist() == [len(j) for j, _ in expected]
    table = pairs_of(found.offset, found.neighbor, found.r_ij)
    twin = pairs_of(
        found.offset,
        np.concatenate([j for j, _ in expected]),
        np.concatenate([r for _, r in expected]),
    )
    np.testing.assert_allclose(table, twin, atol=3e-6)


def test_molecules_at_both_faces_of_a_wide_cell_see_each_other():
    cell = 100.0 * np.eye(3)
    positions = np.array([[0.1, 50.0, 99.9], [99.8, 50.3, 0.4], [50.0, 0.0, 0.0]])
    found = neighbor_list(positions, cell, True, 3.0)
    i, D = ase_neighbor_list("iD", Atoms("H3", positions, cell=cell, pbc=True), 3.0)
    assert np.diff(found.offset.astype(int)).tolist() == [1, 1, 0]
    np.testing.assert_allclose(found.r_ij, D[np.argsort(i)], atol=1e-12)


def test_atoms_spread_over_a_wide_cell_keep_their_images():
    positions = np.arange(60)[:, None] * np.array([[1.0, 0.0, 0.0]])
    found = neighbor_list(positions, np.diag([60.0, 9.0, 9.0]), True, 1.5)
    assert (np.diff(found.offset.astype(int)) == 2).all()
