# SPDX-License-Identifier: BSD-3-Clause
"""Uncertainties in LAMMPS: fix pair and compute pair say what Python says, on any number of ranks,
and the inputs of docs/lammps.md do what the page says."""

import re

import numpy as np
import pytest
from lammps_runs import KCAL_PER_EV, assert_agrees, measure, python, run_lammps, setup, write_data
from models import body_order_model, product_model, random_model, random_structure
from targets import with_targets
from uncertain import with_members
from variances import variance_model

from potential import Model

TYPES = {8: 1, 1: 2}
VALUES = """\
fix u all pair {every} soap/gpr energy_uncertainty 1 force_uncertainty 1
compute u all pair soap/gpr
thermo 1
thermo_style custom step c_u[{first}] c_u[{second}] pe
thermo_modify format float %.17g
dump out all custom 1 dump.txt id f_u[1] f_u[2] f_u[3] f_u[4]
dump_modify out sort id format float %.17g
{more}
run {steps}
"""


@pytest.fixture(scope="module")
def atoms():
    return random_structure([8] * 12 + [1] * 24, seed=1)


@pytest.fixture(scope="module")
def committee():
    return with_members(random_model(n_terms=2, zeta=3))


def script(atoms, every=1, steps=0, first=1, more="", **options):
    lines = VALUES.format(every=every, steps=steps, first=first, second=first + 1, more=more)
    return setup(atoms, TYPES, **options) + lines


def run(folder, model, atoms, ranks=1, **options):
    write_data(folder / "atoms.data", atoms, TYPES)
    model.save(folder / "model.sgpr")
    done = run_lammps(folder, script(atoms, **options), ranks=ranks)
    assert done.returncode == 0, done.stdout
    return done.stdout


def of_atoms(folder):
    """By frames: σ of energies (N,), σ of forces (N, 3)."""
    frames = (folder / "dump.txt").read_text().split("ITEM: TIMESTEP")[1:]
    rows = [np.array([r.split() for r in frame.splitlines()[9:]], dtype=float) for frame in frames]
    return [(own[:, 1], own[:, 2:]) for own in rows]


def of_structure(output):
    """Rows of step, σ of the energy and largest σ of a force."""
    lines = output.splitlines()
    head = next(k for k, line in enumerate(lines) if "c_u[" in line and "Step" in line)
    rows = []
    for line in lines[head + 1 :]:
        try:
            rows.append([float(x) for x in line.split()[:3]])
        except ValueError:
            break
    return np.array(rows)


def expected(model, atoms):
    return model.evaluate(atoms, uncertainty=("forces",)).uncertainty


def assert_close(found, wanted):
    """To 1e-9 of the largest."""
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-9 * np.abs(wanted).max())


def largest_force(own):
    return np.linalg.norm(own.forces_uncertainty, axis=1).max()


@pytest.mark.parametrize("ranks", [1, 2, 4])
@pytest.mark.parametrize("make", [None, product_model, body_order_model])
def test_values_are_those_of_python(tmp_path, atoms, committee, make, ranks):
    model = committee if make is None else with_members(make())
    output = run(tmp_path, model, atoms, ranks)
    assert "uncertainties of atoms for fix pair: energy_uncertainty force_uncertainty\n" in output
    own = expected(model, atoms)
    ((energies, forces),) = of_atoms(tmp_path)
    assert_close(energies, own.energies_uncertainty)
    assert_close(forces, own.forces_uncertainty)
    _, energy, largest = of_structure(output)[0]
    assert_close(energy, own.energy_uncertainty)
    assert_close(largest, largest_force(own))


def test_triclinic_cell_smaller_than_the_cutoff(tmp_path, committee):
    cell = [[3.1, 0, 0], [0.7, 3.0, 0], [-0.4, 0.9, 2.9]]
    atoms = random_structure([8, 1, 1], spacing=1.4, cell=cell)
    output = run(tmp_path, committee, atoms, ranks=2)
    own = expected(committee, atoms)
    ((energies, forces),) = of_atoms(tmp_path)
    assert_close(energies, own.energies_uncertainty)
    assert_close(forces, own.forces_uncertainty)
    assert_close(of_structure(output)[0][1], own.energy_uncertainty)


