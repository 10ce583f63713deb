# SPDX-License-Identifier: BSD-3-Clause
"""Alchemical maps and coupled centres (docs/theory.md eq. 3d to 3h, 7d to 7f)."""

import itertools
import json

import ase
import numpy as np
import pytest
from alchemical import SPECIES, alchemical_model, dense, energies, tables_of
from body_order import SMALL, assert_forces_are_derivatives, assert_rows_are_the_evaluation
from models import random_structure

from potential import Model, SoapGprError, _core
from potential.basis import SoapBasis, tabulate
from potential.basis.alchemy import alchemical_map, leading_map, properties, similarity
from potential.basis.settings import AlchemySettings
from potential.terms import build_model
from potential.terms.features import features

CENTERS = ("separate", "alchemical", "shared")


@pytest.fixture(scope="module")
def atoms():
    return random_structure([1, 1, 8, 29, 29, 79], seed=4, cell=np.diag([4.1, 4.4, 4.6]))


def soap_model(species=SPECIES, **settings):
    """A term without sparse points."""
    soap = SoapBasis(cutoff=3.5, cutoff_width=1.5, n_max=3, l_max=2, **settings)
    term = {"kind": "soap", "cutoff": 3.5, "l_max": 2, "zeta": 2, "delta": 1.0, "normalize": False}
    return build_model(species, [0.0] * len(species), [term | tabulate(soap, species)])


def test_identity_is_the_plain_term(atoms):
    identity = soap_model(alchemy={"dimensions": 4, "start": "identity"})
    np.testing.assert_array_equal(features(identity, 0, atoms), features(soap_model(), 0, atoms))


def test_similarity_is_a_gaussian_of_electronegativity_and_radius():
    found = similarity(properties([1, 8, 79]), (0.7, 0.4))
    values = {1: (2.20, 1.20), 8: (3.44, 1.50), 79: (2.40, 2.32)}
    for (a, x), (b, y) in itertools.product(enumerate(values.values()), repeat=2):
        exponent = ((x[0] - y[0]) / 0.7) ** 2 + ((x[1] - y[1]) / 0.4) ** 2
        assert found[a, b] == pytest.approx(np.exp(-0.5 * exponent), rel=1e-12)


def test_all_dimensions_are_the_similarity_itself():
    kappa = similarity(properties(SPECIES), (0.7, 0.4))
    settings = AlchemySettings(dimensions=4, sigma_electronegativity=0.7, sigma_radius=0.4)
    u = alchemical_map(settings, SPECIES)
    np.testing.assert_allclose(u @ u.T, kappa, atol=1e-14)
    leading = leading_map(kappa, 2)
    values = np.linalg.eigvalsh(kappa)
    assert np.linalg.norm(kappa - leading @ leading.T, 2) == pytest.approx(values[1], rel=1e-10)


def test_products_of_features_are_those_of_the_similarity(atoms):
    """[P 14]: Σ p_(an,bn') κ_aa' κ_bb' p_(a'n,b'n') without any map."""
    alchemy = {"dimensions": 4, "sigma_electronegativity": 1.0, "sigma_radius": 1.0}
    X = features(soap_model(alchemy=alchemy), 0, atoms)
    kappa = similarity(properties(SPECIES), (1.0, 1.0))
    plain = soap_model()
    c = _core.density_coefficients(plain.core, 0, plain.environments(atoms))
    expected, begin = np.zeros((len(atoms), len(atoms))), 0
    for l in range(3):
        end = begin + (2 * l + 1) * 12
        own = c[:, begin:end].reshape(len(atoms), 2 * l + 1, 4, 3)
        p = np.einsum("imax,imby->iaxby", own, own) / np.sqrt(2 * l + 1)
        expected += np.einsum("iaxby,ac,bd,jcxdy->ij", p, kappa, kappa, p, optimize=True)
        begin = end
    np.testing.assert_allclose(X @ X.T, expected, rtol=1e-12)


def test_rotating_the_map_leaves_kernels_as_they_are(atoms):
    u = np.random.default_rng(0).normal(size=(4, 2))
    rotation = np.array([[0.6, 0.8], [-0.8, 0.6]])
    kernels = []
    for weights in (u, u @ rotation):
        start = dict(zip(("H", "O", "Cu", "Au"), weights.tolist(), strict=True))
        X = features(soap_model(alchemy={"dimensions": 2, "start": start}), 0, atoms)
        kernels.append(X @ X.T)
    np.testing.assert_allclose(*kernels, rtol=1e-11)


