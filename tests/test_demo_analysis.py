# SPDX-License-Identifier: BSD-3-Clause
"""The demo's analysis on cases whose answers are known."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

WATER = Path(__file__).parents[1] / "examples" / "water"


@pytest.fixture(scope="module")
def analysis():
    spec = importlib.util.spec_from_file_location("demo_analysis", WATER / "demo_analysis.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_radial_distribution_of_ideal_gas_is_one(analysis):
    rng = np.random.default_rng(1)
    lengths = np.array([8.0, 9.0, 10.0])
    frames = rng.uniform(-20.0, 20.0, (400, 60, 3)) * lengths
    atoms = np.arange(60)
    r, same = analysis.radial_distribution(frames, lengths, atoms, atoms, 4.0, 8)
    _, other = analysis.radial_distribution(frames, lengths, atoms[:20], atoms[20:], 4.0, 8)
    assert r == pytest.approx(0.25 + 0.5 * np.arange(8))
    assert same[2:] == pytest.approx(1.0, abs=0.03)
    assert other[2:] == pytest.approx(1.0, abs=0.03)


def test_radial_distribution_of_lattice_counts_its_shells(analysis):
    edge, a = 4, 2.5
    grid = np.stack(np.meshgrid(*[np.arange(edge)] * 3, indexing="ij"), axis=-1)
    frames = (a * grid.reshape(1, -1, 3)).astype(float)
    lengths = np.full(3, edge * a)
    atoms = np.arange(edge**3)
    n_bins, r_max = 50, 5.0
    r, g = analysis.radial_distribution(frames, lengths, atoms, atoms, r_max, n_bins)
    edges = np.linspace(0, r_max, n_bins + 1)
    shell = 4 / 3 * np.pi * np.diff(edges**3)
    neighbours = g * shell * (len(atoms) - 1) / np.prod(lengths)
    for distance, count in ((a, 6), (a * np.sqrt(2), 12), (a * np.sqrt(3), 8)):
        assert neighbours[np.abs(r - distance) < 0.16].sum() == pytest.approx(count)
    assert neighbours[r < 2.3].sum() == 0


def test_radial_distribution_beyond_half_the_box_is_refused(analysis):
    atoms = np.arange(2)
    with pytest.raises(ValueError, match="half the box"):
        analysis.radial_distribution(np.zeros((1, 2, 3)), np.full(3, 6.0), atoms, atoms, 3.1, 4)


def test_radial_distribution_curve_has_errors_from_blocks(analysis):
    rng = np.random.default_rng(2)
    frames = rng.uniform(0, 8.0, (50, 4, 30, 3))
    atoms, lengths = np.arange(30), np.full(3, 8.0)
    curve = analysis.radial_distribution_curve(frames, lengths, atoms, atoms, 4.0, 8)
    flat = frames.reshape(-1, 30, 3)
    _, expected = analysis.radial_distribution(flat, lengths, atoms, atoms, 4.0, 8)
    assert curve.mean == pytest.approx(expected)
    deviation = np.abs(curve.mean - 1.0)[2:] / curve.error[2:]
    assert 0 < np.sqrt(np.mean(deviation**2)) < 3


def test_drift_of_line_with_noise_is_its_slope(analysis):
    rng = np.random.default_rng(3)
    time = np.linspace(2.0, 7.0, 2001)
    per_atom = 0.25 * (time - 2.0) + 0.1 * rng.standard_normal(time.size)  # meV
    found = analysis.drift(time, -4000.0 + 1e-3 * 96 * per_atom, 96)
    assert found.slope == pytest.approx(0.25, abs=0.01)
    assert found.scatter == pytest.approx(0.1, rel=0.1)


def test_drift_of_constant_energy_is_zero(analysis):
    found = analysis.drift(np.arange(10.0), np.full(10, -4419.8078), 96)
    assert found.slope == pytest.approx(0.0, abs=1e-12)
    assert found.scatter == pytest.approx(0.0, abs=1e-12)


def test_bond_lengths_see_through_the_periodic_boundary(analysis):
    frames = np.array([[[0.1, 0.0, 0.0], [5.0, 5.0, 5.0], [9.2, 0.0, 0.0], [5.0, 5.97, 5.0]]])
    lengths = np.full(3, 10.0)
    found = analysis.bond_lengths(frames, lengths, np.array([0, 1]), np.array([2, 3]))
    assert found == pytest.approx(np.array([[0.9, 0.97]]))


def test_density_curve_integrates_to_one(analysis):
    values = np.random.default_rng(4).normal(1.0, 0.05, (40, 64))
    edges = np.linspace(0.5, 1.5, 41)
    curve = analysis.density_curve(values, edges)
    assert np.sum(curve.mean * np.diff(edges)) == pytest.approx(1.0)


def test_gyration_radius_of_gaussian_beads_is_their_width(analysis):
    rng = np.random.default_rng(5)
    n_beads, width = 8, 0.15
    frames = rng.normal(0.0, width, (500, n_beads, 5, 3)) + 30.0
    expected = width * np.sqrt(3 * (1 - 1 / n_beads))
    assert analysis.gyration_radius(frames, np.array([1, 3])) == pytest.approx(expected, rel=0.02)
