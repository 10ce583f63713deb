# SPDX-License-Identifier: BSD-3-Clause
"""Vectors and tensors of the core: values, symmetry, gradients (docs/theory.md eq. 26 to 26f)."""

import ase
import numpy as np
import pytest
from models import random_model, random_structure
from numerical import numerical_forces, numerical_virial
from scipy.spatial.transform import Rotation
from tensor_models import TARGETS, products, slow_tensors, with_tensors

from potential import SoapGprError

RANKS = {target.name: target.rank for target in TARGETS}


@pytest.fixture(scope="module")
def model():
    return with_tensors(random_model(seed=3))


@pytest.fixture(scope="module")
def linear():
    return with_tensors(random_model(seed=3), zeta=1)


@pytest.fixture(scope="module")
def quadratic():
    """So many sparse points that a matrix is cheaper."""
    return with_tensors(random_model(seed=3), zeta=2, n_sparse=300)


@pytest.fixture(scope="module")
def atoms():
    return random_structure([1, 1, 8, 8, 1, 8, 1], seed=5)


def turned(T, Q, rank):
    """A Cartesian tensor after a rotation or inversion Q of its last ``rank`` axes."""
    for axis in range(T.ndim - rank, T.ndim):
        T = np.moveaxis(np.tensordot(Q, T, axes=(1, axis)), 0, axis)
    return T


@pytest.mark.parametrize("which", ["model", "linear", "quadratic"])
def test_values_equal_the_slow_twin(request, which, atoms):
    model = request.getfixturevalue(which)
    found = model.evaluate(atoms).properties
    for target, own in zip(model.targets, slow_tensors(model, atoms), strict=True):
        expected = own if target.per_atom else own.sum(axis=0)
        expected = expected if target.extensive else expected / len(atoms)
        assert found[target.name].shape == expected.shape
        np.testing.assert_allclose(found[target.name], expected, atol=1e-11)


@pytest.mark.parametrize("inversion", [1, -1])
def test_values_turn_and_invert_with_the_structure(model, atoms, inversion):
    Q = inversion * Rotation.random(rng=np.random.default_rng(1)).as_matrix()
    other = ase.Atoms(atoms.numbers, atoms.positions @ Q.T, cell=atoms.cell @ Q.T, pbc=atoms.pbc)
    before, after = (model.evaluate(own).properties for own in (atoms, other))
    for name, rank in RANKS.items():
        expected = turned(before[name], Q, rank)
        assert np.abs(expected).max() > 1e-3
        np.testing.assert_allclose(after[name], expected, atol=1e-10)


def test_symmetric_tensors_are_symmetric_and_others_are_not(model, atoms):
    found = model.evaluate(atoms).properties
    alpha, beta, shielding = found["alpha"], found["beta"], found["shielding"]
    np.testing.assert_allclose(alpha, alpha.T, atol=1e-12)
    np.testing.assert_allclose(beta, beta.transpose(2, 0, 1), atol=1e-12)
    np.testing.assert_allclose(beta, beta.transpose(1, 0, 2), atol=1e-12)
    assert np.abs(shielding - shielding.transpose(0, 2, 1)).max() > 1e-3


@pytest.mark.parametrize("which", ["model", "linear", "quadratic"])
@pytest.mark.parametrize("name", ["dipole", "alpha", "beta"])
def test_gradients_equal_finite_differences(request, which, name, atoms):
    model = request.getfixturevalue(which)
    found = model.gradients(name, atoms)

    def component(index):
        def value(positions, cell=None):
            own = atoms.copy()
            own.positions = positions
            if cell is not None:
                own.cell = cell
            return model.evaluate(own, forces=False).properties[name][index]

        return value

    for index in [(0, 1, 2)[: RANKS[name]], (2, 2, 2)[: RANKS[name]]]:
        own = found.positions[(slice(None), slice(None), *index)]
        expected = -numerical_forces(component(index), atoms.positions)
        np.testing.assert_allclose(own, expected, atol=1e-7 * max(1, np.abs(own).max()))
        own = found.strain[(slice(None), slice(None), *index)]
        expected = -numerical_virial(component(index), atoms.positions, atoms.cell.array)
        np.testing.assert_allclose(own, expected, atol=1e-7 * max(1, np.abs(own).max()))


def test_gradients_obey_the_acoustic_sum_rule(model, atoms):
    found = model.gradients("alpha", atoms).positions
    assert np.abs(found).max() > 0.1
    np.testing.assert_allclose(found.sum(axis=0), 0, atol=1e-11)


def test_values_do_not_depend_on_the_order_of_atoms_or_threads(model, atoms):
    order = np.random.default_rng(0).permutation(len(atoms))
    before = model.evaluate(atoms).properties
    after = model.evaluate(atoms[order], n_threads=2).properties
    for name in RANKS:
        expected = before[name][order] if name == "shielding" else before[name]
        np.testing.assert_allclose(after[name], expected, atol=1e-12)


def test_values_of_many_atoms_equal_those_of_few(model, atoms):
    repeated = atoms.repeat((3, 2, 2))
    once, often = (model.evaluate(own).properties for own in (atoms, repeated))
    np.testing.assert_allclose(often["alpha"], 12 * once["alpha"], atol=1e-9)
    np.testing.assert_allclose(often["beta"], once["beta"], atol=1e-11)
    gradients = [model.gradients("dipole", own).positions for own in (atoms, repeated)]
    np.testing.assert_allclose(gradients[1], np.tile(gradients[0], (12, 1, 1)), atol=1e-10)


def test_an_atom_alone_has_the_mean_and_no_vector(model):
    found = model.evaluate(ase.Atoms("O", cell=3 * [30.0])).properties
    mean = model.arrays["target1.mean"][1] / np.sqrt(3)
    off = found["alpha"] - np.eye(3) * found["alpha"][0, 0]
    np.testing.assert_allclose(off, 0, atol=1e-12)
    np.testing.assert_allclose(found["dipole"], 0, atol=1e-12)
    assert np.isfinite(mean)
    assert np.all(model.gradients("alpha", ase.Atoms("O", cell=3 * [30.0])).positions == 0)


def test_energies_and_forces_are_those_without_tensors(model, atoms):
    plain, own = random_model(seed=3).evaluate(atoms), model.evaluate(atoms)
    np.testing.assert_array_equal(own.energies, plain.energies)
    np.testing.assert_array_equal(own.forces, plain.forces)


def test_gradients_of_what_is_no_vector_of_structures_are_refused(model, atoms):
    with pytest.raises(SoapGprError, match=r"no vector or tensor of structures 'dipol'.*dipole"):
        model.gradients("dipol", atoms)
    with pytest.raises(SoapGprError, match="'shielding' to differentiate"):
        model.gradients("shielding", atoms)


def test_products_of_lambda_zero_are_the_power_spectrum(atoms):
    from potential import _core
    from potential.terms.features import features

    model = random_model(seed=3)
    kept = products(model.terms[0]["n_channels"], 0, 1)
    psi = _core.equivariants(model.core, 0, 0, 1, kept, model.environments(atoms))
    p_hat = features(model, 0, atoms)
    np.testing.assert_allclose(np.abs(psi[:, :, 0]), np.abs(p_hat), atol=1e-13)
