# SPDX-License-Identifier: BSD-3-Clause
"""compute heat/flux with the centroid stress gives the heat flux of a many-body potential."""

import numpy as np
import pytest
from lammps_runs import run_lammps, setup, write_data
from models import random_structure, triplet_model

TYPES = {8: 1, 1: 2}
MASS = 12.0  # of every atom, in setup()
MVV2E = 1.0364269e-4  # LAMMPS: eV per amu (Å/ps)²

FLUX = """\
compute ke all ke/atom
compute pe all pe/atom
compute stress all centroid/stress/atom NULL virial
compute flux all heat/flux ke pe stress
thermo_style custom step c_flux[1] c_flux[2] c_flux[3]
thermo_modify format float %.17g
run 0
"""


def energy_moment_rate(model, atoms, velocities):
    """d/dt Σ_i r_i E_i of an isolated molecule, by differences along the velocities; eV Å/ps."""

    def energies(time):
        positions = atoms.positions + time * velocities
        return model.evaluate(atoms.numbers, positions).energies

    h = 1e-4
    rate = (8 * (energies(h) - energies(-h)) - (energies(2 * h) - energies(-2 * h))) / (12 * h)
    rate += (model.evaluate(atoms.numbers, atoms.positions).forces * velocities).sum(axis=1)
    total = energies(0) + 0.5 * MASS * MVV2E * (velocities**2).sum(axis=1)
    return total @ velocities + rate @ atoms.positions


def shared_triplets():
    """A model whose triplets share their energies among their atoms."""
    return triplet_model(known=lambda p: lambda x, y, z: 0.3 * (x + y) ** 2 - p * z, shared=True)


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("terms", ["soap", "shared triplets"])
def test_heat_flux_is_the_rate_of_the_energy_moment(tmp_path, model, terms, ranks):
    model = model if terms == "soap" else shared_triplets()
    atoms = random_structure([8] * 5 + [1] * 10, seed=8, pbc=False)
    velocities = np.random.default_rng(9).normal(size=(len(atoms), 3))
    write_data(tmp_path / "atoms.data", atoms, TYPES)
    with (tmp_path / "atoms.data").open("a") as data:
        data.write("\nVelocities\n\n")
        for k, v in enumerate(velocities, start=1):
            data.write(f"{k} {v[0]:.17g} {v[1]:.17g} {v[2]:.17g}\n")
    model.save(tmp_path / "model.sgpr")
    run = run_lammps(tmp_path, setup(atoms, TYPES) + FLUX, ranks=ranks)
    assert run.returncode == 0, run.stdout
    lines = run.stdout.splitlines()
    head = next(k for k, line in enumerate(lines) if line.split()[:2] == ["Step", "c_flux[1]"])
    flux = np.array(lines[head + 1].split()[1:], dtype=float)
    expected = energy_moment_rate(model, atoms, velocities)
    np.testing.assert_allclose(flux, expected, rtol=1e-7, atol=1e-7 * np.abs(expected).max())
