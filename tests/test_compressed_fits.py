# SPDX-License-Identifier: BSD-3-Clause
"""Fits with [compress]: the model of the fit without it, within the tolerance, whatever the way."""

import numpy as np
import pytest
from targets import labelled
from test_fit_ranks import run_fit
from training_data import emt_frames, small_settings, write_frames

from potential.cli import main
from potential.errors import SoapGprError
from potential.model import Model
from potential.model.deviations import deviation
from potential.model.evaluation import evaluate_structures
from potential.scores import metrics
from potential.scores.cost import Cost, CostMeter
from potential.settings import CompressSettings
from potential.settings.file import as_settings, parse_settings
from potential.settings.toml_text import toml_text
from potential.structures.structure import structure_from_atoms
from potential.terms import TrainingModel
from potential.training import compression
from potential.training.compression import measured_on
from potential.training.estimate import estimate
from potential.training.fitting import fit
from potential.training.provenance import summary
from potential.training.rows import weighted_rows
from potential.validation.learning_curve import learning_curve
from potential.validation.row_store import NOT_COMPRESSED
from potential.validation.search_space import parse_tune
from potential.validation.tuning import tune

AGAIN = {"compress": {"refit": True}}
PAIR = dict(kind="pair", cutoff=4.0, n_sparse=6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compressed")
    write_frames(folder / "train.xyz", emt_frames(16, seed=1))
    write_frames(folder / "test.xyz", emt_frames(4, seed=2))
    (folder / "fit.toml").write_text(toml_text(relative(settings_in(folder, {"force": 1e-3}))))
    return folder


def settings_in(folder, compress=None, **term):
    settings = small_settings(str(folder / "train.xyz"), [str(folder / "test.xyz")], **term)
    return settings if compress is None else settings | {"compress": compress}


def relative(settings):
    return settings | {"data": {"train": ["train.xyz"], "test": ["test.xyz"]}}


@pytest.fixture(scope="module")
def fitted(folder):
    return fit(settings_in(folder), progress=False)


@pytest.fixture(scope="module")
def smaller(folder):
    return fit(settings_in(folder, {"force": 1e-3}), progress=False)


def change(one, two, structures):
    """Deviation of two models."""
    return deviation(structures, *(evaluate_structures(m, structures) for m in (one, two)))


def test_forces_on_training_frames_agree_within_the_tolerance(fitted, smaller):
    assert smaller.model.compressed and not fitted.model.compressed
    found = change(fitted.model, smaller.model, smaller.train)
    assert 0 < found.force_rms < found.force <= 1e-3
    record = smaller.provenance["compression"]
    assert record["tolerance"] == 1e-3
    assert record["deviation"]["force"] == pytest.approx(found.force, rel=1e-6)
    assert change(fitted.model, smaller.model, smaller.test).force < 0.02


def test_errors_on_record_are_those_of_the_model_that_is_written(smaller, tmp_path):
    smaller.model.save(tmp_path / "model.sgpr")
    model = Model.load(tmp_path / "model.sgpr")
    found = metrics.errors(smaller.test, evaluate_structures(model, smaller.test))
    assert smaller.test_errors == found
    assert model.metadata["provenance"]["test_errors"] == metrics.to_json(found)
    assert model.metadata["settings"]["compress"]["force"] == 1e-3


def test_summary_says_dimensions_and_change(smaller):
    text = summary(smaller.model)
    for a, name in enumerate(("Cu", "Au")):
        before, after = smaller.model.arrays[f"term0.projection.{a}"].shape[::-1]
        assert f"{name}: {before} features to {after} dimensions" in text
    assert "forces changed by at most" in text and "compression" in smaller.provenance["seconds"]


def test_dry_run_says_on_what_changes_are_measured(folder):
    text = estimate(settings_in(folder, {"structures": 5}))
    assert "Compression    forces within 0.5 meV/Å on 5 structures, 40 atoms" in text
    assert "Compression" not in estimate(settings_in(folder))


def test_checkpoint_and_factor_give_the_same_model(folder, smaller, tmp_path):
    settings, test = settings_in(folder, {"force": 1e-3}), smaller.test
    with_checkpoint = fit(settings, progress=False, checkpoint=tmp_path / "checkpoint")
    assert change(smaller.model, with_checkpoint.model, test).force < 1e-8
    factor = tmp_path / "factor"
    fit(settings_in(folder), progress=False, factor=factor)
    again = fit(settings, progress=False, factor=factor)  # of a fit without [compress]
    assert again.model.compressed
    assert change(smaller.model, again.model, test).force < 1e-6


def test_two_ranks_write_the_same_model(folder, smaller):
    done = run_fit(folder, "-o", "two.sgpr", ranks=2)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("forces changed by at most") == 1
    model = Model.load(folder / "two.sgpr")
    assert change(smaller.model, model, smaller.test).force < 1e-6


@pytest.fixture(scope="module")
def again(folder):
    """With weights that are fitted again, after a change that is seen."""
    return fit(settings_in(folder, {"force": 0.05, "refit": True}), progress=False)


def test_weights_fitted_again_make_the_least_squares_smaller(folder, fitted, again):
    settings = as_settings(settings_in(folder, {"force": 0.05}))
    first = fit(settings, progress=False).model
    K_MM = TrainingModel(fitted.model.to_bytes()).kernel_matrix()

    def loss(model):
        trained = TrainingModel(model.to_bytes())
        w = np.concatenate([model.arrays[f"term0.weights.{a}"] for a in range(2)])
        rows = (weighted_rows(trained, s, settings) for s in again.train)
        return sum(np.sum((A @ w - y) ** 2) for A, y in rows) + w @ K_MM @ w

    assert again.model.compressed
    for a in range(2):
        name = f"term0.projection.{a}"
        np.testing.assert_allclose(again.model.arrays[name], first.arrays[name], rtol=1e-6)
    assert loss(again.model) < 0.999 * loss(first)
    record = again.provenance
    residual = record["residual_per_label"] * record["fitted_labels"]
    assert residual == pytest.approx(loss(again.model), rel=1e-3)  # jitter counts as well


def test_the_record_says_that_weights_were_fitted_again(again):
    assert again.provenance["compression"]["refitted"]
    assert "before weights were fitted again" in summary(again.model)
    found = metrics.errors(again.test, evaluate_structures(again.model, again.test))
    assert again.test_errors == found


def test_two_ranks_fit_the_same_weights_again(folder, again):
    settings = relative(settings_in(folder, {"force": 0.05, "refit": True}))
    (folder / "again.toml").write_text(toml_text(settings))
    done = run_fit(folder, "-o", "again.sgpr", ranks=2, settings="again.toml")
    assert done.returncode == 0, done.stderr
    assert change(again.model, Model.load(folder / "again.sgpr"), again.test).force < 1e-6


def test_weights_are_fitted_again_with_the_noise_that_was_found(folder):
    settings = settings_in(folder, {"force": 0.05, "refit": True}) | {"noise": "auto"}
    found = fit(settings, progress=False)
    assert found.model.compressed and found.provenance["compression"]["refitted"]
    assert found.provenance["residual_per_label"] == pytest.approx(1, abs=0.2)


def test_a_factor_makes_no_rows_again(folder, tmp_path):
    for run in (fit, estimate):
        with pytest.raises(SoapGprError, match=r"\[compress\] refit: found true with a factor"):
            run(settings_in(folder, {"refit": True}), factor=tmp_path / "factor")
    assert not (tmp_path / "factor").exists()


def test_weights_on_derivatives_are_compressed(folder):
    settings = settings_in(folder, {}, sparse_basis="derivatives", n_sparse=72)
    found = fit(settings, progress=False)
    del settings["compress"]
    assert found.model.compressed
    assert change(fit(settings, progress=False).model, found.model, found.train).force <= 5e-4


def test_measures_of_uncertainty_are_kept(folder):
    settings = settings_in(folder, {"force": 1e-3})
    settings |= {"uncertainty": {"committee": 4, "variance": True, "n_blocks": 4}}
    found = fit(settings, progress=False)
    del settings["compress"]
    before = fit(settings, progress=False)
    assert found.model.compressed and found.model.uncertainty == before.model.uncertainty
    own, first = (
        m.evaluate(found.test[0], uncertainty=("variance", "forces")).uncertainty
        for m in (found.model, before.model)
    )
    np.testing.assert_allclose(own.variances, first.variances, rtol=1e-7)
    spread = first.forces_uncertainty
    np.testing.assert_allclose(own.forces_uncertainty, spread, atol=0.1 * spread.max())
    assert found.provenance["compression"]["spread_deviation"]["rms"] < 0.1 * spread.max()


@pytest.mark.parametrize("potential", (True, False))
def test_targets_have_their_own_tolerance(tmp_path, potential):
    labels = ("energy", "forces") if potential else ()
    train = write_frames(tmp_path / "train.xyz", labelled(12, seed=1, labels=labels))
    target = {"name": "site", "key": "site_energy", "noise": 0.01}
    settings = small_settings(train, n_sparse=60) | {"targets": [target]}
    found = fit(settings | {"compress": {"targets": 1e-2}}, progress=False)
    assert found.model.compressed and found.model.has_potential == potential
    record = found.provenance["compression"]
    assert record["target_tolerance"] == 1e-2
    assert 0 < record["target_deviation"]["site"]["relative"] <= 1e-2


def test_models_that_would_not_be_quicker_stay_as_they_are(folder):
    found = fit(settings_in(folder, {}, zeta=1), progress=False)
    assert not found.model.compressed and "compression" not in found.provenance
    assert [w for w in found.warnings if w.startswith("[compress]: nothing to gain: forces within")]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"compress": {"force": 0}}, "[compress] force: found 0, expected a number >= 1e-15"),
        ({"compress": {"force": "0.5 meV"}}, '[compress] force: found "0.5 meV", expected'),
        ({"compress": {"forces": 1e-3}}, "[compress] unknown key 'forces'; did you mean 'force'?"),
        ({"compress": {"structures": 0}}, "[compress] structures: found 0, expected an integer"),
        ({"compress": {"targets": 1e-3}}, "[compress] targets: found it without [[targets]]"),
        ({"terms": [PAIR]}, 'found no [[terms]] of kind "soap" or "acsf", expected one'),
        ({"solver": {"keep_factor": True}}, "found [solver] keep_factor = true, expected false"),
        (AGAIN | {"uncertainty": {}}, "[compress] refit: found true with [uncertainty]"),
        (
            AGAIN | {"terms": [{"sparse_basis": "derivatives", "n_sparse": 24}]},
            '[compress] refit: found true with sparse_basis = "derivatives", expected false',
        ),
    ],
)
def test_what_cannot_be_is_one_sentence(folder, monkeypatch, capsys, more, words):
    monkeypatch.chdir(folder)
    settings = relative(settings_in(folder, {})) | more
    (folder / "wrong.toml").write_text(toml_text(settings))
    assert main(["fit", "wrong.toml", "-o", "wrong.sgpr"]) == 1
    error = capsys.readouterr().err
    assert words in error and len(error.splitlines()) == 1 and "wrong.toml" in error
    assert not (folder / "wrong.sgpr").exists()


