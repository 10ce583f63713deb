# SPDX-License-Identifier: BSD-3-Clause
"""Evaluation and files of targets of kernels between structures (docs/theory.md eq. 23k, 23l)."""

import json

import numpy as np
import pytest
from ase.build import make_supercell
from kernel_targets import with_kernel_target
from model_bytes import change_metadata
from models import kernel_model, random_model, random_structure, selected_model
from scipy.spatial.transform import Rotation
from targets import ALL_KINDS, with_targets

from ipi_driver.evaluation import Evaluator
from ipi_driver.units import BOHR_PER_ANGSTROM
from potential import Model, SoapGprCalculator, SoapGprError, structure_kernel
from potential.descriptors import Features
from potential.structures.structure import structure_from_atoms
from potential.terms.features import features

pytestmark = pytest.mark.check

KERNELS = [
    {"extensive": True, "pooling": "mean"},
    {"extensive": False, "pooling": "features", "normalize": False, "zeta": 1.5},
    {"extensive": True, "pooling": "features", "centers": "shared"},
    {"extensive": False, "pooling": "rematch", "gamma": 0.3, "centers": "shared"},
    {"extensive": True, "pooling": "rematch", "normalize": False},
]


@pytest.fixture(scope="module")
def atoms():
    return random_structure([8, 1, 1] * 3, seed=7)


@pytest.mark.parametrize("kernel", KERNELS)
def test_value_is_the_sum_of_kernels_with_sparse_structures(atoms, kernel):
    model = with_kernel_target(random_model(), **kernel)
    (target,) = model.targets
    of = target.kernel
    sparse = [random_structure([1, 8] * k, seed=k) for k in (1, 2, 3)]
    A, B = (
        Features(
            np.concatenate([features(model, 0, own) for own in group]),
            np.concatenate([own.numbers for own in group]),
            np.cumsum([0, *map(len, group)]),
        )
        for group in ([atoms], sparse)
    )
    options = {"zeta": of.zeta, "pooling": of.pooling, "centers": of.centers, "gamma": of.gamma}
    k = structure_kernel(A, B, **options)[0]
    k = k / np.sqrt(structure_kernel(A, **options)[0, 0]) if of.normalize else k
    species = model.species_indices(atoms.numbers)
    expected = model.arrays["target0.mean"][species].mean() + k @ model.arrays["target0.weights"]
    expected *= len(atoms) if target.extensive else 1
    found = model.evaluate(atoms).properties["gap"]
    assert isinstance(found, float) and found == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("kernel", KERNELS)
def test_rotation_and_order_leave_the_value_and_replication_repeats_it(atoms, kernel):
    model = with_kernel_target(random_model(), **kernel)
    before = model.evaluate(atoms).properties["gap"]
    turn = Rotation.from_rotvec([0.3, -1.1, 0.7]).as_matrix()
    turned = atoms[np.random.default_rng(0).permutation(len(atoms))]
    turned.set_cell(atoms.cell.array @ turn.T)
    turned.positions = turned.positions @ turn.T
    assert model.evaluate(turned).properties["gap"] == pytest.approx(before, rel=1e-8)
    twice = make_supercell(atoms, np.diag([2, 1, 1]))
    found = model.evaluate(twice).properties["gap"]
    assert found == pytest.approx(before * (2 if model.targets[0].extensive else 1), rel=1e-7)


def test_recoupled_and_unnormalised_features_are_those_of_training(atoms):
    """Features of the term that the core and Python share out between them."""
    for plain in (selected_model(recouple=True), kernel_model(normalize=False)):
        model = with_kernel_target(plain, pooling="mean", normalize=False)
        own = np.sort(model.arrays["target0.structures.features"][:2], axis=0)
        rows = features(plain, 0, random_structure([1, 8], seed=1))
        np.testing.assert_allclose(own, np.sort(rows, axis=0), atol=1e-12)
        assert np.isfinite(model.evaluate(atoms).properties["gap"])


def test_potential_and_other_targets_stay(atoms):
    plain, own = random_model(), with_kernel_target(random_model())
    sums = with_targets(plain, ALL_KINDS[:3])
    arrays = {
        name.replace("target0", "target3"): array
        for name, array in own.arrays.items()
        if name.startswith("target0")
    }
    arrays |= {name: array for name, array in sums.arrays.items() if name.startswith("target")}
    found = plain.with_targets([*sums.targets, *own.targets], arrays).evaluate(atoms)
    np.testing.assert_array_equal(found.forces, plain.evaluate(atoms).forces)
    assert found.properties.pop("gap") == own.evaluate(atoms).properties["gap"]
    for name, values in sums.evaluate(atoms).properties.items():
        np.testing.assert_array_equal(found.properties[name], values)


