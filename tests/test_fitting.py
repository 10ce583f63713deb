# SPDX-License-Identifier: BSD-3-Clause
"""Training end to end on Cu-Au labelled by effective medium theory, and against plain algebra."""

import json
import math

import numpy as np
import pytest
from threadpoolctl import threadpool_info
from training_data import emt_frames, small_settings, write_frames

from potential.errors import SoapGprError
from potential.model import Model
from potential.model.evaluation import evaluate_structures
from potential.settings.file import parse_settings
from potential.structures.read import read_structures
from potential.terms.features import features
from potential.training.fitting import fit
from potential.training.regression import solve
from potential.training.rows import weighted_rows

pytestmark = pytest.mark.check


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("emt")
    train = write_frames(folder / "train.xyz", emt_frames(24, seed=1))
    test = write_frames(folder / "test.xyz", emt_frames(8, seed=2))
    return train, test


@pytest.fixture(scope="module")
def result(files):
    train, test = files
    return fit(small_settings(train, [test]), progress=False)


def forces_of(model, files):
    evaluations = evaluate_structures(model, read_structures([files[1]]))
    return np.concatenate([evaluation.forces for evaluation in evaluations])


def test_fit_predicts_structures_it_has_not_seen(result):
    test = result.test_errors["all"]
    assert test["energy"].rmse < 0.02
    assert test["force"].rmse < 0.12
    assert test["stress"].rmse < 0.01
    reference = np.concatenate([structure.forces for structure in result.test])
    assert test["force"].rmse < 0.25 * np.sqrt(np.mean(reference**2))


def test_errors_go_down_with_data_and_sparse_points(files, result):
    train, test = files
    fewer = fit(small_settings(train + "@:4", [test]), progress=False)
    coarse = fit(small_settings(train, [test], n_sparse=5), progress=False)
    assert result.test_errors["all"]["force"].rmse < 0.8 * fewer.test_errors["all"]["force"].rmse
    assert result.test_errors["all"]["force"].rmse < 0.8 * coarse.test_errors["all"]["force"].rmse


@pytest.mark.parametrize("method", ("fps", "random", "leverage", "cur"))
def test_same_seed_same_model_in_any_order(tmp_path, files, method):
    frames = emt_frames(24, seed=1)
    shuffled = [frames[k] for k in np.random.default_rng(3).permutation(len(frames))]
    other = write_frames(tmp_path / "shuffled.xyz", shuffled)
    settings = dict(sparse_method=method, seed=4, n_sparse=15)
    first = fit(small_settings(files[0], **settings), progress=False).model
    second = fit(small_settings(other, **settings), progress=False).model
    for name, array in first.arrays.items():
        if "weights" not in name:
            assert np.array_equal(array, second.arrays[name]), name
    assert np.abs(forces_of(first, files) - forces_of(second, files)).max() < 1e-9


def test_other_seed_other_sparse_points(files):
    settings = dict(sparse_method="random", n_sparse=15)
    first, second = (
        fit(small_settings(files[0], seed=seed, **settings), progress=False).model
        for seed in (0, 1)
    )
    points = "term0.sparse_points.0"
    assert not np.array_equal(first.arrays[points], second.arrays[points])


