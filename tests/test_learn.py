# SPDX-License-Identifier: BSD-3-Clause
"""soap-gpr learn: what a loop samples, selects, labels, fits and reports, and when it stops."""

import re
import sys

import ase.io
import numpy as np
import pytest
from ase.calculators.emt import EMT as Emt
from loops import COMMITTEE, FILE, LOOP, MOODY, POOL, SELECT, states, write_loop
from training_data import small_toml, write_frames

from potential.active_learning import loop
from potential.active_learning.state import locked
from potential.cli import main
from potential.model import Model

TWO, MORE = LOOP.replace("1", "2"), LOOP.replace("1", "5")
RANDOM = """\
[[samplers]]
kind = "random"
structures = ["train.xyz"]
runs = 4
"""


@pytest.fixture(autouse=True)
def few_pages(monkeypatch, request):
    """No page where it is not looked at: plots take long."""
    if "page" not in request.node.name:
        monkeypatch.setattr(loop, "write_report", lambda *about: None)


@pytest.fixture
def learn(tmp_path, capsys):
    """Runs the loop that is in the folder; returns its output. Fails with another exit code."""

    def run(code=0):
        assert main(["learn", str(tmp_path / "loop.toml")]) == code
        captured = capsys.readouterr()
        return captured.err if code else captured.out

    return run


def energies(path):
    return [atoms.get_potential_energy() for atoms in ase.io.read(path, ":")]


@pytest.mark.check
def test_loop_labels_what_it_selected_and_fits_all_of_it(tmp_path, learn):
    write_loop(tmp_path, loop=TWO)
    out = learn()
    assert out.splitlines()[-1] == "stopped: 2 generations are done"
    assert "generation 1: sampled 12 structures" in out
    assert "generation 2: sampled 9 structures" in out, "what was selected is not sampled again"
    found = states(tmp_path)
    assert [own["generation"] for own in found] == [0, 1, 2]
    assert [own["fit"]["structures"] for own in found] == [4, 7, 10]
    folder = tmp_path / "loop" / "generation_001"
    selected = ase.io.read(folder / "selected.xyz", ":")
    labelled = ase.io.read(folder / "labelled.xyz", ":")
    assert len(selected) == len(labelled) == 3
    for before, after in zip(selected, labelled, strict=True):
        assert np.allclose(before.positions, after.positions)
        before.calc = Emt()
        assert after.get_potential_energy() == pytest.approx(before.get_potential_energy())
        assert np.allclose(after.get_forces(), before.get_forces(), atol=1e-6)
        assert np.allclose(after.get_stress(), before.get_stress(), atol=1e-6)
        assert after.info["selected_from"] == before.info["selected_from"]
        assert set(after.arrays) == {"numbers", "positions"}, "no column is taken for a label"
    row = found[1]["report"]
    assert set(row["test"]["errors"]["all"]) >= {"energy", "force", "stress"}


def test_loop_that_is_done_changes_nothing_and_goes_on_when_asked_for_more(tmp_path, learn):
    write_loop(tmp_path)
    learn()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("loop/generation_*/**/*")}
    assert learn() == "stopped: 1 generations are done\n"
    assert {path: path.stat().st_mtime_ns for path in before} == before
    write_loop(tmp_path, loop=LOOP.replace("1", "2"))
    assert "generation 2: labelled 3 structures" in learn()
    assert {path: path.stat().st_mtime_ns for path in before} == before
    sources = [item["frame"] for own in states(tmp_path) for item in own["select"]["selected"]]
    assert len(sources) == len(set(sources)) == 6


def test_committee_selects_by_forces_and_is_held_against_new_labels(tmp_path, learn):
    write_loop(tmp_path, fit=COMMITTEE)
    learn()
    state = states(tmp_path)[1]
    assert state["select"]["uncertainty"] == {"what": "largest force sigma", "unit": "eV/Å"}
    model = Model.load(tmp_path / "loop/generation_000/model.sgpr")
    labelled = ase.io.read(tmp_path / "loop/generation_001/labelled.xyz", ":")
    found = [model.evaluate(atoms, uncertainty=("forces",)) for atoms in labelled]
    sigma = np.array([own.uncertainty.forces_uncertainty for own in found])
    error = [own.forces - atoms.get_forces() for own, atoms in zip(found, labelled, strict=True)]
    new = state["report"]["new"]["calibration"]
    assert new["inside_1"] == pytest.approx(np.mean(np.abs(error) < sigma))
    assert new["inside_2"] == pytest.approx(np.mean(np.abs(error) < 2 * sigma))
    assert new["force_sigma"] == pytest.approx(np.sqrt(np.mean(sigma**2)), rel=1e-4)
    largest = np.linalg.norm(sigma, axis=2).max(axis=1)
    chosen = [own["uncertainty"] for own in state["select"]["selected"]]
    np.testing.assert_allclose(chosen, largest, rtol=1e-4)
    assert state["report"]["test"]["calibration"]["count"] == 72


