# SPDX-License-Identifier: BSD-3-Clause
"""Targets of a model: what the evaluator makes of their weights, and what a model file may hold."""

import json

import numpy as np
import pytest
import slow_twin
from alchemical import alchemical_model
from ase.build import make_supercell
from model_bytes import change_metadata
from models import (
    body_order_model,
    kernel_model,
    product_model,
    random_model,
    random_structure,
    selected_model,
    symmetry_model,
)
from scipy.spatial.transform import Rotation
from targets import ALL_KINDS, has_environments, with_targets
from test_core import twin_features
from test_product import twin_energies

from potential import Model, SoapGprCalculator, SoapGprError, _core
from potential.model.targets import Target
from potential.structures.structure import structure_from_atoms

pytestmark = pytest.mark.check

TRICLINIC = np.array([[7.1, 0.0, 0.0], [1.3, 6.8, 0.0], [-0.9, 1.7, 7.3]])


@pytest.fixture(scope="module")
def atoms():
    return random_structure([8, 1, 1] * 10, seed=1, cell=TRICLINIC)


@pytest.fixture(scope="module")
def model():
    return with_targets(random_model(n_terms=2, zeta=3))


def values_of_rows(model, atoms):
    """τ (n_targets, N) of eq. (23), from rows of kernels."""
    environments = model.environments(structure_from_atoms(atoms))
    found = np.array([model.arrays[f"target{h}.mean"] for h in range(len(model.targets))])
    found = found[:, environments.species]
    for t, term in enumerate(model.terms):
        if not has_environments(term):
            continue
        rows = _core.kernel_rows(model.core, t, environments)
        for h in range(len(model.targets)):
            sets = model.sparse_points(t)
            weights = [model.arrays[f"target{h}.term{t}.weights.{a}"] for a in sets]
            found[h] += rows @ np.concatenate(weights)
    return found


@pytest.mark.parametrize(
    "make",
    [
        lambda: random_model(n_terms=2, zeta=3, n_sparse=70),
        lambda: kernel_model(zeta=1),
        lambda: random_model(zeta=2, n_sparse=300),  # collapsed to a matrix
        lambda: kernel_model(zeta=2.5, offset=0.3, normalize=False),
        lambda: selected_model(recouple=True),
        lambda: symmetry_model(zeta=2),
        lambda: body_order_model(),
        lambda: product_model(n_sparse=70),
        lambda: product_model(n_factors=3),
        lambda: alchemical_model(centers="alchemical", species=(1, 8)),
        lambda: alchemical_model(centers="alchemical", species=(1, 8), zeta=1),
        lambda: alchemical_model(centers="shared", species=(1, 8), zeta=3),
    ],
    ids=[
        "several terms",
        "zeta 1",
        "zeta 2, collapsed",
        "real zeta",
        "recoupled",
        "symmetry functions",
        "beside pairs and triplets",
        "product",
        "product of three",
        "coupled centres",
        "coupled centres, zeta 1",
        "shared centres",
    ],
)
def test_rows_times_weights_are_what_the_evaluator_says(make, atoms):
    model = with_targets(make())
    expected, species = values_of_rows(model, atoms), model.species_indices(atoms.numbers)
    for forces in (True, False):
        found = model.evaluate(atoms, forces=forces).properties
        scale = np.abs(expected).max()
        for target, values in zip(model.targets, expected, strict=True):
            wanted = np.array(target.value(values, species, {}))
            if target.species == (1,):
                wanted[atoms.numbers == 8] = np.nan
            np.testing.assert_allclose(found[target.name], wanted, rtol=0, atol=1e-10 * scale)


