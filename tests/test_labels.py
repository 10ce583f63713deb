# SPDX-License-Identifier: BSD-3-Clause
"""Names, masks, expected errors, weights and bounds of labels, and what is said of them."""

import dataclasses
import subprocess

import ase.io
import numpy as np
import pytest
from ase.build import bulk, fcc111
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from gap_models import gap_fit_program
from training_data import emt_frames, write_frames

from potential.cli.label_options import KEYS
from potential.errors import SoapGprError
from potential.settings import LabelKeys
from potential.structures.label_names import LabelNames, choose_names, from_dict
from potential.structures.read import read_data_set
from potential.structures.structure import structure_from_atoms
from potential.training.provenance import counts

MASK = np.arange(8) % 3 == 0


def frame(**info):
    """A cell of 8 atoms with all labels and more in its comment line."""
    (atoms,) = emt_frames(1)
    atoms.info |= info
    return atoms


def renamed(atoms, prefix="REF_", labels=("energy", "forces", "stress")):
    """The same with labels under other names."""
    results = dict(atoms.calc.results)
    for label in labels:
        value = results.pop(label)
        (atoms.arrays if label == "forces" else atoms.info)[prefix + label] = value
    atoms.calc = SinglePointCalculator(atoms, **results) if results else None
    return atoms


def said(tmp_path, frames, keys=None, **options):
    """(structures, doubts, notes) of frames that went through a file."""
    data = read_data_set([write_frames(tmp_path / "a.xyz", frames)], keys, **options)
    return data.structures, data.doubts, data.notes


def test_masked_forces_are_no_labels(tmp_path):
    atoms = frame()
    atoms.arrays["force_mask"] = MASK
    (structure,), doubts, notes = said(tmp_path, [atoms])
    assert np.isnan(structure.forces[MASK]).all()
    assert np.allclose(structure.forces[~MASK], atoms.get_forces()[~MASK], atol=1e-7)
    assert counts([structure])["force_components"] == 3 * np.sum(~MASK) and doubts == notes == []
    atoms.arrays["force_mask"] = np.ones(8, dtype=bool)
    assert structure_from_atoms(atoms).forces is None


def test_what_is_masked_may_be_anything():
    atoms = frame()
    atoms.arrays["force_mask"] = MASK
    atoms.arrays["force_atom_sigma"] = np.where(MASK, 0.0, 0.3)
    atoms.calc.results["forces"][0] = np.nan, np.inf, 1e200
    structure = structure_from_atoms(atoms)
    assert np.isfinite(structure.forces[~MASK]).all() and (structure.sigma_force[1] == 0.3).all()


def test_mask_that_is_not_logical_is_refused():
    atoms = frame()
    atoms.arrays["force_mask"] = MASK.astype(int)
    with pytest.raises(SoapGprError, match="atoms: force_mask: found 1, expected T"):
        structure_from_atoms(atoms)
    with pytest.raises(SoapGprError, match="force_mask: found one value, expected a column"):
        structure_from_atoms(frame(force_mask=True))


def test_finest_sigma_counts():
    atoms = frame(force_sigma=9.0, virial_sigma=8.0)
    assert structure_from_atoms(atoms).sigma_force == 9.0
    atoms.arrays["force_atom_sigma"] = np.arange(1.0, 9.0)
    by_atom = structure_from_atoms(atoms).sigma_force
    assert by_atom.tolist() == [[x] * 3 for x in range(1, 9)]
    atoms.arrays["force_component_sigma"] = np.arange(1.0, 25.0).reshape(8, 3)
    assert structure_from_atoms(atoms).sigma_force.tolist()[1] == [4.0, 5.0, 6.0]
    atoms.info["virial_component_sigma"] = np.arange(1.0, 10.0)
    assert structure_from_atoms(atoms).sigma_virial.tolist() == [[1, 3, 5], [3, 5, 7], [5, 7, 9]]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("force_atom_sigma", np.arange(8.0), "found 0.0, expected a number > 0"),
        ("force_component_sigma", np.full((8, 3), -1.0), "found -1.0, expected a number > 0"),
        ("force_component_sigma", np.ones((8, 2)), r"found shape \(8, 2\), expected"),
        ("force_sigma", np.ones(8), "found a column, expected one number"),
        ("config_weight", np.ones(8), "found a column, expected one number"),
        ("force_atom_sigma", 0.1, "found one value, expected a column"),
        ("virial_component_sigma", [1.0, 2.0], "found 2 numbers, expected 3x3, 9 or 6"),
        ("virial_component_sigma", np.eye(3), "found 0.0, expected a number > 0"),
        ("energy_sigma", 1e-200, "found 1e-200, expected a number > 0 and not below 1e-10"),
        ("energy_sigma", "small", "found 'small', expected a number > 0"),
        ("config_weight", -1, "found -1.0, expected 0 or a number from"),
        ("config_energy_weight", np.nan, "found nan, expected 0 or a number from"),
    ],
)
def test_bad_sigmas_and_weights_are_named(name, value, words):
    atoms = frame()
    (atoms.arrays if np.ndim(value) and len(value) == 8 else atoms.info)[name] = value
    with pytest.raises(SoapGprError, match=f"file#2: {name}: {words}"):
        structure_from_atoms(atoms, source="file#2")


