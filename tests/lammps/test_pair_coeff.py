# SPDX-License-Identifier: BSD-3-Clause
"""What is refused changes nothing: Python programs catch errors of LAMMPS and go on."""

import pytest
from lammps_runs import python, run_lammps, run_python, setup, write_data
from models import process_model, random_model, random_structure

TYPES = {8: 1, 1: 2}
GOOD = "pair_coeff * * model.sgpr O H"

# Runs the commands that are its arguments, and prints what became of each.
PROGRAM = """\
import sys
import lammps

lmp = lammps.lammps(cmdargs=["-screen", "none", "-log", "none"])
for command in sys.argv[1:]:
    try:
        lmp.commands_string(command)
        if command.startswith("run"):
            print("energy", repr(lmp.get_thermo("pe")))
    except Exception as error:
        print("refused", str(error).splitlines()[0])
"""


@pytest.fixture(scope="module")
def atoms():
    return random_structure([8] * 4 + [1] * 8, seed=1)


@pytest.fixture(scope="module")
def other():
    return random_model(cutoff=4.5, n_max=3, l_max=2, seed=7)


@pytest.fixture
def folder(tmp_path, model, other, atoms):
    write_data(tmp_path / "atoms.data", atoms, TYPES)
    model.save(tmp_path / "model.sgpr")
    other.save(tmp_path / "other.sgpr")
    (tmp_path / "cut.sgpr").write_bytes(model.to_bytes()[:1000])
    return tmp_path


def run(folder, atoms, pair, *commands):
    """Lines of PROGRAM: energies as numbers, refusals as text."""
    lines = run_python(folder, PROGRAM, setup(atoms, TYPES, pair=pair), *commands).splitlines()
    words = [line.split(maxsplit=1) for line in lines]
    return [float(rest) if word == "energy" else rest for word, rest in words]


def close(energy):
    return pytest.approx(energy, rel=1e-12)


REFUSED = {
    "* * model.sgpr O Hx": "which is not an element symbol",
    "* * other.sgpr O Si": "only knows: H O",
    "* * other.sgpr O": "names 1 elements for 2 atom types",
    "* * other.sgpr NULL H": "only makes sense under pair_style hybrid",
    "* * other.sgpr": "one element symbol (or NULL) per atom type",
    "* * absent.sgpr O H": "cannot read the model file 'absent.sgpr'",
    "* * cut.sgpr O H": "cannot use the model file 'cut.sgpr'",
    "1 1 other.sgpr O H": "must start with * *",
}


def test_refused_pair_coeff_changes_nothing(folder, model, atoms):
    commands = [line for refused in REFUSED for line in (f"pair_coeff {refused}", "run 0")]
    found = run(folder, atoms, f"pair_style soap/gpr\n{GOOD}", "run 0", *commands)
    assert found[::2] == [close(python(model, atoms).energy)] * (len(REFUSED) + 1)
    for message, part in zip(found[1::2], REFUSED.values(), strict=True):
        assert part in message


@pytest.mark.parametrize("refused", REFUSED)
def test_style_without_a_good_pair_coeff_never_runs(folder, model, atoms, refused):
    commands = [f"pair_coeff {refused}", "run 0", GOOD, "run 0"]
    found = run(folder, atoms, "pair_style soap/gpr", *commands)
    assert REFUSED[refused] in found[0]
    assert "All pair coeffs are not set" in found[1]
    assert found[2] == close(python(model, atoms).energy)


def test_repeated_pair_coeff_replaces_the_model(folder, model, other, atoms):
    commands = ["run 0", "pair_coeff * * other.sgpr O H", "run 0", GOOD, "run 0"]
    commands += ["pair_style soap/gpr", "run 0", "pair_style soap/gpr model.sgpr", "run 0"]
    found = run(folder, atoms, f"pair_style soap/gpr\n{GOOD}", *commands)
    first, second = python(model, atoms).energy, python(other, atoms).energy
    assert "takes no arguments" in found.pop(4)
    assert found == [close(energy) for energy in (first, second, first, first, first)]