def test_page_has_a_row_for_each_generation(tmp_path, learn):
    write_loop(tmp_path, fit=COMMITTEE)
    learn()
    page = (tmp_path / "loop" / "report.html").read_text()
    rows = re.findall(r"<tr><td>(\d+)</td>", page)
    assert rows == 2 * ["0", "1"] and page.count("<figure>") == 4  # in two tables
    assert "http" not in re.sub(r'src="data:[^"]*"', "", page)
    kinds = [own["config_type"] for own in states(tmp_path)[1]["select"]["selected"]]
    said = ", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds)))
    assert f"<td>{said}</td>" in page and "unphysical</th>" not in page
    error = 1e3 * states(tmp_path)[1]["report"]["test"]["errors"]["all"]["force"]["rmse"]
    assert f"<td>{error:.4g}</td>" in page


@pytest.mark.parametrize(
    ("changes", "why", "n"),
    [
        (dict(loop=MORE + "labels = 5\n"), "stopped: 5 structures were labelled", [0, 3, 2]),
        (dict(loop=LOOP + "uncertainty = 1e6\n"), "no structure is more uncertain than", [0]),
        (dict(loop=MORE, n_pool=4), "no structure was sampled that is left to label", [0, 3, 1]),
        (dict(select=SELECT + "threshold = 9\n"), "most uncertain are near-duplicates of", [0]),
        (dict(more="[limits]\nuncertainty = 1e-9\n"), "more uncertain than [limits]", [0]),
    ],
)
def test_loop_stops_where_it_is_told_to(tmp_path, learn, changes, why, n):
    write_loop(tmp_path, **changes)
    assert why in learn().splitlines()[-1]
    done = [own["label"]["labels"] for own in states(tmp_path) if "label" in own]
    assert done == n
    again = learn()
    assert why in again and "labelled " not in again.replace("were labelled", "")


def test_labels_of_a_file_are_those_of_the_pool(tmp_path, learn):
    write_loop(tmp_path, loop=TWO, label=FILE)
    learn()
    pool = ase.io.read(tmp_path / "pool.xyz", ":")
    for generation in (1, 2):
        path = tmp_path / f"loop/generation_{generation:03d}/labelled.xyz"
        selected = states(tmp_path)[generation]["select"]["selected"]
        places = [int(item["frame"].rpartition("#")[2]) for item in selected]
        assert energies(path) == [pool[k].get_potential_energy() for k in places]


def test_structures_without_a_label_are_left_out_and_counted(tmp_path, learn):
    write_loop(
        tmp_path,
        loop=LOOP,
        label=FILE,
        samplers=POOL + RANDOM,
        select="[select]\nn = 16\nfraction = 1\n",
    )
    out = learn()
    assert out.count("generation 1: no label: generation 1, random 2, run") == 4
    found = states(tmp_path)[1]["label"]
    assert found["labels"] == 12 and len(found["failed"]) == 4


def test_choice_at_random_needs_no_uncertainty(tmp_path, learn):
    write_loop(tmp_path, select='[select]\nn = 3\nby = "random"\n')
    (tmp_path / "fit.toml").write_text(small_toml(20))
    learn()
    chosen = [item["frame"] for own in states(tmp_path) for item in own["select"]["selected"]]
    assert len(set(chosen)) == 3
    assert "calibration" not in states(tmp_path)[1]["report"]["test"]


def test_model_to_begin_with_is_that_of_generation_0(tmp_path, learn):
    write_loop(tmp_path)
    main(["fit", str(tmp_path / "fit.toml"), "-o", str(tmp_path / "start.sgpr")])
    write_loop(tmp_path, loop=LOOP + 'model = "start.sgpr"\n')
    learn()
    first = tmp_path / "loop/generation_000/model.sgpr"
    assert first.read_bytes() == (tmp_path / "start.sgpr").read_bytes()


def test_refit_from_the_factor_keeps_the_sparse_points(tmp_path, learn):
    write_loop(tmp_path, loop=LOOP + 'refit = "factor"\n')
    learn()
    first, last = (
        Model.load(tmp_path / f"loop/generation_00{k}/model.sgpr").sparse_points(0) for k in (0, 1)
    )
    assert all(np.array_equal(first[a], last[a]) for a in first)