def test_slow_twin_says_the_same(model):
    atoms = random_structure([8, 1, 1] * 3, seed=2, cell=0.8 * TRICLINIC)
    species = model.species_indices(atoms.numbers)
    found = model.evaluate(atoms, forces=False).properties
    for h, target in enumerate(model.targets):
        values = model.arrays[f"target{h}.mean"][species]
        for t, term in enumerate(model.terms):
            sets = range(len(model.species))
            weights = {a: model.arrays[f"target{h}.term{t}.weights.{a}"] for a in sets}
            values = values + slow_twin.term_energies(
                twin_features(model, t, atoms),
                species,
                model.sparse_points(t),
                weights,
                term["zeta"],
                term["delta"],
            )
        wanted = np.array(target.value(values, species, {}))
        if target.species == (1,):
            wanted[species == 1] = np.nan
        np.testing.assert_allclose(found[target.name], wanted, rtol=1e-9, atol=1e-9)


def test_energies_and_forces_are_those_of_the_model_without_targets(model, atoms):
    for of_model in (random_model(n_terms=2, zeta=3), kernel_model(zeta=1), product_model()):
        before, after = of_model.evaluate(atoms), with_targets(of_model).evaluate(atoms)
        np.testing.assert_array_equal(before.energies, after.energies)
        np.testing.assert_array_equal(before.forces, after.forces)
        np.testing.assert_array_equal(before.virials, after.virials)


def test_threads_change_nothing(model, atoms):
    one, two = (model.evaluate(atoms, n_threads=n).properties for n in (1, 2))
    for name in one:
        np.testing.assert_array_equal(one[name], two[name])


def test_rotation_and_permutation_leave_the_values(model, atoms):
    before = model.evaluate(atoms).properties
    turn = Rotation.from_rotvec([0.3, -1.1, 0.7]).as_matrix()
    order = np.random.default_rng(0).permutation(len(atoms))
    turned = atoms[order]
    turned.set_cell(atoms.cell.array @ turn.T)
    turned.positions = atoms.positions[order] @ turn.T
    after = model.evaluate(turned).properties
    for name, values in before.items():
        expected = values[order] if np.ndim(values) else values
        np.testing.assert_allclose(after[name], expected, rtol=1e-9, atol=1e-9)


def test_replication_repeats_atoms_doubles_sums_and_leaves_means(model, atoms):
    twice = make_supercell(atoms, np.diag([2, 1, 1]), order="cell-major")
    before, after = model.evaluate(atoms).properties, model.evaluate(twice).properties
    np.testing.assert_allclose(after["charge"], np.tile(before["charge"], 2), atol=1e-9)
    assert after["volume"] == pytest.approx(2 * before["volume"], rel=1e-10)
    assert after["gap"] == pytest.approx(before["gap"], rel=1e-10)


def test_model_file_keeps_targets(model, atoms, tmp_path):
    model.save(tmp_path / "m.sgpr")
    loaded = Model.load(tmp_path / "m.sgpr")
    assert loaded.targets == ALL_KINDS and loaded.has_potential
    assert "targets charge, shielding, volume, gap" in repr(loaded)
    before, after = model.evaluate(atoms).properties, loaded.evaluate(atoms).properties
    for name in before:
        np.testing.assert_array_equal(before[name], after[name])


def test_model_without_a_potential_has_no_energies(atoms):
    alone = with_targets(random_model(), potential=False)
    with_potential = with_targets(random_model())
    found = alone.evaluate(atoms)
    assert not alone.has_potential and np.isnan(found.energy) and np.isnan(found.forces).all()
    expected = with_potential.evaluate(atoms).properties
    np.testing.assert_array_equal(found.properties["charge"], expected["charge"])


def entry(**changes):
    return [{"name": "q", "unit": "", "per_atom": True} | changes]


def of_structure(**changes):
    return entry(per_atom=False, extensive=True, **changes)


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        (entry(name="a b"), "name that is no word"),
        (entry(unknown=1), "unknown key 'unknown'"),
        (entry(per_atom=False), "'extensive' is missing"),
        (entry(weights=[1.0, 1.0]), "unknown key 'weights'"),
        (of_structure(weights=[1.0]), "weights that are not one number"),
        (of_structure(weights=[0.0, 0.0]), "weights that are not one number"),
        (of_structure(weights=[1.0, -1.0]), "weights that are not one number"),
        (of_structure(weights=["a", "b"]), "incomplete or of the wrong type"),
        (of_structure(weights=""), "a column without a name"),
        (of_structure(weights=1), "'weights' is"),
        (entry(species=[6]), "species that the model does not know"),
        (entry() + entry(), "lacks the array 'target1.mean'"),
        ([], "list of targets is empty"),
        ({}, "list of targets is empty"),
    ],
)
def test_wrong_entries_are_refused(targets, words):
    made = with_targets(random_model(), ALL_KINDS[:1])
    with pytest.raises(SoapGprError, match=words):
        Model.from_bytes(change_metadata(made.to_bytes(), targets=json.dumps(targets)))


