# SPDX-License-Identifier: BSD-3-Clause
"""Energies, forces and virials of a committee's members: those of models of their own."""

import numpy as np
import pytest
from alchemical import alchemical_model
from models import (
    body_order_model,
    general_model,
    kernel_model,
    product_model,
    random_model,
    random_structure,
    selected_by_species,
    selected_model,
    symmetry_model,
)
from numerical import numerical_forces, numerical_virial
from targets import with_targets
from uncertain import member, with_members

from potential import SoapGprError, _core
from potential.structures.structure import structure_from_atoms

TRICLINIC = np.array([[7.1, 0.0, 0.0], [1.3, 6.8, 0.0], [-0.9, 1.7, 7.3]])
N_MEMBERS = 11  # more than share the derivatives of features at a time
ALL = ("energies", "forces")


def compressed(model):
    """The first term with a random projection of every sparse set."""
    rng, arrays = np.random.default_rng(0), {}
    for a, points in model.sparse_points(0).items():
        arrays[f"term0.projection.{a}"] = rng.normal(size=(7, points.shape[1]))
        arrays[f"term0.sparse_points.{a}"] = rng.normal(size=(len(points), 7))
    return model.with_arrays(arrays)


MODELS = {
    "several terms": lambda: with_members(random_model(n_terms=2, zeta=3, n_sparse=70), N_MEMBERS),
    "zeta 1": lambda: with_members(kernel_model(zeta=1), N_MEMBERS),
    "zeta 2": lambda: with_members(random_model(zeta=2), N_MEMBERS),
    "zeta 2, forces collapsed": lambda: with_members(random_model(zeta=2, n_sparse=300), N_MEMBERS),
    "zeta 2, all collapsed": lambda: with_members(symmetry_model(n_sparse=200), N_MEMBERS),
    "real zeta, offsets": lambda: with_members(general_model(), N_MEMBERS),
    "recoupled": lambda: with_members(selected_model(recouple=True), N_MEMBERS),
    "selections of species": lambda: with_members(
        selected_by_species(kernel_model(zeta=3)), N_MEMBERS
    ),
    "bispectrum": lambda: with_members(
        kernel_model(zeta=3, representation="bispectrum"), N_MEMBERS
    ),
    "symmetry functions": lambda: with_members(symmetry_model(zeta=3), N_MEMBERS),
    "pairs, triplets, ZBL": lambda: with_members(body_order_model(), N_MEMBERS),
    "product": lambda: with_members(product_model(n_sparse=70), N_MEMBERS),
    "product of three": lambda: with_members(product_model(n_factors=3), N_MEMBERS),
    "coupled centres": lambda: with_members(
        alchemical_model(centers="alchemical", species=(1, 8)), N_MEMBERS
    ),
    "coupled centres, zeta 1": lambda: with_members(
        alchemical_model(centers="alchemical", species=(1, 8), zeta=1), N_MEMBERS
    ),
    "shared centres": lambda: with_members(
        alchemical_model(centers="shared", species=(1, 8), zeta=3), N_MEMBERS
    ),
    "compressed": lambda: compressed(with_members(random_model(zeta=3, n_sparse=9), N_MEMBERS)),
    "compressed, zeta 1": lambda: compressed(with_members(kernel_model(zeta=1), N_MEMBERS)),
    "compressed, zeta 2": lambda: compressed(with_members(random_model(n_sparse=90), N_MEMBERS)),
}


@pytest.fixture(scope="module")
def atoms():
    return random_structure([8, 1, 1, 1] * 18, seed=1, cell=1.34 * TRICLINIC)


