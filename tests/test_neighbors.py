# SPDX-License-Identifier: BSD-3-Clause
"""Neighbour lists against brute force and against ASE."""

import re
import tracemalloc

import numpy as np
import pytest
import slow_twin
import vesin
from ase import Atoms
from ase.neighborlist import neighbor_list as ase_neighbor_list

from potential.errors import SoapGprError
from potential.structures.neighbors import neighbor_list, two_of

pytestmark = pytest.mark.check

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
@pytest.mark.parametrize("far", [1e4, 1e7, 3.3e7])
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


@pytest.fixture
def cells(monkeypatch):
    """The number of cells of each call to vesin, and whether its periodic directions are mixed."""
    calls = []

    class Spy(vesin.NeighborList):
        def compute(self, points, box, periodic, **options):
            heights = 1.0 / np.linalg.norm(np.linalg.inv(box), axis=0)
            extent = np.ptp(points @ np.linalg.inv(box), axis=0) * heights
            calls.append(np.prod(np.where(periodic, heights, extent) // self.cutoff + 1))
            assert np.all(periodic) or not np.any(periodic)
            return super().compute(points, box, periodic, **options)

    monkeypatch.setattr("potential.structures.neighbors.vesin.NeighborList", Spy)
    return calls


def test_few_atoms_far_apart_beside_periodic_directions_need_few_cells(cells):
    """With the empty cells between them vesin would take 20 s, or end the process."""
    positions = np.array([[4795.6, -2836.2, 3254.6], [17567.2, -11293.3, 2619.6], [1262, 6980, -1]])
    skewed = np.array([[2.5, 0.1, 0.1], [0.0, 2.5, -0.1], [0.0, 0.1, 2.6]])
    for cell, pbc in ((4.0 * np.eye(3), [False, True, True]), (skewed, [True, False, False])):
        assert len(neighbor_list(positions, cell, pbc, 1.36).neighbor) == 0
    assert max(cells) < 1000


@pytest.mark.parametrize("pbc", [[True, True, False], [False, True, False], [True, False, True]])
def test_periodic_and_open_directions_are_never_mixed(cells, pbc):
    """The time of vesin would grow with the square of the cells along open directions."""
    rng, cell = np.random.default_rng(0), np.array([[7.0, 0, 0], [1.2, 8, 0], [-2, 1, 9.0]])
    positions = rng.uniform(-20, 50, (300, 3))
    found = neighbor_list(positions, cell, pbc, 4.0)
    i, D = ase_neighbor_list("iD", Atoms("H300", positions, cell=cell, pbc=pbc), 4.0)
    assert found.counts.tolist() == np.bincount(i, minlength=300).tolist()
    np.testing.assert_allclose(found.r_ij.sum(axis=0), D.sum(axis=0), atol=1e-9)
    assert len(cells) == 1


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


@pytest.mark.parametrize("pbc", [True, False, [True, True, False]])
@pytest.mark.parametrize("far", [1.01e8, -1e12, 2e19, 1.3e20, 1e30, 1e300])
def test_atoms_at_the_end_of_the_universe_are_refused(pbc, far):
    """vesin divides by zero there, or never ends, and digits are gone before."""
    for axis in range(3):
        positions = np.ones((2, 3))
        positions[1, axis] = far
        with pytest.raises(SoapGprError, match=rf"found {re.escape(f'{far:.3g}')} Å for atom 2"):
            neighbor_list(positions, np.diag([30.0, 5.0, 8.0]), pbc, 3.0)


def test_cell_vectors_of_absurd_length_are_refused():
    for far in (1.01e8, 1e30, 1e300):
        cell = np.diag([5.0, -far, 5.0])
        with pytest.raises(SoapGprError, match="found a periodic vector of"):
            neighbor_list(np.zeros((1, 3)), cell, True, 3.0)
        assert len(neighbor_list(np.zeros((1, 3)), cell, [1, 0, 0], 3.0).neighbor) == 0


def test_random_absurd_structures_end_in_a_list_or_in_one_sentence():
    """Positions and cells over 22 orders of magnitude."""
    rng, refused = np.random.default_rng(1), 0
    for _ in range(300):
        lengths = rng.uniform(4, 9, 3) * rng.choice([1e-3, 0.1, 1, 1, 3, 10, 1e4, 1e12], 3)
        cell = np.diag(lengths) + rng.uniform(-0.4, 0.4, (3, 3)) * lengths.min()
        positions = rng.uniform(0, 9, (rng.integers(2, 20), 3))
        positions[0, rng.integers(3)] = 10 ** rng.uniform(0, 22) * rng.choice([-1, 1])
        try:
            found = neighbor_list(positions, cell, rng.random(3) < 0.6, rng.uniform(1.5, 7))
            assert found.counts.sum() == len(found.neighbor)
        except SoapGprError:
            refused += 1
    assert 150 < refused < 290


@pytest.mark.parametrize("cutoff", [0.0, -1.0, np.nan, np.inf])
def test_absurd_cutoffs_are_refused(cutoff):
    with pytest.raises(SoapGprError, match="found a cutoff of"):
        neighbor_list(np.zeros((2, 3)), 5.0 * np.eye(3), True, cutoff)


@pytest.mark.parametrize(
    ("cell", "pbc", "extent", "n_atoms"),
    [
        (0.26 * np.eye(3), True, 0.26, 96),  # a run at constant pressure that collapsed
        (np.diag([0.11, 0.12, 0.13]), True, 0.1, 1),
        (np.diag([0.2, 40.0, 0.2]), True, 0.2, 500),
        (np.diag([30.0, 30.0, 0.2]), [True, True, False], 0.5, 25_000),
        (None, False, 0.5, 25_000),
        (1e4 * np.eye(3), True, 0.5, 25_000),
        (None, False, 20.0, 500_000),
    ],
)
def test_too_many_neighbours_are_refused_before_memory_is_taken(cell, pbc, extent, n_atoms):
    positions = np.random.default_rng(0).uniform(0, extent, (n_atoms, 3))
    tracemalloc.start()
    with pytest.raises(SoapGprError, match="neighbours of each atom within 5 Å, expected 20000"):
        neighbor_list(positions, cell, pbc, 5.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e6 + 500 * n_atoms


def test_pairs_beyond_the_free_memory_are_refused(monkeypatch):
    monkeypatch.setattr("potential.runtime.memory.available_bytes", lambda: 2**30)
    positions = np.random.default_rng(0).uniform(0, 20.0, (20_000, 3))
    with pytest.raises(SoapGprError, match=r"GiB and 1\.0 GiB are free"):
        neighbor_list(positions, 20.0 * np.eye(3), True, 5.0)


@pytest.mark.parametrize("pbc", [True, False, [True, False, False]])
@pytest.mark.parametrize("extent", [2.0, 4.0, 25.0])
def test_estimated_number_of_neighbours_is_near_the_real_one(monkeypatch, pbc, extent):
    """Refused by an estimate below the real number, taken by one above it."""
    positions = np.random.default_rng(0).uniform(0, extent, (500, 3))
    cell = extent * np.eye(3)
    found = neighbor_list(positions, cell, pbc, 3.0).counts.mean()
    monkeypatch.setattr("potential.structures.neighbors.MOST_NEIGHBORS", found / 5)
    with pytest.raises(SoapGprError, match="neighbours of each atom"):
        neighbor_list(positions, cell, pbc, 3.0)
    monkeypatch.setattr("potential.structures.neighbors.MOST_NEIGHBORS", found * 5)
    neighbor_list(positions, cell, pbc, 3.0)


@pytest.mark.parametrize("n", [0, 1, 2, 5, 1000, 1500])
def test_every_two_of_a_span_come_once(n):
    span = 10 + np.arange(n)
    parts = [np.zeros((2, 0)), *map(np.array, two_of(span))]
    assert all(part.shape[1] <= 1_000_000 for part in parts)
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), span[list(np.triu_indices(n, 1))])
