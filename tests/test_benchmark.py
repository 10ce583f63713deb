# SPDX-License-Identifier: BSD-3-Clause
"""soap-gpr benchmark: structures it makes, times that add up, what it prints."""

import json

import ase.io
import numpy as np
import pytest
from ase.build import bulk
from ase.geometry import get_distances
from models import body_order_model, random_model, random_structure

from potential import _core
from potential.cli import main
from potential.scores.benchmark import PHASES, benchmark, first_structure, made_up_structure
from potential.structures.structure import structure_from_atoms


def test_made_up_structure_has_the_species_and_density_of_crystals():
    structure = made_up_structure((6, 14), 60)
    assert len(structure) == 64 and structure.pbc.all()
    assert np.bincount(structure.numbers)[[6, 14]].tolist() == [32, 32]
    per_atom = [bulk(name).get_volume() / 2 for name in ("C", "Si")]
    assert structure.volume / 64 == pytest.approx(np.mean(per_atom))
    _, distances = get_distances(structure.positions, cell=structure.cell, pbc=True)
    assert distances[np.triu_indices(64, 1)].min() > 0.75 * (structure.volume / 64) ** (1 / 3)


def test_small_periodic_cells_are_repeated_and_clusters_are_not(tmp_path):
    cell = random_structure([1, 8], cell=np.diag([3.0, 4.0, 20.0]), pbc=[True, True, False])
    ase.io.write(tmp_path / "slab.xyz", cell, format="extxyz")
    slab = first_structure(str(tmp_path / "slab.xyz"), 30)
    assert len(slab) == 32 and slab.cell.diagonal().tolist() == [12.0, 16.0, 20.0]
    ase.io.write(tmp_path / "pair.xyz", random_structure([1, 8], pbc=False), format="extxyz")
    assert len(first_structure(str(tmp_path / "pair.xyz"), 30)) == 2


@pytest.mark.parametrize("forces", [True, False])
def test_profile_covers_the_time_of_one_thread(forces):
    model = body_order_model()
    atoms = random_structure([8, 1, 1] * 40)
    structure = model.environments(atoms.numbers, atoms.positions, atoms.cell.array, True)
    evaluator = _core.Evaluator(model.core, 1)
    profiles = [evaluator.profile(structure, forces) for _ in range(20)]
    shares = []
    for profile in profiles:
        elapsed = profile.pop("elapsed")
        shares.append(sum(profile.values()) / elapsed)
    # a busy machine may interrupt between two phases, but not every time
    assert 0.3 < max(shares) <= 1.0
    backward = {"power_spectrum_adjoint", "expansion_adjoint", "scatter"}
    for name, seconds in profile.items():
        assert (seconds > 0) or (name in backward and not forces), name
    assert {*profile, "neighbor_list", "rest"} == set(PHASES)


def test_benchmark_measures_every_case():
    atoms = random_structure([8, 1, 1] * 10)
    result = benchmark(random_model(), structure_from_atoms(atoms), threads=[1, 2], seconds=0.0)
    cases = {(run["threads"], run["forces"]) for run in result["runs"]}
    assert cases == {(1, True), (1, False), (2, True), (2, False)}
    assert all(run["us_per_atom"] > 0 for run in result["runs"])
    assert result["rounds"] == 3 and result["neighbors"] > 1


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    random_model().save("model.sgpr")
    return tmp_path


def test_command_prints_phases_and_speed(folder, capsys):
    line = "benchmark model.sgpr --atoms 60 --threads 2 --seconds 0 --json speed.json"
    assert main(line.split()) == 0
    out = capsys.readouterr().out
    phases = [text for name, text in PHASES.items() if name != "clusters"]
    assert PHASES["clusters"] not in out  # the model has no such terms
    for words in (*phases, "64 atoms", "2 threads, energy only", "ns/day"):
        assert words in out
    assert json.loads((folder / "speed.json").read_text())["n_atoms"] == 64


def test_command_takes_a_structure(folder, capsys):
    ase.io.write("run.xyz", [random_structure([1, 8] * n) for n in (2, 3)], format="extxyz")
    line = "benchmark model.sgpr run.xyz@-1 --atoms 1 --threads 1 --seconds 0 --json -"
    assert main(line.split()) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["structure"] == "run.xyz#1" and result["n_atoms"] == 6


@pytest.mark.parametrize(
    "line, words",
    [
        ("none.xyz", "none.xyz: found nothing"),
        ("copper.xyz", "copper.xyz#0: the model does not know Cu"),
        ("copper.xyz --json nowhere/speed.json", "no folder nowhere"),
    ],
)
def test_bad_input_is_one_sentence(folder, capsys, line, words):
    ase.io.write("copper.xyz", bulk("Cu"), format="extxyz")
    assert main(["benchmark", "model.sgpr", *line.split()]) == 1
    error = capsys.readouterr().err
    assert error.startswith("soap-gpr: error: ") and error.count("\n") == 1 and words in error
