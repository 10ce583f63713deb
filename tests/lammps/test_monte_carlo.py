# SPDX-License-Identifier: BSD-3-Clause
"""Fixes that insert, delete and swap atoms: energies are those of the atoms that are there."""

import ase
import numpy as np
import pytest
from lammps_runs import python, run_lammps, setup, write_data
from models import build_model, random_structure, tabulated_term

TYPES = {8: 1, 1: 2}
BOLTZMANN, PLANCK, MVV2E = 8.617343e-5, 4.135667403e-3, 1.0364269e-4  # LAMMPS: eV/K, eV ps
TEMPERATURE = 5000.0  # K
MASS = 12.0  # of every atom, in setup()

WATER = """\
# water

3 atoms

Coords

1 0.0 0.0 0.0
2 0.96 0.0 0.0
3 -0.24 0.93 0.0

Types

1 1
2 2
3 2
"""


def lone_atoms(e0):
    """A model in which atoms do not interact; e0: eV of oxygen, of hydrogen."""
    return build_model((1, 8), [e0[1], e0[0]], [tabulated_term((1, 8))])


def ideal_gas_potential(n, volume, mass):
    """Chemical potential of n particles in a volume, eV, without their own energy."""
    thermal = BOLTZMANN * TEMPERATURE
    wavelength = np.sqrt(PLANCK**2 / (2 * np.pi * mass * MVV2E * thermal))
    return thermal * np.log(n * wavelength**3 / volume)


def rows(run):
    """Rows of numbers that LAMMPS printed under 'Step'."""
    assert run.returncode == 0, run.stdout
    lines = [line.split() for line in run.stdout.splitlines()]
    head = max(k for k, words in enumerate(lines) if words[:1] == ["Step"])
    end = next(k for k in range(head, len(lines)) if lines[k][:2] == ["Loop", "time"])
    return np.array(lines[head + 1 : end], dtype=float)


# LAMMPS' own gas without interactions, which draws the random numbers that full energies need.
IDEAL = "pair_style zero 5.0\npair_coeff * *"


def atoms_of_gas(folder, mu, steps, ranks=1, pair=None):
    """Output of `steps` sweeps, and the number of atoms after each of them."""
    atoms = ase.Atoms(cell=[30] * 3, pbc=True)
    write_data(folder / "atoms.data", atoms, TYPES)
    full = "full_energy" if pair else ""  # which LAMMPS must choose by itself for soap/gpr
    script = setup(atoms, TYPES, pair=pair) + (
        "create_atoms 1 random 8 7 NULL\n"
        f"fix gas all gcmc 1 20 0 1 12345 {TEMPERATURE} {mu:.17g} 0.0 {full}\n"
        f"thermo_style custom step atoms\nthermo 1\nrun {steps}\n"
    )
    run = run_lammps(folder, script, ranks=ranks)
    return run.stdout, rows(run)[:, 1]


@pytest.fixture(scope="module")
def ideal_gas(tmp_path_factory):
    """What LAMMPS says without interactions and energies of atoms."""
    mu = ideal_gas_potential(8, 30**3, MASS)
    return atoms_of_gas(tmp_path_factory.mktemp("gas"), mu, 10, pair=IDEAL)[1]


# Every decision is that of the gas without e0, a sharper test than a mean, and a short one: with
# several ranks on few cores a sweep costs many times as much. A draw would have to come within
# 1e-12 of its limit for rounding to change one of the 200.
@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("e0", [-100.0, 0.0, 3.51])
def test_grand_canonical_moves_do_not_depend_on_e0(tmp_path, ideal_gas, e0, ranks):
    lone_atoms((e0, -1.0)).save(tmp_path / "model.sgpr")
    mu = ideal_gas_potential(8, 30**3, MASS) + e0
    output, numbers = atoms_of_gas(tmp_path, mu, 10, ranks)
    np.testing.assert_array_equal(numbers, ideal_gas)
    assert len(set(numbers)) > 5
    assert "WARNING: pair_style" not in output


@pytest.mark.parametrize("e0", [-100.0, 0.0, 3.51])
def test_grand_canonical_density_does_not_depend_on_e0(tmp_path, e0):
    lone_atoms((e0, -1.0)).save(tmp_path / "model.sgpr")
    mu = ideal_gas_potential(8, 30**3, MASS) + e0
    assert_mean(atoms_of_gas(tmp_path, mu, 1500)[1], 8)


def assert_mean(numbers, expected, n_blocks=10):
    """Within four standard errors, from blocks that are longer than the memory of the run."""
    blocks = [block.mean() for block in np.array_split(numbers, n_blocks)]
    error = np.std(blocks, ddof=1) / np.sqrt(n_blocks)
    assert error < 0.5
    assert abs(np.mean(blocks) - expected) < 4 * error


