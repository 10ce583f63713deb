# SPDX-License-Identifier: BSD-3-Clause
"""Atoms excluded against all others do not exist for the model; other exclusions are warned of."""

import dataclasses

import ase
import numpy as np
import pytest
from lammps_runs import assert_agrees, measure, python, run_lammps, setup, write_data
from models import process_model, random_model, random_structure, triplet_model

TYPES = {8: 1, 1: 2}
PAIR = "pair_style soap/gpr\npair_coeff * * model.sgpr O H\n"
HYBRID = (
    "pair_style hybrid/overlay soap/gpr zero 3.0\npair_coeff * * zero\npair_coeff * * soap/gpr "
)
WATER = random_structure(
    [8] * 12 + [1] * 24, seed=2, cell=[[7.1, 0, 0], [1.3, 6.4, 0], [-0.9, 1, 7]]
)
GONE = np.isin(np.arange(1, 37), [3, 5, 6, 7, 20, 36])
GROUP = "group gone id 3 5:7 20 36\n"

# name: (commands, which atoms of WATER they exclude)
EXCLUSIONS = {
    "group against all": (GROUP + "neigh_modify exclude group gone all", GONE),
    "all against group": (GROUP + "neigh_modify exclude group all gone", GONE),
    "two groups against all": (
        "group a id 3 5:7\ngroup b id 7 20 36\n"
        "neigh_modify exclude group a all exclude group b all",
        GONE,
    ),
    "type against all types": (
        "neigh_modify exclude type 1 2 exclude type 2 2",
        WATER.numbers == 1,
    ),
    "not in the included group": (
        GROUP + "group kept subtract all gone\natom_modify first kept\nneigh_modify include kept",
        GONE,
    ),
    "nor among the ghost atoms": (
        GROUP + "group kept subtract all gone\natom_modify first kept\n"
        "neigh_modify include kept\ncomm_modify group kept",
        GONE,
    ),
}


def assert_gone(measured, model, atoms, gone):
    """Measured of the other atoms as without the excluded ones, which have nothing of their own."""
    rows = [field.name for field in dataclasses.fields(measured) if field.name.endswith("s")]
    for name in rows:
        assert not getattr(measured, name)[gone].any(), name
    others = {name: getattr(measured, name)[~gone] for name in rows}
    assert_agrees(dataclasses.replace(measured, **others), python(model, atoms[~gone]))
    assert "WARNING: pair_style" not in measured.output


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("name", EXCLUSIONS)
def test_excluded_atoms_count_as_deleted(tmp_path, model, name, ranks):
    commands, gone = EXCLUSIONS[name]
    measured = measure(tmp_path, model, WATER, ranks=ranks, pair=PAIR + commands)
    assert_gone(measured, model, WATER, gone)


@pytest.mark.parametrize(
    "case", ["units real", "hybrid", "all pairs listed", "shared energies", "ordered neighbours"]
)
def test_excluded_atoms_count_as_deleted_in_other_setups(tmp_path, model, case):
    commands, gone = EXCLUSIONS["group against all"]
    pair, units = PAIR, "metal"
    if case == "units real":
        units = "real"
    elif case == "hybrid":
        pair = HYBRID + "model.sgpr O H\n"
    elif case == "all pairs listed":
        pair += "neighbor 0.5 nsq\n"
    elif case == "shared energies":
        model = triplet_model(
            known=lambda p: lambda x, y, z: 0.3 * (x + y) ** 2 - p * z, shared=True
        )
    else:
        model = process_model()
    measured = measure(tmp_path, model, WATER, ranks=2, units=units, pair=pair + commands)
    assert_gone(measured, model, WATER, gone)


@pytest.mark.parametrize("ranks", [1, 2])
def test_nothing_is_left_when_all_are_excluded(tmp_path, model, ranks):
    measured = measure(
        tmp_path, model, WATER, ranks=ranks, pair=PAIR + "neigh_modify exclude group all all"
    )
    assert measured.energy == 0
    assert not measured.forces.any()
    assert not measured.virial.any()


def test_atom_that_is_alone_keeps_its_energy(tmp_path, model):
    atoms = ase.Atoms("OHHO", [[1, 1, 1], [2, 1, 1], [9, 9, 9], [1, 9, 1]], cell=[12] * 3, pbc=True)
    commands = "group gone id 2 4\nneigh_modify exclude group gone all"
    measured = measure(tmp_path, model, atoms, pair=PAIR + commands)
    expected = [model.evaluate([z], [[0, 0, 0]]).energy for z in (8, 1)]
    np.testing.assert_allclose(measured.energies[[0, 2]], expected, rtol=1e-12)


def test_exclusions_follow_the_settings_of_each_run(tmp_path, model):
    write_data(tmp_path / "atoms.data", WATER, TYPES)
    model.save(tmp_path / "model.sgpr")
    script = setup(WATER, TYPES) + "thermo_style custom step pe\nthermo_modify format float %.17g\n"
    steps = ["", EXCLUSIONS["group against all"][0], "neigh_modify exclude none"]
    steps += ["neigh_modify exclude group gone all", "delete_atoms group gone"]
    run = run_lammps(tmp_path, script + "".join(f"{step}\nrun 0\n" for step in steps), ranks=2)
    energies = pot_energies(run)
    all_atoms, others = python(model, WATER).energy, python(model, WATER[~GONE]).energy
    np.testing.assert_allclose(energies, [all_atoms, others, all_atoms, others, others], rtol=1e-12)


