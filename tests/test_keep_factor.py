# SPDX-License-Identifier: BSD-3-Clause
"""[solver] keep_factor: the triangle of the regression in the model file, and refits from it."""

import copy

import numpy as np
import pytest
from scipy.linalg import solve_triangular
from training_data import emt_frames, small_settings, write_frames

from potential import _core
from potential.cli import main
from potential.errors import SoapGprError
from potential.model import Model
from potential.settings.file import parse_settings
from potential.structures.read import read_structures
from potential.terms.prior import prior_factor
from potential.training.fitting import fit
from potential.training.refit import refit
from potential.training.regression import merge
from potential.training.rows import weighted_rows


def settings_of(train, jitter=1e-10, keep=True, **term):
    solver = {"jitter": jitter, "keep_factor": keep}
    return small_settings(train, n_sparse=20, **term) | {"solver": solver}


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    return write_frames(tmp_path_factory.mktemp("kept") / "train.xyz", emt_frames(10, seed=1))


@pytest.fixture(scope="module")
def kept(train):
    return fit(settings_of(train), progress=False).model


def test_the_triangle_is_that_of_the_rows(train, kept):
    settings = parse_settings(settings_of(train))
    parts = [weighted_rows(kept, s, settings) for s in read_structures([train])]
    Ay = np.concatenate([np.column_stack(part) for part in parts])
    R = kept.arrays["triangle"]
    assert R.shape == (41, 41) and np.array_equal(R, np.triu(R))
    expected = Ay.T @ Ay
    np.testing.assert_allclose(R.T @ R, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())


def test_a_kept_triangle_changes_nothing_else(train, kept):
    plain = fit(settings_of(train, keep=False), progress=False).model
    assert kept.arrays.keys() - plain.arrays.keys() == {"triangle"}
    for name, array in plain.arrays.items():
        np.testing.assert_array_equal(array, kept.arrays[name], err_msg=name)
    s = read_structures([train])[0]
    one, two = (m.evaluate(s.numbers, s.positions, s.cell, s.pbc) for m in (plain, kept))
    np.testing.assert_array_equal(one.forces, two.forces)


@pytest.mark.parametrize(
    "term",
    ({}, {"sparse_basis": "derivatives", "n_sparse": 48}),
    ids=("environments", "derivatives"),
)
def test_refit_with_another_jitter_equals_a_fit_with_it(tmp_path, train, term):
    file = tmp_path / "kept.sgpr"
    settings = settings_of(train)
    settings["terms"][0] |= term
    settings["terms"].append({"kind": "pair", "cutoff": 4.0, "n_sparse": 6})
    settings["baseline"] = {"zbl": {}}
    fit(settings, progress=False).model.save(file)
    settings["solver"]["jitter"] = 1e-6
    expected = fit(settings, progress=False)
    model = Model.load(file)
    before = copy.deepcopy(model.metadata)
    found = refit(model, jitter=1e-6)
    assert model.metadata == before
    assert found.arrays.keys() == expected.model.arrays.keys()
    for name, array in expected.model.arrays.items():
        np.testing.assert_array_equal(array, found.arrays[name], err_msg=name)
    assert found.metadata["settings"] == expected.model.metadata["settings"]
    record = found.metadata["provenance"]
    for key in ("condition_number", "residual_per_label", "largest_weight", "sha256", "train"):
        assert record[key] == expected.provenance[key], key
    assert "train_errors" not in record


def test_triangle_and_kernel_matrix_give_the_inverse_of_variances(train, kept):
    """K̃ = K_MM + AᵀΛ⁻¹A of the projected process, and aᵀK̃⁻¹a by two triangular solves."""
    settings = parse_settings(settings_of(train))
    parts = [weighted_rows(kept, s, settings) for s in read_structures([train])]
    A = np.concatenate([rows for rows, _ in parts])
    K_MM = kept.kernel_matrix()
    R = np.asfortranarray(kept.arrays["triangle"][:-1, :-1])
    U = prior_factor(K_MM, 1e-3)
    merge(R, np.array(U, order="F"))
    a = A[0]
    found = np.sum(solve_triangular(R, a, trans=1) ** 2)
    assert found == pytest.approx(a @ np.linalg.solve(U.T @ U + A.T @ A, a), rel=1e-6)


def test_refits_that_cannot_be_are_one_sentence(train, kept):
    for jitter in (-1e-9, 2.0, float("nan"), "1e-8"):
        with pytest.raises(
            SoapGprError, match=r"\[solver\] jitter: found .*, expected a number >= 0"
        ):
            refit(kept, jitter=jitter)
    plain = fit(settings_of(train, keep=False), progress=False).model
    with pytest.raises(SoapGprError, match=r"fit with \[solver\] keep_factor = true$"):
        refit(plain, jitter=1e-8)
    other = kept.with_arrays({"triangle": np.eye(7)})
    with pytest.raises(SoapGprError, match=r"of 7 columns in the model, expected 41"):
        refit(other, jitter=1e-8)
    with pytest.raises(SoapGprError, match=r"^found no fitted_labels in the model's provenance"):
        refit(kept.with_record(provenance={}), jitter=1e-8)
    with pytest.raises(SoapGprError, match=r"settings\.solver: found 3, expected a table"):
        refit(kept.with_record(settings={"solver": 3}), jitter=1e-8)


def test_any_other_value_is_refused(train):
    settings = settings_of(train) | {"solver": {"keep_factor": "yes"}}
    with pytest.raises(SoapGprError, match='keep_factor: found "yes", expected true or false'):
        fit(settings, progress=False)


@pytest.mark.parametrize(
    "array, message",
    [
        (np.ones((41, 41)), "'triangle' holds numbers below its diagonal"),
        (np.zeros((41, 40)), "'triangle' is not square"),
        (np.zeros(41), "'triangle' has the unexpected shape"),
        (np.zeros((2, 2), dtype=np.int64), "'triangle' holds integers"),
        (np.full((1, 1), np.nan), "'triangle' holds a number that is not finite"),
    ],
)
def test_readers_refuse_what_is_no_triangle(kept, array, message):
    metadata, arrays = _core.unpack(kept.to_bytes())
    data = _core.pack(metadata, arrays | {"triangle": array})
    with pytest.raises(SoapGprError, match=message):
        Model.from_bytes(data)


def test_info_shows_the_triangle_and_compress_drops_it(tmp_path, train, kept, capsys):
    file, small = tmp_path / "kept.sgpr", tmp_path / "small.sgpr"
    kept.save(file)
    assert main(["info", str(file)]) == 0
    assert "Factor         triangle of the regression, 41 × 41, 0.0 MiB" in capsys.readouterr().out
    assert main(["compress", str(file), train, "-o", str(small), "--tolerance", "0.1"]) == 0
    assert "The triangle of the regression was left out" in capsys.readouterr().out
    assert "triangle" not in Model.load(small).arrays


@pytest.mark.parametrize("kind", ("checkpoint", "factor"))
def test_fits_with_files_keep_it_as_well(tmp_path, train, kept, kind):
    """A file of a fit that kept no triangle is gone on from."""
    path = tmp_path / kind
    fit(settings_of(train, keep=False), progress=False, **{kind: path})
    found = fit(settings_of(train), progress=False, **{kind: path}).model
    R, S = found.arrays["triangle"], kept.arrays["triangle"]
    np.testing.assert_allclose(R.T @ R, S.T @ S, rtol=1e-8, atol=1e-8 * np.abs(S.T @ S).max())