def gas_of_molecules(folder, energy, steps, ranks=1, pair=None):
    """Steps, atoms and energies of sweeps with water of that energy in itself."""
    (folder / "water.mol").write_text(WATER)
    atoms = ase.Atoms(cell=[30] * 3, pbc=True)
    write_data(folder / "atoms.data", atoms, TYPES, style="full")
    mu = ideal_gas_potential(8, 30**3, 3 * MASS)
    full = "full_energy" if pair else ""
    script = setup(atoms, TYPES, style="full", pair=pair) + (
        "molecule water water.mol\n"
        f"fix gas all gcmc 1 20 0 0 12345 {TEMPERATURE} {mu:.17g} 0.0 mol water {full} "
        f"intra_energy {energy}\n"
        f"thermo_style custom step atoms pe\nthermo 1\nrun {steps}\n"
    )
    return rows(run_lammps(folder, script, ranks=ranks))


@pytest.mark.parametrize("ranks", [1, 2])
def test_grand_canonical_moves_of_molecules_do_not_depend_on_e0(tmp_path, ranks):
    e0 = (-100.0, 3.51)
    energy = e0[0] + 2 * e0[1]
    ideal = gas_of_molecules(tmp_path, 0.0, 10, pair=IDEAL)
    lone_atoms(e0).save(tmp_path / "model.sgpr")
    numbers = gas_of_molecules(tmp_path, energy, 10, ranks)
    np.testing.assert_array_equal(numbers[:, 1], ideal[:, 1])
    assert len(set(numbers[:, 1])) > 5
    np.testing.assert_allclose(numbers[:, 2], numbers[:, 1] / 3 * energy, rtol=1e-6)


def test_grand_canonical_density_of_molecules(tmp_path):
    e0 = (-100.0, 3.51)
    lone_atoms(e0).save(tmp_path / "model.sgpr")
    numbers = gas_of_molecules(tmp_path, e0[0] + 2 * e0[1], 1000)
    assert_mean(numbers[20:, 1] / 3, 8)


@pytest.mark.parametrize("ranks", [1, 2])
def test_widom_insertion_gives_the_energy_of_an_atom(tmp_path, ranks):
    lone_atoms((3.51, -1.0)).save(tmp_path / "model.sgpr")
    atoms = random_structure([8] * 4 + [1] * 8, seed=1)
    write_data(tmp_path / "atoms.data", atoms, TYPES)
    script = setup(atoms, TYPES) + (
        f"fix insert all widom 1 5 1 12345 {TEMPERATURE}\n"
        "thermo_style custom step pe f_insert[1]\nthermo_modify format float %.17g\n"
        "thermo 1\nrun 3\n"
    )
    numbers = rows(run_lammps(tmp_path, script, ranks=ranks))
    np.testing.assert_allclose(numbers[:, 1], 4 * 3.51 - 8, rtol=1e-12)
    np.testing.assert_allclose(numbers[1:, 2], 3.51, rtol=1e-9)


REGION = "region inside block 1 7 1 7 1 7\n"
MU = ideal_gas_potential(30, 512, MASS) - 8

FIXES = {
    "gcmc": f"fix change all gcmc 1 5 5 1 12345 {TEMPERATURE} {MU} 0.3",
    "widom": f"fix change all widom 1 5 1 12345 {TEMPERATURE}",
    "deposit": REGION + "fix change all deposit 3 1 2 12345 region inside near 0.7",
    "evaporate": REGION + "fix change all evaporate 2 1 inside 12345",
    "atom/swap": "fix change all atom/swap 1 5 12345 0.01 ke no types 1 2",
}


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("fix", FIXES)
def test_energy_is_that_of_the_atoms_that_are_left(tmp_path, model, fix, ranks):
    atoms = random_structure([8] * 20 + [1] * 40, seed=1, cell=[[8, 0, 0], [1, 8, 0], [0, 1, 8]])
    write_data(tmp_path / "atoms.data", atoms, TYPES)
    model.save(tmp_path / "model.sgpr")
    script = setup(atoms, TYPES) + (
        f"{FIXES[fix]}\nthermo_style custom step pe atoms\nthermo_modify format float %.17g\n"
        "thermo 1\ndump out all custom 6 dump.txt type x y z fx fy fz\n"
        "dump_modify out format float %.17g\nrun 6\n"
    )
    numbers = rows(run_lammps(tmp_path, script, ranks=ranks))
    text = (tmp_path / "dump.txt").read_text().split("ITEM: ATOMS")[-1]
    left = np.array([line.split() for line in text.splitlines()[1:]], dtype=float)
    species = np.where(left[:, 0] == 1, 8, 1)
    expected = python(model, ase.Atoms(species, left[:, 1:4], cell=atoms.cell, pbc=True))
    assert len(left) == numbers[-1, 2]
    np.testing.assert_allclose(numbers[-1, 1], expected.energy, rtol=1e-10)
    np.testing.assert_allclose(left[:, 4:], expected.forces, rtol=1e-9, atol=1e-8)
    if fix == "atom/swap":  # nearly at zero temperature: only what lowers the energy is accepted
        assert np.all(np.diff(numbers[:, 1]) < 0.1)
        assert numbers[-1, 1] < numbers[0, 1] - 1
    elif fix == "widom":
        assert len(left) == len(atoms)
    else:
        assert len(left) != len(atoms)
