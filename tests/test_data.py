# SPDX-License-Identifier: BSD-3-Clause
"""Reading structures: where labels are found, their signs, and what is refused."""

import ase
import ase.io
import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator

from potential.errors import SoapGprError
from potential.settings import LabelKeys
from potential.structures.digests import fingerprint
from potential.structures.read import expand, file_hashes, read_structures
from potential.structures.structure import structure_from_atoms

pytestmark = pytest.mark.check

STRESS = np.array([0.01, 0.02, 0.03, 0.001, 0.002, 0.003])
STRESS_3X3 = np.array([[0.01, 0.003, 0.002], [0.003, 0.02, 0.001], [0.002, 0.001, 0.03]])


def silicon(pbc=True):
    return ase.Atoms("Si2", [[0, 0, 0], [1.4, 1.3, 1.2]], cell=[4.0, 5.0, 6.0], pbc=pbc)


def labelled(**results):
    atoms = silicon()
    atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


def write(path, frames):
    ase.io.write(path, frames, format="extxyz")
    return str(path)


def test_calculator_results_survive_the_file(tmp_path):
    forces = np.array([[0.1, 0.2, 0.3], [-0.1, -0.2, -0.3]])
    atoms = labelled(energy=-3.0, forces=forces, stress=STRESS)
    atoms.info["config_type"] = "bulk"
    (structure,) = read_structures([write(tmp_path / "a.xyz", atoms)])
    assert structure.energy == -3.0
    assert np.allclose(structure.forces, forces)
    assert np.allclose(structure.virial, -STRESS_3X3 * 120.0)
    assert structure.config_type == "bulk"
    assert structure.source == f"{tmp_path}/a.xyz#0"
    assert structure.volume == pytest.approx(120.0)


def test_explicit_keys_are_read_from_info_and_arrays(tmp_path):
    atoms = silicon()
    atoms.info["dft_energy"] = -7.0
    atoms.info["dft_virial"] = STRESS_3X3.ravel()
    atoms.arrays["dft_forces"] = np.ones((2, 3))
    keys = LabelKeys("dft_energy", "dft_forces", "dft_virial")
    (structure,) = read_structures([write(tmp_path / "a.xyz", atoms)], keys)
    assert structure.energy == -7.0
    assert np.allclose(structure.forces, 1.0)
    assert np.allclose(structure.virial, STRESS_3X3)


@pytest.mark.parametrize("shape", ("3x3", "9", "6"))
def test_tensors_come_in_three_shapes(shape):
    value = {"3x3": STRESS_3X3, "9": STRESS_3X3.ravel(), "6": STRESS}[shape]
    atoms = silicon()
    atoms.info["virial"] = value
    assert np.allclose(structure_from_atoms(atoms).virial, STRESS_3X3)


def test_virial_and_stress_that_agree_are_fine():
    atoms = labelled(energy=0.0, stress=STRESS)
    atoms.info["virial"] = -STRESS_3X3 * 120.0
    assert np.allclose(structure_from_atoms(atoms).virial, -STRESS_3X3 * 120.0)


def test_virial_with_the_sign_of_stress_is_refused():
    atoms = labelled(energy=0.0, stress=STRESS)
    atoms.info["virial"] = STRESS_3X3 * 120.0
    with pytest.raises(SoapGprError, match="file#3: found a virial and a stress that contradict"):
        structure_from_atoms(atoms, source="file#3")


def test_naming_one_of_virial_and_stress_ignores_the_other():
    atoms = labelled(energy=0.0, stress=STRESS)
    atoms.info["virial"] = STRESS_3X3
    by_virial = structure_from_atoms(atoms, LabelKeys(virial_key="virial"))
    by_stress = structure_from_atoms(atoms, LabelKeys(stress_key="stress"))
    assert np.allclose(by_virial.virial, STRESS_3X3)
    assert np.allclose(by_stress.virial, -STRESS_3X3 * 120.0)