def test_names_of_masks_sigmas_and_weights_can_be_set(tmp_path):
    atoms = frame(energy_s=0.5, w=4.0)
    atoms.arrays["out"] = MASK
    keys = LabelKeys(force_mask_key="out", sigma_key="s", weight_key="w")
    (structure,), *_ = said(tmp_path, [atoms], keys)
    assert structure.sigma_energy == 0.5 and structure.weight_force == 4.0
    assert np.isnan(structure.forces[MASK]).all()
    for wrong in ({"force_mask_key": "mask"}, {"sigma_key": "t"}, {"weight_key": "W"}):
        with pytest.raises(SoapGprError, match="no frame has "):
            said(tmp_path, [atoms], LabelKeys(**wrong))


def test_weights_multiply_and_zero_leaves_labels_out(tmp_path):
    atoms = frame(config_weight=2.0, config_forces_weight=3.0, config_stress_weight=0.0)
    (structure,), doubts, notes = said(tmp_path, [atoms])
    weights = structure.weight_energy, structure.weight_force, structure.weight_virial
    assert weights == (2.0, 6.0, 0.0)
    assert structure.virial is None and structure.energy is not None and doubts == []
    assert len(notes) == 2 and all("config_forces_weight" in note for note in notes)


def test_isolated_atom_of_weight_zero_still_gives_its_energy():
    lone = frame(config_weight=0.0)[:1]
    lone.pbc, lone.calc = False, None
    lone.info["energy"] = -1.0
    assert structure_from_atoms(lone).energy == -1.0
    lone.pbc = True
    assert structure_from_atoms(lone).energy is None


def test_nothing_but_weights_of_zero_is_an_error(tmp_path):
    with pytest.raises(SoapGprError, match=r"found weights of 0 \(config_weight\) on all labels"):
        said(tmp_path, [frame(config_weight=0)])


@pytest.mark.parametrize(
    ("label", "value", "words"),
    [
        ("energy", 1e200, r"energy: found 1.25e\+199 eV/atom, expected at most 1e\+08"),
        ("energy", -8e9, r"energy: found 1e\+09 eV/atom"),
        ("forces", 1e200, r"forces: found 1e\+200 eV/Å, expected at most 1e\+08"),
        ("stress", -1e200, "stress: found .* eV/atom"),
        ("stress", 1e308, "stress: found a value that is not finite"),
        ("stress", np.inf, "stress: found a value that is not finite"),
    ],
)
def test_absurd_labels_are_refused(tmp_path, label, value, words):
    first, second = emt_frames(2)
    results = second.calc.results
    results[label] = np.full_like(np.asarray(results[label], dtype=float), value)[()]
    with pytest.raises(SoapGprError, match=f"a.xyz#1: {words}"):
        said(tmp_path, [first, second])


def test_reference_names_are_read_when_nothing_else_is_there(tmp_path):
    structures, doubts, notes = said(tmp_path, [renamed(frame())])
    plain = structure_from_atoms(frame())
    assert structures[0].energy == pytest.approx(plain.energy)
    assert np.allclose(structures[0].forces, plain.forces, atol=1e-7)
    assert np.allclose(structures[0].virial, plain.virial, atol=1e-6)
    assert doubts == [] and notes == [
        "labels were read from REF_energy, REF_forces, REF_stress, as no frame has energy, forces, "
        "stress"
    ]
    (structure,), _, notes = said(tmp_path, [renamed(frame(), labels=["energy"])])
    assert structure.energy == pytest.approx(plain.energy) and structure.forces is not None
    assert notes == ["labels were read from REF_energy, as no frame has energy"]


def test_standard_names_go_before_reference_names_and_it_is_said(tmp_path):
    atoms = frame()
    atoms.info["REF_energy"] = atoms.get_potential_energy()
    _, doubts, notes = said(tmp_path, [atoms])
    assert doubts == notes == []
    atoms.info["REF_energy"] += 0.8
    atoms.arrays["REF_forces"] = atoms.get_forces() + 0.25
    (structure,), doubts, notes = said(tmp_path, [atoms])
    assert structure.energy == pytest.approx(atoms.get_potential_energy()) and notes == []
    assert len(doubts) == 2
    assert "'REF_energy' beside" in doubts[0] and "1 frame differ by up to 0.1 eV/at" in doubts[0]
    assert 'up to 0.25 eV/Å; forces_key = "REF_forces"' in doubts[1]