def test_file_keeps_it_and_ase_and_ipi_give_it(atoms, tmp_path):
    model = with_kernel_target(random_model())
    model.save(tmp_path / "m.sgpr")
    loaded = Model.load(tmp_path / "m.sgpr")
    assert loaded.targets == model.targets and "targets gap" in repr(loaded)
    expected = model.evaluate(atoms).properties["gap"]
    assert loaded.evaluate(structure_from_atoms(atoms), n_threads=2).properties["gap"] == expected
    atoms = atoms.copy()
    atoms.calc = SoapGprCalculator(loaded)
    assert atoms.calc.get_property("gap", atoms) == expected
    buffers = np.empty((len(atoms), 3)), np.empty((3, 3))
    cell, positions = (x * BOHR_PER_ANGSTROM for x in (atoms.cell.array.T, atoms.positions))
    _, extras = Evaluator(loaded, atoms).evaluate(cell, positions, *buffers)
    assert json.loads(extras)["gap"] == pytest.approx(expected, rel=1e-9)


def test_match_that_is_not_found_names_the_target(atoms, monkeypatch):
    monkeypatch.setattr("potential.kernels.rematch.MOST_ITERATIONS", 1)
    with pytest.raises(SoapGprError, match=r"^target gap: .*REMatch has not converged"):
        with_kernel_target(random_model(), gamma=1e-3).evaluate(atoms)


def changed_entry(model, **changes):
    (entry,) = json.loads(model._contents[0]["targets"])
    entry["kernel"] |= changes
    return change_metadata(model.to_bytes(), targets=json.dumps([entry]))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"term": 1}, "its kernel: 'term' is out of range"),
        ({"term": "x"}, "its kernel is incomplete or of the wrong type: its 'term' is string"),
        ({"pooling": "sum"}, "its kernel has an unknown value of pooling"),
        ({"centers": "alchemical"}, "its kernel has an unknown value of centers"),
        ({"zeta": 0.5}, "its kernel: 'zeta' is out of range"),
        ({"gamma": 0}, "its kernel: 'gamma' is out of range"),
        ({"normalize": 1}, "its 'normalize' is number"),
        ({"pooling": "density"}, "its kernel has the unknown key 'gamma'"),
        ({"pooling": "mean"}, "its kernel has the unknown key 'gamma'"),
        ({"eta": 1}, "its kernel has the unknown key 'eta'"),
    ],
)
def test_wrong_entries_are_refused(changes, words):
    with pytest.raises(SoapGprError, match=words):
        Model.from_bytes(changed_entry(with_kernel_target(random_model()), **changes))


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("sizes", np.array([2, 4, 5]), "species' has the unexpected shape"),
        ("sizes", np.array([2, 4, 0]), "is no number of environments"),
        ("species", np.full(12, 2), "what is no species of the model"),
        ("shares", np.zeros(12), "what is no part of a structure"),
        ("features", np.zeros((12, 3)), "features' has the unexpected shape"),
        ("features", np.full((12, 144), np.nan), "not finite"),
        ("names", np.zeros(3), "unknown array 'target0.structures.names'"),
    ],
)
def test_wrong_arrays_are_refused(name, values, words):
    model = with_kernel_target(random_model())
    with pytest.raises(SoapGprError, match=words):
        model.with_arrays({f"target0.structures.{name}": values})
    with pytest.raises(SoapGprError, match=r"lacks the array .*structures\.species"):
        model.without_array("target0.structures.species")


def test_mean_densities_are_of_whole_spectra():
    for model in (selected_model(), kernel_model(representation="bispectrum")):
        with pytest.raises(SoapGprError, match="the pooling of a term that is no spectrum of all"):
            made = with_kernel_target(model, pooling="mean")
            Model.from_bytes(changed_entry(made, pooling="density"))
    model = with_kernel_target(random_model(), pooling="density")
    assert model.arrays["target0.structures.sizes"].tolist() == [1, 1, 1]
    assert np.isfinite(model.evaluate(random_structure([8, 1])).properties["gap"])


def test_kernels_of_atoms_are_refused():
    model = with_kernel_target(random_model())
    (entry,) = json.loads(model._contents[0]["targets"])
    entry |= {"per_atom": True}
    del entry["extensive"]
    with pytest.raises(SoapGprError, match="has a kernel, and values of atoms"):
        Model.from_bytes(change_metadata(model.to_bytes(), targets=json.dumps([entry])))
