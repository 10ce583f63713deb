# SPDX-License-Identifier: BSD-3-Clause
"""Each mistake a user can make ends in one clear sentence, on one rank and on two."""

import ase
import pytest
from lammps_runs import run_lammps, setup, write_data
from model_bytes import change_arrays, change_metadata, change_term
from models import process_model, random_structure

TYPES = {8: 1, 1: 2}
COEFF = "pair_style soap/gpr\npair_coeff * * "
HYBRID = "pair_style hybrid/overlay soap/gpr zero 3.0\npair_coeff * * zero\n"

# name: (changes to the set-up, what the message must say)
MISTAKES = {
    "newton off": ({"first": "newton off"}, ["needs newton pair on", "newton on"]),
    "units lj": ({"units": "lj"}, ["metal or real, not in units lj"]),
    "units si": ({"units": "si"}, ["metal or real, not in units si"]),
    "units electron": ({"units": "electron"}, ["metal or real, not in units electron"]),
    "argument of pair_style": (
        {"pair": "pair_style soap/gpr model.sgpr\npair_coeff * * model.sgpr O H"},
        ["pair_style soap/gpr takes no arguments", "pair_coeff * * model.sgpr"],
    ),
    "no elements": ({"pair": COEFF + "model.sgpr"}, ["one element symbol (or NULL) per atom type"]),
    "coefficients of one pair": (
        {"pair": "pair_style soap/gpr\npair_coeff 1 1 model.sgpr O H"},
        ["must start with * * for pair style soap/gpr"],
    ),
    "too few elements": ({"pair": COEFF + "model.sgpr O"}, ["names 1 elements for 2 atom types"]),
    "not an element": (
        {"pair": COEFF + "model.sgpr O Hx"},
        ["atom type 2 to 'Hx', which is not an element symbol"],
    ),
    "element the model lacks": (
        {"pair": COEFF + "model.sgpr Si H"},
        ["atom type 1 to Si", "'model.sgpr' only knows: H O"],
    ),
    "NULL without hybrid": (
        {"pair": COEFF + "model.sgpr O NULL"},
        ["atom type 2 to NULL", "under pair_style hybrid"],
    ),
    "only NULL": (
        {"pair": HYBRID + "pair_coeff * * soap/gpr model.sgpr NULL NULL"},
        ["maps every atom type to NULL"],
    ),
    "missing file": (
        {"pair": COEFF + "absent.sgpr O H"},
        ["cannot read the model file 'absent.sgpr'", "LAMMPS_POTENTIALS"],
    ),
    "folder instead of file": (
        {"pair": COEFF + "folder.sgpr O H"},
        ["cannot read the model file 'folder.sgpr'", "directory"],
    ),
    "empty file": ({"pair": COEFF + "empty.sgpr O H"}, ["cannot use the model file 'empty.sgpr'"]),
    "truncated file": (
        {"pair": COEFF + "truncated.sgpr O H"},
        ["cannot use the model file 'truncated.sgpr'"],
    ),
    "foreign file": (
        {"pair": COEFF + "foreign.sgpr O H"},
        ["cannot use the model file 'foreign.sgpr'"],
    ),
    "edited file": (
        {"pair": COEFF + "edited.sgpr O H"},
        ["cannot use the model file 'edited.sgpr'", "checksum"],
    ),
    "file with an unknown key": (
        {"pair": COEFF + "key.sgpr O H"},
        ["'key.sgpr': term 1 of the model file has the unknown key 'nu'; a newer soap-gpr may"],
    ),
    "file with an unknown array": (
        {"pair": COEFF + "array.sgpr O H"},
        ["'array.sgpr': the model file has the unknown array 'term0.foo'; a newer soap-gpr may"],
    ),
    "file of a later version": (
        {"pair": COEFF + "later.sgpr O H"},
        ["'later.sgpr': the model file has the format version '4', this soap-gpr reads versions"],
    ),
}


