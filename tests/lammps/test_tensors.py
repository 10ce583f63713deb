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
fix own all pair 1 soap/gpr{colon} dipole 1 shielding 1
compute all all pair soap/gpr {number}
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


HYBRID = """\
pair_style hybrid/overlay soap/gpr soap/gpr zero 3.0
pair_coeff * * zero
pair_coeff * * soap/gpr 1 first.sgpr O H
pair_coeff * * soap/gpr 2 model.sgpr {elements}
"""
TRICLINIC = np.array([[6.1, 0, 0], [1.3, 5.2, 0], [-1.1, 0.9, 7.4]])


def run_values(folder, model, atoms, ranks, pair=None, number=""):
    """The output, values of the structure (n,) and of atoms (N, 3 + 9)."""
    write_data(folder / "atoms.data", atoms, TYPES)
    model.save(folder / "model.sgpr")
    values = VALUES.format(number=number, colon=number and f":{number}")
    run = run_lammps(folder, setup(atoms, TYPES, pair=pair) + values, ranks=ranks)
    assert run.returncode == 0, run.stdout
    lines = run.stdout.splitlines()
    head = next(k for k, line in enumerate(lines) if line.split()[:2] == ["Step", "c_all[1]"])
    rows = [row.split() for row in (folder / "dump.txt").read_text().splitlines()[9:]]
    whole = np.array(lines[head + 1].split()[1:], dtype=float)
    return run.stdout, whole, np.array(rows, dtype=float)[:, 1:]


def assert_values(whole, of_atoms, expected):
    wanted = [expected[name].ravel() for name in ("dipole", "alpha", "beta")]
    np.testing.assert_allclose(whole, np.concatenate(wanted), rtol=1e-9, atol=1e-9)
    total = of_atoms[:, :3].sum(axis=0)
    np.testing.assert_allclose(total, expected["dipole"], rtol=1e-9, atol=1e-9)
    shielding = expected["shielding"].reshape(-1, 9)
    np.testing.assert_allclose(of_atoms[:, 3:], shielding, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_values_are_those_of_python(tmp_path, atoms, model, ranks):
    output, whole, of_atoms = run_values(tmp_path, model, atoms, ranks)
    assert "for fix pair: dipole[3] alpha[9] shielding[9] beta[27]" in output
    assert "for compute pair: dipole[3] alpha[9] beta[27]" in output
    assert_values(whole, of_atoms, python(model, atoms).properties)


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("elements", ["O H", "O NULL"])
def test_values_beside_other_potentials_are_those_of_python(tmp_path, model, elements, ranks):
    atoms = random_structure([8] * 10 + [1] * 17, seed=3, cell=TRICLINIC)
    random_model(cutoff=4.5, seed=7).save(tmp_path / "first.sgpr")
    pair = HYBRID.format(elements=elements)
    _, whole, of_atoms = run_values(tmp_path, model, atoms, ranks, pair, 2)
    known = (atoms.numbers == 8) | (elements == "O H")
    assert_values(whole, of_atoms[known], python(model, atoms[known]).properties)
    assert not of_atoms[~known].any(), "atoms that do not exist for the model"


def test_errors_of_tensors_are_refused(tmp_path, atoms, model):
    write_data(tmp_path / "atoms.data", atoms, TYPES)
    model.save(tmp_path / "model.sgpr")
    script = setup(atoms, TYPES) + "fix e all pair 1 soap/gpr dipole_uncertainty 0\nrun 0\n"
    run = run_lammps(tmp_path, script)
    assert run.returncode != 0
    assert "the model has no errors of vectors and tensors" in run.stdout
