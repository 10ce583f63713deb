# SPDX-License-Identifier: BSD-3-Clause
"""Features that a term keeps: their choice, recoupling, and that all evaluate them alike."""

import re

import numpy as np
import pytest
import slow_twin
from body_order import (
    assert_forces_are_derivatives,
    assert_rows_are_the_evaluation,
    weights_of,
)
from models import kernel_model, random_structure, selected_model
from training_data import emt_frames, small_settings, write_frames

from potential import SoapGprError
from potential.model import Model
from potential.model.compression import compress
from potential.selection.columns import choose_columns
from potential.settings import SoapTermSettings
from potential.structures.structure import structure_from_atoms
from potential.training.estimate import estimate
from potential.training.fitting import fit
from potential.training.provenance import summary


def low_rank(rank=12, n_rows=80, n_columns=30, noise=0.0, seed=0):
    """Columns of very different lengths."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, rank)) @ rng.normal(size=(rank, n_columns))
    return X * 10.0 ** rng.uniform(-2, 0, n_columns) + noise * rng.normal(size=X.shape)


CASES = [
    {},
    {"recouple": True},
    {"recouple": True, "zeta": 1},
    {"recouple": True, "n_sparse": 40},
    {"recouple": True, "zeta": 2.5, "offset": 0.2},
    {"recouple": True, "normalize": False, "delta": 0.1},
]


@pytest.mark.parametrize("method", ["cur", "fps", "random"])
def test_choice_meets_the_tolerance_with_the_fewest_columns_of_its_order(method):
    X = low_rank(noise=1e-3)
    found = choose_columns(X, method, tolerance=0.02)
    assert found.residual <= 0.02 < choose_columns(X, method, n=len(found.chosen) - 1).residual
    P = np.linalg.pinv(X[:, found.chosen]) @ X
    np.testing.assert_allclose(found.map, P, atol=1e-8)
    residual = np.linalg.norm(X - X[:, found.chosen] @ P) / np.linalg.norm(X)
    assert found.residual == pytest.approx(residual, rel=1e-8)


def test_cur_ends_at_the_rank():
    found = choose_columns(low_rank(), "cur", n=25)
    assert len(found.chosen) == 12
    assert found.residual < 1e-8


def test_recoupled_columns_have_the_products_of_all():
    X = low_rank()
    found = choose_columns(X, n=12)
    U = X[:, found.chosen] @ found.recoupling().T
    np.testing.assert_allclose(U @ U.T, X @ X.T, atol=1e-9 * np.abs(X @ X.T).max())


def test_choice_of_columns_is_that_of_skmatter():
    selection = pytest.importorskip("skmatter.feature_selection")
    X = low_rank(noise=1e-3)
    longest = int(np.argmax(np.linalg.norm(X, axis=0)))
    theirs = selection.FPS(n_to_select=10, initialize=longest).fit(X)
    assert np.array_equal(choose_columns(X, "fps", n=10).chosen, np.sort(theirs.selected_idx_))


def test_arguments_of_no_use_are_one_sentence():
    X = low_rank()
    for arguments in ({}, {"n": 3, "tolerance": 0.1}, {"tolerance": 2.0}, {"n": 31}, {"n": 0}):
        with pytest.raises(SoapGprError, match="expected"):
            choose_columns(X, **arguments)
    with pytest.raises(SoapGprError, match="zeros alone"):
        choose_columns(np.zeros((3, 2)), n=1)
    with pytest.raises(SoapGprError, match="expected one of"):
        choose_columns(X, "best", n=1)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_evaluation_is_that_of_the_rows_and_of_finite_differences(case):
    model = selected_model(**case)
    for atoms in (random_structure([8] * 4 + [1] * 8, seed=2), random_structure([8, 1], pbc=False)):
        assert_rows_are_the_evaluation(model, atoms)
        assert_forces_are_derivatives(model, atoms)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_energies_are_those_of_the_slow_twin(case):
    model = selected_model(**case)
    atoms, entry = random_structure([8] * 4 + [1] * 8, seed=2), model.terms[0]
    tables = {
        "n_channels": entry["n_channels"],
        "channel_begin": entry["channel_begin"],
        "channel_end": entry["channel_end"],
        "segments": entry["segments"],
        "tables": {a: model.arrays[f"term0.table.{a}"] for a in range(2)},
        "central": {a: model.arrays[f"term0.central.{a}"] for a in range(2)},
    }
    species = model.species_indices(atoms.numbers)
    p = slow_twin.features(tables, entry["l_max"], species, atoms.positions, atoms.cell.array, True)
    u = np.array([own[model.arrays["term0.features"]] for own in p])
    if "term0.recoupling" in model.arrays:
        u = np.array([model.arrays["term0.recoupling"] @ own for own in u])
    points = {a: model.arrays[f"term0.sparse_points.{a}"] for a in range(2)}
    weights = {a: model.arrays[f"term0.weights.{a}"] for a in range(2)}
    kernel = {key: entry[key] for key in ("zeta", "delta", "normalize")}
    energies = slow_twin.term_energies(
        u, species, points, weights, offset=entry.get("offset", 0.0), **kernel
    )
    expected = energies + np.array([model.e0[z] for z in atoms.numbers])
    np.testing.assert_allclose(model.evaluate(atoms).energies, expected, rtol=1e-9, atol=1e-9)


def test_few_and_many_products_are_the_same_function():
    """The loops over all products and those over some, on the same features."""
    few = selected_model(n=10)
    n_all = sum(q * (q + 1) // 2 for q in few.terms[0]["n_channels"])
    others = np.setdiff1d(np.arange(n_all), few.arrays["term0.features"])
    many = few.with_arrays(
        {
            "term0.features": np.append(others, few.arrays["term0.features"]),
            "term0.feature_scale": np.append(np.zeros(len(others)), np.ones(10)),
            **{
                name: np.hstack([np.zeros((len(few.arrays[name]), len(others))), few.arrays[name]])
                for name in ("term0.sparse_points.0", "term0.sparse_points.1")
            },
        }
    )
    atoms = random_structure([8] * 4 + [1] * 8, seed=2)
    one, other = few.evaluate(atoms), many.evaluate(atoms)
    np.testing.assert_allclose(one.forces, other.forces, atol=1e-12)
    environments = few.environments(atoms)
    np.testing.assert_allclose(few.rows(environments), many.rows(environments), atol=1e-11)


def test_all_features_recoupled_are_the_model_without_a_selection():
    atoms = random_structure([8] * 4 + [1] * 8, seed=2)
    full = kernel_model(zeta=3)
    n = len(full.arrays["term0.sparse_points.0"][0])
    rotation, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(n, n)))
    arrays = {
        "term0.features": np.arange(n),
        "term0.feature_scale": np.ones(n),
        "term0.recoupling": rotation,
    }
    for a in range(2):
        arrays[f"term0.sparse_points.{a}"] = full.arrays[f"term0.sparse_points.{a}"] @ rotation.T
    model = full.with_arrays(arrays)
    np.testing.assert_allclose(
        model.evaluate(atoms).forces, full.evaluate(atoms).forces, atol=1e-11
    )


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    return write_frames(tmp_path_factory.mktemp("data") / "train.xyz", emt_frames(8))


def selection(train, **feature_selection):
    return small_settings(train, feature_selection=feature_selection)


@pytest.mark.parametrize("method", ["cur", "fps"])
@pytest.mark.parametrize("recouple", [False, True])
def test_fit_keeps_what_is_asked_for(train, method, recouple, tmp_path):
    settings = selection(train, method=method, n_features=20, recouple=recouple)
    result = fit(settings, progress=False)
    (record,), arrays = result.provenance["terms"], result.model.arrays
    assert arrays["term0.sparse_points.0"].shape[1] == 20
    assert ("term0.recoupling" in arrays) == recouple
    text = rf"20 of 144 features by {method}, residual \S+ %{', recoupled' * recouple}\n"
    assert re.search(text, summary(result.model))
    assert 0 < record["feature_selection"]["residual"] < 0.5
    frame = structure_from_atoms(emt_frames(1, seed=7)[0])
    rows = result.model.rows(result.model.environments(frame))
    forces = result.model.evaluate(frame).forces
    np.testing.assert_allclose(rows[1:25] @ weights_of(result.model), forces.ravel(), atol=1e-8)
    result.model.save(tmp_path / "model.sgpr")
    again = Model.load(tmp_path / "model.sgpr")
    assert np.array_equal(again.evaluate(frame).forces, forces)


def test_choice_is_independent_of_the_order_of_structures(train, tmp_path):
    other = write_frames(tmp_path / "other.xyz", emt_frames(8)[::-1])
    wanted = {"method": "fps", "tolerance": 0.05, "recouple": True}
    one, two = (fit(selection(name, **wanted), progress=False).model for name in (train, other))
    for name in ("term0.features", "term0.recoupling", "term0.sparse_points.0"):
        assert np.array_equal(one.arrays[name], two.arrays[name]), name


def test_a_tight_selection_fits_like_all_features(train):
    full = fit(small_settings(train), progress=False).model
    tight = fit(selection(train, tolerance=1e-4, recouple=True), progress=False).model
    assert len(tight.arrays["term0.features"]) < 100
    frame = emt_frames(1, seed=7)[0]
    one, other = full.evaluate(frame), tight.evaluate(frame)
    assert one.energy == pytest.approx(other.energy, abs=0.02)
    np.testing.assert_allclose(one.forces, other.forces, atol=0.05)


def test_derivatives_of_kept_features_are_functions(train):
    for recouple in (False, True):
        wanted = {"n_features": 20, "recouple": recouple}
        settings = small_settings(
            train, sparse_basis="derivatives", n_sparse=48, feature_selection=wanted
        )
        model = fit(settings, progress=False).model
        atoms = structure_from_atoms(emt_frames(1, seed=7)[0])
        rows = model.rows(model.environments(atoms))
        found = rows[1:25] @ model.arrays["term0.structures.coefficients"].ravel()
        np.testing.assert_allclose(found, model.evaluate(atoms).forces.ravel(), atol=1e-9)


def test_points_of_a_model_with_the_same_selection(train, tmp_path):
    first = fit(selection(train, n_features=20, recouple=True), progress=False).model
    first.save(tmp_path / "first.sgpr")
    settings = selection(train, n_features=20, recouple=True)
    settings["terms"][0] |= {"sparse_method": "file", "sparse_file": str(tmp_path / "first.sgpr")}
    del settings["terms"][0]["n_sparse"]
    second = fit(settings, progress=False).model
    np.testing.assert_allclose(
        first.arrays["term0.weights.0"], second.arrays["term0.weights.0"], rtol=1e-9
    )
    settings["terms"][0]["feature_selection"] = {"n_features": 21}
    with pytest.raises(SoapGprError, match="found no soap term with the basis"):
        fit(settings, progress=False)


def test_the_estimate_counts_points_of_a_file_whose_selection_is_another(tmp_path):
    train = write_frames(tmp_path / "train.xyz", emt_frames(24))  # a trial takes fewer
    first = fit(selection(train, n_features=6), progress=False).model
    first.save(tmp_path / "first.sgpr")
    settings = selection(train, n_features=6)
    settings["terms"][0] |= {"sparse_method": "file", "sparse_file": str(tmp_path / "first.sgpr")}
    del settings["terms"][0]["n_sparse"]
    assert f"Weights        at most {first.n_weights}" in estimate(settings)


def test_compressed_model_with_recoupling_is_the_same_function():
    full = selected_model(n=15, recouple=True, n_sparse=40, zeta=3)
    frames = [structure_from_atoms(random_structure([8] * 8 + [1] * 16, seed=s)) for s in range(2)]
    small = compress(full, frames, tolerance=1e-3).model
    assert small.compressed
    deviation = small.evaluate(frames[0]).forces - full.evaluate(frames[0]).forces
    assert np.abs(deviation).max() < 2e-3
    assert_forces_are_derivatives(small, random_structure([8] * 4 + [1] * 8, seed=2))


def test_settings_of_no_use_are_one_sentence(train):
    for wrong in ({}, {"n_features": 10, "tolerance": 0.1}, {"n_features": 0}, {"method": "best"}):
        with pytest.raises(SoapGprError, match=r"feature_selection.*expected"):
            SoapTermSettings(feature_selection=wrong)
    with pytest.raises(SoapGprError, match="found n_features = 200, expected at most 144"):
        fit(selection(train, n_features=200), progress=False)
