# SPDX-License-Identifier: BSD-3-Clause
"""Molecular dynamics through LAMMPS: energy is conserved, ranks do not matter."""

import numpy as np
import pytest
from lammps_runs import run_lammps, setup, write_data
from models import random_structure

TYPES = {8: 1, 1: 2}


def trajectory(folder, model, *, ranks=1, steps=100, dt=0.001):
    """(potential, total) energies of every step, (steps + 1,) each; eV."""
    atoms = random_structure([8] * 16 + [1] * 48, seed=3)
    write_data(folder / "atoms.data", atoms, TYPES)
    model.save(folder / "model.sgpr")
    script = setup(atoms, TYPES) + (
        f"timestep {dt}\nneighbor 0.3 bin\nneigh_modify delay 0 every 1 check yes\n"
        "velocity all create 600 11 loop geom\nfix nve all nve\n"
        "thermo 1\nthermo_style custom step pe etotal\nthermo_modify format float %.17g\n"
        f"run {steps}\n"
    )
    run = run_lammps(folder, script, ranks=ranks)
    assert run.returncode == 0, run.stdout
    lines = run.stdout.splitlines()
    head = next(k for k, line in enumerate(lines) if line.split()[:2] == ["Step", "PotEng"])
    rows = np.array([line.split() for line in lines[head + 1 : head + 2 + steps]], dtype=float)
    assert int(next(line.split("=")[1] for line in lines if "Neighbor list builds" in line)) > 0
    return rows[:, 1], rows[:, 2]


def test_nve_energy_error_falls_with_the_square_of_the_time_step(tmp_path, model):
    potential, total = trajectory(tmp_path, model, steps=100, dt=0.001)
    _, finer = trajectory(tmp_path, model, steps=200, dt=0.0005)
    assert np.ptp(potential) > 0.1
    assert np.ptp(total) < 0.01 * np.ptp(potential)
    assert np.ptp(finer) < 0.3 * np.ptp(total)


@pytest.mark.parametrize("ranks", [2, 4])
def test_trajectory_is_the_same_on_any_number_of_ranks(tmp_path, model, ranks):
    one, _ = trajectory(tmp_path, model)
    several, _ = trajectory(tmp_path, model, ranks=ranks)
    np.testing.assert_allclose(several, one, rtol=1e-9)