def test_species_of_one_width_share_a_table(atoms):
    sigma = {"H": 0.3, "O": 0.5, "Cu": 0.5, "Au": 0.3}
    model = alchemical_model(basis={"atom_sigma": sigma})
    assert model.terms[0]["table_of"] == [0, 1, 1, 0]
    assert "term0.table.2" not in model.arrays
    np.testing.assert_allclose(
        model.evaluate(atoms).energies - [model.e0[z] for z in atoms.numbers],
        energies(model, atoms),
        rtol=1e-10,
        atol=1e-12,
    )


@pytest.mark.parametrize("centers", CENTERS)
@pytest.mark.parametrize("kernel", [{"zeta": 1}, {"zeta": 2}, {"zeta": 3, "offset": 0.2}])
def test_energies_are_those_of_the_twin(atoms, centers, kernel):
    model = alchemical_model(centers=centers, **kernel)
    found = model.evaluate(atoms).energies - [model.e0[z] for z in atoms.numbers]
    np.testing.assert_allclose(found, energies(model, atoms), rtol=1e-10, atol=1e-12)


def test_factors_are_the_dense_tables(atoms):
    model = alchemical_model(dimensions=3, zeta=3)
    arrays = {f"sparse_points.{a}": model.arrays[f"term0.sparse_points.{a}"] for a in range(4)}
    term = {key: value for key, value in model.terms[0].items() if key != "table_of"}
    term |= dense(tables_of(model))
    term["sparse_points"] = {a: arrays[f"sparse_points.{a}"] for a in range(4)}
    term["weights"] = {a: model.arrays[f"term0.weights.{a}"] for a in range(4)}
    expected = build_model(SPECIES, model.arrays["e0"], [term]).evaluate(atoms)
    found = model.evaluate(atoms)
    np.testing.assert_allclose(found.energies, expected.energies, rtol=1e-12)
    np.testing.assert_allclose(found.forces, expected.forces, atol=1e-11)
    np.testing.assert_allclose(found.virials, expected.virials, atol=1e-11)


@pytest.mark.parametrize("centers", CENTERS)
@pytest.mark.parametrize(
    "kernel",
    [
        {"zeta": 1},
        {"zeta": 2, "n_sparse": 60, "l_max": 1},  # collapsed where it may be
        {"zeta": 4},
        {"zeta": 2.5, "offset": 0.3, "normalize": False, "delta": 0.01},
    ],
    ids=["linear", "many points", "power", "real power"],
)
def test_rows_times_weights_and_derivatives_are_the_evaluation(atoms, centers, kernel):
    model = alchemical_model(centers=centers, **kernel)
    for structure in (atoms, random_structure([8, 79], seed=3, cell=SMALL), ase.Atoms("Au")):
        assert_rows_are_the_evaluation(model, structure)
    assert_forces_are_derivatives(model, atoms)


@pytest.mark.parametrize("centers", CENTERS)
def test_blocks_that_mix_species_change_nothing(centers):
    """More atoms than a block has, of many species, on some threads; then atom after atom."""
    species = (1, 3, 8, 13, 29, 46, 47, 79)
    model = alchemical_model(centers=centers, zeta=3, species=species)
    atoms = random_structure(np.tile(species, 20), seed=1)
    found = model.evaluate(atoms, n_threads=2)
    np.testing.assert_allclose(found.forces.sum(axis=0), 0, atol=1e-10)
    some = random_structure(np.tile(species, 2), seed=2)
    expected = energies(model, some) + [model.e0[z] for z in some.numbers]
    np.testing.assert_allclose(model.evaluate(some).energies, expected, rtol=1e-10)
    repeated = model.evaluate(some.repeat((5, 2, 2)))
    np.testing.assert_allclose(repeated.energies, np.tile(expected, 20), rtol=1e-10)


def test_limits_of_coupled_centers(atoms):
    """Of one dimension all elements are alike as centres; of orthogonal maps none is."""
    alike = alchemical_model(dimensions=1, centers="alchemical", zeta=2)
    np.testing.assert_allclose(np.abs(alike.arrays["term0.coupling"]), 1, atol=1e-12)
    identity = {"dimensions": 4, "start": "identity"}
    coupled = alchemical_model(alchemy=identity, centers="alchemical", zeta=3)
    separate = alchemical_model(alchemy=identity, zeta=3)
    order = np.argsort(coupled.arrays["term0.sparse_species"], kind="stable")
    weights = np.empty(20)
    weights[order] = np.concatenate([separate.arrays[f"term0.weights.{a}"] for a in range(4)])
    same = coupled.with_weights(weights)
    np.testing.assert_allclose(
        same.evaluate(atoms).energies, separate.evaluate(atoms).energies, rtol=1e-12
    )


