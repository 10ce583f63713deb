# SPDX-License-Identifier: BSD-3-Clause
"""Targets in LAMMPS: fix pair and compute pair say what Python says, on any number of ranks."""

import numpy as np
import pytest
from kernel_targets import with_kernel_target
from lammps_runs import assert_agrees, measure, python, run_lammps, setup, write_data
from models import product_model, random_model, random_structure
from targets import BY_COLUMN, WEIGHTED, with_targets

TYPES = {8: 1, 1: 2}
HYBRID = """\
pair_style hybrid/overlay soap/gpr soap/gpr
pair_coeff * * soap/gpr 1 model.sgpr O H
pair_coeff * * soap/gpr 2 targets.sgpr O H
"""
VALUES = """\
fix charge all pair 1 soap/gpr{colon} charge {trigger}
fix shielding all pair 1 soap/gpr{colon} shielding 1
compute all all pair soap/gpr {number}
thermo_style custom step c_all[1] c_all[2]
thermo_modify format float %.17g
dump out all custom 1 dump.txt id f_charge f_shielding
dump_modify out sort id format float %.17g
run 0
"""


@pytest.fixture(scope="module")
def atoms():
    return random_structure([8] * 12 + [1] * 24, seed=1)


@pytest.fixture(scope="module")
def model_with_targets():
    return with_targets(random_model(n_terms=2, zeta=3))


def script(atoms, values, pair=None, number="", trigger=1):
    colon = f":{number}" if number else ""
    lines = values.format(number=number, colon=colon, trigger=trigger)
    return setup(atoms, TYPES, pair=pair) + lines


def read(folder, output):
    """Values of atoms (N, 2) and of the structure (2,)."""
    lines = output.splitlines()
    head = next(k for k, line in enumerate(lines) if line.split()[:2] == ["Step", "c_all[1]"])
    rows = [row.split() for row in (folder / "dump.txt").read_text().splitlines()[9:]]
    return np.array(rows, dtype=float)[:, 1:], np.array(lines[head + 1].split()[1:], dtype=float)


def assert_values(found, expected):
    of_atoms, of_structure = found
    for column, name in zip(of_atoms.T, ("charge", "shielding"), strict=True):
        np.testing.assert_allclose(column, expected[name], rtol=1e-9, atol=1e-9)
    wanted = [expected["volume"], expected["gap"]]
    np.testing.assert_allclose(of_structure, wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_values_are_those_of_python(tmp_path, atoms, model_with_targets, ranks):
    write_data(tmp_path / "atoms.data", atoms, TYPES)
    model_with_targets.save(tmp_path / "model.sgpr")
    run = run_lammps(tmp_path, script(atoms, VALUES), ranks=ranks)
    assert run.returncode == 0, run.stdout
    assert "targets of atoms for fix pair: charge shielding" in run.stdout
    assert "targets of the structure for compute pair: volume gap" in run.stdout
    assert_values(read(tmp_path, run.stdout), python(model_with_targets, atoms).properties)


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("make", [random_model, product_model])
def test_weighted_sums_are_those_of_python(tmp_path, atoms, make, ranks):
    model = with_targets(make(), WEIGHTED)
    write_data(tmp_path / "atoms.data", atoms, TYPES)
    model.save(tmp_path / "model.sgpr")
    run = run_lammps(tmp_path, script(atoms, VALUES), ranks=ranks)
    assert run.returncode == 0, run.stdout
    assert_values(read(tmp_path, run.stdout), python(model, atoms).properties)


def test_weights_by_a_column_are_refused(tmp_path, atoms):
    write_data(tmp_path / "atoms.data", atoms, TYPES)
    with_targets(random_model(), BY_COLUMN).save(tmp_path / "model.sgpr")
    run = run_lammps(tmp_path, script(atoms, "run 0\n"))
    assert run.returncode != 0
    assert "weighs atoms in the target volume by the column 'part'" in run.stdout


def test_energies_and_forces_stay(tmp_path, atoms, model_with_targets):
    measured = measure(tmp_path, model_with_targets, atoms, ranks=2)
    assert_agrees(measured, python(random_model(n_terms=2, zeta=3), atoms))


def test_values_without_trigger_are_not_numbers(tmp_path, atoms, model_with_targets):
    write_data(tmp_path / "atoms.data", atoms, TYPES)
    model_with_targets.save(tmp_path / "model.sgpr")
    run = run_lammps(tmp_path, script(atoms, VALUES, trigger=0))
    assert run.returncode == 0, run.stdout
    of_atoms, _ = read(tmp_path, run.stdout)
    assert np.isnan(of_atoms[:, 0]).all()


def test_model_without_a_potential_stands_beside_one(tmp_path, atoms, model_with_targets):
    alone = with_targets(random_model(n_terms=2, zeta=3), potential=False)
    write_data(tmp_path / "atoms.data", atoms, TYPES)
    random_model(seed=3).save(tmp_path / "model.sgpr")
    alone.save(tmp_path / "targets.sgpr")
    run = run_lammps(tmp_path, script(atoms, VALUES, pair=HYBRID, number="2"), ranks=2)
    assert run.returncode == 0, run.stdout
    assert_values(read(tmp_path, run.stdout), python(model_with_targets, atoms).properties)
    alone.save(tmp_path / "model.sgpr")
    run = run_lammps(tmp_path, script(atoms, "run 0\n"))
    assert run.returncode != 0 and "has targets and no potential" in run.stdout


def test_kernels_between_structures_are_not_served(tmp_path, atoms):
    """The potential of the same file is; who asks for the target gets one sentence."""
    write_data(tmp_path / "atoms.data", atoms, TYPES)
    model = with_kernel_target(random_model())
    measured = measure(tmp_path, model, atoms, ranks=2)
    assert_agrees(measured, python(random_model(), atoms))
    run = run_lammps(tmp_path, script(atoms, "run 0\n"))
    assert run.stdout.count("LAMMPS does not compute these targets of the model") == 1
    assert "kernels between whole structures: gap" in run.stdout
    for trigger in (0, 1):
        run = run_lammps(tmp_path, script(atoms, f"fix q all pair 1 soap/gpr gap {trigger}\n"))
        assert run.returncode != 0 and "pair_style soap/gpr has no gap" in run.stdout
    alone = with_kernel_target(random_model(), potential=False)
    alone.save(tmp_path / "targets.sgpr")
    run = run_lammps(tmp_path, script(atoms, "run 0\n", pair=HYBRID))
    assert run.returncode != 0 and "has kernels between structures alone" in run.stdout
