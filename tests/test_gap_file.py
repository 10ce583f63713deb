# SPDX-License-Identifier: BSD-3-Clause
"""Files of GAP potentials: published ones give the recorded numbers, bad ones one clear error."""

import gzip
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from ase.data import atomic_numbers
from hypothesis import event, example, given
from hypothesis import strategies as st
from mutations import spliced, splices

from potential.cli import main
from potential.errors import SoapGprError
from potential.gap.importing import import_gap
from potential.gap.read import xml_file

PUBLISHED = Path(__file__).parents[2] / "shared/data/gap_potentials"

POINTS = "1.5\n2.0\n2.5\n"
XML = """<GAP_1>
<Potential label="GAP_1" init_args="IP GAP label=GAP_1"/>
<GAP_params label="GAP_1" gap_version="1700000000">
<GAP_data do_core="F"><e0 Z="14" value="-.5"/></GAP_data>
<gpSparse label="GAP_1" n_coordinate="1">
<gpCoordinates label="GAP_11" dimensions="1" signal_variance=".5" signal_mean=".0E+000"
 sparsified="T" n_permutations="1" covariance_type="1" n_sparseX="3"
 sparseX_filename="points.txt" sparseX_md5sum="MD5">
<theta>1.0</theta>
<descriptor>distance_2b cutoff=4.0 n_sparse=3 Z1=14 Z2=14</descriptor>
<permutation i="1">1</permutation>
<sparseX i="1" alpha="1.0" sparseCutoff="1.0"/>
<sparseX i="2" alpha="-2.0" sparseCutoff=".5"/>
<sparseX i="3" alpha="3.0" sparseCutoff="1.0"/>
</gpCoordinates></gpSparse></GAP_params></GAP_1>
"""


def write(folder, *changes, points=POINTS):
    """gap.xml with each old text replaced by the new one, and its points unless None."""
    text = XML.replace("MD5", hashlib.md5(POINTS.encode()).hexdigest())
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    if points is not None:
        (folder / "points.txt").write_text(points)
    (folder / "gap.xml").write_text(text)
    return folder / "gap.xml"


def test_pair_energy_is_the_kernel_sum(tmp_path):
    model, warnings = import_gap(write(tmp_path))
    r = 1.8
    found = model.evaluate([14, 14], [[0, 0, 0], [r, 0, 0]])
    x, weights = np.array([1.5, 2.0, 2.5]), np.array([1.0, -1.0, 3.0])
    expected = 2 * 0.25 * np.exp(-0.5 * (r - x) ** 2) @ weights
    assert found.energy == pytest.approx(expected - 1.0, rel=1e-10)
    assert warnings == []


def test_scale_of_energies_counts(tmp_path):
    plain, _ = import_gap(write(tmp_path))
    scaled, _ = import_gap(write(tmp_path, ("IP GAP label", "IP GAP E_scale=2.5 label")))
    pair = [14, 14], [[0, 0, 0], [1.8, 0, 0]]
    assert scaled.evaluate(*pair).energy == pytest.approx(2.5 * plain.evaluate(*pair).energy)


def test_what_quip_ignores_is_named(tmp_path):
    xml = write(tmp_path, ("n_sparse=3", "n_sparse=3, radial_scaling=2 ; cutof"))
    _, warnings = import_gap(xml)
    assert len(warnings) == 3
    for word in ("radial_scaling=2", "';'", "'cutof'"):
        assert any(word in warning for warning in warnings)


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>\n<GAP_1>'
SOAP = "soap Z=14 cutoff=3 n_max=2 l_max=2 atom_sigma=0.5"
HUGE = SOAP.replace("n_max=2 l_max=2", "n_max=100 l_max=30")
HUGE = f"{HUGE} n_species=118 species_Z={{{' '.join(map(str, range(1, 119)))}}}"
MIX = "n_max=4 R_mix=T Z_mix=T K=1000 n_species=1 species_Z={14}"


