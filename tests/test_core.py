# SPDX-License-Identifier: BSD-3-Clause
"""The evaluator against its slow twin, finite differences, symmetries and the training rows."""

import numpy as np
import pytest
import slow_twin
from ase.build import make_supercell
from models import body_order_model, general_model, random_model, random_structure, structure_rows
from numerical import numerical_forces, numerical_virial
from scipy.spatial.transform import Rotation

from potential import _core
from potential.errors import SoapGprError
from potential.terms.features import density_coefficients, features

pytestmark = pytest.mark.check

TRICLINIC = np.array([[5.1, 0.0, 0.0], [1.3, 4.8, 0.0], [-0.9, 1.7, 5.3]])
SMALL = np.array([[2.6, 0.0, 0.0], [0.4, 2.5, 0.0], [0.3, -0.5, 2.7]])


def structures():
    water_like = [8, 1, 1] * 4
    far = random_structure(water_like, seed=3, cell=TRICLINIC)
    far.positions += np.random.default_rng(0).integers(-9, 9, (len(far), 3)) @ far.cell.array
    lone = random_structure([8, 1], seed=4, cell=50 * np.eye(3))
    lone.positions = [[1.0, 2.0, 3.0], [30.0, 20.0, 10.0]]
    return {
        "cubic": random_structure(water_like, seed=1),
        "triclinic": random_structure(water_like, seed=2, cell=TRICLINIC),
        "smaller than the cutoff": random_structure([8, 1], seed=5, cell=SMALL),
        "one atom, periodic": random_structure([8], seed=6, cell=SMALL),
        "cluster": random_structure(water_like, seed=7, pbc=False),
        "slab": random_structure(water_like, seed=8, cell=TRICLINIC, pbc=[True, True, False]),
        "far outside the cell": far,
        "isolated atoms": lone,
    }


@pytest.fixture(scope="module", params=list(structures()))
def atoms(request):
    return structures()[request.param]


@pytest.fixture(scope="module")
def model():
    return random_model(n_terms=2, zeta=3)


@pytest.fixture(scope="module", params=["soap", "imported", "pairs and triplets"])
def any_model(request, model):
    if request.param == "imported":
        return general_model()
    return model if request.param == "soap" else body_order_model(soap=False)


def evaluate(model, atoms, **options):
    return model.evaluate(atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc, **options)


def twin_tables(model, t):
    names = {"tables": "table", "central": "central"}
    arrays = {
        key: {a: model.arrays[f"term{t}.{name}.{a}"] for a in range(len(model.species))}
        for key, name in names.items()
    }
    return model.terms[t] | arrays


def twin_features(model, t, atoms):
    p = slow_twin.features(
        twin_tables(model, t),
        model.terms[t]["l_max"],
        model.species_indices(atoms.numbers),
        atoms.positions,
        atoms.cell.array,
        atoms.pbc,
    )
    if f"term{t}.features" in model.arrays:
        p = model.arrays[f"term{t}.feature_scale"] * p[:, model.arrays[f"term{t}.features"]]
    return p


@pytest.fixture(scope="module", params=["fitted", "imported"])
def soap_model(request, model):
    return model if request.param == "fitted" else general_model()


def test_density_coefficients_equal_the_slow_twin(soap_model, atoms):
    species = soap_model.species_indices(atoms.numbers)
    for t, term in enumerate(soap_model.terms):
        tables = twin_tables(soap_model, t)
        near = slow_twin.neighbours(atoms.positions, atoms.cell.array, atoms.pbc, term["cutoff"])
        expected = np.array(
            [
                np.concatenate(
                    [c.ravel() for c in slow_twin.expansion(tables, term["l_max"], *own)]
                )
                for own in ((species[i], species[j], r_ij) for i, (j, r_ij) in enumerate(near))
            ]
        )
        found = density_coefficients(soap_model, t, atoms)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13 * np.abs(expected).max())


