# SPDX-License-Identifier: BSD-3-Clause
"""Cross-validation of [[targets]] against plain fits, and the search for their settings."""

import json
import tomllib
from dataclasses import replace

import numpy as np
import pytest
from targets import HALF, SITE, labelled, target_settings
from training_data import small_toml, write_frames

from potential import SoapGprError
from potential.cli import main
from potential.model.evaluation import evaluate_structures
from potential.runtime.ranks import Ranks
from potential.scores.properties import property_errors
from potential.settings.file import load_settings, parse_settings
from potential.training.targets import fit_targets
from potential.validation import tuning
from potential.validation.cross_validation import FoldFactors
from potential.validation.row_store import prepare, read_data
from potential.validation.search_space import parse_tune
from potential.validation.tuning import tune


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    frames = labelled(10, seed=1)
    del frames[3].arrays["site_energy"]
    train = write_frames(tmp_path_factory.mktemp("target_folds") / "train.xyz", frames)
    own = target_settings(SITE, HALF, n_sparse=12) | {"data": {"train": [train]}}
    own["terms"].append(own["terms"][0] | {"cutoff": 3.0, "n_sparse": 6})
    return parse_settings(own)


@pytest.fixture(scope="module")
def factors(settings):
    return FoldFactors(prepare(settings, read_data(settings)), 3, seed=4)


def changed(settings, **keys):
    """The settings with other ones of the first target."""
    return replace(settings, targets=(replace(settings.targets[0], **keys), settings.targets[1]))


def plain_errors(factors, settings, model):
    """RMSE by target over all folds, of fits to the others one by one."""
    train, squares = factors.prepared.train, {}
    for fold in range(3):
        rest = [s for s, k in zip(train, factors.part, strict=True) if k != fold]
        tested = [s for s, k in zip(train, factors.part, strict=True) if k == fold]
        fitted = fit_targets(model, rest, settings, Ranks()).model
        found = evaluate_structures(fitted, tested)
        for name, groups in property_errors(fitted.targets, tested, found).items():
            own = groups["all"]
            squares.setdefault(name, []).append((own.count, own.rmse**2 * own.count))
    return {name: np.sqrt(np.divide(*np.sum(own, axis=0)[::-1])) for name, own in squares.items()}


@pytest.mark.parametrize(
    "keys", [{}, {"noise": {"Cu": 0.05, "Au": 0.2}}, {"scale": 0.02, "mean": "zero"}]
)
def test_errors_are_those_of_plain_fits(settings, factors, keys):
    other = changed(settings, **keys)
    found = factors.cross_validate(other)
    expected = plain_errors(factors, other, factors.prepared.model)
    for name, own in found.targets.items():
        assert own.rmse == pytest.approx(expected[name], rel=1e-6)
    assert found.targets["site"].count == 9 * 8 and found.targets["average"].count == 10
    assert found.rmse["force"] > 0


def test_other_deltas_need_no_rows(settings, factors):
    terms = (replace(settings.terms[0], delta=3.0), settings.terms[1])
    other = replace(settings, terms=terms)
    found = factors.with_delta(other).cross_validate(other).targets
    fresh = FoldFactors(prepare(other, read_data(other)), 3, seed=4).cross_validate(other).targets
    plain = factors.cross_validate(settings).targets
    for name, own in fresh.items():
        assert found[name].rmse == pytest.approx(own.rmse, rel=1e-6)
        assert plain[name].rmse != pytest.approx(own.rmse, rel=1e-3)


def test_relative_error_is_over_that_of_the_means(settings, factors):
    found = factors.cross_validate(settings).targets["site"]
    train = [s for s in factors.prepared.train if "site" in s.targets]
    y = np.concatenate([s.targets["site"] for s in train])
    z = np.concatenate([s.numbers for s in train])
    left = np.concatenate([y[z == own] - y[z == own].mean() for own in (29, 79)])
    assert found.relative == pytest.approx(found.rmse / np.sqrt(np.mean(left**2)))
    assert 0 < found.relative < 1


TARGETS = """
[[targets]]
name = "site"
key = "site_energy"
unit = "eV"
noise = 0.01
"""
GRID = """
[tune]
folds = 3
method = "grid"
"""
SEARCH = '[tune.search]\n"targets.0.noise" = {low = 0.001, high = 0.1, log = true, points = 3}\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("target_tuning")
    write_frames(folder / "train.xyz", labelled(8, 1, labels=()))
    (folder / "both").mkdir()
    write_frames(folder / "both" / "train.xyz", labelled(8, 1))
    (folder / "fit.toml").write_text(small_toml(8).replace('test = ["test.xyz"]\n', ""))
    return folder