@pytest.mark.parametrize(
    "changes, message",
    [
        ([("<GAP_1>", BOMB)], "document type"),
        ([("<GAP_1>", "<GAP_1>" + "<a>" * 50)], "nested"),
        ([("</GAP_params>", "")], "not a complete XML file"),
        ([("points.txt", "other.txt")], "other.txt, is missing"),
        ([("points.txt", "../../etc/passwd")], "passwd, is missing"),
        ([('n_sparseX="3"', 'n_sparseX="30000000"')], "found 3 sparse points"),
        ([('dimensions="1"', 'dimensions="99999999"')], "too short"),
        ([('dimensions="1"', 'dimensions="1e30"')], "expected a count"),
        ([('alpha="1.0"', 'alpha="nan"')], "expected a number"),
        ([('alpha="1.0"', 'alpha="1_0"')], "expected a number"),
        ([('signal_variance=".5"', 'signal_variance="-.5"')], "expected more than 0"),
        ([('covariance_type="1"', 'covariance_type="1.5"')], "expected a count"),
        ([("points.txt", "a&#10;b")], "which is no name of a file"),
        ([('<e0 Z="14"', '<e0 Z="140"')], "an e0 of the atomic number 140"),
        ([('alpha="1.0"', "")], "lacks alpha"),
        ([("distance_2b", "bispectrum_so4")], "bispectrum_so4 cannot be imported"),
        ([("distance_2b", "distance_2b soap")], "distance_2b soap cannot be imported"),
        ([("distance_2b", "")], "'cutoff=4.0 n_sparse=3 Z1=14 Z2=14' cannot be imported"),
        ([("distance_2b", "angle_3b")], "not 3 numbers"),
        ([("IP GAP", "IP ZBL")], "'IP ZBL'"),
        ([('sparsified="T"', 'sparsified="F"')], "without sparse points"),
        ([('covariance_type="1"', 'covariance_type="3"')], "bond_real_space"),
        ([("distance_2b cutoff=4.0", SOAP)], "ard_se cannot be imported"),
        ([("cutoff=4.0", "cutoff={4.0")], "unbalanced"),
        ([("cutoff=4.0", "cutoff=-4.0")], "cutoff=-4"),
        (
            [
                ("distance_2b cutoff=4.0", SOAP.replace("n_max=2", "n_max=99")),
                ('type="1"', 'type="2"'),
            ],
            "found sparse points of 1 numbers, the descriptor has",
        ),
        ([("cutoff=4.0", "cutoff=4.0 only_intra=1")], "only_intra: found .1., expected T or F"),
        ([("cutoff=4.0", "")], "lacks cutoff"),
        ([('signal_variance=".5"', 'signal_variance="1e300"')], "too large or too small"),
        ([("distance_2b cutoff=4.0", f"{SOAP}e-9"), ('type="1"', 'type="2"')], "too small"),
        ([("Z1=14 Z2=14", "")], "--species"),
        ([("label=GAP_1", "label=GAP_2")], "labelled GAP_2"),
        ([("<theta>1.0</theta>", "")], "theta"),
        ([("<theta>1.0</theta>", "<theta>1e-5</theta>")], "larger theta"),
        ([("<GAP_1>", '<?xml version="1.0" encoding="foo"?>\n<GAP_1>')], "not a complete XML file"),
        ([("cutoff=4.0", "cutoff=4.0 tail_exponent=100000")], "too large or too small"),
        ([("distance_2b cutoff=4.0", HUGE), ('type="1"', 'type="2"')], "products of channels"),
        ([("distance_2b cutoff=4.0", f"{SOAP} {MIX}"), ('type="1"', 'type="2"')], "K=1000"),
        ([("distance_2b cutoff=4.0", SOAP), ('type="1"', 'type="2" zeta="200"')], "zeta=200"),
        (
            [
                ("distance_2b cutoff=4.0", f"{SOAP} cutoff_dexp=2 cutoff_scale=-1"),
                ('type="1"', 'type="2"'),
            ],
            "scale must be positive",
        ),
        ([("<GAP_data", "<GAP_datum"), ("</GAP_data", "</GAP_datum")], "no GAP_data"),
    ],
)
def test_bad_files_are_one_clear_error(tmp_path, changes, message):
    xml = write(tmp_path, *changes)
    with pytest.raises(SoapGprError, match=message.replace("(", r"\(")) as error:
        import_gap(xml)
    assert str(tmp_path) in str(error.value) and "\n" not in str(error.value)


def test_other_points_are_refused(tmp_path):
    with pytest.raises(SoapGprError, match="md5"):
        import_gap(write(tmp_path, points="1.5\n2.0\n2.6\n"))


@given(splice=splices(st.text("0-9e<>&{}\x00é ", max_size=3)))
@example(splice=(100, 2**30, ""))
def test_truncated_and_altered_files_never_end_in_a_traceback(tmp_path, splice):
    xml = write(tmp_path)
    xml.write_text(spliced(xml.read_text(), *splice))
    try:
        import_gap(xml)
        event("worked")
    except SoapGprError as error:
        event("refused")
        assert "\n" not in str(error)