def test_structures_are_of_all_species_and_config_types_in_any_order(monkeypatch):
    frames = emt_frames(20, seed=3)
    for k, atoms in enumerate(frames):
        atoms.info["config_type"] = "rare" if k == 7 else "common"
    frames[11].symbols[0] = "Ag"
    train = [structure_from_atoms(atoms) for atoms in frames]
    own = CompressSettings(structures=4)
    found = measured_on(own, train)
    assert len(found) == 4 and len({id(s) for s in found}) == 4
    assert {47, 29, 79} == {int(z) for s in found for z in s.numbers}
    assert any(s is train[11] for s in found) and any(s is train[7] for s in found)
    other = measured_on(own, train[::-1])
    assert [id(s) for s in found] == [id(s) for s in other]
    assert len(measured_on(CompressSettings(structures=100), train)) == 20
    monkeypatch.setattr(compression, "MOST_ATOMS", 20)
    assert len(measured_on(CompressSettings(structures=100), train)) == 2
    monkeypatch.setattr(compression, "MOST_ATOMS", 1)
    assert len(measured_on(own, train)) == 1


def test_settings_survive_and_other_fits_do_not_have_them():
    values = {"data": {"train": ["a.xyz"]}, "compress": {"force": 0.001}}
    settings = parse_settings(values, file="fit.toml")
    assert settings.compress == CompressSettings(force=0.001)
    assert settings.to_dict()["compress"]["force"] == 0.001
    without = parse_settings({"data": {"train": ["a.xyz"]}}, file="fit.toml")
    assert without.compress is None and "compress" not in without.to_dict()
    with pytest.raises(SoapGprError, match=r"\[compress\]"):
        parse_settings(values | {"compress": 3}, file="fit.toml")


