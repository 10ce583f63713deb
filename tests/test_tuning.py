# SPDX-License-Identifier: BSD-3-Clause
"""The search for settings: what may be searched, what is found, what is written."""

import dataclasses
import json
import re
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest
from training_data import emt_frames, write_frames

from potential.cli import main
from potential.errors import SoapGprError
from potential.reports.tuning import write_best
from potential.settings.file import load_settings
from potential.validation import tuning
from potential.validation.search_space import TuneSettings, parse_tune
from potential.validation.tuning import tune

SETTINGS = """
[data]
train = ["train.xyz"]
[[terms]]
cutoff = 2.2
n_max = 4
l_max = 3
zeta = 2
n_sparse = 10
radial_scaling = {scale = 2.0}
"""
GRID = """
[tune]
folds = 3
method = "grid"
[tune.search]
"terms.0.cutoff" = [2.2, 4.0]
"noise.force" = {low = 0.01, high = 1.0, log = true, points = 3}
"""
TPE = """
[tune]
folds = 3
trials = 12
objective = "force"
[tune.search]
noise.force = {low = 0.001, high = 1.0, log = true}
solver.jitter = [1e-10, 1e-8]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tune")
    write_frames(folder / "train.xyz", emt_frames(12, seed=1))
    (folder / "grid.toml").write_text(SETTINGS + GRID)
    (folder / "tpe.toml").write_text(SETTINGS + TPE)
    return folder


def settings_of(folder, text):
    return parse_tune(tomllib.loads(SETTINGS + text), str(folder / "fit.toml"))


@pytest.fixture(scope="module")
def grid(folder):
    return tune(settings_of(folder, GRID))


def test_grid_finds_the_longer_cutoff(grid):
    assert [trial.number for trial in grid.trials] == list(range(7))
    assert grid.trials[0].parameters == {}
    assert grid.best.parameters["terms.0.cutoff"] == 4.0
    assert grid.best.value < 0.5 * grid.trials[0].value


def test_noise_levels_alone_need_no_new_rows(folder, monkeypatch):
    made = []
    factors = tuning.FoldFactors
    monkeypatch.setattr(tuning, "FoldFactors", lambda *a: made.append(1) or factors(*a))
    tune(settings_of(folder, GRID))
    assert len(made) == 2


def test_delta_alone_needs_no_new_rows_and_gives_the_same_errors(folder, monkeypatch):
    text = '[tune]\nfolds = 3\nmethod = "grid"\n'
    pair = "[[terms]]\nkind = 'pair'\ncutoff = 4.0\nn_sparse = 5\n"
    search = '[tune.search]\n"terms.0.delta" = [3.0]\n"terms.1.delta" = [0.5]\n'
    made = []
    factors = tuning.FoldFactors
    monkeypatch.setattr(tuning, "FoldFactors", lambda *a: made.append(1) or factors(*a))
    found = tune(settings_of(folder, pair + text + search)).trials
    fresh = SETTINGS.replace("n_sparse", "delta = 3.0\nn_sparse") + pair + "delta = 0.5\n"
    values = tomllib.loads(fresh + text + '[tune.search]\n"solver.jitter" = [1e-10]\n')
    expected = tune(parse_tune(values, str(folder / "fit.toml"))).trials
    assert len(made) == 2 and len(found) == 2
    assert found[1].rmse == pytest.approx(expected[0].rmse, rel=1e-6)
    assert found[1].log_likelihood == pytest.approx(expected[0].log_likelihood, rel=1e-6)
    assert found[1].rmse["force"] != pytest.approx(found[0].rmse["force"], rel=1e-3)


def test_combined_value_is_the_mean_of_errors_over_levels(grid):
    rmse = grid.trials[0].rmse
    parts = [rmse["energy"] / 0.002, rmse["force"] / 0.05, rmse["virial"] / 0.02]
    assert grid.trials[0].value == pytest.approx(sum(parts) / 3)


def test_same_seed_gives_the_same_trials(folder):
    pytest.importorskip("optuna")
    first, again = (tune(settings_of(folder, TPE)) for _ in range(2))
    assert [t.parameters for t in first.trials] == [t.parameters for t in again.trials]
    assert [t.value for t in first.trials] == [t.value for t in again.trials]
    assert len(first.trials) == 13 and first.best.value <= first.trials[0].value
    assert set(first.importance) == {"noise.force", "solver.jitter"}


def test_marginal_likelihood_sets_the_noise_of_every_trial(folder):
    text = '[tune]\nfolds = 3\nmethod = "grid"\nnoise = "marginal_likelihood"\n'
    found = tune(settings_of(folder, text + "[tune.search]\nterms.0.cutoff = [3.0, 4.0]\n"))
    fixed = tune(
        settings_of(
            folder,
            text.replace("marginal_likelihood", "fixed")
            + ("[tune.search]\nterms.0.cutoff = [3.0, 4.0]\n"),
        )
    )
    for trial, plain in zip(found.trials, fixed.trials, strict=True):
        assert trial.log_likelihood > plain.log_likelihood
        assert trial.noise["force"] != 0.05


def test_interrupt_leaves_the_trials_so_far(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    evaluated = tuning.TrialRunner.trial

    def stops(self, number, parameters):
        if number == 3:
            raise KeyboardInterrupt
        return evaluated(self, number, parameters)

    monkeypatch.setattr(tuning.TrialRunner, "trial", stops)
    assert main(["tune", "grid.toml", "-o", "so_far.toml", "--json", "so_far.json"]) == 130
    written = json.loads((folder / "so_far.json").read_text())
    assert written["interrupted"] and len(written["trials"]) == 3
    assert load_settings(folder / "so_far.toml").terms
    assert "results so far" in capsys.readouterr().err


def test_command_writes_settings_that_fit_accepts(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    line = f"tune {folder}/grid.toml -o best.toml --json tune.json --report tune.html"
    assert main(line.split()) == 0
    out = capsys.readouterr().out
    assert "3-fold cross-validation" in out and "terms.0.cutoff" in out
    best = load_settings("best.toml")
    values = json.loads((tmp_path / "tune.json").read_text())
    chosen = values["trials"][values["best"]]["parameters"]
    assert best.terms[0].cutoff == chosen["terms.0.cutoff"] == 4.0
    assert best.noise.default.force == chosen["noise.force"]
    assert best.terms[0].n_max == 4 and best.terms[0].radial_scaling["scale"] == 2.0
    assert "\n[[terms]]\n" in (tmp_path / "best.toml").read_text()
    assert "Value by setting" in (tmp_path / "tune.html").read_text()
    assert main(["fit", "best.toml"]) == 0


def test_fit_ignores_the_table_of_tune(folder):
    assert load_settings(folder / "grid.toml").terms[0].cutoff == 2.2


def test_trial_that_fails_is_only_that(folder):
    text = '[tune]\nfolds = 3\nmethod = "grid"\n[tune.search]\n"terms.0.n_sparse" = [{Cu = 5}, 9]\n'
    found = tune(settings_of(folder, text))
    assert found.trials[1].value is None and "expected Au as well" in found.trials[1].error
    assert found.best.number in (0, 2)
    with_failure = json.dumps(found.to_dict(), allow_nan=False)
    assert "expected Au as well" in with_failure


def test_no_trial_no_file(folder, tmp_path):
    found = tuning.Tuning(settings_of(folder, GRID))
    with pytest.raises(SoapGprError, match="no trial could be evaluated"):
        write_best(tmp_path / "best.toml", found)


@pytest.mark.parametrize(
    "text, message",
    [
        ("", r"\[tune\]: missing"),
        ("[tune]\n", r"\[tune\] search: missing"),
        ("[tune]\n[tune.search]\n", "expected a key of fit.toml"),
        ('[tune]\n[tune.search]\n"terms.0.cutof" = [3.0]', "did you mean 'cutoff'"),
        ('[tune]\n[tune.search]\n"terms.0.zeta" = [2, 0]', "zeta: found 0"),
        ('[tune]\n[tune.search]\n"terms.3.zeta" = [2]', "terms.3.zeta: found 3, expected the num"),
        ('[tune]\n[tune.search]\n"data.train" = ["a"]', "the data are the same in all trials"),
        ('[tune]\n[tune.search]\n"tune.folds" = [3]', "found how to search, expected what"),
        ('[tune]\n[tune.search]\n"terms.0.cutoff" = 3.0', "a list of values or a table"),
        ('[tune]\n[tune.search]\n"terms.0.cutoff" = {low = 3.0}', "high: missing"),
        ('[tune]\n[tune.search]\n"terms.0.cutoff" = {low = 4, high = 3}', "expected low < high"),
        ('[tune]\nfold = 3\n[tune.search]\n"terms.0.zeta" = [2]', "did you mean 'folds'"),
        (
            '[tune]\nmethod = "grid"\n[tune.search]\n"noise.force" = {low = 0.1, high = 0.2}',
            "found no points",
        ),
        (
            '[tune]\nnoise = "marginal_likelihood"\n[tune.search]\n"noise.force" = [0.1]',
            "expected no noise.force",
        ),
    ],
)
def test_mistakes_are_one_sentence(folder, text, message):
    with pytest.raises(SoapGprError, match=message):
        settings_of(folder, text)


def test_missing_packages_are_named(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(SoapGprError, match=r"needs optuna.*soap-gpr\[tune\]"):
        tune(settings_of(folder, TPE))


def test_every_key_of_the_table_is_documented_with_its_default():
    document = Path(__file__).parents[1] / "docs/tuning.md"
    if not document.exists():
        pytest.skip("the documents are not here")
    text = document.read_text().split("| key | default |")[1].split("\n\n")[0]
    written = dict(re.findall(r"^\| `(\w+)` \| `?([^|`]+)`? \|", text, re.M))
    keys = [f for f in dataclasses.fields(TuneSettings) if f.name not in ("values", "file")]
    assert set(written) == {field.name for field in keys}
    for field in keys:
        required = field.default is dataclasses.MISSING
        expected = "required" if required else json.dumps(field.default)
        assert written[field.name] == expected
    example = re.findall(r"^```toml\n(.*?)^```$", document.read_text(), re.M | re.S)
    assert all(len(parse_tune(tomllib.loads(block), "fit.toml").search) == 3 for block in example)


def test_several_ranks_are_refused(folder, monkeypatch):
    monkeypatch.setattr("potential.validation.row_store.world", lambda: SimpleNamespace(size=4))
    with pytest.raises(SoapGprError, match="found 4 MPI ranks, expected one process"):
        tune(settings_of(folder, GRID))