def test_command_writes_a_model_and_fails_in_one_line(tmp_path, capsys):
    xml = write(tmp_path)
    assert main(["import-gap", str(xml), "-o", str(tmp_path / "model.sgpr")]) == 0
    assert "Term 1: pair, Si-Si, cutoff 4 Å" in capsys.readouterr().out
    assert main(["info", str(tmp_path / "model.sgpr")]) == 0
    assert "distance_2b Si-Si (pair, cutoff 4 Å)" in capsys.readouterr().out
    before = xml.read_bytes()
    assert main(["import-gap", str(xml), "-o", str(xml)]) == 1
    assert "is the file to read" in capsys.readouterr().err
    assert xml.read_bytes() == before
    frame = str(tmp_path / "frame.xyz")
    Path(frame).write_text("1\n\nSi 0 0 0\n")
    assert main(["import-gap", str(xml), "-o", frame, "--check", frame]) == 1
    assert "frame.xyz: is the file to read" in capsys.readouterr().err
    assert main(["import-gap", str(xml), "--species", "Mo", "-o", str(tmp_path / "new")]) == 1
    assert "found Mo in --species, expected some of Si" in capsys.readouterr().err
    assert main(["import-gap", str(xml), "-o", str(tmp_path / "new"), "--check", "none.xyz"]) == 1
    assert not (tmp_path / "new").exists()
    capsys.readouterr()
    (tmp_path / "points.txt").unlink()
    assert main(["import-gap", str(xml), "-o", str(tmp_path / "model.sgpr")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["import-gap", str(xml), "--species", "Xx", "-o", str(tmp_path / "m.sgpr")]) == 1


@pytest.mark.parametrize(
    "content, message",
    [
        (gzip.compress(b"<GAP_1>", mtime=0), "unpack it with gunzip"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"<!doctype html>\n<html>", "a page of the web"),
        (b'\x08\0\0\0\0\0\0\0{"__metadata__":{}}', "a model of soap-gpr"),
        (b"<html><p/></html>", "found no GAP_params, expected a GAP potential"),
        (b"", "not a complete XML file"),
    ],
)
def test_other_files_are_named(tmp_path, content, message):
    (tmp_path / "gap.xml").write_bytes(content)
    with pytest.raises(SoapGprError, match=message):
        import_gap(tmp_path / "gap.xml")


def test_errors_of_the_basis_name_the_file(tmp_path):
    narrow = "soap Z=14 cutoff=3 n_max=1 l_max=0 atom_sigma=0.002 n_species=1 species_Z=14"
    xml = write(
        tmp_path,
        ("distance_2b cutoff=4.0", narrow),
        ('type="1"', 'type="2" zeta="2"'),
        ('dimensions="1"', 'dimensions="2"'),
        (f'sparseX_md5sum="{hashlib.md5(POINTS.encode()).hexdigest()}"', ""),
        points="1 0\n1 0\n1 0\n",
    )
    with pytest.raises(SoapGprError, match=r"gap\.xml: GAP_11: the radial functions"):
        import_gap(xml)


def test_elements_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(xml_file, "MAX_ELEMENTS", 5)
    with pytest.raises(SoapGprError, match="more than 5 elements"):
        import_gap(write(tmp_path))


def published(folder):
    if not (PUBLISHED / folder).is_dir():
        pytest.skip("../shared/data/gap_potentials is not here")
    return PUBLISHED / folder


def check_frame(model, frame):
    numbers = [atomic_numbers[symbol] for symbol in frame["symbols"]]
    found = model.evaluate(numbers, frame["positions"], frame["cell"], frame["pbc"])
    assert found.energy == pytest.approx(frame["energy_eV"], rel=1e-10)
    np.testing.assert_allclose(found.forces, frame["forces_eV_per_A"], rtol=0, atol=1e-7)
    stress = -found.virial[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
    stress /= abs(np.linalg.det(frame["cell"]))
    wanted = frame["stress_ase_xx_yy_zz_yz_xz_xy_eV_per_A3"]
    np.testing.assert_allclose(stress, wanted, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    "folder, file, key",
    [
        ("mo_mlearn_notebook", "soap.xml", "frames"),
        ("si_lammps_example", "gap_example.xml", "total"),
    ],
)
def test_published_soap_potentials_give_the_recorded_numbers(folder, file, key):
    folder = published(folder)
    model, _ = import_gap(folder / file)
    for frame in json.loads((folder / "expected_quip.json").read_text())[key]:
        check_frame(model, frame)


def test_published_pairs_give_the_recorded_numbers():
    folder = published("water_2b")
    model, _ = import_gap(folder / "GAP.xml")
    rows = [row.split() for row in (folder / "gap_sample.xyz").read_text().splitlines()[2:83]]
    found = model.evaluate(
        [int(row[4]) for row in rows],
        np.array([row[1:4] for row in rows], dtype=float),
        9.31284498 * np.eye(3),
        True,
    )
    # the recorded positions have eight digits, the weights are some 1e6
    assert found.energy == pytest.approx(30.855129585407724, rel=2e-9)
    wanted = np.array([row[-3:] for row in rows], dtype=float)
    np.testing.assert_allclose(found.forces, wanted, rtol=0, atol=1e-6)