def test_learning_curves_say_that_their_errors_are_of_models_before(folder):
    settings = settings_in(folder, {}, n_sparse=10)
    found = learning_curve(settings, [4, 16], repeats=1)
    del settings["compress"]
    before = learning_curve(settings, [4, 16], repeats=1)
    assert found.warnings == [*before.warnings, NOT_COMPRESSED]
    np.testing.assert_allclose(found.mean("force", "mae"), before.mean("force", "mae"))


def test_a_search_has_the_cost_of_compressed_models(folder, monkeypatch):
    measured = []

    def measure(self, model):
        measured.append(model)
        return Cost(1.0, 1.0)

    monkeypatch.setattr(CostMeter, "measure", measure)
    search = {"terms.0.zeta": [2, 1]}
    how = {"objective": ["force", "cost"], "method": "grid", "folds": 2, "search": search}
    values = settings_in(folder, {}) | {"tune": how}
    tuning = tune(parse_tune(values, str(folder / "fit.toml")))
    assert not any(trial.error for trial in tuning.trials)
    assert [model.compressed for model in measured] == [True, False]
    assert NOT_COMPRESSED in tuning.warnings
    assert [w for w in tuning.warnings if w.startswith("[compress]: nothing to gain")]


def test_tolerances_cannot_be_searched(folder):
    how = {"search": {"compress.force": [1e-3, 1e-2]}}
    with pytest.raises(SoapGprError, match=r"errors are those of models before \[compress\]"):
        parse_tune(settings_in(folder, {}) | {"tune": how}, "fit.toml")