@pytest.fixture
def folder(tmp_path, model):
    """A structure, the model, and what can be wrong with a file."""
    write_data(tmp_path / "atoms.data", random_structure([8] * 4 + [1] * 8, seed=1), TYPES)
    model.save(tmp_path / "model.sgpr")
    data = model.to_bytes()
    (tmp_path / "folder.sgpr").mkdir()
    (tmp_path / "empty.sgpr").write_bytes(b"")
    (tmp_path / "truncated.sgpr").write_bytes(data[: len(data) // 2])
    (tmp_path / "foreign.sgpr").write_text("<GAP_params>\n" * 100)
    edited = bytearray(data)
    edited[-20] ^= 1
    (tmp_path / "edited.sgpr").write_bytes(edited)
    (tmp_path / "key.sgpr").write_bytes(change_term(model, nu=3))
    (tmp_path / "array.sgpr").write_bytes(change_arrays(data, {"term0.foo": [1.0]}))
    (tmp_path / "later.sgpr").write_bytes(change_metadata(data, format_version="4"))
    return tmp_path


def assert_one_sentence(run, fragments):
    errors = [line for line in run.stdout.splitlines() if line.startswith("ERROR")]
    assert run.returncode != 0, run.stdout
    assert len(errors) == 1, run.stdout
    for fragment in fragments:
        assert fragment in errors[0], run.stdout
    for crash in ("Segmentation fault", "terminate called", "Exception:", "KILLED BY SIGNAL"):
        assert crash not in run.stdout


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_explained(folder, mistake, ranks):
    changes, fragments = MISTAKES[mistake]
    atoms = random_structure([8] * 4 + [1] * 8, seed=1)
    script = setup(atoms, TYPES, **changes) + "run 0\n"
    assert_one_sentence(run_lammps(folder, script, ranks=ranks), fragments)


@pytest.mark.parametrize("ranks", [1, 2])
def test_coincident_atoms_are_explained(folder, ranks):
    atoms = ase.Atoms("OH2", positions=[[1, 1, 1], [1, 1, 1], [6, 6, 6]], cell=[8] * 3, pbc=True)
    write_data(folder / "atoms.data", atoms, TYPES)
    run = run_lammps(folder, setup(atoms, TYPES) + "run 0\n", ranks=ranks)
    assert run.returncode != 0
    assert "pair_style soap/gpr at step 0: " in run.stdout
    assert "Segmentation" not in run.stdout


def test_mapping_of_types_is_logged(folder):
    atoms = random_structure([8] * 4 + [1] * 8, seed=1)
    run = run_lammps(folder, setup(atoms, TYPES) + "run 0\n", ranks=2)
    line = "soap/gpr: model model.sgpr (H O), cutoff 3.5 Angstrom; atom types: 1 = O, 2 = H"
    assert run.stdout.count(line) == 1


BOND = "\nBonds\n\n1 1 1 2\n"


@pytest.mark.parametrize(
    ("bonds", "special", "warns"),
    [
        (True, "", True),
        (True, "special_bonds lj/coul 1 1 1", False),
        (True, "special_bonds lj/coul 1e-30 1 1", False),
        (False, "", False),
    ],
)
def test_missing_bonded_pairs_cause_a_warning(folder, model, bonds, special, warns):
    atoms = random_structure([8] * 4 + [1] * 8, seed=1)
    write_data(folder / "atoms.data", atoms, TYPES, style="full")
    script = setup(atoms, TYPES, style="full")
    if bonds:
        data = folder / "atoms.data"
        text = data.read_text().replace("atom types", "atom types\n1 bonds\n1 bond types", 1)
        data.write_text(text + BOND)
        script = script.replace("mass", "bond_style zero\nbond_coeff *\nmass")
        script = script.replace(
            "read_data atoms.data", "read_data atoms.data extra/special/per/atom 2"
        )
    script += special + "\nthermo_style custom step pe\nthermo_modify format float %.17g\nrun 0\n"
    run = run_lammps(folder, script, ranks=2)
    assert run.returncode == 0, run.stdout
    assert run.stdout.count("does not see bonded pairs") == int(warns), run.stdout
    if not warns:
        lines = [line.split() for line in run.stdout.splitlines()]
        energy = float(lines[lines.index(["Step", "PotEng"]) + 1][1])
        expected = model.evaluate(atoms.numbers, atoms.positions, atoms.cell.array, True).energy
        assert energy == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("elements", "commands", "warns"),
    [
        # The bond goes, the list of bonded atoms stays.
        ("O H", "delete_bonds all bond 1 remove", True),
        ("O H", "delete_bonds all bond 1 remove special", False),
        ("O NULL", "", False),
        # With a solver in k space, LAMMPS leaves bonded pairs in the list.
        ("O H", "kspace_style ewald 1e-4\nset type 1 charge -2\nset type 2 charge 1", False),
    ],
)
def test_only_pairs_that_are_missing_cause_a_warning(folder, elements, commands, warns):
    atoms = random_structure([8] * 4 + [1] * 8, seed=1)
    a, b = atoms.numbers.tolist().index(8) + 1, atoms.numbers.tolist().index(1) + 1
    write_data(folder / "atoms.data", atoms, TYPES, style="full")
    long_range = "coul/long 3.0" if "kspace" in commands else "zero 3.0"
    pair = (
        f"pair_style hybrid/overlay soap/gpr {long_range}\npair_coeff * * {long_range.split()[0]}"
    )
    pair += f"\npair_coeff * * soap/gpr model.sgpr {elements}\nbond_style zero"
    script = setup(atoms, TYPES, style="full", pair=pair).replace(
        "atoms.data", "atoms.data extra/special/per/atom 2 extra/bond/per/atom 2 extra/bond/types 1"
    )
    script += f"\nbond_coeff *\ncreate_bonds single/bond 1 {a} {b}\n{commands}\nrun 0\nrun 0\n"
    run = run_lammps(folder, script, ranks=2)
    assert run.returncode == 0, run.stdout
    assert run.stdout.count("does not see bonded pairs") == int(warns), run.stdout


@pytest.mark.parametrize(
    ("elements", "masses", "warns"),
    [
        ("O H", (16, 1), False),
        ("H O", (16, 1), True),
        ("O H", (1, 1), False),
        ("O O", (16, 1), False),
    ],
)
def test_masses_in_another_order_cause_a_warning(folder, elements, masses, warns):
    atoms = random_structure([8] * 4 + [1] * 8, seed=1)
    script = setup(atoms, TYPES, pair=COEFF + "model.sgpr " + elements)
    script += f"\nmass 1 {masses[0]}\nmass 2 {masses[1]}\nrun 0\n"
    run = run_lammps(folder, script, ranks=2)
    assert run.returncode == 0, run.stdout
    message = (
        "maps atom type 1 (mass 16) to H and type 2 (mass 1) to O: are the elements in the order"
    )
    assert run.stdout.count(message) == int(warns), run.stdout


def test_atoms_without_ids_are_explained_where_their_order_counts(folder):
    process_model().save(folder / "ordered.sgpr")
    atoms = random_structure([8] * 4 + [1] * 8, seed=1)
    pair = "create_atoms 1 single 0.1 0.1 0.1\npair_style soap/gpr\npair_coeff * * ordered.sgpr O H"
    box = "region all block 0 8 0 8 0 8\ncreate_box 2 all"
    script = setup(atoms, TYPES, pair=pair).replace("read_data atoms.data", box)
    for change, fragments in (("", []), ("atom_modify id no", ["needs atom IDs", "corrected"])):
        own = script.replace("boundary", f"{change}\nboundary")
        run = run_lammps(folder, own + "run 0\n")
        if fragments:
            assert_one_sentence(run, fragments)
        else:
            assert run.returncode == 0, run.stdout
