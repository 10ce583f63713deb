# SPDX-License-Identifier: BSD-3-Clause
"""Training takes every kernel and selection of features that evaluation takes."""

import numpy as np
import pytest
import slow_twin
from models import general_model, kernel_model, random_model, random_structure, structure_rows
from numerical import numerical_forces, numerical_virial

from potential.structures.label_table import VOIGT
from potential.terms.features import features
from potential.training.regression import StreamingQR, solve

# δ² of un-normalised power spectra: energies of some eV
SMALL_DELTA = {"normalize": False, "delta": 0.02}

KERNELS = {
    "zeta 1": {"zeta": 1},
    "zeta 2": {"zeta": 2},
    "zeta 2, collapsed": {"zeta": 2, "n_sparse": 40},
    "zeta 4": {"zeta": 4},
    "real zeta": {"zeta": 2.5},
    "offset": {"zeta": 3, "offset": 0.4},
    "offset, zeta 1": {"zeta": 1, "offset": 0.4},
    "offset, real zeta": {"zeta": 1.5, "offset": 0.4},
    "un-normalised": {"zeta": 2, **SMALL_DELTA},
    "un-normalised, offset, real zeta": {"zeta": 1.5, "offset": 0.6, **SMALL_DELTA},
    "selection": {"zeta": 4, "selected": True},
    "selection, un-normalised": {"zeta": 2, "selected": True, **SMALL_DELTA},
}
CELL = np.array([[5.1, 0.0, 0.0], [1.3, 4.8, 0.0], [-0.9, 1.7, 5.3]])


@pytest.fixture(scope="module", params=list(KERNELS))
def model(request):
    return kernel_model(**KERNELS[request.param])


@pytest.fixture(scope="module")
def atoms():
    return random_structure([8, 1, 1] * 3, seed=2, cell=CELL)


def weights_of(model):
    sets = [(t, a) for t in range(len(model.terms)) for a in range(len(model.species))]
    return np.concatenate([model.arrays[f"term{t}.weights.{a}"] for t, a in sets])


def moved(atoms, positions, cell):
    other = atoms.copy()
    other.cell, other.positions = cell, positions
    return other


def test_rows_times_weights_equal_the_evaluator(model, atoms):
    rows_equal_the_evaluator(model, atoms)


def test_rows_of_imported_terms_equal_the_evaluator(atoms):
    rows_equal_the_evaluator(general_model(), atoms)


def rows_equal_the_evaluator(model, atoms):
    predicted = structure_rows(model, atoms) @ weights_of(model)
    result = model.evaluate(atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc)
    energy = result.energy - sum(model.e0[z] for z in atoms.numbers)
    scale = np.abs(result.forces).max()
    np.testing.assert_allclose(predicted[0], energy, rtol=1e-10)
    np.testing.assert_allclose(
        predicted[1:-6], result.forces.ravel(), rtol=1e-10, atol=1e-10 * scale
    )
    voigt = result.virial[VOIGT]
    np.testing.assert_allclose(predicted[-6:], voigt, rtol=1e-10, atol=1e-10 * scale)


def test_rows_of_forces_and_virial_are_derivatives_of_the_energy_row(model, atoms):
    weights = weights_of(model)

    def energy(positions, cell=atoms.cell.array):
        return float(structure_rows(model, moved(atoms, positions, cell), False)[0] @ weights)

    found = structure_rows(model, atoms) @ weights
    scale = np.abs(found[1:]).max()
    forces = numerical_forces(energy, atoms.positions)
    np.testing.assert_allclose(found[1:-6], forces.ravel(), rtol=0, atol=1e-7 * scale)
    virial = numerical_virial(energy, atoms.positions, atoms.cell.array)
    np.testing.assert_allclose(found[-6:], virial[VOIGT], rtol=0, atol=1e-7 * scale)


def test_energy_rows_and_K_MM_equal_the_slow_twin(model, atoms):
    """Of an environment, and of the sparse points themselves: one column at a time."""
    term, n_sets = model.terms[0], len(model.species)
    sizes = [len(points) for points in model.sparse_points(0).values()]
    K, row = np.zeros((sum(sizes),) * 2), np.zeros(sum(sizes))
    p, species = features(model, 0, atoms), model.species_indices(atoms.numbers)
    kernel = term["zeta"], term["delta"], False, term.get("offset", 0.0)
    for a, begin in zip(range(n_sets), np.cumsum([0, *sizes]), strict=False):
        points = model.sparse_points(0)[a]
        for m in range(sizes[a]):
            one = {a: points[m : m + 1]}, {a: [1.0]}
            K[begin : begin + sizes[a], begin + m] = slow_twin.term_energies(
                points, [a] * sizes[a], *one, *kernel
            )
            own = p[species == a]
            row[begin + m] = slow_twin.term_energies(own, [a] * len(own), *one, *kernel).sum()
    np.testing.assert_allclose(model.kernel_matrix(), K, rtol=1e-12, atol=1e-14 * K.max())
    np.testing.assert_allclose(structure_rows(model, atoms, False)[0], row, rtol=1e-12)


def test_negative_dot_products_have_no_real_power():
    model = kernel_model(zeta=2.5)
    points = model.sparse_points(0)[0].copy()
    points[0] *= -1
    K = model.with_arrays({"term0.sparse_points.0": points}).kernel_matrix()
    assert not K[0, 1 : len(points)].any()
    np.testing.assert_array_equal(K[1 : len(points), 1 : len(points)] > 0, True)


@pytest.mark.parametrize("make", [general_model, random_model])
def test_weights_are_found_again_from_their_own_labels(make):
    """A model fitted to what it says itself predicts the same, an imported one as well."""
    model = make()
    structures = [random_structure([8, 1, 1] * 3, seed=50 + k, cell=CELL) for k in range(6)]
    A = np.concatenate([structure_rows(model, atoms) for atoms in structures])
    qr, sigma = StreamingQR(model.n_weights), 1e-6
    qr.add(A / sigma, A @ weights_of(model) / sigma)
    weights = solve(qr.triangle(), model.kernel_matrix(), jitter=1e-10).weights
    atoms = random_structure([8, 1, 1] * 3, seed=60, cell=CELL)
    geometry = atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc
    expected = model.evaluate(*geometry).forces
    found = model.with_weights(weights).evaluate(*geometry).forces
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