def assert_close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_members_deviate_as_models_with_their_weights(make, atoms):
    model = make()
    environments = model.environments(structure_from_atoms(atoms))
    found = model.evaluate_environments(environments, uncertainty=ALL, n_threads=2)
    measured = found.uncertainty
    own = [member(model, c).evaluate_environments(environments) for c in range(N_MEMBERS)]
    scale = max(np.abs(one.energies).max() for one in own)  # differences of large numbers
    energies = [one.energies - found.energies for one in own]
    np.testing.assert_allclose(measured.member_energies, energies, rtol=0, atol=1e-13 * scale)
    assert_close(measured.member_forces, [one.forces - found.forces for one in own])
    assert_close(measured.member_virials, [one.virial - found.virial for one in own])
    assert np.abs(measured.member_energies).max() > 1e-3
    assert np.abs(measured.member_energies.sum(axis=0)).max() < 1e-11
    assert np.abs(measured.member_forces.sum(axis=0)).max() < 1e-11


@pytest.fixture(scope="module")
def model():
    return with_members(body_order_model(), 4)


@pytest.mark.check
def test_forces_and_virials_of_a_member_are_derivatives_of_its_energy(model):
    atoms = random_structure([8, 1, 1] * 3, seed=2)
    cell = atoms.cell.array

    def energy(positions, cell):
        own = model.evaluate(atoms.numbers, positions, cell, True, uncertainty=("energies",))
        return own.uncertainty.member_energies[1].sum()

    found = model.evaluate(atoms, uncertainty=("forces",)).uncertainty
    expected = numerical_forces(lambda positions: energy(positions, cell), atoms.positions)
    np.testing.assert_allclose(found.member_forces[1], expected, atol=1e-6)
    expected = numerical_virial(energy, atoms.positions, cell)
    np.testing.assert_allclose(found.member_virials[1], expected, atol=1e-5)


def test_asking_changes_nothing_and_threads_neither(atoms):
    for own in (body_order_model(), random_model(n_terms=2, zeta=3), product_model()):
        of_own = with_targets(own)
        model = with_members(of_own, 4)
        before, after = of_own.evaluate(atoms), model.evaluate(atoms, uncertainty=ALL)
        np.testing.assert_array_equal(before.energies, after.energies)
        np.testing.assert_array_equal(before.forces, after.forces)
        for name, values in before.properties.items():
            np.testing.assert_array_equal(values, after.properties[name])
        two = model.evaluate(atoms, uncertainty=ALL, n_threads=2).uncertainty
        one = after.uncertainty
        np.testing.assert_array_equal(one.member_energies, two.member_energies)
        np.testing.assert_array_equal(one.member_forces, two.member_forces)
        alone = model.evaluate(atoms, forces=False, uncertainty=("energies",)).uncertainty
        np.testing.assert_array_equal(one.member_energies, alone.member_energies)
        assert alone.member_forces is None and alone.member_virials is None


def test_some_centres_at_a_time_are_all_of_them(model, atoms):
    environments = model.environments(structure_from_atoms(atoms))
    evaluator = _core.Evaluator(model.core)
    at_once = evaluator.member_forces(environments)
    for size in (1, 50_000):  # of a centre, and of some
        for own, all_of_them in zip(
            evaluator.member_forces(environments, size), at_once, strict=True
        ):
            np.testing.assert_allclose(own, all_of_them, rtol=1e-12, atol=1e-12)


def test_a_term_at_a_time_adds_up(model, atoms):
    environments = model.environments(structure_from_atoms(atoms))
    energies = [
        model.evaluate_environments(environments, uncertainty=("energies",), term=t)
        for t in range(len(model.terms))
    ]
    total = sum(own.uncertainty.member_energies for own in energies)
    found = model.evaluate_environments(environments, uncertainty=("energies",))
    assert_close(total, found.uncertainty.member_energies)


def test_an_isolated_atom_has_no_forces(model):
    found = model.evaluate([8], np.zeros((1, 3)), uncertainty=ALL).uncertainty
    assert np.any(found.member_energies)
    np.testing.assert_array_equal(found.member_forces, np.zeros((4, 1, 3)))
    np.testing.assert_array_equal(found.member_virials, np.zeros((4, 3, 3)))


@pytest.mark.parametrize("measure", ALL)
def test_a_model_without_a_committee_says_so(measure, atoms):
    with pytest.raises(SoapGprError, match=r"no committee: fit it with \[uncertainty\] committee"):
        random_model().evaluate(atoms, uncertainty=(measure,))