@pytest.mark.parametrize("name", ("Energy", "dft_energy", "ENERGY", "etot"))
def test_unread_energies_are_pointed_out(tmp_path, name):
    atoms = renamed(frame(), "", ["energy"])
    atoms.info[name] = atoms.info.pop("energy")
    _, doubts, notes = said(tmp_path, [atoms])
    assert notes == [] and doubts == [
        f"no energies were read, but frames carry {name!r}: if that is what it is, set energy_key"
    ]


def test_labels_that_some_frames_call_otherwise_are_pointed_out(tmp_path):
    frames = emt_frames(4)
    renamed(frames[1], "other_")
    _, doubts, _ = said(tmp_path, frames)
    assert [line.split(":")[0] for line in doubts] == [
        f"no {kind} were read from 1 of 4 frames, which carry 'other_{label}'"
        for kind, label in (("energies", "energy"), ("forces", "forces"), ("virials", "stress"))
    ]


def test_what_is_not_used_is_said_once(tmp_path):
    frames = emt_frames(3)
    for atoms in frames:
        atoms.info |= {"dipole": np.ones(3), "Weight": 2.0, "comment": "energy", "id": 7}
        atoms.arrays |= {"charges": np.ones(8), "initial_magmoms": np.ones(8), "tag": np.ones(8)}
    _, doubts, notes = said(tmp_path, frames)
    assert doubts == []
    assert sorted(notes[0].split(":")[0].removeprefix("frames carry ").split(", ")) == [
        "'Weight'",
        "'charges'",
        "'dipole'",
    ]
    assert len(notes) == 1 and notes[0].endswith(": not used")


def with_free_energy(atoms, difference):
    atoms.calc.results["free_energy"] = atoms.calc.results["energy"] + difference
    return atoms


def test_free_energy_is_taken_with_forces(tmp_path):
    (structure,), doubts, notes = said(tmp_path, [with_free_energy(frame(), -0.8)])
    energy = frame().get_potential_energy()
    assert structure.energy == pytest.approx(energy - 0.8)
    assert doubts == [] and len(notes) == 1
    assert "'free_energy'" in notes[0] and "up to 100 meV/atom" in notes[0]
    assert 'energy_key = "energy"' in notes[0]
    (structure,), *rest = said(
        tmp_path, [with_free_energy(frame(), -0.8)], LabelKeys(energy_key="energy")
    )
    assert structure.energy == pytest.approx(energy) and rest == [[], []]
    assert said(tmp_path, [with_free_energy(frame(), 1e-9)])[1:] == ([], [])
    mixed = [with_free_energy(frame(), -0.8), *emt_frames(2, seed=1)]
    assert "and is all that 2 frames have" in said(tmp_path, mixed)[2][0]
    (lone,) = emt_frames(1, labels=["energy"])
    (structure,), *rest = said(tmp_path, [with_free_energy(lone, -0.8)])
    assert structure.energy == pytest.approx(energy)


def test_every_key_is_an_option_of_the_commands():
    assert [*KEYS, "energy_unit"] == [field.name for field in dataclasses.fields(LabelKeys)]


def test_test_data_are_read_by_the_names_of_training():
    both = with_free_energy(frame(REF_energy=-5.0), -0.8)
    energies = emt_frames(1, labels=["energy"])
    trained = choose_names([both], LabelKeys())
    assert trained.energy == ("free_energy", "energy")
    assert choose_names(energies, LabelKeys(), trained).energy == trained.energy
    plain = LabelNames(energy=("REF_energy",))
    assert choose_names([both], LabelKeys(), plain).energy == ("REF_energy",)
    assert choose_names([frame()], LabelKeys(), plain).energy == ("free_energy", "energy")
    assert from_dict(plain.to_dict()) == plain
    assert from_dict(None) is from_dict({"energy": "a"}) is None


def slab(pbc=(True, True, False), seed=0):
    """A slab of Cu with the labels of EMT."""
    atoms = fcc111("Cu", (2, 2, 3), a=3.7, vacuum=6)
    atoms.info.clear()
    atoms.rattle(0.05, seed=seed)
    atoms.pbc = pbc
    atoms.calc = EMT()
    results = {"energy": atoms.get_potential_energy(), "stress": atoms.get_stress()}
    atoms.calc = SinglePointCalculator(atoms, forces=atoms.get_forces(), **results)
    return atoms