def test_members_of_two_models_at_once(tmp_path, atoms, committee):
    """Beside another potential forces of members come home from ghosts as ever."""
    with_members(random_model(seed=3), 24).save(tmp_path / "other.sgpr")
    committee.save(tmp_path / "model.sgpr")
    write_data(tmp_path / "atoms.data", atoms, TYPES)
    pair = (
        "pair_style hybrid/overlay soap/gpr soap/gpr\n"
        "pair_coeff * * soap/gpr 1 model.sgpr O H\n"
        "pair_coeff * * soap/gpr 2 other.sgpr O H\n"
    )
    for number, model in ((1, committee), (2, Model.load(tmp_path / "other.sgpr"))):
        lines = script(atoms, pair=pair).replace("soap/gpr energy_", f"soap/gpr:{number} energy_")
        lines = lines.replace("all pair soap/gpr\n", f"all pair soap/gpr {number}\n")
        done = run_lammps(tmp_path, lines, ranks=2)
        assert done.returncode == 0, done.stdout
        own = expected(model, atoms)
        assert_close(of_atoms(tmp_path)[0][1], own.forces_uncertainty)
        assert_close(of_structure(done.stdout)[0][2], largest_force(own))


def test_energies_and_forces_stay(tmp_path, atoms, committee):
    measured = measure(tmp_path, committee, atoms, ranks=2)
    assert_agrees(measured, python(random_model(n_terms=2, zeta=3), atoms))


def test_scale_and_units(tmp_path, atoms, committee):
    """A potential at half its strength is half as uncertain; kcal/mol in units real."""
    more = "fix half all adapt 1 pair soap/gpr scale * * v_half\nvariable half equal 0.5\n"
    for units, unit in (("metal", 0.5), ("real", 0.5 * KCAL_PER_EV)):
        output = run(tmp_path, committee, atoms, ranks=2, more=more, units=units)
        own = expected(committee, atoms)
        ((energies, forces),) = of_atoms(tmp_path)
        assert_close(energies, unit * own.energies_uncertainty)
        assert_close(forces, unit * own.forces_uncertainty)
        assert_close(of_structure(output)[0][1], unit * own.energy_uncertainty)


def test_beside_targets(tmp_path, atoms, committee):
    """Those of the structure come first in compute pair."""
    model = with_targets(committee)
    output = run(tmp_path, model, atoms, first=3)
    own = expected(committee, atoms)
    assert_close(of_structure(output)[0][1], own.energy_uncertainty)
    assert_close(of_atoms(tmp_path)[0][1], own.forces_uncertainty)


def test_every_so_many_steps(tmp_path, atoms, committee):
    """Between them fix pair keeps what it has."""
    output = run(tmp_path, committee, atoms, ranks=2, every=2, steps=4, more="fix n all nve\n")
    frames = of_atoms(tmp_path)
    for odd, even in ((1, 0), (3, 2)):
        np.testing.assert_array_equal(frames[odd][1], frames[even][1])
    assert np.abs(frames[2][1] - frames[0][1]).max() > 0
    assert len(of_structure(output)) == 5


MEASURES = ("energy_uncertainty", "force_uncertainty", "variance", "rigidity", "grade")


@pytest.mark.parametrize("name", MEASURES)
def test_what_a_model_lacks_is_refused(tmp_path, atoms, name):
    write_data(tmp_path / "atoms.data", atoms, TYPES)
    random_model().save(tmp_path / "model.sgpr")
    lines = f"fix u all pair 1 soap/gpr {name} 1\nrun 0\n"
    done = run_lammps(tmp_path, setup(atoms, TYPES) + lines)
    assert done.returncode != 0
    assert f"pair_style soap/gpr has no {name}: the model was fitted without" in done.stdout