def test_features_equal_the_slow_twin(soap_model, atoms):
    for t, term in enumerate(soap_model.terms):
        expected = twin_features(soap_model, t, atoms)
        if term["normalize"]:
            expected = np.array([slow_twin.normalise(p) for p in expected])
        scale = max(1.0, np.abs(expected).max())
        found = features(soap_model, t, atoms)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13 * scale)


def test_energies_equal_the_slow_twin(soap_model, atoms):
    species = soap_model.species_indices(atoms.numbers)
    expected = np.array([soap_model.e0[z] for z in atoms.numbers])
    for t, term in enumerate(soap_model.terms):
        weights = {a: soap_model.arrays[f"term{t}.weights.{a}"] for a in range(2)}
        expected += slow_twin.term_energies(
            twin_features(soap_model, t, atoms),
            species,
            soap_model.sparse_points(t),
            weights,
            term["zeta"],
            term["delta"],
            term["normalize"],
            term.get("offset", 0.0),
        )
    found = evaluate(soap_model, atoms).energies
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_forces_and_virial_equal_finite_differences(any_model, atoms):
    def energy(positions, cell=None):
        return any_model.evaluate(
            atoms.numbers,
            positions,
            atoms.cell.array if cell is None else cell,
            atoms.pbc,
            forces=False,
        ).energy

    result = evaluate(any_model, atoms)
    scale = max(np.abs(result.forces).max(), 1e-3)
    numerical = numerical_forces(energy, atoms.positions)
    np.testing.assert_allclose(result.forces, numerical, rtol=0, atol=1e-6 * scale)
    numerical = numerical_virial(energy, atoms.positions, atoms.cell.array)
    scale = max(np.abs(numerical).max(), 1e-3)
    np.testing.assert_allclose(result.virial, numerical, rtol=0, atol=1e-6 * scale)


def test_virials_of_the_atoms_add_up_to_a_symmetric_tensor(any_model, atoms):
    total = evaluate(any_model, atoms).virials.sum(axis=0)
    np.testing.assert_allclose(total, total.T, rtol=0, atol=1e-11 * (1 + np.abs(total).max()))


def test_training_rows_times_weights_equal_the_evaluator(model, atoms):
    weights = np.concatenate(
        [model.arrays[f"term{t}.weights.{a}"] for t in range(2) for a in range(2)]
    )
    predicted = structure_rows(model, atoms) @ weights
    result = evaluate(model, atoms)
    e0 = sum(model.e0[z] for z in atoms.numbers)
    np.testing.assert_allclose(predicted[0] + e0, result.energy, rtol=1e-10)
    np.testing.assert_allclose(predicted[1:-6], result.forces.ravel(), rtol=1e-10, atol=1e-10)
    voigt = result.virial[(0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1)]
    np.testing.assert_allclose(predicted[-6:], voigt, rtol=1e-10, atol=1e-10)
    energy_only = structure_rows(model, atoms, gradients=False)
    np.testing.assert_allclose(energy_only @ weights, predicted[:1], rtol=1e-12)


