# SPDX-License-Identifier: BSD-3-Clause
"""Dipoles of a model that a real LAMMPS writes to its log and by fix ave/time, as spectra."""

import json

import numpy as np
import pytest
from lammps_runs import run_lammps, setup, write_data
from models import random_model, random_structure
from tensor_models import with_tensors

from potential.cli import main
from potential.model.targets import Target
from potential.spectra.read import read_series

NAMES = [f"c_gap[{k}]" for k in (1, 2, 3)]
SERIES = """\
velocity all create 300 5 loop geom
fix move all nve
timestep 0.00025
compute gap all pair soap/gpr
fix write all ave/time 2 1 2 c_gap[1] c_gap[2] c_gap[3] file mu.txt format " %.17g"
thermo 2
thermo_style custom step pe c_gap[1] c_gap[2] c_gap[3]
thermo_modify format float %.17g
run 20
run 20
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lammps")
    atoms = random_structure([8, 1, 1] * 3, seed=1)
    model = with_tensors(random_model(), [Target("mu", "e*Å", False, basis=0, rank=1)], zeta=2)
    model.save(folder / "model.sgpr")
    write_data(folder / "atoms.data", atoms, {8: 1, 1: 2})
    run = run_lammps(folder, "log log.lammps\n" + setup(atoms, {8: 1, 1: 2}) + SERIES)
    assert run.returncode == 0, run.stdout
    (folder / "output.txt").write_text(run.stdout)
    return folder


@pytest.mark.parametrize("name", ["log.lammps", "output.txt"])
def test_log_and_averages_are_the_same_series(folder, name):
    log = read_series(str(folder / name), 3, NAMES)
    averages = read_series(str(folder / "mu.txt"), 3)
    assert log.steps.tolist() == averages.steps.tolist() == list(range(0, 41, 2))
    assert log.step_fs == 0.25 and averages.step_fs is None
    np.testing.assert_allclose(averages.values, log.values, rtol=1e-14)
    assert np.ptp(log.values, axis=0).min() > 0, "the dipole must change"


def test_spectrum_of_a_log_is_that_of_the_averages(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    options = ["--unit", "e*angstrom", "--temperature", "300", "--lag", "0.004", "--json", "-"]
    found = []
    for words in (["log.lammps", "--columns", *NAMES], ["mu.txt", "--timestep", "0.25"]):
        assert main(["spectrum", "infrared", *words, *options]) == 0
        found.append(json.loads(capsys.readouterr().out))
    assert found[0]["time_step"] == found[1]["time_step"] == 0.5
    own = [record["curves"]["absorption"]["values"] for record in found]
    np.testing.assert_allclose(own[0], own[1], rtol=1e-11)