def test_targets_without_weights_of_a_set_are_refused():
    made = with_targets(random_model(), ALL_KINDS[:1])
    with pytest.raises(SoapGprError, match=r"target0\.term0\.weights\.1"):
        made.without_array("target0.term0.weights.1")
    arrays = {"target0.mean": np.zeros(2)}
    with pytest.raises(SoapGprError, match="has no weights"):
        random_model().with_targets(ALL_KINDS[:1], arrays)
    with pytest.raises(SoapGprError, match="neither a potential nor targets"):
        Model.from_bytes(change_metadata(random_model().to_bytes(), potential="none"))


def test_pairs_have_no_targets():
    model, target = body_order_model(), ALL_KINDS[:1]
    pair = next(t for t, term in enumerate(model.terms) if term["kind"] == "pair")
    weights = {
        f"target0.term{pair}.weights.{a}": np.zeros(len(points))
        for a, points in model.sparse_points(pair).items()
    }
    with pytest.raises(SoapGprError, match="has no weights"):
        model.with_targets(target, {"target0.mean": np.zeros(2), **weights})


def test_targets_of_products_are_their_energies_with_other_weights():
    """Those of the slow twin in tests/test_product.py."""
    model, atoms = product_model(), random_structure([8, 1, 1] * 4, seed=3, cell=TRICLINIC)
    arrays = {"target0.mean": np.zeros(2)}
    for a in range(2):
        arrays[f"target0.term0.weights.{a}"] = 2 * model.arrays[f"term0.weights.{a}"]
    found = model.with_targets(ALL_KINDS[:1], arrays).evaluate(atoms).properties["charge"]
    expected = 2 * model.evaluate_environments(model.environments(atoms), term=0).energies
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(found, 2 * np.array(twin_energies(model, atoms)), rtol=1e-10)


def test_weights_of_zero_leave_the_mean(atoms):
    model = random_model()
    zeros = {f"target0.term0.weights.{a}": 0 * model.arrays[f"term0.weights.{a}"] for a in (0, 1)}
    found = model.with_targets(ALL_KINDS[:1], {"target0.mean": np.arange(2.0), **zeros})
    values = found.evaluate(atoms).properties["charge"]
    np.testing.assert_array_equal(values, model.species_indices(atoms.numbers))


def test_ase_gives_targets_as_properties(model, atoms):
    atoms = atoms.copy()
    atoms.calc = SoapGprCalculator(model)
    expected = model.evaluate(atoms)
    assert atoms.calc.get_property("gap", atoms) == expected.properties["gap"]
    np.testing.assert_array_equal(
        atoms.calc.get_property("shielding", atoms), expected.properties["shielding"]
    )
    np.testing.assert_array_equal(atoms.get_forces(), expected.forces)
    assert np.isnan(atoms.calc.results["shielding"][atoms.numbers == 8]).all()


def test_ase_has_no_energy_of_a_model_without_a_potential(atoms):
    from ase.calculators.calculator import PropertyNotImplementedError

    atoms = atoms.copy()
    atoms.calc = SoapGprCalculator(with_targets(random_model(), potential=False))
    assert set(atoms.calc.implemented_properties) == {target.name for target in ALL_KINDS}
    for read in (atoms.get_potential_energy, atoms.get_forces):
        with pytest.raises(PropertyNotImplementedError):
            read()
    assert np.isfinite(atoms.calc.get_property("volume", atoms))


def test_target_entry_says_only_what_counts():
    assert Target("q", "e", True).entry() == {"name": "q", "unit": "e", "per_atom": True}