@pytest.mark.parametrize("pbc", ([True, True, False], [True, False, False]))
def test_stress_of_a_slab_is_a_virial(pbc):
    atoms = slab(pbc)
    virial = structure_from_atoms(atoms).virial
    assert np.allclose(virial, -atoms.get_stress(voigt=False) * atoms.get_volume())


def test_zeros_along_a_vacuum_are_no_labels():
    atoms = slab()
    atoms.calc.results["stress"][2:5] = 0.0  # zz, yz, xz
    structure = structure_from_atoms(atoms)
    assert np.isnan(structure.virial).tolist() == [
        [False, False, True],
        [False, False, True],
        [True, True, True],
    ]
    atoms.calc.results["stress"][2] = 0.01
    assert np.isfinite(structure_from_atoms(atoms).virial).all()
    atoms.pbc = True
    atoms.calc.results["stress"][2] = 0.0
    assert np.isfinite(structure_from_atoms(atoms).virial).all()


def test_stresses_without_a_volume_are_said_and_refused_by_name(tmp_path):
    frames = [slab(), slab(seed=1), slab(seed=2)]
    frames[1].set_cell(np.diag([1.0, 1.0, 0.0]) @ frames[1].cell.array)
    structures, doubts, _ = said(tmp_path, frames)
    assert [s.virial is None for s in structures] == [False, True, False]
    assert len(doubts) == 1 and doubts[0].startswith("the stress of 1 frame was not read")
    with pytest.raises(SoapGprError, match=r"a\.xyz#1: found 'stress' without a volume"):
        said(tmp_path, frames, LabelKeys(stress_key="stress"))
    assert len(said(tmp_path, frames, LabelKeys(stress_key="stress"), required_keys=())[0]) == 3


def test_energies_of_vasp_are_both_in_an_outcar(tmp_path):
    """The layout of VASP, as far as ASE reads it: free energy and energy(sigma->0)."""

    def line(*numbers):
        return "  " + " ".join(f"{x:14.8f}" for x in numbers)

    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.05, seed=1)
    text = [
        " vasp.6.3.2 27Jun22 complex",
        " POTCAR:   PAW_PBE Cu 22Jun2005",
        " POTCAR:   PAW_PBE Cu 22Jun2005",
        "   VRHFIN =Cu: d10 p1",
        "   k-points           NKPTS =      1   k-points in BZ     NKDIM =      1   number of "
        "bands    NBANDS=     24",
        "   k-points in reciprocal lattice and weights: K-Points",
        "      0.00000000  0.00000000  0.00000000       1.000",
        "   ISPIN  =      1    spin polarized calculation?",
        "   ions per type =  4",
        "--- Iteration      1(   1)  ---",
        "      direct lattice vectors                 reciprocal lattice vectors",
        *(line(*r, *q) for r, q in zip(atoms.cell.array, atoms.cell.reciprocal(), strict=True)),
        " POSITION                                       TOTAL-FORCE (eV/Angst)",
        " -----",
        *(line(*position, 0.1, 0.2, -0.3) for position in atoms.positions),
        " -----",
        "  FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)",
        "  -----",
        f"  free  energy   TOTEN  = {-12.5:18.8f} eV",
        "",
        f"  energy  without entropy={-12.3:18.8f}  energy(sigma->0) ={-12.4:18.8f}",
    ]
    path = tmp_path / "OUTCAR"
    path.write_text("\n".join(text) + "\n")
    assert ase.io.read(path).get_potential_energy() == -12.4
    data = read_data_set([str(path)])
    assert data.structures[0].energy == -12.5
    assert len(data.notes) == 1 and "up to 25 meV/atom" in data.notes[0]


@pytest.mark.parametrize("name", ("force_mask", "other"))
def test_gap_fit_counts_the_same_forces(tmp_path, name):
    """The oracle: T masks, and a mask of another name is read by that name."""
    program = gap_fit_program()
    atoms = frame()
    atoms.arrays["force_mask"], atoms.arrays["other"] = MASK, ~MASK
    path = write_frames(tmp_path / "a.xyz", [atoms])
    options = [
        *("at_file=a.xyz", "default_sigma={0.01 0.1 0.1 0}", "e0_method=average"),
        "gap={distance_2b cutoff=4 covariance_type=ard_se delta=1 theta_uniform=1 n_sparse=5}",
        *("force_parameter_name=forces", f"force_mask_parameter_name={name}", "gp_file=gap.xml"),
    ]
    ran = subprocess.run([program, *options], cwd=tmp_path, capture_output=True, text=True)
    n = counts(read_data_set([path], LabelKeys(force_mask_key=name)).structures)
    assert f"(property name: forces) found: {n['force_components']}\n" in ran.stdout
