# SPDX-License-Identifier: BSD-3-Clause
"""Loops of active learning that sample with LAMMPS."""

import ase.io
import pytest
from loops import LOOP, states, write_loop

from potential.active_learning import loop
from potential.cli import main
from potential.model import Model

SAMPLER = """\
[[samplers]]
kind = "lammps"
input = "in.lammps"
structures = ["train.xyz@::2"]
species = ["Au", "Cu"]
"""
SCRIPT = """\
variable seed index 1
units metal
atom_style atomic
read_data ${data}
pair_style soap/gpr
pair_coeff * * ${model} Au Cu
velocity all create ${temperature} ${seed}
fix 1 all nve
fix u all pair 10 soap/gpr grade 1
compute worst all reduce max f_u
variable worst equal c_worst
thermo_style custom step temp c_worst
dump out all custom 10 ${output} id element xu yu zu
dump_modify out element Au Cu sort id
thermo 10
"""


@pytest.fixture(autouse=True)
def few_pages(monkeypatch):
    monkeypatch.setattr(loop, "write_report", lambda *about: None)


def learn(folder, script, capsys, more="temperature = [300, 900]\nruns = 2\n", code=0):
    """A loop of one generation; returns its output and, of the first, the folder."""
    (folder / "in.lammps").write_text(script)
    assert main(["learn", write_loop(folder, loop=LOOP, samplers=SAMPLER + more)]) == code
    captured = capsys.readouterr()
    return captured.err if code else captured.out, folder / "loop/generation_001/sample/1_lammps"


def test_runs_have_their_model_temperatures_and_seeds(tmp_path, capsys):
    out, folder = learn(tmp_path, SCRIPT + "run 20\n", capsys)
    assert "generation 1: sampled 6 structures" in out
    first, second = (ase.io.read(folder / f"run_00{k}/frames.xyz", ":") for k in (0, 1))
    assert len(first) == len(second) == 3
    logs = [(folder / f"run_00{k}/lammps.log").read_text() for k in (0, 1)]
    assert "\n         0   300 " in logs[0] and "\n         0   900 " in logs[1]
    starts = ase.io.read(tmp_path / "train.xyz", "::2")
    assert all(frames[0].get_chemical_formula() == "Au2Cu6" for frames in (first, second))
    assert first[0].info["config_type"] == starts[0].info["config_type"]
    model = Model.load(tmp_path / "loop/generation_000/model.sgpr")
    energies = [model.evaluate(atoms).energy for atoms in starts]
    assert min(abs(model.evaluate(first[0]).energy - e) for e in energies) < 1e-4, "turned at most"
    assert states(tmp_path)[1]["label"]["labels"] == 3


def test_run_that_stops_is_counted_and_its_structures_are_used(tmp_path, capsys):
    script = SCRIPT + "run 10\nrun 20 every 10 'error all \"it flew apart\"'\n"
    out, _ = learn(tmp_path, script, capsys, "temperature = [300]\n")
    assert "it flew apart" in out
    assert states(tmp_path)[1]["sample"]["events"] == {"stopped": 1}
    assert states(tmp_path)[1]["sample"]["structures"] >= 2


def test_run_that_the_uncertainty_halts_is_counted(tmp_path, capsys):
    script = SCRIPT + "fix h all halt 10 v_worst > 0 error soft message yes\nrun 100\n"
    learn(tmp_path, script, capsys, "temperature = [300]\n")
    assert states(tmp_path)[1]["sample"]["events"] == {"halted": 1}


def test_error_before_the_first_structure_is_one_sentence(tmp_path, capsys):
    script = SCRIPT.replace("nve", "none") + "run 0\n"
    err, folder = learn(tmp_path, script, capsys, "temperature = [300]\n", code=1)
    last = err.splitlines()[-1]
    assert str(folder / "run_000/lammps.log") in last and "Unrecognized fix style" in last
    assert "loop.toml: [[samplers]] input: " in last


@pytest.mark.parametrize(
    ("dump", "words"),
    [
        ("custom 10 ${output} id element\n", "No atomic positions found"),
        ("custom 10 ${output} id x y z\n", "Cannot determine atom types"),
        ("xyz 10 ${output}\n", "found no text of LAMMPS' dump custom"),
    ],
)
def test_dump_that_cannot_be_read_is_one_sentence(tmp_path, capsys, dump, words):
    script = SCRIPT.replace("custom 10 ${output} id element xu yu zu\n", dump)
    script = "\n".join(line for line in script.splitlines() if "dump_modify" not in line)
    err, _ = learn(tmp_path, script + "\nrun 0\n", capsys, "temperature = [300]\n", code=1)
    last = err.splitlines()[-1]
    assert "[[samplers]] input: " in last and "frames.dump: " in last and words in last


def test_runs_on_two_ranks(tmp_path, capsys):
    more = "temperature = [300]\nranks = 2\n"
    out, _ = learn(tmp_path, SCRIPT + "run 10\n", capsys, more)
    assert "generation 1: sampled 2 structures" in out