def pot_energies(run):
    """Of the first step of each run."""
    assert run.returncode == 0, run.stdout
    lines = [line.split() for line in run.stdout.splitlines()]
    heads = [k for k, words in enumerate(lines) if words[:2] == ["Step", "PotEng"]]
    return [float(lines[k + 1][1]) for k in heads]


@pytest.mark.parametrize("ranks", [1, 2])
def test_dynamics_among_excluded_atoms_is_that_without_them(tmp_path, model, ranks):
    write_data(tmp_path / "atoms.data", WATER, TYPES)
    model.save(tmp_path / "model.sgpr")
    runs = []
    for change in ("neigh_modify exclude group gone all", "delete_atoms group gone compress no"):
        script = setup(WATER, TYPES) + (
            f"{GROUP}group kept subtract all gone\n{change}\n"
            "timestep 0.001\nneighbor 0.3 bin\nneigh_modify delay 0 every 1 check yes\n"
            "velocity kept create 600 11 loop geom\nfix nve kept nve\n"
            "thermo 20\nthermo_style custom step pe\nthermo_modify format float %.17g\nrun 100\n"
        )
        run = run_lammps(tmp_path, script, ranks=ranks)
        lines = run.stdout.splitlines()
        assert int(next(line.split("=")[1] for line in lines if "Neighbor list builds" in line)) > 3
        head = next(k for k, line in enumerate(lines) if line.split() == ["Step", "PotEng"])
        runs.append([float(line.split()[1]) for line in lines[head + 1 : head + 7]])
    np.testing.assert_allclose(runs[0], runs[1], rtol=1e-9)
    assert np.ptp(runs[0]) > 0.1


UNSEEN = "does not see all neighbours of an atom because of "

# commands, what the warning names (None: no warning), elements
PARTIAL = {
    "types": ("neigh_modify exclude type 1 2", "'neigh_modify exclude type 1 2'", "O H"),
    "groups": (
        "group a id 1:5\ngroup b type 1\nneigh_modify exclude group a b",
        "'neigh_modify exclude group a b'",
        "O H",
    ),
    "two settings": (
        "group a id 1:5\nneigh_modify exclude group a a exclude type 2 2",
        "'neigh_modify exclude type 2 2', 'neigh_modify exclude group a a'",
        "O H",
    ),
    "molecules": (
        "neigh_modify exclude molecule/intra all",
        "'neigh_modify exclude molecule/intra all'",
        "O H",
    ),
    "between molecules": (
        "group a type 1\nneigh_modify exclude molecule/inter a",
        "'neigh_modify exclude molecule/inter a'",
        "O H",
    ),
    "ghost atoms": (
        "group a type 1\natom_modify first a\ncomm_modify group a",
        "'comm_modify group a'",
        "O H",
    ),
    "types that are not of the model": (
        "neigh_modify exclude type 1 2 exclude type 2 2",
        None,
        "O NULL",
    ),
    "groups that are not of the model": (
        "group a type 2\nneigh_modify exclude group a a exclude molecule/intra a",
        None,
        "O NULL",
    ),
    "ghost atoms that are not of the model": (
        "group a type 1\natom_modify first a\ncomm_modify group a",
        None,
        "O NULL",
    ),
    "atoms that are excluded against all": (
        "group a id 1:5\nneigh_modify exclude group a all exclude group a a",
        None,
        "O H",
    ),
}


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("case", PARTIAL)
def test_partial_exclusion_causes_one_warning(tmp_path, model, case, ranks):
    commands, named, elements = PARTIAL[case]
    write_data(tmp_path / "atoms.data", WATER, TYPES, style="full")
    model.save(tmp_path / "model.sgpr")
    pair = HYBRID + f"model.sgpr {elements}"
    script = setup(WATER, TYPES, style="full", pair=pair) + f"{commands}\nrun 0\nrun 0\n"
    run = run_lammps(tmp_path, script, ranks=ranks)
    assert run.returncode == 0, run.stdout
    warnings = [line for line in run.stdout.splitlines() if UNSEEN in line]
    assert len(warnings) == (named is not None), run.stdout
    assert named is None or UNSEEN + named + ":" in warnings[0]


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize(
    "commands",
    [
        "neighbor 0.3 nsq",
        "neighbor 0.3 multi\ncomm_modify mode multi cutoff/multi 1 0.5",
        "comm_modify cutoff 0.5",
        "comm_style tiled\nbalance 1.1 rcb",
        "run_style respa 2 2 pair 2",
        "group a type 1\natom_modify first a",
        "pair_modify neigh/trim yes",
        "pair_modify shift yes mix arithmetic",
        "newton on off",
    ],
)
def test_settings_of_neighbour_lists_change_nothing(tmp_path, commands, ranks):
    first, after = (commands, "") if commands.startswith("newton") else ("", commands)
    model = random_model(species=(1, 8), cutoff=4.0)
    write_data(tmp_path / "atoms.data", WATER, TYPES)
    model.save(tmp_path / "model.sgpr")
    script = setup(WATER, TYPES, first=first, pair=PAIR + after)
    script += "thermo_style custom step pe\nthermo_modify format float %.17g\nrun 0\n"
    run = run_lammps(tmp_path, script, ranks=ranks)
    np.testing.assert_allclose(pot_energies(run), python(model, WATER).energy, rtol=1e-12)