def test_a_kernel_matrix_has_the_coupling():
    model = alchemical_model(centers="alchemical", zeta=2)
    X, species = model.sparse_points(0)[0], model.arrays["term0.sparse_species"]
    kappa = model.arrays["term0.coupling"]
    expected = 1.3**2 * kappa[species][:, species] * (X @ X.T) ** 2
    np.testing.assert_allclose(model.kernel_matrix(), expected, rtol=1e-12)
    assert np.linalg.eigvalsh(expected)[0] > -1e-12
    np.testing.assert_allclose(np.diag(kappa), 1)


def test_a_file_of_83_elements_is_small():
    species = list(range(1, 84))
    soap = SoapBasis(n_max=8, l_max=6, alchemy={"dimensions": 4})
    term = {"kind": "soap", "cutoff": 6.0, "l_max": 6, "zeta": 2, "delta": 1.0, "normalize": True}
    term |= {"centers": "shared", **tabulate(soap, species)}
    model = build_model(species, np.zeros(83), [term])
    assert len(model.to_bytes()) < 1e6


@pytest.mark.parametrize("z", [95, 100, 103])
def test_an_element_without_properties_is_named(z):
    name = ase.data.chemical_symbols[z]
    with pytest.raises(SoapGprError, match=f"is known of {name}; expected a table"):
        alchemical_map(AlchemySettings(dimensions=1), [1, z])


def test_every_element_to_plutonium_has_properties():
    assert np.isfinite(properties(range(1, 95))).all()


@pytest.mark.parametrize(
    ("alchemy", "message"),
    [
        ({"dimensions": 5}, "alchemy.dimensions: found 5, expected at most 4, the number of"),
        ({"dimensions": 3, "start": "identity"}, "found 3, expected 4, the number of species"),
        ({"dimensions": 1, "start": {"H": [1]}}, "alchemy.start: found H, expected O as well"),
    ],
)
def test_maps_that_do_not_fit_the_species_are_refused(alchemy, message):
    with pytest.raises(SoapGprError, match=message):
        soap_model(alchemy=alchemy)


@pytest.mark.parametrize(
    ("alchemy", "message"),
    [
        ({}, r"dimensions: missing"),
        ({"dimensions": 0}, "dimensions: found 0, expected an integer from 1"),
        ({"dimensions": 2, "start": "random"}, 'expected one of "properties", "identity"'),
        ({"dimensions": 2, "start": {"Hx": [1, 2]}}, "found the key 'Hx', expected a chemical"),
        ({"dimensions": 2, "start": {"H": [1]}}, r"start.H: found \[1.0\], expected 2 numbers"),
        ({"dimensions": 2, "start": {"H": [0, 0]}}, "not all zero"),
        ({"dimensions": 1, "start": {"H": ["x"]}}, "expected a list of numbers"),
        ({"dimensions": 1, "start": {"H": [float("inf")]}}, "expected a list of numbers"),
        ({"dimensions": 1, "sigma_radius": 0}, "sigma_radius: found 0, expected a number >= 1e-06"),
        (
            {"dimensions": 1, "start": "identity", "sigma_radius": 2.0},
            'sigma_radius: found 2 Å, expected nothing without start = "properties"',
        ),
    ],
)
def test_bad_settings_of_a_map_are_refused(alchemy, message):
    with pytest.raises(SoapGprError, match=message):
        SoapBasis(alchemy=alchemy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e, a: e.update(centers="odd"), "has an unknown value of centers"),
        (lambda e, a: e.update(table_of=[0, 0, 0]), "does not fit the model file's density"),
        (lambda e, a: e.update(table_of=[0, 0, 0, 5]), "does not fit the model file's density"),
        (lambda e, a: e.update(table_of=[0, 0, 1, 0]), "lacks the array 'term0.table.1'"),
        (lambda e, a: e.pop("table_of"), "'channel_begin' is missing"),
        (lambda e, a: a.update({"term0.alchemy": np.ones((4, 4))}), "does not fit the model"),
        (lambda e, a: a.pop("term0.alchemy"), "lacks the array 'term0.alchemy'"),
        (lambda e, a: a["term0.sparse_species"].__setitem__(0, 4), "is no species of the model"),
        (lambda e, a: a.pop("term0.coupling"), "lacks the array 'term0.coupling'"),
        (lambda e, a: e.update(centers="shared"), "unknown array 'term0.coupling'"),
        (lambda e, a: e.update(sparse_basis="derivatives"), "and separate centers"),
    ],
)
def test_inconsistent_files_are_refused(change, message):
    model = alchemical_model(centers="alchemical")
    terms, arrays = [dict(model.terms[0])], {k: v.copy() for k, v in model.arrays.items()}
    change(terms[0], arrays)
    with pytest.raises(SoapGprError, match=message):
        Model.from_arrays({"format": "soap-gpr", "terms": json.dumps(terms)}, arrays)