def test_all_environments_as_sparse_points_equal_full_gaussian_process(tmp_path, files):
    """Energies alone, every environment a sparse point: E* = K*N (K_NN + Λ)⁻¹ y, in numpy."""
    train = write_frames(tmp_path / "train.xyz", emt_frames(12, seed=5, labels=("energy",)))
    settings = small_settings(train, [files[1]], n_sparse=10_000, delta=0.7)
    settings["noise"] = {"energy_per_atom": 0.05}
    settings["solver"] = {"jitter": 1e-12}
    model = fit(settings, progress=False).model
    train_structures, test_structures = read_structures([train]), read_structures([files[1]])

    def kernel(rows, columns):
        K = np.empty((len(rows), len(columns)))
        for i, first in enumerate(rows):
            for j, second in enumerate(columns):
                same = first.numbers[:, None] == second.numbers[None]
                dots = features(model, 0, first) @ features(model, 0, second).T
                K[i, j] = 0.7**2 * (same * dots**2).sum()
        return K

    def e0(structures):
        return np.array([sum(model.e0[z] for z in s.numbers) for s in structures])

    noise = 0.05**2 * np.diag([len(structure) for structure in train_structures])
    targets = np.array([structure.energy for structure in train_structures])
    alpha = np.linalg.solve(
        kernel(train_structures, train_structures) + noise, targets - e0(train_structures)
    )
    expected = kernel(test_structures, train_structures) @ alpha + e0(test_structures)
    predicted = [e.energy for e in evaluate_structures(model, test_structures)]
    assert np.abs(predicted - expected).max() < 1e-6


def test_streaming_qr_equals_normal_equations(files):
    """Energies, forces and virials with strong regularisation, where normal equations are fine."""
    values = small_settings(files[0], n_sparse=12)
    values["noise"] = {"energy_per_atom": 0.1, "force": 0.5, "virial_per_atom": 0.5}
    values["solver"] = {"jitter": 1e-6}
    model = fit(values, progress=False).model
    settings = parse_settings(values)
    parts = [weighted_rows(model, s, settings) for s in read_structures([files[0]])]
    A = np.concatenate([rows for rows, _ in parts])
    y = np.concatenate([targets for _, targets in parts])
    K_MM = np.zeros((24, 24))
    for a, points in model.sparse_points(0).items():
        K_MM[12 * a : 12 * a + 12, 12 * a : 12 * a + 12] = (points @ points.T) ** 2
    K_MM += 1e-6 * np.mean(np.diag(K_MM)) * np.eye(24)
    expected = np.linalg.solve(A.T @ A + K_MM, A.T @ y)
    weights = np.concatenate([model.arrays[f"term0.weights.{a}"] for a in (0, 1)])
    assert np.abs(A @ (weights - expected)).max() < 1e-6 * np.abs(A @ expected).max()


def test_two_terms_fit_better_than_the_short_one(files):
    train, test = files
    one = small_settings(train, [test], cutoff=3.2, n_sparse=20)
    two = json.loads(json.dumps(one))
    two["terms"].append(two["terms"][0] | {"cutoff": 4.5, "basis": "laplacian", "n_sparse": 30})
    single, double = fit(one, progress=False), fit(two, progress=False)
    assert len(double.model.terms) == 2 and double.model.cutoff == 4.5
    assert double.train_errors["all"]["force"].rmse < single.train_errors["all"]["force"].rmse


def test_infinite_sigma_leaves_labels_out(files):
    train, _ = files
    settings = small_settings(train, n_sparse=10)
    settings["noise"] = {"virial_per_atom": math.inf, "config_type": {"odd": {"force": math.inf}}}
    record = fit(settings, progress=False).provenance
    assert record["fitted_labels"] == 24 + 12 * 24
    settings["noise"] = dict.fromkeys(("energy_per_atom", "force", "virial_per_atom"), math.inf)
    with pytest.raises(SoapGprError, match="found inf for every label"):
        fit(settings, progress=False)


def test_forces_alone_and_mixed_labels_can_be_fitted(tmp_path):
    frames = emt_frames(4, labels=("forces",)) + emt_frames(4, 1, ("energy",))
    path = write_frames(tmp_path / "mixed.xyz", frames)
    record = fit(small_settings(path, n_sparse=10), progress=False).provenance
    assert record["fitted_labels"] == 4 + 4 * 24
    only_forces = fit(small_settings(path + "@:4", n_sparse=10), progress=False)
    assert any("no energies" in warning for warning in only_forces.warnings)


