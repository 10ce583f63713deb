# SPDX-License-Identifier: BSD-3-Clause
"""Files that declare more than they hold: ASE would never end, or fill the memory."""

import bz2
import gzip
import lzma

import ase.io
import pytest
from hypothesis import event, example, given
from hypothesis import strategies as st
from mutations import spliced, splices

from ipi_driver.evaluation import Evaluator
from potential.errors import SoapGprError
from potential.structures.read import read_frames, read_structures

GOOD = "O 0 0 0\nH 0 0 1\n"
FRAME = f'2\nLattice="9 0 0 0 9 0 0 0 9" Properties=species:S:1:pos:R:3\n{GOOD}'
ABSURD = "10000000000000\n"  # ASE would count for days


def write(path, text):
    openers = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
    with openers.get(path.suffix, open)(path, "wt") as stream:
        stream.write(text)
    return str(path)


@pytest.mark.parametrize("name", ["a.xyz", "a.xyz.gz", "a.xyz.bz2", "a.xyz.xz"])
@pytest.mark.parametrize("index", ["", "@:", "@0", "@-1", "@::2", "@1:"])
def test_frame_with_fewer_lines_than_atoms_is_cut_short(tmp_path, name, index):
    path = write(tmp_path / name, f"{ABSURD}\nH 0 0 0\n")
    with pytest.raises(SoapGprError, match=rf"{name}: cut short: frame 0 should have 1000"):
        read_frames([path + index])


@pytest.mark.parametrize("lines", ["", "\n", "\nO 0 0 0\n", f"\n{GOOD}"])
def test_last_frame_is_checked_as_well(tmp_path, lines):
    path = write(tmp_path / "a.xyz", f"{FRAME}{FRAME}3\n{lines}")
    with pytest.raises(SoapGprError, match=r"a\.xyz: cut short: frame 2 should have 3 atoms"):
        read_frames([path])
    assert len(read_frames([path + "@0"])) == 1  # what lies far behind a slice does not matter


@pytest.mark.parametrize("count", ["0", "-3"])
def test_frame_without_atoms_is_refused(tmp_path, count):
    path = write(tmp_path / "a.xyz", f"{FRAME}{count}\nProperties=species:S:331956396\n")
    with pytest.raises(SoapGprError, match=rf"a\.xyz#1: found {count} atoms, expected at least"):
        read_frames([path])


@pytest.mark.parametrize(
    "properties",
    [
        "Properties=species:S:331956396",
        'Properties="species:S:1:pos:R:331956395"',
        "Properties = {species:S:1:pos:R:3:x:I:331956392}",
        "Properties=species:S:1 energy=1 Properties=species:S:331956396",
    ],
)
def test_more_columns_than_the_atoms_have_are_refused(tmp_path, properties):
    path = write(tmp_path / "a.xyz", f"{FRAME}2\n{properties}\n{GOOD}")
    with pytest.raises(SoapGprError, match=r"a\.xyz#1: found 4 columns .* the 331956396 that"):
        read_frames([path])


def test_columns_beyond_those_declared_and_cells_of_vectors_are_fine(tmp_path):
    vectors = "VEC1 9 0 0\nVEC2 0 9 0\nVEC3 0 0 9\n"
    path = write(tmp_path / "a.xyz", f"2\n\nO 0 0 0 7 8\nH 0 0 1 7 8\n{vectors}{FRAME}\n\n")
    frames = read_frames([path])
    assert [len(atoms) for atoms, _ in frames] == [2, 2]
    assert frames[0][0].pbc.all()


HEAD = "x\n1.0\n5 0 0\n0 5 0\n0 0 5\n"
DUMP = "ITEM: TIMESTEP\n1000000000000\nITEM: NUMBER OF ATOMS\n{}\nITEM: BOX BOUNDS pp pp pp\n"
DUMP += "0 5\n0 5\n0 5\nITEM: ATOMS id type x y z\n1 1 0 0 0\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("POSCAR", HEAD + "H O\n1 {}\nDirect\n0 0 0\n"),
        ("POSCAR.gz", HEAD + "1 {}\nDirect\n0 0 0\n"),
        ("XDATCAR", HEAD + "H O\n1 {}\nDirect configuration= 1\n0 0 0\n"),
        ("a.dump", DUMP),
        ("b.dump", DUMP.format(1) + DUMP),
    ],
)
def test_files_of_vasp_and_lammps_may_be_cut_short_as_well(tmp_path, name, text):
    path = write(tmp_path / name, text.format(int(ABSURD)))
    with pytest.raises(SoapGprError, match=rf"{name}: cut short: found \d+ lines for 1000000000"):
        read_frames([path])


def test_good_files_of_vasp_and_lammps_are_read(tmp_path):
    dump = write(tmp_path / "a.dump", DUMP.format(1) * 2)
    assert len(read_frames([dump])) == 2
    xdatcar = HEAD + "H O\n1 1\n" + "Direct configuration= 1\n0 0 0\n0.5 0 0\n" * 2
    assert len(read_frames([write(tmp_path / "XDATCAR", xdatcar)])) == 2
    poscar = HEAD + "H O\n1 1\nDirect\n0 0 0\n0.5 0 0\n"
    assert len(read_frames([write(tmp_path / "POSCAR", poscar)])) == 1


def test_other_formats_and_their_errors_are_left_to_ase(tmp_path):
    atoms = ase.io.read(write(tmp_path / "a.xyz", FRAME))
    ase.io.write(tmp_path / "POSCAR", atoms)
    assert len(read_frames([str(tmp_path / "POSCAR")])) == 1
    for text in ("", "abc\n", "2.5\n\n", "\n" + FRAME):
        with pytest.raises(SoapGprError, match=r"b\.xyz: (ase\.io cannot read|found no frames)"):
            read_frames([write(tmp_path / "b.xyz", text)])
    (tmp_path / "c.xyz.gz").write_bytes(b"not compressed")
    with pytest.raises(SoapGprError, match=r"c\.xyz\.gz: ase\.io cannot read"):
        read_frames([str(tmp_path / "c.xyz.gz")])


def test_template_of_ipi_is_checked_and_may_have_an_index(tmp_path):
    class Model:
        species = (1, 8)

    path = write(tmp_path / "a.xyz", f"{ABSURD}\nH 0 0 0\n")
    for index in ("", "@0"):
        with pytest.raises(SoapGprError, match=r"a\.xyz: cut short"):
            Evaluator(Model(), path + index)
    path = write(tmp_path / "b.xyz", FRAME + FRAME.replace("O 0", "H 0"))
    for index, formula in (("", "H2"), ("@0", "HO"), ("@:", "H2")):
        assert Evaluator(Model(), path + index).formula == formula


@given(splice=splices(st.text('0-9.eE:= \n"\x00é', max_size=4)))
@example(splice=(0, 0, "9"))  # more atoms than there are
@example(splice=(2, 0, "\n"))
def test_wrong_text_in_frames_is_read_or_one_sentence(tmp_path, splice):
    path = write(tmp_path / "a.xyz", spliced(FRAME * 3, *splice))
    try:
        frames = read_structures([path], require_labels=False)
    except SoapGprError as error:
        event("refused")
        assert str(error).startswith(path) and "\n" not in str(error)
    else:
        event("read")
        assert frames