def test_target_with_the_name_of_a_measure_is_refused(tmp_path, atoms, committee):
    from potential.model.targets import Target

    model = with_targets(committee, [Target("grade", "1", per_atom=True)])
    output = run(tmp_path, model, atoms)  # this model has no such measure
    assert "targets of atoms for fix pair: grade" in output
    model = with_targets(committee, [Target("force_uncertainty", "1", per_atom=True)])
    model.save(tmp_path / "model.sgpr")
    done = run_lammps(tmp_path, script(atoms))
    assert done.returncode != 0
    assert "has a target of the name force_uncertainty" in done.stdout


WATCH = """\
fix u all pair 2 soap/gpr force_uncertainty 1
variable s atom sqrt(f_u[1]^2+f_u[2]^2+f_u[3]^2)
compute id all property/atom id
compute worst all reduce max v_s c_id replace 2 1
variable s_max equal c_worst[1]
thermo_style custom step c_worst[1] c_worst[2]
thermo_modify format float %.17g
thermo 2
fix n all nve
variable skip equal "v_s_max < {keep}"
dump label all custom 2 label.lammpstrj id type x y z v_s
dump_modify label skip v_skip sort id
fix stop all halt 2 v_s_max > {stop} error soft message yes
run 6
"""


OF_ENERGIES = """\
fix u all pair 1 soap/gpr energy_uncertainty 1 variance 1 rigidity 1 grade 1
fix half all adapt 1 pair soap/gpr scale * * v_half
variable half equal 0.5
dump out all custom 1 dump.txt id f_u[1] f_u[2] f_u[3] f_u[4]
dump_modify out sort id format float %.17g
run 0
"""


@pytest.mark.parametrize("ranks", [1, 2, 4])
@pytest.mark.parametrize("make", [random_model, body_order_model])
def test_variances_are_those_of_python(tmp_path, atoms, make, ranks):
    """Of a potential at half its strength: grades stay, rigidities are of half the energy."""
    model, *_ = variance_model(make())
    write_data(tmp_path / "atoms.data", atoms, TYPES)
    model.save(tmp_path / "model.sgpr")
    done = run_lammps(tmp_path, setup(atoms, TYPES) + OF_ENERGIES, ranks=ranks)
    assert done.returncode == 0, done.stdout
    own = model.evaluate(atoms, uncertainty=("variance",)).uncertainty
    ((sigma, others),) = of_atoms(tmp_path)
    assert_close(sigma, 0.5 * own.energies_uncertainty)
    assert_close(others[:, 0], (0.5 * own.deviations) ** 2)
    np.testing.assert_allclose(others[:, 1], own.rigidities / 0.25, rtol=1e-9)
    assert_close(others[:, 2], own.grades)


@pytest.mark.parametrize("ranks", [1, 2])
def test_the_documented_watch(tmp_path, atoms, committee, ranks):
    """Frames above one threshold are written, above another the run stops; the atom is named."""
    own = np.linalg.norm(expected(committee, atoms).forces_uncertainty, axis=1)
    write_data(tmp_path / "atoms.data", atoms, TYPES)
    committee.save(tmp_path / "model.sgpr")
    watch = setup(atoms, TYPES) + WATCH
    calm = watch.format(keep=0.5 * own.max(), stop=1e9)
    done = run_lammps(tmp_path, calm, ranks=ranks)
    assert done.returncode == 0, done.stdout
    row = re.search(r"^\s+0 +(\S+) +(\S+)\s*$", done.stdout, re.MULTILINE)
    assert float(row[1]) == pytest.approx(own.max(), rel=1e-9)
    assert int(float(row[2])) == own.argmax() + 1
    frames = (tmp_path / "label.lammpstrj").read_text().count("ITEM: TIMESTEP")
    assert frames >= 1
    halted = run_lammps(tmp_path, watch.format(keep=1e9, stop=0.5 * own.max()), ranks=ranks)
    assert halted.returncode == 0, halted.stdout
    assert re.search(r"Fix halt condition for fix-id stop met on step 2", halted.stdout)
    assert not (tmp_path / "label.lammpstrj").read_text()