def test_model_file_tells_where_it_comes_from(tmp_path, files, result):
    result.model.save(tmp_path / "model.sgpr")
    metadata = Model.load(tmp_path / "model.sgpr").metadata
    record = metadata["provenance"]
    assert set(record["sha256"]) == set(files)
    assert record["train"]["structures"] == 24 and record["test"]["energies"] == 8
    assert record["train"]["config_types"] == {"even": 12, "odd": 12}
    assert record["sparse_points"] == [{"Cu": 40, "Au": 40}]
    assert record["test_errors"]["errors"]["all"]["force"]["count"] == 8 * 24
    assert record["condition_number"] > 1 and record["program"].startswith("soap-gpr ")
    assert metadata["settings"]["terms"][0]["n_max"] == 4


def test_asking_for_too_many_sparse_points_warns(files):
    result = fit(small_settings(files[0] + "@:2", n_sparse={"Cu": 500, "Au": 2}), progress=False)
    (warning,) = result.warnings
    assert "distinct environments of Cu, 500 sparse points were asked for" in warning


def test_missing_species_in_n_sparse_is_named(files):
    with pytest.raises(SoapGprError, match=r"n_sparse: found Cu, expected Au as well"):
        fit(small_settings(files[0], n_sparse={"Cu": 5}), progress=False)


def test_missing_species_in_atom_sigma_is_named(files):
    with pytest.raises(SoapGprError, match=r"atom_sigma has no entry for Au"):
        fit(small_settings(files[0], atom_sigma={"Cu": 0.5}), progress=False)


def test_species_only_in_test_set_is_named(tmp_path, files):
    (frame,) = emt_frames(1)
    frame.symbols[3] = "Ni"
    test = write_frames(tmp_path / "test.xyz", frame)
    with pytest.raises(SoapGprError, match=r"test\.xyz#0: found Ni, expected only Cu, Au as"):
        fit(small_settings(files[0], [test]), progress=False)


def test_test_structures_seen_in_training_are_pointed_out(files):
    train, _ = files
    result = fit(small_settings(train, [train + "@:3"], n_sparse=5), progress=False)
    assert "3 test structures are training structures as well" in result.warnings


def test_blas_threads_stay_out_of_the_way_of_ours(files, monkeypatch):
    seen = []

    def solve_and_look(*arguments, **options):
        seen.extend(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
        return solve(*arguments, **options)

    monkeypatch.setattr("potential.training.fitting.solve", solve_and_look)
    fit(small_settings(files[0]), progress=False)
    assert seen
    assert set(seen) == {1}


def test_too_little_memory_is_said_before_the_work(files, monkeypatch):
    monkeypatch.setattr("potential.training.memory.available_bytes", lambda: 1000)
    with pytest.raises(SoapGprError, match="lower n_sparse"):
        fit(small_settings(files[0], n_sparse=5), progress=False)


@pytest.mark.parametrize(
    "text, message",
    [
        (
            '[[terms]]\nn_sparse = 5\n[[terms]]\nkind = "pair"\nlength_scale = 0.011\n'
            "cutoff = 9.0\ncutoff_width = 0.01\n",
            "fit.toml: [[terms]] number 2 length_scale: found 0.011 Å, expected",
        ),
        ("[baseline.zbl]\nouter = 0.011\n", "fit.toml: [baseline.zbl] found inner = "),
        (
            "[noise]\nenergy_per_atom = inf\nforce = inf\nvirial_per_atom = inf\n"
            "[[terms]]\nn_sparse = 5\n",
            "fit.toml: [noise]: found inf for every label",
        ),
    ],
)
def test_what_only_data_bring_out_names_the_file(tmp_path, text, message):
    write_frames(tmp_path / "train.xyz", emt_frames(4))
    toml = tmp_path / "fit.toml"
    toml.write_text('[data]\ntrain = ["train.xyz"]\n' + text)
    with pytest.raises(SoapGprError) as error:
        fit(toml, progress=False)
    assert message in str(error.value)