def test_random_structures_are_strained_rattled_and_relaxed(tmp_path, learn):
    more = "strain = 0.02\nrattle = 0.3\nsteps = 6\nevery = 3\n"
    write_loop(tmp_path, samplers=RANDOM + more, loop=LOOP)
    learn()
    model = Model.load(tmp_path / "loop/generation_000/model.sgpr")
    runs = sorted(tmp_path.glob("loop/generation_001/sample/1_random/run_*/frames.xyz"))
    assert len(runs) == 4
    volumes = set()
    for path in runs:
        frames = ase.io.read(path, ":")
        assert len(frames) == 3
        own = [model.evaluate(atoms).energy for atoms in frames]
        assert own[0] > own[1] > own[2]
        assert {atoms.info["config_type"] for atoms in frames} <= {"even", "odd"}
        volumes.add(frames[0].get_volume())
    assert len(volumes) == 4


def test_unphysical_structures_are_counted_and_never_labelled(tmp_path, learn):
    write_loop(tmp_path, more="[limits]\ndistance = 1.5\n")
    pool = ase.io.read(tmp_path / "pool.xyz", ":")
    pool[2].positions[0] = pool[2].positions[1] + [0.6, 0, 0]
    pool[5].positions[3, 0] = np.nan
    write_frames(tmp_path / "pool.xyz", [atoms.copy() for atoms in pool])
    assert "sampled 10 structures (1 not finite, 1 too close)" in learn()
    events = states(tmp_path)[1]["sample"]["events"]
    assert events == {"not finite": 1, "too close": 1}


def test_structures_beyond_the_limit_of_uncertainty_are_counted(tmp_path, learn):
    write_loop(tmp_path, loop=LOOP)
    learn()
    found = states(tmp_path)[1]["select"]
    least = min(item["uncertainty"] for item in found["selected"])
    other = tmp_path / "other"
    other.mkdir()
    write_loop(other, loop=LOOP, more=f"[limits]\nuncertainty = {least}\n")
    main(["learn", str(other / "loop.toml")])
    found = states(other)[1]["select"]
    assert found["events"]["too uncertain"] > 0 and found["largest_uncertainty"] <= least


COMMAND = f"""\
[label]
kind = "command"
command = "{sys.executable} label.py {{input}} {{output}}"
"""
SCRIPT = """\
import sys
import ase.io
from ase.calculators.emt import EMT
frames = ase.io.read(sys.argv[1], ":")
for atoms in frames:
    with open("asked.txt", "a") as stream:
        print(atoms.info["selected_from"], file=stream)
    atoms.calc = EMT()
    atoms.get_stress()
ase.io.write(sys.argv[2], frames, format="extxyz")
"""


def test_command_labels_in_batches_and_its_failure_is_named(tmp_path, learn):
    write_loop(tmp_path, label=COMMAND + "batch = 2\n")
    (tmp_path / "label.py").write_text("raise SystemExit('error: no licence')")
    err = learn(1)
    assert "command ended with exit code 1: error: no licence" in err
    (tmp_path / "label.py").write_text(SCRIPT)
    learn()
    asked = (tmp_path / "asked.txt").read_text().splitlines()
    assert len(asked) == len(set(asked)) == 3
    path = tmp_path / "loop/generation_001/labelled.xyz"
    (tmp_path / "other").mkdir()
    write_loop(tmp_path / "other")
    main(["learn", str(tmp_path / "other/loop.toml")])
    assert energies(path) == energies(tmp_path / "other/loop/generation_001/labelled.xyz")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("", "command wrote no"),
        ("import shutil, sys; shutil.copy('pool.xyz', sys.argv[2])", "expected 1"),
        ("import shutil, sys; shutil.copy(*sys.argv[1:])", "found no energy, expected energy"),
        (SCRIPT.replace("atoms.calc", "atoms.positions += 1; atoms.calc"), "is 1.73 Å away"),
        (
            SCRIPT.replace("atoms.get_stress", "del atoms[0]; atoms.get_stress"),
            "7 atoms, expected 8",
        ),
        ("import sys; open(sys.argv[2], 'w').write('nonsense')", "output.xyz"),
    ],
)
def test_wrong_output_of_a_command_is_one_sentence(tmp_path, learn, script, words):
    write_loop(tmp_path, label=COMMAND)
    (tmp_path / "label.py").write_text(script)
    err = [line for line in learn(1).splitlines() if "warning" not in line]
    assert len(err) == 1 and words in err[0], err


