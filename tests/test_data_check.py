# SPDX-License-Identifier: BSD-3-Clause
"""Data hygiene: every planted defect is found, clean data give nothing, published sets too."""

import json
from dataclasses import replace
from pathlib import Path

import ase
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from training_data import emt_frames, small_settings, write_frames

from potential import fit
from potential.cli import main
from potential.errors import SoapGprError
from potential.structures.check import check
from potential.structures.read import read_structures
from potential.structures.structure import structure_from_atoms

SHARED = Path(__file__).parents[2] / "shared/data"
KBAR = 1602.1766208


def labelled(atoms, source):
    atoms = atoms.copy()
    atoms.calc = EMT()
    atoms.get_potential_energy(), atoms.get_stress()
    return structure_from_atoms(atoms, source=source)


def rattled(n=12, seed=0):
    """Independent frames of one composition in strained cells."""
    return [
        structure_from_atoms(atoms, source=f"r.xyz#{k}")
        for k, atoms in enumerate(emt_frames(n, seed))
    ]


def trajectory(n=12, pbc=True):
    """Frames that differ by small steps in one cell, as in molecular dynamics."""
    atoms = bulk("Cu", cubic=True).repeat(2)
    atoms.rattle(0.05, seed=2)
    atoms.pbc = pbc
    rng = np.random.default_rng(3)
    frames = []
    for k in range(n):
        atoms.positions += 0.03 * rng.standard_normal(atoms.positions.shape)
        frames.append(labelled(atoms, f"md.xyz#{k}"))
    return frames


def strained():
    """A cell of Cu and Au pulled and sheared a little."""
    frames = []
    atoms = bulk("Cu", cubic=True)
    atoms.symbols[0] = "Au"
    rng = np.random.default_rng(4)
    for k in range(6):
        copy = atoms.copy()
        strain = np.eye(3) + 0.008 * rng.standard_normal((3, 3))
        copy.set_cell(atoms.cell.array @ strain, scale_atoms=True)
        frames.append(labelled(copy, f"strained.xyz#{k}"))
    return frames


def found(structures):
    return {finding.kind: finding for finding in check(structures)}


@pytest.mark.parametrize("make", (rattled, trajectory, strained))
def test_clean_data_give_no_finding(make):
    assert check(make()) == []
    assert check([]) == []


def only(kind, structures, *words):
    """The one finding there is, of this kind, with these words in one line."""
    findings = check(structures)
    assert [finding.kind for finding in findings] == [kind], findings
    for word in words:
        assert word in findings[0].message
    assert "\n" not in findings[0].message
    return findings[0]


@pytest.mark.parametrize("label", ("energy", "forces", "virial"))
def test_missing_labels(label):
    frames = rattled()
    frames[4] = replace(frames[4], **{label: None})
    assert only("missing labels", frames, "1 of 12", label).frames == ("r.xyz#4",)


def test_duplicates_and_contradictions():
    frames = rattled()
    twin = replace(frames[3], source="again.xyz#0")
    only("duplicates", [*frames, twin], "again.xyz#0 = r.xyz#3")
    other = replace(twin, energy=twin.energy + 0.1)
    only("contradictions", [*frames, other], "again.xyz#0 = r.xyz#3")


def test_turned_frame_of_another_file():
    frames = rattled()
    turn = np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])
    s = frames[5]
    image = replace(
        s,
        positions=s.positions @ turn,
        cell=s.cell @ turn,
        forces=s.forces @ turn,
        virial=turn.T @ s.virial @ turn,
        source="test.xyz#0",
    )
    assert only("images", [*frames, image], "leak").frames == ("test.xyz#0",)


def test_net_force():
    frames = rattled()
    frames[7] = replace(frames[7], forces=frames[7].forces + 0.05)
    assert only("net force", frames, "add up to zero").frames == ("r.xyz#7",)


def test_extreme_forces():
    frames = rattled()
    forces = frames[2].forces.copy()
    forces[0] += 80.0
    forces[1] -= 80.0
    frames[2] = replace(frames[2], forces=forces)
    assert "extreme forces" in found(frames)
    assert found(frames)["extreme forces"].frames == ("r.xyz#2",)


def test_energy_outliers():
    frames = rattled(30)
    frames[9] = replace(frames[9], energy=frames[9].energy + 3.0 * len(frames[9]))
    assert only("energy outliers", frames, "2.98 eV/atom").frames == ("r.xyz#9",)


@pytest.mark.parametrize(
    "factor, words",
    [(1 / 27.2114, "energies are in hartree"), (23.0605, "kcal/mol"), (-1.0, "gradients")],
)
def test_units_of_energies_against_forces(factor, words):
    # -1: the energy may not change its sign, but then the forces have
    frames = [
        replace(s, energy=s.energy * factor, virial=None)
        if factor > 0
        else replace(s, forces=-s.forces, virial=None)
        for s in trajectory()
    ]
    only("force units", frames, words)


