# SPDX-License-Identifier: BSD-3-Clause
"""Variances and rigidities of the energies of atoms, against dense matrices."""

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
    triplet_model,
)
from variances import kernel_rows, slow_variances, variance_model

from potential import SoapGprError
from potential.model.compression import compress
from potential.structures.structure import structure_from_atoms
from potential.terms import TrainingModel
from potential.uncertainty.projected_process import NotFollowed, edges

ATOMS = random_structure([8] * 7 + [1] * 13, seed=5)
MODELS = {
    "zeta 1": lambda: kernel_model(1),
    "zeta 2": lambda: kernel_model(2, n_sparse=40),
    "zeta 4": lambda: kernel_model(4, n_sparse=40),
    "offset": lambda: kernel_model(2, offset=0.3),
    "power spectra as they are": lambda: kernel_model(2, delta=0.05, normalize=False, offset=0.2),
    "several terms": lambda: random_model(n_terms=3),
    "imported forms": general_model,
    "recoupled": lambda: selected_model(recouple=True),
    "selected by species": lambda: selected_by_species(kernel_model(3), recouple=True),
    "symmetry functions": lambda: symmetry_model(2),
    "product": product_model,
    "alchemical centers": lambda: alchemical_model(centers="alchemical", species=(1, 8)),
    "shared centers": lambda: alchemical_model(centers="shared", species=(1, 8), zeta=3),
    "pairs, triplets and soap": body_order_model,
    "triplets": triplet_model,
}


@pytest.fixture(scope="module")
def own():
    """The models with their variances, and what the slow twin takes, each made once."""
    made = {}

    def get(name):
        if name not in made:
            plain = MODELS[name]()
            model, K, K_tilde = variance_model(plain)
            made[name] = plain, model, (K, K_tilde, ATOMS, kernel_rows(plain, ATOMS))
        return made[name]

    return get


def evaluated(model, atoms, n_threads=1):
    found = model.evaluate(atoms, uncertainty=("variance",), n_threads=n_threads).uncertainty
    return found.variances, found.rigidities


@pytest.mark.parametrize("name", MODELS)
def test_variances_are_those_of_dense_matrices(own, name):
    plain, model, twin = own(name)
    variances, rigidities = evaluated(model, ATOMS)
    expected, rigid = slow_variances(plain, *twin)
    assert np.abs(variances - expected).max() < 1e-10 * expected.max()
    assert np.abs(rigidities / rigid - 1).max() < 1e-10


@pytest.mark.parametrize("name", MODELS)
def test_variances_leave_energies_and_forces_alone(own, name):
    _, model, *_ = own(name)
    without = model.evaluate(ATOMS)
    found = model.evaluate(ATOMS, uncertainty=("variance",))
    np.testing.assert_allclose(found.energies, without.energies, rtol=1e-13)
    np.testing.assert_allclose(found.forces, without.forces, atol=1e-12)
    assert without.uncertainty is None


@pytest.mark.parametrize(
    "name", ["zeta 4", "product", "shared centers", "pairs, triplets and soap"]
)
def test_variances_of_many_blocks_are_those_of_each_atom(own, name):
    _, model, *_ = own(name)
    variances, rigidities = evaluated(model, ATOMS)
    many = ATOMS.repeat((3, 2, 3))  # more than a block of each species
    for n_threads in (1, 2):
        own_variances, own_rigidities = evaluated(model, many, n_threads)
        assert np.abs(own_variances - np.tile(variances, 18)).max() < 1e-11 * variances.max()
        np.testing.assert_allclose(own_rigidities, np.tile(rigidities, 18), rtol=1e-10)


def test_variances_turn_with_the_structure(own):
    _, model, *_ = own("pairs, triplets and soap")
    variances, _ = evaluated(model, ATOMS)
    turned = ATOMS.copy()
    turned.rotate(40, (1, 2, 3), rotate_cell=True)
    turned.translate((0.3, -2.0, 5.0))
    found, _ = evaluated(model, turned)
    assert np.abs(found - variances).max() < 1e-10 * variances.max()