def test_refused_pair_coeff_changes_nothing_under_hybrid(folder, model, atoms):
    pair = "pair_style hybrid/overlay soap/gpr zero 3.0\npair_coeff * * zero"
    coeff = "pair_coeff * * soap/gpr model.sgpr "
    commands = [coeff + "O Hx", "run 0", coeff + "O NULL", "run 0", coeff + "Xx H", "run 0"]
    commands += [coeff + "O H", "run 0", coeff + "NULL NULL", "run 0", coeff + "O NULL", "run 0"]
    found = run(folder, atoms, pair, *commands)
    oxygen, both = python(model, atoms[atoms.numbers == 8]).energy, python(model, atoms).energy
    assert "soap/gpr is not used" in found[1]
    assert [x for x in found if not isinstance(x, str)] == [
        close(energy) for energy in (oxygen, oxygen, both, both, oxygen)
    ]


def test_new_pair_coeff_needs_a_set_up(folder, other, atoms):
    commands = ["run 0", "pair_coeff * * other.sgpr O H", "run 1 pre no", "run 0"]
    found = run(folder, atoms, f"pair_style soap/gpr\n{GOOD}", *commands)
    assert "given after the set-up of the run: leave out 'pre no'" in found[1]
    assert found[2] == close(python(other, atoms).energy)


def test_failed_set_up_is_mended_by_another_model(folder, model):
    process_model().save(folder / "ordered.sgpr")
    box = "units metal\natom_modify id no\nregion b block 0 9 0 9 0 9\ncreate_box 2 b\nmass * 1"
    box += "\ncreate_atoms 1 single 1 1 1\npair_style soap/gpr\npair_coeff * * ordered.sgpr O H"
    lines = run_python(folder, PROGRAM, box, "run 0", GOOD, "run 0").splitlines()
    assert "needs atom IDs" in lines[0]
    assert float(lines[1].split()[1]) == close(model.evaluate([8], [[0, 0, 0]]).energy)


def test_failed_step_leaves_the_style_usable(folder, model, atoms):
    place = "set atom {} x {:.17g} y {:.17g} z {:.17g}"
    commands = [place.format(1, 1, 1, 1), place.format(2, 1, 1, 1), "run 0"]
    commands += [place.format(k + 1, *atoms.positions[k]) for k in range(2)] + ["run 0"]
    found = run(folder, atoms, f"pair_style soap/gpr\n{GOOD}", *commands)
    assert "two atoms are at the same place" in found[0]
    assert found[1] == close(python(model, atoms).energy)


ADAPT = "variable half equal 0.5\nfix half all adapt 1 pair soap/gpr scale "


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("types", ["1 2", "1 *", "* 2"])
def test_scaled_pair_of_types_is_refused(folder, atoms, types, ranks):
    script = setup(atoms, TYPES) + ADAPT + f"{types} v_half\nrun 0\n"
    found = run_lammps(folder, script, ranks=ranks)
    assert found.returncode != 0
    errors = [line for line in found.stdout.splitlines() if line.startswith("ERROR")]
    assert len(errors) == 1
    assert "cannot scale the pair of atom types 1 2" in errors[0]
    assert "'scale * *'" in errors[0]


def test_scaling_of_types_that_are_not_of_the_model_is_refused_by_lammps(folder, model, atoms):
    pair = "pair_style hybrid/overlay soap/gpr zero 3.0\npair_coeff * * zero\n"
    pair += "pair_coeff * * soap/gpr model.sgpr O NULL"
    commands = [ADAPT + "* * v_half", "run 0", "unfix half", ADAPT + "1 1 v_half", "run 0"]
    found = run(folder, atoms, pair, *commands)
    assert "not valid for pair hybrid sub-style soap/gpr" in found[0]
    assert found[1] == close(0.5 * python(model, atoms[atoms.numbers == 8]).energy)


def test_repeated_pair_coeff_is_not_scaled(folder, other, atoms):
    commands = [ADAPT + "* * v_half", "run 0", "unfix half", "pair_coeff * * other.sgpr O H"]
    found = run(folder, atoms, f"pair_style soap/gpr\n{GOOD}", *commands, "run 0")
    assert found[1] == close(python(other, atoms).energy)
