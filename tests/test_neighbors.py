# SPDX-License-Identifier: BSD-3-Clause
"""Neighbour lists against brute force and against ASE."""

import numpy as np
import pytest
import slow_twin
import vesin
from ase import Atoms
from ase.neighborlist import neighbor_list as ase_neighbor_list

from potential.errors import SoapGprError
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


@pytest.mark.parametrize("pbc", [False, True, [True, False, False]])
@pytest.mark.parametrize("far", [1e4, 1e7, 1e12])
def test_atoms_very_far_apart_are_no_neighbours(pbc, far):
    positions = np.array([[0.0, 0.0, 0.0], [0.0, far, 0.0], [0.0, far, 1.5], [1.0, 0.0, 0.0]])
    found = neighbor_list(positions, 3 * far * np.eye(3), pbc, 3.0)
    assert found.neighbor.tolist() == [3, 2, 1, 0]
    np.testing.assert_allclose(np.linalg.norm(found.r_ij, axis=1), [1.0, 1.5, 1.5, 1.0], atol=1e-3)


@pytest.mark.parametrize("pbc", [True, False, [True, True, False]])
def test_large_thin_sheets_do_not_end_the_process(pbc, n=5000):
    """vesin by itself divides by zero: it merges cells until the thin direction has none."""
    cell = np.diag([2000.0, 2000.0, 4.0])
    positions = np.random.default_rng(0).uniform(0, 1, (n, 3)) @ cell
    positions[1] = positions[0] + [1.0, -1.0, 0.5]
    found = neighbor_list(positions, cell, pbc, 5.0)
    _, distances = ase_neighbor_list("id", Atoms(f"H{n}", positions, cell=cell, pbc=pbc), 5.0)
    np.testing.assert_allclose(
        np.sort(np.linalg.norm(found.r_ij, axis=1)), np.sort(distances), atol=1e-9
    )


def test_few_atoms_far_apart_beside_periodic_directions_are_given_few_cells(monkeypatch):
    """With empty cells between them vesin takes 20 s, or the process ends."""
    n_cells = []

    class Counting(vesin.NeighborList):
        def compute(self, positions, *arguments, **options):
            n_cells.append(np.prod(np.ptp(positions, axis=0) // 1.36 + 1))
            return super().compute(positions, *arguments, **options)

    monkeypatch.setattr(vesin, "NeighborList", Counting)
    positions = np.array([[4795.6, -2836.2, 3254.6], [17567.2, -11293.3, 2619.6], [1262, 6980, -1]])
    skewed = np.array([[2.5, 0.1, 0.1], [0.0, 2.5, -0.1], [0.0, 0.1, 2.6]])
    for cell, pbc in ((4.0 * np.eye(3), [False, True, True]), (skewed, [True, False, False])):
        found = neighbor_list(positions, cell, pbc, 1.36)
        assert len(found.neighbor) == 0
    assert len(n_cells) == 2 and max(n_cells) < 1000


def test_cell_vectors_of_directions_that_are_not_periodic_mean_nothing():
    cell = np.array([[5.0, 0.0, 0.0], [0.0, 5.0, 0.0], [5.0, 0.0, 0.0]])
    found = neighbor_list([[0, 0, 0], [4.5, 0, 0]], cell, [True, True, False], 3.0)
    np.testing.assert_allclose(found.r_ij, [[-0.5, 0, 0], [0.5, 0, 0]], atol=1e-12)


def test_absurd_cells_are_refused():
    with pytest.raises(SoapGprError, match=r"cell 0\.01 Å thick"):
        neighbor_list([[0, 0, 0]], np.diag([5.0, 0.01, 5.0]), True, 3.0)
    wire = np.arange(0.0, 3e5)[:, None] * np.array([2.0, 0.0, 0.0])
    with pytest.raises(SoapGprError, match=r"6e\+05 Å long"):
        neighbor_list(wire, None, False, 3.0)
    with pytest.raises(SoapGprError, match=r"6e\+05 Å long"):
        neighbor_list(wire, np.diag([6e5, 9.0, 9.0]), True, 3.0)


def test_atoms_at_the_end_of_the_universe_are_no_neighbours():
    assert len(neighbor_list([[0, 0, 0], [1e300, 0, 0]], None, False, 3.0).neighbor) == 0