def settings_of(folder, text):
    base = folder / "fit.toml" if (folder / "fit.toml").exists() else folder.parent / "fit.toml"
    return parse_tune(tomllib.loads(base.read_text() + TARGETS + text), str(folder / "x.toml"))


def test_noise_of_targets_is_tuned_without_new_rows(folder, monkeypatch):
    made, factors = [], tuning.FoldFactors
    monkeypatch.setattr(tuning, "FoldFactors", lambda *a: made.append(1) or factors(*a))
    search = SEARCH + '"targets.0.scale" = [{Cu = 0.1, Au = 0.2}]\n"targets.0.mean" = ["zero"]\n'
    found = tune(settings_of(folder, GRID + search))
    assert len(made) == 1 and len(found.trials) == 4
    assert len({trial.value for trial in found.trials[1:]}) == 3
    for trial in found.trials:
        assert trial.value == trial.targets["site"].relative and trial.rmse == {}
    assert found.best_settings.targets[0].noise == found.best.parameters["targets.0.noise"]


@pytest.mark.parametrize("objective", ["combined", "targets", "site", "force"])
def test_objective_may_be_a_target(folder, objective):
    text = GRID.replace("[tune]", f'[tune]\nobjective = "{objective}"')
    trial = tune(settings_of(folder / "both", text + SEARCH)).trials[0]
    expected = {
        "combined": np.mean([trial.rmse["energy"] / 0.002, trial.rmse["force"] / 0.05]),
        "targets": trial.targets["site"].relative,
        "site": trial.targets["site"].rmse,
        "force": trial.rmse["force"],
    }
    assert trial.value == pytest.approx(expected[objective])


def test_deltas_are_found_by_the_errors_of_a_target(folder):
    text = GRID.replace("[tune]", '[tune]\nobjective = "site"\ndelta = "cross_validation"')
    first, best = tune(settings_of(folder / "both", text)).trials
    assert best.delta and best.value <= first.value


def test_command_writes_the_best_targets(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    text = (folder / "fit.toml").read_text() + TARGETS.replace("0.01", "{Cu = 0.1, Au = 0.1}")
    (folder / "tune.toml").write_text(text + GRID + SEARCH.replace("0.noise", "0.scale"))
    line = "tune tune.toml -o best.toml --json tune.json --report tune.html"
    assert main(line.split()) == 0
    out = capsys.readouterr().out
    assert "mean over targets of RMSE / RMSE of their means alone" in out and "site, eV" in out
    (target,) = load_settings("best.toml").targets
    assert target.noise == {"Cu": 0.1, "Au": 0.1}
    written = (folder / "best.toml").read_text()
    assert "[[targets]]\n" in written and "noise = {Cu = 0.1, Au = 0.1}" in written
    values = json.loads((folder / "tune.json").read_text())
    best = values["trials"][values["best"]]
    assert best["targets"]["site"]["rmse"] > 0 and values["target_units"] == {"site": "eV"}
    assert target.scale == best["parameters"].get("targets.0.scale")
    assert "site, eV" in (folder / "tune.html").read_text()


@pytest.mark.parametrize(
    "text, message",
    [
        ('objective = "sites"\n' + SEARCH, 'found "sites", expected one of .*"site"; did you mean'),
        (SEARCH.replace("0.noise", "1.noise"), "targets.1.noise: found 1, expected the number of"),
        ('[tune.search]\n"targets.0.noise.H" = [0.1]', "targets.0.noise.H: expected the name of a"),
        (SEARCH.replace("noise", "noises"), "labels are the same in all trials, expected one of"),
        ('[tune.search]\n"targets.0.key" = ["a"]', "the labels are the same in all trials"),
        ('[tune.search]\n"targets.0.noise" = [0]', "noise: found 0, expected a number"),
    ],
)
def test_mistakes_are_one_sentence(folder, text, message):
    with pytest.raises(SoapGprError, match=message):
        settings_of(folder, GRID + text)


def test_search_for_targets_that_are_not_there_is_said(folder):
    values = tomllib.loads((folder / "fit.toml").read_text() + GRID + SEARCH)
    with pytest.raises(
        SoapGprError, match=r"targets\.0\.noise: found 0, .*, and found no such tables"
    ):
        parse_tune(values, "x.toml")


@pytest.mark.parametrize("key", ["noise", "delta"])
def test_likelihood_is_of_a_potential(folder, key):
    text = GRID + f'{key} = "marginal_likelihood"\n' + '[tune.search]\n"terms.0.zeta" = [2]\n'
    with pytest.raises(
        SoapGprError, match=f'{key}: found "marginal_likelihood", expected energies'
    ):
        tune(settings_of(folder, text))
