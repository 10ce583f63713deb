# SPDX-License-Identifier: BSD-3-Clause
"""Vectors and tensors in LAMMPS: fix pair and compute pair say what Python says, on any number of
ranks."""

import numpy as np
import pytest
from lammps_runs import python, run_lammps, setup, write_data
from models import random_model, random_structure
from tensor_models import with_tensors

TYPES = {8: 1, 1: 2}
VALUES = """\
fix own all pair 1 soap/gpr dipole 1 shielding 1
compute all all pair soap/gpr
thermo_style custom step c_all[*]
thermo_modify format float %.17g
dump out all custom 1 dump.txt id f_own[*]
dump_modify out sort id format float %.17g
run 0
"""


@pytest.fixture(scope="module")
def atoms():
    return random_structure([8] * 12 + [1] * 24, seed=1)


@pytest.fixture(scope="module")
def model():
    return with_tensors(random_model())


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_values_are_those_of_python(tmp_path, atoms, model, ranks):
    write_data(tmp_path / "atoms.data", atoms, TYPES)
    model.save(tmp_path / "model.sgpr")
    run = run_lammps(tmp_path, setup(atoms, TYPES) + VALUES, ranks=ranks)
    assert run.returncode == 0, run.stdout
    assert "for fix pair: dipole[3] alpha[9] shielding[9] beta[27]" in run.stdout
    assert "for compute pair: dipole[3] alpha[9] beta[27]" in run.stdout
    expected = python(model, atoms).properties
    lines = run.stdout.splitlines()
    head = next(k for k, line in enumerate(lines) if line.split()[:2] == ["Step", "c_all[1]"])
    found = np.array(lines[head + 1].split()[1:], dtype=float)
    whole = [expected[name].ravel() for name in ("dipole", "alpha", "beta")]
    np.testing.assert_allclose(found, np.concatenate(whole), rtol=1e-9, atol=1e-9)
    rows = [row.split() for row in (tmp_path / "dump.txt").read_text().splitlines()[9:]]
    of_atoms = np.array(rows, dtype=float)[:, 1:]
    np.testing.assert_allclose(
        of_atoms[:, :3].sum(axis=0), expected["dipole"], rtol=1e-9, atol=1e-9
    )
    np.testing.assert_allclose(
        of_atoms[:, 3:], expected["shielding"].reshape(-1, 9), rtol=1e-9, atol=1e-9
    )


def test_errors_of_tensors_are_refused(tmp_path, atoms, model):
    write_data(tmp_path / "atoms.data", atoms, TYPES)
    model.save(tmp_path / "model.sgpr")
    script = setup(atoms, TYPES) + "fix e all pair 1 soap/gpr dipole_uncertainty 0\nrun 0\n"
    run = run_lammps(tmp_path, script)
    assert run.returncode != 0
    assert "the model has no errors of vectors and tensors" in run.stdout
