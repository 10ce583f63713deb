# SPDX-License-Identifier: BSD-3-Clause
"""Searches with several objectives: the front, what costs are, what is written."""

import itertools
import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
from targets import SITE, labelled, target_settings
from training_data import emt_frames, write_frames

from potential import fit
from potential.cli import main
from potential.errors import SoapGprError
from potential.model.evaluation import evaluate_structures
from potential.reports.fit_toml import write_settings
from potential.reports.front import write_front
from potential.scores import cost
from potential.scores.cost import Cost, CostMeter
from potential.settings.file import load_settings
from potential.structures.structure import structure_from_atoms
from potential.validation import proposals
from potential.validation.cross_validation import FoldFactors
from potential.validation.objectives import not_dominated
from potential.validation.row_store import prepare, read_data
from potential.validation.search_space import parse_tune
from potential.validation.tuning import TrialRunner, Tuning, tune

SILICON = Path(__file__).parents[2] / "shared/data/mlearn_Si/train.xyz"
SETTINGS = """
[data]
train = ["train.xyz"]
[[terms]]
cutoff = 4.0
n_max = 3
l_max = 2
n_sparse = 8
"""
GRID = """
[tune]
folds = 2
method = "grid"
objective = ["force", "cost"]
[tune.search]
"terms.0.n_sparse" = [2, 4, 20]
"noise.force" = [0.05, 0.5]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("front")
    write_frames(folder / "train.xyz", emt_frames(8, seed=1))
    (folder / "fit.toml").write_text(SETTINGS + GRID)
    return folder


@pytest.fixture
def counted(monkeypatch):
    """Costs that count weights, as times would differ from run to run."""
    measured = []

    def measure(self, model):
        measured.append(model.n_weights)
        return Cost(float(model.n_weights), model.n_weights / measured[0])

    monkeypatch.setattr(CostMeter, "measure", measure)
    return measured


def settings_of(folder, text, fit_text=SETTINGS):
    return parse_tune(tomllib.loads(fit_text + text), str(folder / "fit.toml"))


def fails(capsys, line, words):
    assert main(line.split()) == 1
    error = capsys.readouterr().err
    assert words in error and "Traceback" not in error and len(error.splitlines()) == 1


def test_front_is_what_no_other_point_is_better_than():
    points = np.random.default_rng(0).integers(0, 6, (60, 3)).tolist()
    found = not_dominated(points)
    kept = [points[k] for k in found]
    for k, point in enumerate(points):
        better = [q for q in points if q != point and all(np.less_equal(q, point))]
        assert (point in kept) == (not better)
        assert (k in found) == (not better and points.index(point) == k)
    assert not_dominated([[3.0], [1.0], [2.0], [1.0]]) == [1] and not_dominated([]) == []


def test_grid_gives_the_front_and_the_best_of_the_first_objective(folder, counted):
    tuning = tune(settings_of(folder, GRID))
    assert len(tuning.trials) == 7 and not any(trial.error for trial in tuning.trials)
    values = {
        trial.number: (trial.rmse["force"], trial.cost.us_per_atom) for trial in tuning.trials
    }
    assert all(list(trial.values) == ["force", "cost"] for trial in tuning.trials)
    front = [(own.values["force"], own.values["cost"]) for own in tuning.front]
    assert front == sorted(front, key=lambda point: point[1]) and len(front) >= 2
    for point in values.values():
        assert any(np.all(np.less_equal(own, point)) for own in front)
    assert tuning.best in tuning.front
    assert tuning.best.value == min(force for force, _ in values.values())
    assert tuning.settings_of(tuning.front[0]).terms[0].n_sparse == 2


def test_trials_of_the_same_sparse_points_cost_the_same_and_are_measured_once(folder, counted):
    tuning = tune(settings_of(folder, GRID))
    assert sorted(counted) == [4, 8, 16, 40]  # points of two species
    for trial in tuning.trials[1:]:
        assert trial.cost.us_per_atom == 2 * trial.parameters["terms.0.n_sparse"]


def test_command_writes_a_file_for_each_point_of_the_front(folder, counted, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    line = "tune fit.toml -o found --json found.json --report found.html"
    assert main(line.split()) == 0
    said = capsys.readouterr()
    written = json.loads((folder / "found.json").read_text())
    names = [f"{k + 1:02d}.toml" for k in range(len(written["front"]))]
    assert sorted(path.name for path in (folder / "found").iterdir()) == names
    page = (folder / "found.html").read_text()
    for name, number in zip(names, written["front"], strict=True):
        trial = written["trials"][number]
        own = load_settings(folder / "found" / name)
        assert own.terms[0].n_sparse == trial["parameters"].get("terms.0.n_sparse", 8)
        assert own.data.train == (str(folder / "found" / "../train.xyz"),)
        head = (folder / "found" / name).read_text().splitlines()[:2]
        assert head[0].startswith(f"# Trial {number} of soap-gpr tune fit.toml, {name[:2]} of")
        assert f"force {1e3 * trial['rmse']['force']:.3g} meV/Å" in head[1]
        assert f"cost {trial['cost']['us_per_atom']:g} µs/atom" in head[1]
        assert name in said.out and f"{name}: " in page
    assert f"{len(names)} on the front" in said.err.splitlines()[-4]
    assert written["tune"]["objective"] == ["force", "cost"]
    assert written["cost"]["atoms"] == 8 * 128 and "Cost by setting" in page
    assert main(["fit", "found/01.toml"]) == 0


def test_one_objective_is_written_as_before(folder, monkeypatch):
    monkeypatch.chdir(folder)
    text = (SETTINGS + GRID).replace('["force", "cost"]', '["force"]').replace("[2, 4, 20]", "[4]")
    (folder / "one.toml").write_text(text)
    assert main(["tune", "one.toml", "--json", "one.json"]) == 0
    written = json.loads((folder / "one.json").read_text())
    assert written["tune"]["objective"] == "force" and written["cost"] is None
    assert written["front"] == [written["best"]]
    assert load_settings("best.toml").terms[0].n_sparse in (4, 8)


def test_interrupt_leaves_the_front_so_far(folder, counted, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    evaluated = TrialRunner.trial

    def stops(self, number, parameters):
        if number == 2:
            raise KeyboardInterrupt
        return evaluated(self, number, parameters)

    monkeypatch.setattr(TrialRunner, "trial", stops)
    assert main(["tune", "fit.toml", "-o", "so_far"]) == 130
    assert list((folder / "so_far").iterdir()) and "results so far" in capsys.readouterr().err


def test_folders_that_hold_files_and_outputs_inside_are_refused(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    fails(capsys, "tune fit.toml -o .", "found files in it, expected a new or an empty folder")
    fails(capsys, "tune fit.toml -o train.xyz", "found a file, expected the name of a folder")
    fails(capsys, "tune fit.toml -o no/front", "cannot be written: there is no folder")
    (folder / "empty").mkdir()
    fails(capsys, "tune fit.toml -o empty --json empty/a", "expected a name outside of it")
    fails(capsys, "tune fit.toml -o new --json new", "expected a name outside of it")
    assert not list((folder / "empty").iterdir()) and not (folder / "new").exists()


def test_front_is_written_whole_or_not_at_all(folder, tmp_path, counted, monkeypatch):
    tuning = tune(settings_of(folder, GRID))
    written = []

    def write(path, *others):
        if written:
            raise SoapGprError(f"{path}: cannot be written: the disk is full")
        write_settings(path, *others)
        written.append(path.read_text())

    monkeypatch.setattr("potential.reports.front.write_settings", write)
    with pytest.raises(SoapGprError, match="the disk is full"):
        write_front(tmp_path / "front", tuning)
    assert len(written) == 1 and not list(tmp_path.iterdir())
    with pytest.raises(SoapGprError, match="no trial could be evaluated"):
        write_front(tmp_path / "front", Tuning(tuning.settings))


def test_files_that_settings_name_are_found_from_the_folder_of_the_front(tmp_path, counted):
    train = write_frames(tmp_path / "train.xyz", emt_frames(4, seed=1))
    write_frames(tmp_path / "points.xyz", emt_frames(4, seed=1)[:2])
    text = SETTINGS.replace("n_sparse = 8", 'sparse_method = "file"\nsparse_file = "points.xyz"')
    search = '[tune]\nfolds = 2\nobjective = ["force", "cost"]\nmethod = "grid"\n'
    tuning = tune(settings_of(tmp_path, f'{search}[tune.search]\n"noise.force" = [0.1]\n', text))
    assert not any(trial.error for trial in tuning.trials), tuning.trials
    write_front(tmp_path / "front", tuning)
    own = load_settings(tmp_path / "front/01.toml")
    assert Path(own.terms[0].sparse_file).samefile(tmp_path / "points.xyz")
    assert Path(own.data.train[0]).samefile(train)


@pytest.mark.parametrize("method", ["tpe", "nsga2", "random"])
def test_same_seed_gives_the_same_trials_of_every_sampler(folder, method, monkeypatch):
    """Of objectives that come out the same; costs are measured, and those do not."""
    pytest.importorskip("optuna")
    monkeypatch.setattr(proposals, "_POPULATION", (2, 50))
    text = f'[tune]\nfolds = 2\ntrials = 14\nobjective = ["energy", "force"]\nmethod = "{method}"\n'
    text += '[tune.search]\n"noise.force" = {low = 0.001, high = 1.0, log = true}\n'
    text += '"noise.energy_per_atom" = {low = 0.0001, high = 0.1, log = true}\n'
    first, again = (tune(settings_of(folder, text)) for _ in range(2))
    assert [t.parameters for t in first.trials] == [t.parameters for t in again.trials]
    assert [t.values for t in first.trials] == [t.values for t in again.trials]
    other = tune(settings_of(folder, text.replace("folds = 2", "folds = 2\nseed = 1")))
    assert other.trials[1].parameters != first.trials[1].parameters
    assert set(first.importances) == {"energy", "force"}
    assert set(first.importance) == {"noise.force", "noise.energy_per_atom"}
    assert [own.values["energy"] for own in first.front] == sorted(
        own.values["energy"] for own in first.front
    )


@pytest.mark.parametrize("delta", [None, 3.0])
def test_model_whose_cost_is_measured_is_that_of_the_fit(folder, delta):
    settings = settings_of(folder, GRID).start
    factors = FoldFactors(prepare(settings, read_data(settings)), 2)
    if delta is not None:
        text = SETTINGS.replace("cutoff", f"delta = {delta}\ncutoff")
        settings = settings_of(folder, GRID, text).start
        factors = factors.with_delta(settings)
    structures = factors.prepared.train[:3]
    found = evaluate_structures(factors.fitted(settings), structures)
    expected = evaluate_structures(fit(settings, progress=False).model, structures)
    for own, other in zip(found, expected, strict=True):
        assert own.energy == pytest.approx(other.energy, abs=1e-7)
        assert own.forces == pytest.approx(other.forces, abs=1e-6)


def test_cost_is_compared_with_the_reference_of_the_same_moment(folder, monkeypatch):
    """A machine that becomes three times slower, for some rounds or for good, changes nothing."""
    settings = settings_of(folder, GRID).start
    data = read_data(settings)
    model = prepare(settings, data).model
    seconds = {"reference": 2e-3, "other": 5e-3}
    slow = itertools.cycle([1.0, 1.0, 3.0])
    meter, now = CostMeter.of_data(data.train), {}

    def timed(self):
        if self is meter._reference:
            return seconds["reference"] * now["factor"]
        now["factor"] = next(slow)
        return seconds["other"] * now["factor"]

    first = meter.measure(model)
    assert first.ratio == 1.0 and first.us_per_atom > 0 and meter.n_atoms == 8 * 128
    monkeypatch.setattr(cost._Timed, "seconds", timed)
    again = meter.measure(model)
    assert again.ratio == 2.5
    assert again.us_per_atom == pytest.approx(2.5 * first.us_per_atom, rel=0.01)


def test_cost_is_of_structures_repeated_or_as_they_are():
    frames = emt_frames(1)
    single, large = frames[0].copy()[:1], frames[0].repeat((4, 4, 8))
    single.pbc = False
    structures = [structure_from_atoms(own) for own in (single, frames[0], large, frames[0])]
    assert CostMeter.of_data(structures).n_atoms == 128 + 1024
    molecule = frames[0].copy()
    molecule.pbc = False
    assert CostMeter([structure_from_atoms(molecule)]).n_atoms == 8
    assert CostMeter.of_data(structures[:1]).n_atoms == 1


@pytest.mark.parametrize(
    "objective, more, message",
    [
        ('"cost"', "", 'objective: found "cost", expected an error beside it'),
        ("[]", "", "found [], expected a word or a list of different words"),
        ('["force", "force"]', "", "expected a word or a list of different words"),
        ('["force", 3]', "", "expected a word or a list of different words"),
        ('["force", "costs"]', "", 'found "costs", expected one of "combined"'),
        ('["force", "costs"]', "", "did you mean 'cost'?"),
        ('["energy", "force"]', 'delta = "cross_validation"', "which makes one error small"),
    ],
)
def test_mistakes_are_one_sentence(folder, objective, more, message):
    text = f'[tune]\nobjective = {objective}\n{more}\n[tune.search]\n"terms.0.zeta" = [2]\n'
    with pytest.raises(SoapGprError) as error:
        settings_of(folder, text)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_delta_by_cross_validation_takes_the_one_error_beside_the_cost(folder, counted):
    text = '[tune]\nfolds = 2\nobjective = ["cost", "force"]\ndelta = "cross_validation"\n'
    start, found = tune(settings_of(folder, text)).trials
    assert found.values["force"] <= start.values["force"]
    assert found.values["cost"] == start.values["cost"] and found.delta


def test_cost_of_targets_alone_and_targets_of_its_name_are_refused(tmp_path):
    frames = labelled(6, seed=1)
    for frame in frames:
        frame.calc = None
    values = target_settings(SITE, n_sparse=6) | {
        "data": {"train": [write_frames(tmp_path / "train.xyz", frames)]},
        "tune": {"objective": ["targets", "cost"], "search": {"terms.0.zeta": [2]}},
    }
    with pytest.raises(SoapGprError, match='objective: found "cost", expected energies, forces'):
        tune(values)
    values["targets"] = [SITE | {"name": "cost"}]
    with pytest.raises(SoapGprError, match='found a target named "cost" as well'):
        tune(values)


@pytest.mark.skipif(not SILICON.exists(), reason=f"{SILICON} is not here")
def test_search_on_silicon_measures_costs_and_writes_a_front(tmp_path, monkeypatch):
    pytest.importorskip("optuna")
    monkeypatch.chdir(tmp_path)
    text = SETTINGS.replace("train.xyz", f"{SILICON}@::30").replace("4.0", "5.0")
    text += '[tune]\nfolds = 2\ntrials = 4\nobjective = ["energy", "force", "cost"]\n'
    text += 'method = "nsga2"\n[tune.search]\n"terms.0.n_sparse" = {low = 4, high = 40}\n'
    (tmp_path / "fit.toml").write_text(text)
    assert main(["tune", "fit.toml", "--json", "tune.json", "--report", "tune.html"]) == 0
    written = json.loads((tmp_path / "tune.json").read_text())
    assert len(list((tmp_path / "front").iterdir())) == len(written["front"]) >= 1
    for trial in written["trials"]:
        assert trial["values"]["cost"] == trial["cost"]["us_per_atom"] > 0
    assert written["cost"]["atoms"] >= 1000
    assert all("mlearn_Si" in source for source in written["cost"]["structures"])