@pytest.mark.parametrize(
    ("pbc", "cell"), [(False, [4.0, 5.0, 6.0]), ((True, True, False), [4.0, 5.0, 0.0])]
)
def test_stress_needs_a_periodic_cell_of_three_vectors(pbc, cell):
    atoms = labelled(energy=0.0, stress=STRESS)
    atoms.pbc = pbc
    atoms.set_cell(cell)
    structure = structure_from_atoms(atoms)
    assert structure.virial is None and structure.volume == 0


def test_asymmetric_tensor_is_refused():
    atoms = silicon()
    atoms.info["virial"] = np.arange(9.0)
    with pytest.raises(SoapGprError, match="virial: found an asymmetric tensor"):
        structure_from_atoms(atoms)


@pytest.mark.parametrize("label", ("energy", "forces", "stress"))
def test_non_finite_label_names_file_and_frame(tmp_path, label):
    good = dict(energy=-1.0, forces=np.ones((2, 3)), stress=STRESS.copy())
    bad = good | {label: np.full_like(np.asarray(good[label]), np.nan)}
    path = write(tmp_path / "a.xyz", [labelled(**good), labelled(**bad)])
    with pytest.raises(SoapGprError, match=rf"a\.xyz#1: {label}: found a value that is not finite"):
        read_structures([path])


def test_labels_may_be_missing_in_some_frames(tmp_path):
    path = write(tmp_path / "a.xyz", [silicon(), labelled(energy=-1.0)])
    first, second = read_structures([path])
    assert not first.has_labels and second.has_labels


def test_no_labels_at_all_is_an_error_that_lists_names(tmp_path):
    atoms = silicon()
    atoms.info["dft_energy"] = -1.0
    path = write(tmp_path / "a.xyz", atoms)
    with pytest.raises(SoapGprError, match=r"found no energies.*energy_key.*dft_energy"):
        read_structures([path])
    assert len(read_structures([path], require_labels=False)) == 1


def test_named_key_that_no_frame_has_is_an_error(tmp_path):
    path = write(tmp_path / "a.xyz", labelled(energy=-1.0))
    with pytest.raises(SoapGprError, match="no frame has 'dft_energy'; names found: energy"):
        read_structures([path], LabelKeys(energy_key="dft_energy"))


def test_unread_forces_are_pointed_out(tmp_path):
    atoms = labelled(energy=-1.0)
    atoms.arrays["force"] = np.zeros((2, 3))
    warnings = []
    read_structures([write(tmp_path / "a.xyz", atoms)], warnings=warnings)
    assert warnings == [
        "no forces were read, but frames carry 'force': if that is what it is, set forces_key"
    ]


def test_sigma_overrides_of_a_frame(tmp_path):
    atoms = labelled(energy=-1.0)
    atoms.info |= {"energy_sigma": 0.5, "force_sigma": 2, "virial_sigma": float("inf")}
    structure = structure_from_atoms(atoms)
    assert (structure.sigma_energy, structure.sigma_force) == (0.5, 2.0)
    assert np.isinf(structure.sigma_virial)
    atoms.info["energy_sigma"] = 0.0
    with pytest.raises(SoapGprError, match=r"energy_sigma: found 0\.0, expected a number > 0"):
        structure_from_atoms(atoms)


@pytest.mark.parametrize(
    "index, expected",
    [
        ("", [0, 1, 2, 3, 4, 5]),
        ("@:", [0, 1, 2, 3, 4, 5]),
        ("@::2", [0, 2, 4]),
        ("@1:3", [1, 2]),
        ("@4", [4]),
        ("@-1", [5]),
        ("@-2:", [4, 5]),
        ("@:-4", [0, 1]),
        ("@::-3", [5, 2]),
    ],
)
def test_slices_keep_the_frame_numbers(tmp_path, index, expected):
    path = write(tmp_path / "a.xyz", [labelled(energy=float(k)) for k in range(6)])
    structures = read_structures([path + index])
    assert [structure.energy for structure in structures] == expected
    assert [structure.source for structure in structures] == [f"{path}#{k}" for k in expected]