def test_forces_in_hartree_per_bohr():
    frames = [replace(s, forces=s.forces / 51.4221, virial=None) for s in trajectory()]
    only("force units", frames, "forces are in hartree/bohr")


def test_positions_in_bohr():
    frames = [
        replace(
            s, positions=s.positions / 0.529177, cell=s.cell / 0.529177, virial=None, forces=None
        )
        for s in rattled()
    ]
    only("length units", frames, "bohr")


@pytest.mark.parametrize(
    "factor, words", [(-1.0, "sign is wrong"), (KBAR, "kBar"), (-KBAR / 10, "pressure in GPa")]
)
@pytest.mark.parametrize("make", (strained, trajectory))
def test_sign_and_units_of_virials(make, factor, words):
    """strained: against energies; trajectory: against a pair model of the forces."""
    frames = [replace(s, virial=factor * s.virial) for s in make()]
    only("virial units", frames, words)


def test_offset_of_pressures():
    frames = [replace(s, virial=s.virial - 20 / KBAR * s.volume * np.eye(3)) for s in strained()]
    message = only("virial units", frames, "pressures are").message
    assert float(message.split()[2]) == pytest.approx(-20, abs=2)


def test_cell_without_pbc():
    only("cell without pbc", trajectory(pbc=False), "12 frames")


def test_close_atoms():
    frames = [replace(s, energy=None, forces=None, virial=None) for s in rattled()]
    positions = frames[1].positions.copy()
    positions[0] = positions[1] + [0.0, 0.0, 0.6]
    frames[1] = replace(frames[1], positions=positions)
    assert only("close atoms", frames, "0.2").frames == ("r.xyz#1",)


def test_isolated_atoms_of_some_species_only():
    atom = replace(
        rattled(1)[0],
        numbers=np.array([29]),
        positions=np.zeros((1, 3)),
        pbc=np.zeros(3, dtype=bool),
        forces=None,
        virial=None,
        config_type="isolated_atom",
    )
    only("isolated atoms", [*rattled(), atom], "of Cu but none of Au")


def test_command(tmp_path, capsys):
    clean = write_frames(tmp_path / "clean.xyz", emt_frames(6))
    assert main(["check", clean, "--strict"]) == 0
    assert "6 structures, 48 atoms" in (out := capsys.readouterr().out) and "nothing odd" in out
    assert main(["check", clean, clean]) == 0
    assert (
        "- duplicates: 6 frames with the geometry and labels of another" in capsys.readouterr().out
    )
    assert main(["check", clean, clean, "--strict", "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["counts"]["structures"] == 12
    assert [finding["kind"] for finding in answer["findings"]] == ["duplicates"]
    assert len(answer["findings"][0]["frames"]) == 6


def test_findings_are_warnings_of_a_fit(tmp_path):
    frames = emt_frames(6)
    train = write_frames(tmp_path / "train.xyz", [*frames, frames[0]])
    warnings = fit(small_settings(train, n_sparse=5), progress=False).warnings
    assert len(warnings) == 1 and "1 frame with the geometry and labels of another" in warnings[0]


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no reference data at {SHARED}")
def test_published_sets_have_their_known_defects():
    def kinds(*names):
        return found(read_structures([str(SHARED / name) for name in names]))

    copper = kinds("mlearn_Cu/train.xyz", "mlearn_Cu/test.xyz")
    assert set(copper) == {"images", "virial units"}
    assert "-23.6 kBar" in copper["virial units"].message
    assert set(kinds("water_PBE0TS/train.xyz")) == {"net force"}
    assert kinds("mlearn_Si/train.xyz") == kinds("acetylacetone/train_300K.xyz") == {}


@pytest.mark.parametrize(
    ("positions", "cell", "message"),
    [
        ([[0, 0, 0], [0, 1e30, 0]], 5.0 * np.eye(3), r"#7: positions: found 1e\+30 Å for atom 2"),
        ([[0, 0, 0], [0, 1, 0]], np.diag([5, 1e30, 5]), r"#7: cell: found a periodic vector of"),
        ([[0, 0, 0], [0, 1, 0]], np.diag([5, 0.01, 5]), r"#7: found a periodic cell 0\.01 Å thick"),
    ],
)
def test_absurd_geometry_is_refused_by_name(positions, cell, message):
    atoms = ase.Atoms("Si2", positions, cell=cell, pbc=True)
    with pytest.raises(SoapGprError, match="a.xyz" + message):
        check([structure_from_atoms(atoms, source="a.xyz#7")])