@pytest.mark.parametrize("inversion", [1, -1])
def test_rotation_and_inversion_turn_forces_and_virial(any_model, atoms, inversion):
    Q = inversion * Rotation.random(random_state=1).as_matrix()
    turned = atoms.copy()
    turned.set_cell(atoms.cell.array @ Q.T)
    turned.positions = atoms.positions @ Q.T
    before, after = evaluate(any_model, atoms), evaluate(any_model, turned)
    np.testing.assert_allclose(after.energies, before.energies, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(after.forces, before.forces @ Q.T, rtol=0, atol=1e-10)
    np.testing.assert_allclose(after.virial, Q @ before.virial @ Q.T, rtol=0, atol=1e-9)


def test_translation_and_order_of_atoms_change_nothing(any_model, atoms):
    order = np.random.default_rng(2).permutation(len(atoms))
    moved = atoms[order]
    moved.positions += [0.3, -7.1, 2.2]
    before, after = evaluate(any_model, atoms), evaluate(any_model, moved)
    np.testing.assert_allclose(after.energies, before.energies[order], rtol=1e-11)
    np.testing.assert_allclose(after.forces, before.forces[order], rtol=0, atol=1e-10)


def test_replication_repeats_energies_forces_and_virials(any_model):
    atoms = structures()["smaller than the cutoff"]
    large = make_supercell(atoms, [[2, 1, 0], [0, 1, 0], [0, 1, 3]])
    one, many = evaluate(any_model, atoms), evaluate(any_model, large)
    np.testing.assert_allclose(many.energy, 6 * one.energy, rtol=1e-11)
    np.testing.assert_allclose(many.virial, 6 * one.virial, rtol=0, atol=1e-9)


def test_threads_change_nothing(any_model):
    atoms = random_structure([8, 1, 1] * 60, seed=9)
    one, two = evaluate(any_model, atoms), evaluate(any_model, atoms, n_threads=2)
    np.testing.assert_array_equal(one.energies, two.energies)
    np.testing.assert_array_equal(one.forces, two.forces)


def test_isolated_atom_has_no_forces(any_model):
    result = any_model.evaluate([8], [[0.0, 0.0, 0.0]])
    assert np.isfinite(result.energy)
    assert not result.forces.any()
    assert not result.virial.any()


def test_energy_is_continuous_at_the_cutoff(model):
    def energy(r):
        return model.evaluate([8, 1], [[0, 0, 0], [0, 0, r]], forces=False).energy

    assert energy(model.cutoff - 1e-6) == pytest.approx(energy(model.cutoff + 1e-6), abs=1e-10)


@pytest.mark.parametrize(
    ("numbers", "positions", "message"),
    [
        ([8, 8], [[0, 0, 0], [0, 0, 0]], "same place"),
        ([8, 8], [[0, 0, 0], [0, 0, np.nan]], "not finite"),
        ([8, 14], [[0, 0, 0], [0, 0, 2.0]], "does not know Si"),
        ([], np.zeros((0, 3)), "without atoms"),
    ],
)
def test_bad_structures_are_one_clear_sentence(any_model, numbers, positions, message):
    with pytest.raises(SoapGprError, match=message):
        any_model.evaluate(numbers, positions)


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e200, np.nan])
def test_distances_that_are_not_finite_are_refused(any_model, value):
    """Neighbours come from any program's list: none is passed over as if it were far away."""
    structure = _core.Environments(
        np.array([0, 1], dtype=np.int32),
        np.array([0, 1, 1], dtype=np.uint64),
        np.array([1], dtype=np.uint64),
        np.array([1], dtype=np.int32),
        np.array([[0.0, value, 0.0]]),
    )
    with pytest.raises(_core.CoreError, match="not finite"):
        _core.Evaluator(any_model.core).evaluate(structure)


def test_periodic_direction_without_cell_vector_is_refused(model):
    with pytest.raises(SoapGprError, match="without a proper cell vector"):
        model.evaluate([8], [[0, 0, 0]], np.diag([3.0, 3.0, 0.0]), True)


@pytest.mark.parametrize("zeta", [1, 2])
def test_collapsed_kernels_equal_the_sum_over_sparse_points(zeta):
    model = random_model(n_max=2, l_max=1, zeta=zeta, n_sparse=31)  # more points than features
    atoms = random_structure([8, 1, 1] * 25, seed=10)
    weights = np.concatenate([model.arrays[f"term0.weights.{a}"] for a in range(2)])
    predicted = structure_rows(model, atoms) @ weights
    result = evaluate(model, atoms)
    e0 = sum(model.e0[z] for z in atoms.numbers)
    np.testing.assert_allclose(result.energy, predicted[0] + e0, rtol=1e-12)
    np.testing.assert_allclose(result.forces.ravel(), predicted[1:-6], rtol=0, atol=1e-11)
    energies = evaluate(model, atoms, forces=False).energies
    np.testing.assert_allclose(energies, result.energies, rtol=1e-13)