def test_globs_are_sorted_and_take_slices(tmp_path):
    for name in ("b", "a", "c"):
        write(tmp_path / f"{name}.xyz", [labelled(energy=ord(name))] * 2)
    structures = read_structures([f"{tmp_path}/*.xyz@0"])
    assert [structure.energy for structure in structures] == [97, 98, 99]


def test_at_sign_in_a_file_name_is_no_slice(tmp_path):
    path = write(tmp_path / "a@2.xyz", labelled(energy=1.0))
    assert expand(path) == [(path, ":")]
    assert expand(path + "@0") == [(path, "0")]
    folder = tmp_path / "user@site"
    folder.mkdir()
    write(folder / "b.xyz", silicon())
    assert expand(f"{folder}/*.xyz") == [(f"{folder}/b.xyz", ":")]


@pytest.mark.parametrize(
    "spec, words",
    [
        ("none.xyz", "none.xyz: found nothing, expected an existing file"),
        ("none*.xyz", "expected a matching file"),
        ("a.xyz@x", "found the slice 'x'"),
        ("a.xyz@::0", "found the slice '::0'"),
        ("a.xyz@7", "found no frames for the slice '7'"),
        ("a.xyz@5:", "found no frames for the slice '5:'"),
        ("bad.xyz", "bad.xyz: ase.io cannot read it"),
        ("short.xyz", "short.xyz: cut short: frame 0 should have 2 atoms"),
        ("text.foo", "text.foo: ase.io cannot read it"),
    ],
)
def test_bad_spec_is_one_sentence(tmp_path, spec, words):
    write(tmp_path / "a.xyz", labelled(energy=1.0))
    (tmp_path / "bad.xyz").write_text("1\nProperties=species:S:1:pos:R:3\nSi 0 0 zero\n")
    (tmp_path / "short.xyz").write_text("2\nProperties=species:S:1:pos:R:3\nSi 0 0 0\n")
    (tmp_path / "text.foo").write_text("hello\n")
    with pytest.raises(SoapGprError) as error:
        read_structures([f"{tmp_path}/{spec}"])
    assert words in str(error.value) and "\n" not in str(error.value)


def test_isolated_atoms_are_recognised():
    atom = ase.Atoms("Si", cell=[20, 20, 20], pbc=True)
    atom.info["config_type"] = "IsolatedAtom"
    assert structure_from_atoms(atom).is_isolated_atom
    atom.info["config_type"] = "fcc"
    assert not structure_from_atoms(atom).is_isolated_atom
    assert structure_from_atoms(ase.Atoms("Si")).is_isolated_atom


def test_broken_geometry_is_refused():
    with pytest.raises(SoapGprError, match="found no atoms"):
        structure_from_atoms(ase.Atoms())
    with pytest.raises(SoapGprError, match="periodic direction without a proper cell vector"):
        structure_from_atoms(ase.Atoms("Si", pbc=True))
    with pytest.raises(SoapGprError, match="positions: found a value that is not finite"):
        structure_from_atoms(ase.Atoms("Si", [[np.nan, 0, 0]]))


def test_fingerprint_sees_geometry_only():
    first, second = silicon(), labelled(energy=3.0)
    assert fingerprint(structure_from_atoms(first)) == fingerprint(structure_from_atoms(second))
    second.positions[0, 0] += 1e-3
    assert fingerprint(structure_from_atoms(first)) != fingerprint(structure_from_atoms(second))


def test_hashes_name_every_file(tmp_path):
    path = write(tmp_path / "a.xyz", labelled(energy=1.0))
    hashes = file_hashes([path + "@0"])
    assert list(hashes) == [path] and len(hashes[path]) == 64
