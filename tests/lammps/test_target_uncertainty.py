# SPDX-License-Identifier: BSD-3-Clause
"""Errors of targets in LAMMPS: fix pair and compute pair say what Python says, on any number of
ranks."""

import numpy as np
import pytest
from kernel_targets import with_kernel_target
from lammps_runs import run_lammps, setup, write_data
from models import product_model, random_model, random_structure
from targets import WEIGHTED, with_targets
from uncertain import with_members, with_target_members

from potential.model.targets import Target

TYPES = {8: 1, 1: 2}
HYBRID = """\
pair_style hybrid/overlay soap/gpr soap/gpr
pair_coeff * * soap/gpr 1 model.sgpr O H
pair_coeff * * soap/gpr 2 targets.sgpr O H
"""
VALUES = """\
fix u all pair 1 soap/gpr{colon} charge_uncertainty {trigger} shielding_uncertainty 1
compute all all pair soap/gpr {number}
thermo_style custom step {columns}
thermo_modify format float %.17g
dump out all custom 1 dump.txt id f_u[1] f_u[2]
dump_modify out sort id format float %.17g
run 0
"""


@pytest.fixture(scope="module")
def atoms():
    return random_structure([8] * 12 + [1] * 24, seed=1)


@pytest.fixture(scope="module")
def model():
    return with_target_members(with_targets(random_model(n_terms=2, zeta=3)))


def script(atoms, n=6, pair=None, number="", trigger=1):
    columns = " ".join(f"c_all[{k + 1}]" for k in range(n))
    colon = f":{number}" if number else ""
    lines = VALUES.format(number=number, colon=colon, trigger=trigger, columns=columns)
    return setup(atoms, TYPES, pair=pair) + lines


def run(folder, atoms, lines, ranks=1):
    write_data(folder / "atoms.data", atoms, TYPES)
    done = run_lammps(folder, lines, ranks=ranks)
    assert done.returncode == 0, done.stdout
    return done.stdout


def of_atoms(folder):
    """(N, 2)"""
    rows = [row.split() for row in (folder / "dump.txt").read_text().splitlines()[9:]]
    return np.array(rows, dtype=float)[:, 1:]


def of_structure(output):
    """All numbers of compute pair."""
    lines = output.splitlines()
    head = next(k for k, line in enumerate(lines) if line.split()[:2] == ["Step", "c_all[1]"])
    return np.array(lines[head + 1].split()[1:], dtype=float)


def assert_values(folder, output, model, atoms):
    """To 1e-9 of the largest: errors of atoms, and in compute pair the targets, the errors of the
    energy and of a force, those of the targets."""
    of_model = model.evaluate(
        atoms, uncertainty=("targets",) + ("forces",) * (model.uncertainty.committee is not None)
    )
    sigma = of_model.uncertainty.properties_uncertainty
    for column, name in zip(of_atoms(folder).T, ("charge", "shielding"), strict=True):
        atol = 1e-9 * np.nanmax(sigma[name])
        np.testing.assert_allclose(column, sigma[name], rtol=0, atol=atol)
    names = ("volume", "gap")
    wanted = [of_model.properties[name] for name in names]
    if model.has_potential:
        own = of_model.uncertainty
        largest = np.linalg.norm(own.forces_uncertainty, axis=1).max()
        wanted += [own.energy_uncertainty, largest]
    wanted += [sigma[name] for name in names]
    np.testing.assert_allclose(of_structure(output), wanted, rtol=1e-9)


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_values_are_those_of_python(tmp_path, atoms, model, ranks):
    model.save(tmp_path / "model.sgpr")
    output = run(tmp_path, atoms, script(atoms), ranks)
    of_pair = "energy_uncertainty force_uncertainty charge_uncertainty shielding_uncertainty\n"
    assert f"uncertainties of atoms for fix pair: {of_pair}" in output
    assert "structure for compute pair: energy largest_force volume gap\n" in output
    assert_values(tmp_path, output, model, atoms)


@pytest.mark.parametrize("make", [product_model, random_model])
def test_weighted_sums_are_those_of_python(tmp_path, atoms, make):
    model = with_target_members(with_targets(make(), WEIGHTED))
    model.save(tmp_path / "model.sgpr")
    output = run(tmp_path, atoms, script(atoms), ranks=2)
    assert_values(tmp_path, output, model, atoms)


@pytest.mark.parametrize("ranks", [1, 4])
def test_triclinic_cell_smaller_than_the_cutoff(tmp_path, model, ranks):
    cell = [[3.1, 0, 0], [0.7, 3.0, 0], [-0.4, 0.9, 2.9]]
    atoms = random_structure([8, 1, 1], spacing=1.4, cell=cell)
    model.save(tmp_path / "model.sgpr")
    assert_values(tmp_path, run(tmp_path, atoms, script(atoms), ranks), model, atoms)


def test_targets_beside_another_potential(tmp_path, atoms):
    """Of a model without one: errors follow the targets at once."""
    alone = with_target_members(with_targets(random_model(), potential=False))
    with_members(random_model(seed=3)).save(tmp_path / "model.sgpr")
    alone.save(tmp_path / "targets.sgpr")
    lines = script(atoms, n=4, pair=HYBRID, number="2")
    assert_values(tmp_path, run(tmp_path, atoms, lines, ranks=2), alone, atoms)


def test_errors_without_trigger_are_not_numbers(tmp_path, atoms, model):
    model.save(tmp_path / "model.sgpr")
    run(tmp_path, atoms, script(atoms, trigger=0))
    assert np.isnan(of_atoms(tmp_path)[:, 0]).all()


@pytest.mark.parametrize(
    ("name", "trigger", "message"),
    [
        ("charge_uncertainty", 0, "the model has no errors of targets: fit it with [uncertai"),
        ("charge_uncertainty", 1, "the model has no errors of targets: fit it with [uncertai"),
        ("gap_uncertainty", 1, "it is a target of kernels between whole structures"),
        ("volume", 0, "it is of the structure: compute pair has it"),
    ],
)
def test_what_a_model_lacks_is_refused(tmp_path, atoms, name, trigger, message):
    targets = (
        Target("charge", "e", per_atom=True),
        Target("volume", "Å^3", per_atom=False, extensive=True),
    )
    plain = with_targets(with_members(random_model()), targets)
    (with_kernel_target(plain) if "gap" in name else plain).save(tmp_path / "model.sgpr")
    write_data(tmp_path / "atoms.data", atoms, TYPES)
    lines = setup(atoms, TYPES) + f"fix u all pair 1 soap/gpr {name} {trigger}\nrun 0\n"
    done = run_lammps(tmp_path, lines)
    assert done.returncode != 0
    assert f"pair_style soap/gpr has no {name}" in done.stdout and message in done.stdout
