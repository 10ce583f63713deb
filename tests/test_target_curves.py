# SPDX-License-Identifier: BSD-3-Clause
"""Learning curves of [[targets]] against the fits that they stand for."""

import json
from dataclasses import replace

import numpy as np
import pytest
from targets import HALF, SITE, labelled, target_settings
from training_data import small_toml, write_frames

from potential import SoapGprError, fit
from potential.cli import main
from potential.model.evaluation import evaluate_structures
from potential.reports.learning_curve import format_curve, read_curve
from potential.runtime.ranks import Ranks
from potential.scores.properties import property_errors
from potential.settings.file import parse_settings
from potential.training.targets import fit_targets
from potential.validation.learning_curve import learning_curve
from potential.validation.row_store import prepare, read_data


def with_holes(n, seed, labels=("energy", "forces")):
    """A frame without labels of sites, one with a nan, and one without a mean."""
    frames = labelled(n, seed, labels)
    del frames[3].arrays["site_energy"], frames[4].info["mean"]
    frames[5].arrays["site_energy"][2] = np.nan
    return frames


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("target_curves")
    train = write_frames(folder / "train.xyz", with_holes(12, seed=1))
    test = write_frames(folder / "test.xyz", labelled(4, seed=2))
    data = {"train": [train], "test": [test]}
    return parse_settings(target_settings(SITE, HALF) | {"data": data})


@pytest.fixture(scope="module")
def curve(settings):
    return learning_curve(settings, [2, 6, 12], repeats=2, seed=5)


def test_errors_equal_those_of_fits_to_the_subsets(settings, curve):
    prepared = prepare(settings, read_data(settings))
    for s, size in enumerate([6, 12], 1):
        order = np.random.default_rng([5, 0]).permutation(range(12))
        subset = [prepared.train[k] for k in order[:size]]
        model = fit_targets(prepared.model, subset, settings, Ranks()).model
        found = evaluate_structures(model, prepared.test)
        for name, groups in property_errors(model.targets, prepared.test, found).items():
            assert set(curve.target_errors[name]) == set(groups)
            for of, own in groups.items():
                values = curve.target_errors[name][of]
                assert values["rmse"][s, 0] == pytest.approx(own.rmse, rel=1e-6)
                assert values["mae"][s, 0] == pytest.approx(own.mae, rel=1e-6)


def test_last_point_is_the_error_of_the_fit(settings, curve):
    result = fit(settings, progress=False)
    for name, groups in result.test_property_errors.items():
        for of, own in groups.items():
            found = curve.target_errors[name][of]["rmse"][-1, 0]
            assert found == pytest.approx(own.rmse, rel=1e-6)
    expected = result.test_errors["all"]["force"].rmse
    assert curve.errors["force"]["rmse"][-1, 0] == pytest.approx(expected, rel=1e-7)


def test_subsets_with_too_few_labels_are_left_out_and_said(curve):
    """Two structures differ by composition, or have equal means."""
    missing = np.isnan(curve.target_errors["average"]["all"]["rmse"])
    (text,) = [w for w in curve.warnings if "left out of the curve" in w]
    assert missing[0].any() and not missing[1].any()
    assert text.startswith(f"{missing[0].sum()} of 5 subsets are left out of the curve of a target")
    assert "target average: " in text and "expected labels that vary" in text
    assert "target site: 1 of 12 structures have no 'site_energy'" in curve.warnings


def test_rows_from_anywhere_give_the_same_curve(settings, curve):
    other = learning_curve(settings, [2, 6, 12], 2, 5, memory_bytes=0, disk_bytes=20_000)
    for name, groups in curve.target_errors.items():
        for of, own in groups.items():
            np.testing.assert_array_equal(other.target_errors[name][of]["rmse"], own["rmse"])


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """A fit.toml of data with labels of targets alone."""
    folder = tmp_path_factory.mktemp("targets_alone")
    write_frames(folder / "train.xyz", with_holes(10, 1, labels=()))
    write_frames(folder / "test.xyz", labelled(4, 2, labels=()))
    (folder / "fit.toml").write_text(
        small_toml(10)
        + '[[targets]]\nname = "site"\nkey = "site_energy"\nunit = "eV"\nnoise = 0.01\n'
    )
    return folder


def test_command_shows_curves_without_a_potential(alone, monkeypatch, capsys):
    monkeypatch.chdir(alone)
    line = "learning-curve fit.toml --sizes 3,6,9 --repeats 2 -o curve.html --json curve.json"
    assert main(line.split()) == 0
    out = capsys.readouterr().out
    assert "Target site" in out and "Cu RMSE, eV" in out and "energy" not in out
    values = read_curve(alone / "curve.json")
    assert values["errors"] == {} and values["target_units"] == {"site": "eV"}
    assert set(values["target_errors"]["site"]) == {"all", "Au", "Cu"}
    assert sum(values["kept"].values()) == 9
    assert format_curve(values) == out.rstrip("\n")
    assert "Learning curve of site" in (alone / "curve.html").read_text()
    assert main(["learning-curve", "fit.toml", "--sizes", "3,6", "-o", "c.png"]) == 0
    assert (alone / "c.png").read_bytes().startswith(b"\x89PNG")


def test_page_of_a_model_shows_curves_of_targets(alone, monkeypatch, capsys):
    monkeypatch.chdir(alone)
    assert main(["learning-curve", "fit.toml", "--sizes", "3,6", "--json", "r.json"]) == 0
    assert main(["fit", "fit.toml", "-o", "m.sgpr"]) == 0
    assert main(["report", "m.sgpr", "test.xyz", "--learning-curve", "r.json", "-o", "r.html"]) == 0
    assert "Learning curve of site" in (alone / "r.html").read_text()
    (alone / "bad.json").write_text(json.dumps(read_curve("r.json") | {"target_units": {}}))
    with pytest.raises(SoapGprError, match="expected the JSON of soap-gpr learning-curve"):
        read_curve("bad.json")


def test_test_set_without_labels_is_said(settings, tmp_path):
    frames = labelled(2, seed=3)
    for atoms in frames:
        del atoms.arrays["site_energy"]
    test = write_frames(tmp_path / "test.xyz", frames)
    other = replace(settings, data=replace(settings.data, test=(test,)))
    curve = learning_curve(other, [6], repeats=1)
    assert curve.target_errors["site"] == {} and curve.target_errors["average"]
    assert "target site: no test structure has a label of it" in curve.warnings
    assert "Target site" not in format_curve(curve.to_dict())
