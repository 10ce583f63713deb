# SPDX-License-Identifier: BSD-3-Clause
"""Model files with vectors and tensors: what contradicts is refused in one sentence."""

import json

import numpy as np
import pytest
from alchemical import alchemical_model
from model_bytes import change_metadata
from models import random_model, random_structure
from tensor_models import with_tensors

from potential import Model, SoapGprError

pytestmark = pytest.mark.check


@pytest.fixture(scope="module")
def model():
    return with_tensors(random_model())


def bases_of(model, **changes):
    (own,) = model.tensor_bases
    return {"tensor_bases": json.dumps([own | changes])}


def targets_of(model, **changes):
    own = [target.entry() for target in model.targets]
    return {"targets": json.dumps([own[0] | changes, *own[1:]])}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: bases_of(m, term=1), "tensor basis 1 of the model file: 'term' is out of range"),
        (lambda m: bases_of(m, zeta=0), "'zeta' is out of range"),
        (lambda m: bases_of(m, more=1), "has the unknown key 'more'; a newer soap-gpr may"),
        (lambda m: bases_of(m, parts=[]), "stands on a basis without features of its λ"),
        (lambda m: {"tensor_bases": "[]"}, "list of tensor bases is empty"),
        (lambda m: {"tensor_bases": "{"}, "incomplete or of the wrong type"),
        (
            lambda m: bases_of(
                m, parts=[{"lambda": 1, "sigma": 0}, *m.tensor_bases[0]["parts"][1:]]
            ),
            "has a sigma that is not 1 or -1",
        ),
        (lambda m: targets_of(m, basis=3), "'basis' is out of range"),
        (lambda m: targets_of(m, rank=4), "'rank' is out of range"),
        (lambda m: targets_of(m, rank=3), "'symmetric'|incomplete"),
    ],
)
def test_metadata_that_contradict_are_refused(model, change, message):
    with pytest.raises(SoapGprError, match=message) as error:
        Model.from_bytes(change_metadata(model.to_bytes(), **change(model)))
    assert "\n" not in str(error.value)


def test_products_that_do_not_couple_are_refused(model):
    for bad in ([0, 0, 0, 0], [1, 0, 0, 0], [0, 99, 1, 0], [0, 0, 9, 0], [-1, 0, 0, 0]):
        features = np.array([bad], dtype=np.int64)
        with pytest.raises(SoapGprError, match=r"'basis0.features.0' holds what are no products"):
            model.with_arrays({"basis0.features.0": features})


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("basis0.densities.0", np.zeros((7, 5)), "array 'basis0.densities.0'"),
        ("basis0.densities.0", np.full((7, 8), np.nan), "array 'basis0.densities.0'"),
        ("target0.cartesian", np.eye(4), "array 'target0.cartesian'"),
        ("target1.part1.weights.0", np.zeros((7, 3)), "array 'target1.part1.weights.0'"),
        ("target0.mean", np.zeros(5), "array 'target0.mean'"),
    ],
)
def test_arrays_of_other_shapes_are_refused(model, name, array, message):
    with pytest.raises(SoapGprError, match=message):
        model.with_arrays({name: array})


def test_arrays_that_nobody_asked_for_are_refused(model):
    with pytest.raises(SoapGprError, match=r"basis1\.densities\.0"):
        extra = {"basis1.densities.0": np.zeros((1, 3))}
        model.with_arrays(extra)


def test_species_of_shared_sets_are_checked():
    model = with_tensors(alchemical_model(species=(1, 8), centers="alchemical"))
    species = np.full_like(model.arrays["basis0.species"], 7)
    with pytest.raises(SoapGprError, match=r"'basis0\.species' holds what is no species"):
        model.with_arrays({"basis0.species": species})


def test_a_file_that_was_read_and_written_says_the_same(model, tmp_path):
    model.save(tmp_path / "m.sgpr")
    atoms = random_structure([8, 1, 1])
    found, expected = (
        m.evaluate(atoms).properties for m in (Model.load(tmp_path / "m.sgpr"), model)
    )
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)
