# SPDX-License-Identifier: BSD-3-Clause
"""Vectors and tensors through all commands, several ranks, checkpoints, factors and compression."""

import json

import ase.io
import numpy as np
import pytest
from tensor_data import ALPHA, DIPOLE, SHIELDING, TERM, tensor_frames, tensor_settings
from test_fit_ranks import run_fit

from potential import Model, SoapGprCalculator, fit
from potential.cli import main
from potential.settings.toml_text import toml_text

SIZES = {"n_sparse": 8, "n_features": 20, "unit": "a.u."}
OWN = [own | SIZES for own in (DIPOLE, ALPHA, SHIELDING)]
SMALL = TERM | {"n_sparse": 6, "n_max": 3, "l_max": 2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Data, settings and a fitted model with a potential."""
    out = tmp_path_factory.mktemp("tensors")
    for name, n, seed in (("train", 16, 1), ("test", 6, 2)):
        frames = tensor_frames(n, seed)
        for k, atoms in enumerate(frames):
            atoms.info["E"] = float(np.sin(k))
        ase.io.write(out / f"{name}.xyz", frames)
    settings = tensor_settings(*OWN) | {"terms": [SMALL]}
    settings["data"] = {"train": ["train.xyz"], "test": ["test.xyz"], "energy_key": "E"}
    (out / "fit.toml").write_text(toml_text(settings))
    assert main(["fit", str(out / "fit.toml"), "-o", str(out / "model.sgpr")]) == 0
    return out


@pytest.fixture(scope="module")
def model(folder):
    return Model.load(folder / "model.sgpr")


def test_evaluate_writes_what_the_model_says(folder, model, capsys):
    outputs = ["-o", str(folder / "out.xyz"), "--json", str(folder / "errors.json")]
    assert main(["evaluate", str(folder / "model.sgpr"), str(folder / "test.xyz"), *outputs]) == 0
    text = capsys.readouterr().out
    assert "% of deviation" in text and "lambda=1 pseudo" in text and "lambda=2" in text
    errors = json.loads((folder / "errors.json").read_text())["target_errors"]
    assert set(errors["alpha"]) == {"all", "lambda=0", "lambda=2", "even", "odd"}
    for own, atoms in zip(
        ase.io.read(folder / "out.xyz", ":"), ase.io.read(folder / "test.xyz", ":"), strict=True
    ):
        found = model.evaluate(atoms).properties
        np.testing.assert_allclose(own.get_dipole_moment(), found["dipole"], atol=1e-7)
        np.testing.assert_allclose(own.info["alpha"], found["alpha"], atol=1e-7)
        np.testing.assert_allclose(own.arrays["cs"], found["cs"].reshape(-1, 9), atol=1e-7)
        np.testing.assert_allclose(own.info["reference_dipole"], atoms.info["mu"], atol=1e-7)


def test_errors_are_percentages_of_the_intrinsic_deviation(folder, model):
    labels = np.array([a.info["mu"] for a in ase.io.read(folder / "test.xyz", ":")])
    record = model.metadata["provenance"]["test_target_errors"]["dipole"]["all"]
    assert record["deviation"] == pytest.approx(np.sqrt(np.mean(labels**2)))


def test_info_and_report_know_tensors(folder, capsys):
    assert main(["info", str(folder / "model.sgpr")]) == 0
    text = capsys.readouterr().out
    assert "dipole (a.u.) vector of structures, sum over atoms, terms 1; 48 labels" in text
    assert "zeta 2, sparse points H 8, O 8, products of λ = 1 20" in text
    page = folder / "report.html"
    arguments = ["report", str(folder / "model.sgpr"), str(folder / "test.xyz"), "-o", str(page)]
    assert main(arguments) == 0
    assert "alpha, xx, yy, zz: 18 values" in page.read_text()


def test_learning_curve_ends_at_the_errors_of_the_fit(folder, model):
    out = folder / "curve.json"
    arguments = ["--sizes", "4,8,16", "--repeats", "2", "--json", str(out)]
    assert main(["learning-curve", str(folder / "fit.toml"), *arguments]) == 0
    text = out.read_text()
    expected = model.metadata["provenance"]["test_target_errors"]["alpha"]["lambda=2"]["rmse"]
    curves = json.loads(text)
    assert "alpha" in text and "lambda=2" in text and curves
    assert np.isclose(_numbers(curves), expected, rtol=1e-5).any()


def _numbers(values):
    """All numbers of nested lists and tables."""
    if isinstance(values, dict):
        values = list(values.values())
    if isinstance(values, list):
        return np.concatenate([np.zeros(0), *map(_numbers, values)])
    return np.array([values], dtype=float) if isinstance(values, float) else np.zeros(0)


@pytest.mark.parametrize(
    ("key", "values"),
    [("noise", [0.01, 0.1, 1.0]), ("zeta", [1, 2]), ("n_sparse", [2, 4]), ("n_features", [5, 9])],
)
def test_tune_searches_the_settings_of_a_vector(folder, key, values):
    text = (folder / "fit.toml").read_text()
    text += f'[tune]\nfolds = 2\nmethod = "grid"\n[tune.search]\n"targets.0.{key}" = {values}\n'
    (folder / "tune.toml").write_text(text)
    best, trials = folder / "best.toml", folder / "trials.json"
    arguments = ["tune", str(folder / "tune.toml"), "-o", str(best), "--json", str(trials)]
    assert main(arguments) == 0
    assert "dipole" in trials.read_text() and f"{key} = " in best.read_text()
    found = [own["targets"]["dipole"]["rmse"] for own in json.loads(trials.read_text())["trials"]]
    assert len(set(found)) >= len(values)


def test_two_ranks_and_a_checkpoint_make_the_same_model(folder, model, capsys):
    run = run_fit(folder, "-o", "two.sgpr", "--checkpoint", "state", ranks=2)
    assert run.returncode == 0, run.stderr
    assert_predict_the_same(folder, model, Model.load(folder / "two.sgpr"))


def test_a_stored_factor_makes_the_same_model(folder, model):
    for _ in range(2):  # made, and taken up
        arguments = ["-o", str(folder / "three.sgpr"), "--factor", str(folder / "factor")]
        assert main(["fit", str(folder / "fit.toml"), *arguments]) == 0
        assert_predict_the_same(folder, model, Model.load(folder / "three.sgpr"))


def assert_predict_the_same(folder, first, second):
    for atoms in ase.io.read(folder / "test.xyz", ":"):
        one, two = (own.evaluate(atoms).properties for own in (first, second))
        for name, value in one.items():
            np.testing.assert_allclose(two[name], value, atol=1e-6 * np.abs(value).max())


def test_uncertainty_leaves_them_out_and_says_so(folder):
    frames = ase.io.read(folder / "train.xyz", ":")
    for atoms in frames:
        atoms.info["size"] = float(atoms.positions.std())
    scalar = {"name": "size", "key": "size", "per_atom": False, "noise": 0.01}
    settings = tensor_settings(scalar, *OWN) | {"terms": [SMALL]}
    settings |= {"data": {"energy_key": "E"}, "uncertainty": {"committee": 4, "n_blocks": 4}}
    found = fit(settings, train=frames, progress=False)
    assert "[uncertainty]: vectors and tensors have none: dipole, alpha, cs" in found.warnings
    assert set(found.model.uncertainty.targets) == {"size"}
    result = found.model.evaluate(frames[0], uncertainty=["targets"])
    assert set(result.uncertainty.of_targets) == {"size_uncertainty"}


def test_a_compressed_model_keeps_them(folder, model):
    out = folder / "small.sgpr"
    arguments = ["--tolerance", "0.5", "-o", str(out)]
    data = str(folder / "train.xyz")
    assert main(["compress", str(folder / "model.sgpr"), data, *arguments]) == 0
    assert_predict_the_same(folder, model, Model.load(out))


def test_the_calculator_gives_what_ase_asks_for(folder, model):
    atoms = ase.io.read(folder / "test.xyz")
    atoms.calc = SoapGprCalculator(model)
    found = model.evaluate(atoms).properties
    np.testing.assert_array_equal(atoms.get_dipole_moment(), found["dipole"])
    assert atoms.calc.results["alpha"].shape == (3, 3)
    assert atoms.calc.results["cs"].shape == (len(atoms), 3, 3)
    assert np.isfinite(atoms.get_forces()).all()
