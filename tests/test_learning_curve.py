# SPDX-License-Identifier: BSD-3-Clause
"""Learning curves against the fits that they stand for."""

import json
from dataclasses import replace

import numpy as np
import pytest
from training_data import emt_frames, small_settings, write_frames

from potential.cli import main
from potential.errors import SoapGprError
from potential.model.evaluation import evaluate_structures
from potential.reports.learning_curve import format_curve, read_curve
from potential.scores import metrics
from potential.settings.file import parse_settings
from potential.training.fitting import fit
from potential.training.regression import StreamingQR, solve
from potential.training.rows import extended_rows, weighted_rows
from potential.validation.learning_curve import automatic_sizes, fitted_slope, learning_curve
from potential.validation.row_store import RowStore, prepare, random_parts, read_data


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("curve")
    train = write_frames(folder / "train.xyz", emt_frames(14, seed=1))
    test = write_frames(folder / "test.xyz", emt_frames(4, seed=2))
    return parse_settings(small_settings(train, [test], n_sparse=40))


@pytest.fixture(scope="module")
def curve(settings):
    return learning_curve(settings, [3, 7, 14], repeats=2, seed=5)


def refit(prepared, subset):
    """The model that weighted_rows and solve give for a subset, with the subset's own e0."""
    model = prepared.model.with_arrays({"e0": prepared.e0(subset)})
    qr = StreamingQR(model.n_weights)
    for structure in subset:
        qr.add(*weighted_rows(model, structure, prepared.settings))
    jitter = prepared.settings.solver.jitter
    return model.with_weights(solve(qr.triangle(), prepared.K_MM, jitter).weights)


def test_errors_equal_those_of_refitted_and_evaluated_models(settings, curve):
    prepared = prepare(settings, read_data(settings))
    for s, size in enumerate(curve.sizes):
        for repeat in range(2 if size < 14 else 1):
            order = np.random.default_rng([5, repeat]).permutation(range(14))
            model = refit(prepared, [prepared.train[k] for k in order[:size]])
            predictions = evaluate_structures(model, prepared.test)
            expected = metrics.errors(prepared.test, predictions)["all"]
            for label, of_label in curve.errors.items():
                for name, values in of_label.items():
                    wanted = getattr(expected[label], name)
                    assert values[s, repeat] == pytest.approx(wanted, rel=1e-7), (label, size)


def test_last_point_is_the_error_of_the_fit(settings, curve):
    expected = fit(settings, progress=False).test_errors["all"]
    for label, of_label in curve.errors.items():
        assert of_label["rmse"][-1, 0] == pytest.approx(expected[label].rmse, rel=1e-7)


def test_whole_set_is_fitted_once(curve):
    rmse = curve.errors["force"]["rmse"]
    assert np.isfinite(rmse[:2]).all() and np.isnan(rmse[2, 1])
    assert curve.standard_error("force", "rmse")[2] == 0.0
    assert curve.standard_error("force", "rmse")[0] == pytest.approx(
        abs(rmse[0, 0] - rmse[0, 1]) / 2
    )


def test_more_structures_give_smaller_errors(curve):
    mean = curve.mean("force", "rmse")
    assert mean[0] > mean[2] and curve.slope("force", "rmse") < -0.2
    assert set(curve.errors) == {"energy", "force", "virial"}


@pytest.mark.parametrize("memory, disk, places", [(0, 0, 14), (30_000, 40_000, None)])
def test_rows_from_anywhere_give_the_same_curve(settings, curve, memory, disk, places):
    other = learning_curve(
        settings, [3, 7, 14], repeats=2, seed=5, memory_bytes=memory, disk_bytes=disk
    )
    if places:
        assert other.kept == {"memory": 0, "temporary file": 0, "computed again": places}
    else:
        assert all(other.kept.values())
    for label in curve.errors:
        np.testing.assert_array_equal(other.errors[label]["mae"], curve.errors[label]["mae"])


def test_row_store_returns_the_rows_that_were_made(settings):
    prepared = prepare(settings, read_data(settings))

    def make(structure):
        return extended_rows(prepared.model, structure, settings)

    with RowStore(make, prepared.train, prepared.width, 20_000, 20_000) as store:
        store.fill()
        for rows, structure in zip(store.rows(range(14)), prepared.train, strict=True):
            np.testing.assert_array_equal(rows, make(structure))


def test_without_test_set_a_fifth_is_held_out(settings):
    alone = replace(settings, data=replace(settings.data, test=()))
    curve = learning_curve(alone, [4, 8], repeats=1)
    assert curve.n_test == 3 and curve.held_out
    with pytest.raises(SoapGprError, match="sizes: found 4, 12, expected integers from 1 to 11"):
        learning_curve(alone, [4, 12], repeats=1)


def test_parts_keep_equal_structures_together_in_any_order(settings):
    train = prepare(settings, read_data(settings)).train
    part = random_parts([*train, *train], 5, seed=3)
    assert np.array_equal(part[:14], part[14:]) and set(part) == set(range(5))
    assert np.array_equal(random_parts(train[::-1], 5, seed=3), part[:14][::-1])
    with pytest.raises(SoapGprError, match="found 14 different training structures"):
        random_parts(train, 15, seed=0)


def test_automatic_sizes_are_powers_of_two_and_all():
    assert automatic_sizes(14) == [2, 4, 8, 14]
    assert automatic_sizes(64) == [8, 16, 32, 64]


def test_slope_of_a_power_law_is_its_exponent():
    n = [10, 20, 80]
    assert fitted_slope(n, 3.0 * np.array(n) ** -0.7)[0] == pytest.approx(-0.7)
    assert np.isnan(fitted_slope([10], np.array([1.0]))[0])


def test_command_writes_table_page_image_and_json(settings, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train, test = settings.data.train[0], settings.data.test[0]
    (tmp_path / "fit.toml").write_text(
        f'[data]\ntrain = ["{train}"]\ntest = ["{test}"]\n'
        "[[terms]]\ncutoff = 4.0\nn_max = 4\nl_max = 3\nzeta = 2\nn_sparse = 10\n"
    )
    line = "learning-curve fit.toml --sizes 3,6 --repeats 2 -o curve.html --json curve.json"
    assert main(line.split()) == 0
    out = capsys.readouterr().out
    assert "force RMSE, meV/Å" in out and "slope" in out and "±" in out
    assert "e+" not in out and "± 0 " not in out
    assert "Errors on 4 test structures" in (tmp_path / "curve.html").read_text()
    values = read_curve(tmp_path / "curve.json")
    assert values["sizes"] == [3, 6] and format_curve(values) == out.rstrip("\n")
    assert main(["learning-curve", "fit.toml", "--sizes", "3", "-o", "c.png"]) == 0
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
    assert main(["fit", "fit.toml"]) == 0
    assert main(f"report model.sgpr {test} --learning-curve curve.json".split()) == 0
    assert "Learning curve" in (tmp_path / "report.html").read_text()


def test_wrong_files_are_one_sentence(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.json").write_text(json.dumps({"sizes": [1]}))
    assert main(["learning-curve", "fit.toml", "-o", "curve.doc"]) == 1
    assert "found the ending 'doc', expected .html" in capsys.readouterr().err
    with pytest.raises(SoapGprError, match="expected the JSON of soap-gpr learning-curve"):
        read_curve(tmp_path / "other.json")