def test_atoms_without_neighbors_have_the_whole_prior(own):
    plain, model, *_ = own("symmetry functions")
    for numbers in ([8], [1, 8]):
        alone = random_structure(numbers, spacing=20.0, pbc=False)
        variances, rigidities = evaluated(model, alone)
        np.testing.assert_allclose(variances, plain.terms[0]["delta"] ** 2, rtol=1e-14)
        assert (rigidities == np.inf).all()


def test_atoms_of_clusters_alone_have_no_prior(own):
    _, model, *_ = own("triplets")
    variances, rigidities = evaluated(model, random_structure([8], pbc=False))
    assert variances == [0.0] and rigidities == [np.inf]


def test_species_without_sparse_points_have_no_prior():
    plain = random_model(species=(1, 8))
    arrays = {"term0.sparse_points.0": np.zeros((0, plain.core.n_features(0)))}
    plain = plain.with_arrays(arrays | {"term0.weights.0": np.zeros(0)})
    model, K, K_tilde = variance_model(plain)
    variances, rigidities = evaluated(model, ATOMS)
    hydrogen = ATOMS.numbers == 1
    assert (variances[hydrogen] == 0).all() and np.isinf(rigidities[hydrogen]).all()
    assert (variances[~hydrogen] > 0).all()
    of_atoms, _ = python_variances(plain, K, K_tilde, ATOMS)
    np.testing.assert_allclose(of_atoms, variances, rtol=1e-10)
    assert python_variances(plain, K, K_tilde, random_structure([1], pbc=False))[1] == 0.0


def test_nothing_is_left_of_the_prior_at_sparse_points():
    plain = random_model(zeta=2, n_sparse=5)
    model, *_ = variance_model(plain, jitter=1e-9)
    of_points = random_structure(np.repeat((1, 8), 5))  # the structure that they are from
    for atoms, at_points in ((of_points, True), (ATOMS, False)):
        variances, rigidities = evaluated(model, atoms)
        left = variances - 1 / rigidities
        assert (np.abs(left) < 1e-8).all() if at_points else (left > 0.01).all()


@pytest.mark.parametrize("name", ["several terms", "pairs, triplets and soap"])
def test_variances_of_one_term_are_those_of_its_energies(own, name):
    plain, model, twin = own(name)
    environments, wanted = model.environments(ATOMS), ("variance",)
    for t in range(len(model.terms)):
        found = model.evaluate_environments(environments, uncertainty=wanted, term=t).uncertainty
        expected, rigid = slow_variances(plain, *twin, only=t)
        assert np.abs(found.variances - expected).max() <= 1e-10 * expected.max()
        np.testing.assert_allclose(found.rigidities, rigid, rtol=1e-10)


def test_models_without_variances_say_so(own):
    plain, *_ = own("zeta 1")
    with pytest.raises(SoapGprError, match=r"the model has no variance: .* variance = true"):
        evaluated(plain, ATOMS)


# Files.


def test_fixed_parts_of_models_with_variances_have_none(own):
    plain, model, *_ = own("pairs, triplets and soap")
    fixed = TrainingModel(model.to_bytes()).fixed_part
    assert fixed.uncertainty is None
    expected = plain.fixed_part.evaluate(ATOMS).energies
    np.testing.assert_array_equal(fixed.evaluate(ATOMS).energies, expected)


def changed(model, name, array):
    return model.with_arrays({name: array})


def test_missing_arrays_are_named(own):
    _, model, *_ = own("pairs, triplets and soap")
    names = [name for name in model.arrays if name.startswith("variance.")]
    kinds = {name.split(".term")[0] for name in names if ".term" in name}
    assert kinds == {f"variance.{own}" for own in ("prior", "table", "first", "second", "third")}
    for name in names:
        with pytest.raises(SoapGprError, match=f"the model file lacks the array '{name}'"):
            model.without_array(name)