def test_waiting_for_labels_writes_inputs_and_goes_on_with_results(tmp_path, learn):
    (tmp_path / "INCAR").write_text("ENCUT = 500\n")
    label = '[label]\nkind = "wait"\ninput = "POSCAR"\nformat = "vasp"\ncopy = ["INCAR"]\n'
    write_loop(tmp_path, label=label + 'result = "done.xyz"\n', loop=LOOP)
    assert "3 of 3 structures wait for" in learn()
    folders = sorted((tmp_path / "loop/generation_001/labels").glob("0*"))
    assert len(folders) == 3

    def calculate(folder):
        assert (folder / "INCAR").read_text() == "ENCUT = 500\n"
        atoms = ase.io.read(folder / "POSCAR", format="vasp")
        atoms.calc = Emt()
        atoms.get_stress()
        ase.io.write(folder / "done.xyz", atoms, format="extxyz")

    calculate(folders[1])
    assert "2 of 3 structures wait for" in learn()
    calculate(folders[0])
    calculate(folders[2])
    assert learn().splitlines()[-1] == "stopped: 1 generations are done"
    labelled = ase.io.read(tmp_path / "loop/generation_001/labelled.xyz", ":")
    for atoms in labelled:
        expected = atoms.copy()
        expected.calc = Emt()
        assert atoms.get_potential_energy() == pytest.approx(expected.get_potential_energy())


def test_labels_have_the_names_and_units_of_the_training_data(tmp_path, learn):
    write_loop(tmp_path, loop=LOOP)
    kcal = 23.060547830619026
    for name in ("train.xyz", "test.xyz"):
        frames = ase.io.read(tmp_path / name, ":")
        for atoms in frames:
            atoms.info["dft_energy"] = kcal * atoms.get_potential_energy()
            atoms.arrays["dft_forces"] = kcal * atoms.get_forces()
            atoms.calc = None
        write_frames(tmp_path / name, frames)
    names = 'energy_key = "dft_energy"\nforces_key = "dft_forces"\nenergy_unit = "kcal/mol"\n'
    toml = (tmp_path / "fit.toml").read_text().replace("[[terms]]", names + "[[terms]]")
    (tmp_path / "fit.toml").write_text(toml)
    learn()
    for atoms in ase.io.read(tmp_path / "loop/generation_001/labelled.xyz", ":"):
        expected = atoms.copy()
        expected.calc = Emt()
        assert atoms.info["dft_energy"] / kcal == pytest.approx(expected.get_potential_energy())
        assert np.allclose(atoms.arrays["dft_forces"] / kcal, expected.get_forces(), atol=1e-6)
        assert atoms.calc is None or "stress" not in atoms.calc.results
    assert states(tmp_path)[1]["fit"]["structures"] == 7


def test_calculations_that_fail_are_left_out_and_none_at_all_is_an_error(tmp_path, learn):
    (tmp_path / "moody.py").write_text(MOODY)
    label = '[label]\nkind = "calculator"\ncalculator = "moody:Moody"\n'
    select = "[select]\nn = 12\nfraction = 1\n"
    write_loop(tmp_path, label=label + "arguments = {every = true}\n", select=select)
    assert "no structure could be labelled: " in (err := learn(1))
    assert "no convergence after 99 steps" in err
    write_loop(tmp_path, label=label, select=select, loop=LOOP)
    out = learn()
    assert out.count("no convergence after 99 steps") == 6
    assert states(tmp_path)[1]["label"]["labels"] == 6


@pytest.mark.parametrize(
    ("name", "words"),
    [("Mover", "the calculator changed the structure: atom"), ("Leaver", "SystemExit: 3")],
)
def test_calculators_that_misbehave_label_nothing(tmp_path, learn, name, words):
    (tmp_path / "moody.py").write_text(MOODY)
    write_loop(tmp_path, label=f'[label]\nkind = "calculator"\ncalculator = "moody:{name}"\n')
    err = learn(1)
    assert "loop.toml: [label] no structure could be labelled: " in err and words in err


@pytest.mark.check
def test_two_loops_cannot_work_in_one_folder(tmp_path, learn):
    write_loop(tmp_path)
    with locked(tmp_path / "loop"):
        assert "another soap-gpr learn is at work there" in learn(1)


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 1, "generation": 7}', '{"format": 0}'])
def test_state_of_something_else_is_refused(tmp_path, learn, text):
    write_loop(tmp_path)
    folder = tmp_path / "loop/generation_000"
    folder.mkdir(parents=True)
    (folder / "state.json").write_text(text)
    assert "generation_000/state.json: found no state of generation 0" in learn(1)