def test_arrays_of_other_shapes_are_refused(own):
    _, model, *_ = own("pairs, triplets and soap")
    for name in (name for name in model.arrays if name.startswith("variance.")):
        array = model.arrays[name]
        for axis in range(array.ndim):
            longer = np.concatenate([array, array.take([0], axis=axis)], axis=axis)
            with pytest.raises(SoapGprError, match=f"array '{name}' has the unexpected shape"):
                changed(model, name, longer)
        if array.size:
            with pytest.raises(SoapGprError, match=f"array '{name}' holds .* not finite"):
                changed(model, name, np.where(array == array.max(), np.nan, array))


@pytest.mark.parametrize("name", ["variance.prior.term0.1", "variance.posterior.0"])
def test_numbers_above_a_diagonal_are_refused(own, name):
    _, model, *_ = own("several terms")
    full = model.arrays[name].copy()
    full[1, -1] = 1e-3
    with pytest.raises(SoapGprError, match=f"array '{name}' holds numbers above its diagonal"):
        changed(model, name, full)


def test_arrays_without_the_key_of_the_metadata_are_refused(own):
    plain, model, *_ = own("zeta 1")
    own_array = {"variance.posterior.0": model.arrays["variance.posterior.0"]}
    with pytest.raises(SoapGprError, match=r"unknown array 'variance.posterior.0'"):
        plain.with_arrays(own_array)


@pytest.mark.parametrize("name", ["zeta 4", "recoupled", "selected by species", "several terms"])
def test_compressed_models_have_the_variances_of_what_they_were(own, name):
    _, model, *_ = own(name)
    smaller = compress(model, [structure_from_atoms(ATOMS)], tolerance=5.0).model
    assert smaller.compressed
    forces = model.evaluate(ATOMS).forces - smaller.evaluate(ATOMS).forces
    assert np.abs(forces).max() > 1e-3  # what is left out is not nothing
    for found, expected in zip(evaluated(smaller, ATOMS), evaluated(model, ATOMS), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9)


# In Python, for calibration.


def python_variances(model, K, K_tilde, atoms):
    """Variances of the energies of atoms and of the total energy."""
    environments = model.environments(atoms)
    rows, left = model.atom_rows(environments), NotFollowed(model, np.linalg.cholesky(K).T)
    total = rows.sum(axis=0)
    inverse = np.linalg.inv(K_tilde)
    of_atoms = left.atoms(environments, rows) + np.einsum("im,mn,in->i", rows, inverse, rows)
    return of_atoms, left.energy(environments, total) + total @ inverse @ total


@pytest.mark.parametrize("name", MODELS)
def test_variances_in_python_are_those_of_the_core(own, name):
    plain, model, (K, K_tilde, *_) = own(name)
    for atoms in (ATOMS, random_structure([1, 8], spacing=20.0, pbc=False)):
        found, _ = evaluated(model, atoms)
        expected, _ = python_variances(plain, K, K_tilde, atoms)
        assert np.abs(found - expected).max() <= 1e-6 * expected.max()
    alone = random_structure([8], pbc=False)
    of_atoms, of_energy = python_variances(plain, K, K_tilde, alone)
    assert of_energy == pytest.approx(of_atoms[0], rel=1e-9)


def test_edges_are_not_those_of_atoms_without_neighbors(own):
    plain, model, (K, *_) = own("symmetry functions")
    left = NotFollowed(plain, np.linalg.cholesky(K).T)
    structures = [structure_from_atoms(ATOMS)]
    alone = structure_from_atoms(random_structure([8], pbc=False))
    expected = edges(plain, left, model.arrays, structures)
    assert (edges(plain, left, model.arrays, [*structures, alone]) == expected).all()
    np.testing.assert_array_equal(edges(plain, left, model.arrays, [alone]), 0.0)
