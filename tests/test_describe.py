# SPDX-License-Identifier: BSD-3-Clause
"""soap-gpr describe: features with their names, kernels, distances, duplicates and outliers."""

import json
import sys
from pathlib import Path

import ase.io
import numpy as np
import pytest
from models import product_model
from training_data import emt_frames, write_frames

from potential import SoapDescriptor, SymmetryFunctions, environment_kernel, structure_kernel
from potential.cli import main
from potential.descriptors.chosen import TermFeatures, descriptor_of
from potential.maps.arrays import write_table
from potential.structures.read import geometry
from potential.training.fitting import fit

SMALL = {"cutoff": 3.5, "n_max": 3, "l_max": 2}
TOML = "[[terms]]\ncutoff = 3.5\nn_max = 3\nl_max = 2\nzeta = 2\n"
DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    """As files have them: with the digits that are written."""
    path = tmp_path_factory.mktemp("frames") / "all.xyz"
    return ase.io.read(write_frames(path, emt_frames(8, seed=3)), ":")


@pytest.fixture(scope="module")
def made(tmp_path_factory, frames):
    folder = tmp_path_factory.mktemp("describe")
    write_frames(folder / "a.xyz", frames[:5])
    write_frames(folder / "b.xyz", frames[5:])
    (folder / "fit.toml").write_text(TOML)
    (folder / "pair.toml").write_text('[[terms]]\nkind = "pair"\ncutoff = 4.0\n')
    return folder


@pytest.fixture
def run(made, monkeypatch, capsys):
    monkeypatch.chdir(made)

    def run(line):
        code = main(["describe", *line.split()])
        out, err = capsys.readouterr()
        assert code == 0, err
        return out

    return run


@pytest.fixture(scope="module")
def soap(frames):
    return SoapDescriptor(**SMALL).fit(frames)


def structures(frames):
    return [geometry(atoms, f"a.xyz#{k}") for k, atoms in enumerate(frames)]


@pytest.mark.parametrize("name", ["atoms.npz", "atoms.h5"])
def test_features_of_atoms_are_written_with_what_rows_and_columns_are(run, soap, frames, name):
    run(f"a.xyz --settings fit.toml -o {name}")
    read = _read(name)
    expected = soap.compute(frames[:5])
    np.testing.assert_allclose(read["features"], expected.values, atol=1e-14)
    assert list(read["columns"]) == list(soap.get_feature_names_out())
    np.testing.assert_array_equal(read["structure"], expected.structure)
    np.testing.assert_array_equal(read["atom"], np.tile(np.arange(8), 5))
    assert list(read["species"]) == [s for atoms in frames[:5] for s in atoms.symbols]
    assert list(read["source"]) == [f"a.xyz#{k}" for k in range(5)]
    assert list(read["config_type"]) == ["even", "odd", "even", "odd", "even"]
    record = json.loads(read["record"])
    assert record["n_features"] == 63 and record["file"] == "fit.toml" and record["cutoff"] == 3.5


def _read(name):
    if name.endswith(".npz"):
        return {key: np.asarray(own) for key, own in np.load(name).items()} | {
            "record": str(np.load(name)["record"])
        }
    h5py = pytest.importorskip("h5py")
    with h5py.File(name) as file:
        found = {
            key: own.asstr()[()] if h5py.check_string_dtype(own.dtype) else own[()]
            for key, own in file.items()
        }
        main = next(own for own in file.values() if "record" in own.attrs)
        return found | {"record": main.attrs["record"]}


@pytest.mark.parametrize("pooling", ["mean", "sum"])
def test_features_of_structures_are_pooled(run, soap, frames, pooling):
    run(f"a.xyz --settings fit.toml --per structure --pooling {pooling} -o pooled.npz")
    expected = soap.compute(frames[:5]).pooled(pooling)
    np.testing.assert_allclose(np.load("pooled.npz")["features"], expected, atol=1e-13)


def test_extended_xyz_keeps_labels_beside_features(run, soap, frames):
    run("a.xyz --settings fit.toml -o atoms.xyz")
    read = ase.io.read("atoms.xyz", ":")
    expected = soap.compute(frames[:5]).values
    np.testing.assert_allclose(
        np.concatenate([atoms.arrays["features"] for atoms in read]), expected, atol=1e-8
    )
    assert read[2].get_potential_energy() == pytest.approx(frames[2].get_potential_energy())
    columns = json.loads(read[0].info["feature_columns"])[""]
    assert columns == list(soap.get_feature_names_out())
    run("a.xyz --settings fit.toml --per structure -o frames.xyz")
    own = ase.io.read("frames.xyz", 3).info["features"]
    np.testing.assert_allclose(own, soap.compute(frames[3]).pooled()[0], atol=1e-8)


def test_centers_leave_atoms_of_a_species(run, soap, frames):
    run("a.xyz --settings fit.toml --centers Au -o gold.npz")
    own, expected = np.load("gold.npz"), soap.compute(frames[:5])
    assert set(own["species"]) == {"Au"}
    np.testing.assert_allclose(own["features"], expected.values[expected.numbers == 79], atol=1e-14)


@pytest.mark.parametrize("pooling", ["features", "mean", "sum", "rematch"])
def test_kernels_of_two_sets_are_those_of_structure_kernel(run, soap, frames, pooling):
    options = "--normalize" + (" --gamma 0.5" if pooling == "rematch" else "")
    gamma = {"gamma": 0.5} if pooling == "rematch" else {}
    line = f"a.xyz --to b.xyz --settings fit.toml --pooling {pooling} {options}"
    run(f"{line} --kernel -o k.npz")
    A, B = soap.compute(frames[:5]), soap.compute(frames[5:])
    expected = structure_kernel(A, B, zeta=2, pooling=pooling, normalize=True, **gamma)
    np.testing.assert_allclose(np.load("k.npz")["kernel"], expected, atol=1e-10)
    assert list(np.load("k.npz")["source_to"]) == [f"b.xyz#{k}" for k in range(3)]
    run(f"{line} --distances -o d.npz")
    d = np.load("d.npz")["distances"]
    np.testing.assert_allclose(d**2, 2 - 2 * expected, atol=1e-9)


def test_kernels_of_atoms_and_shared_centers(run, soap, frames):
    run("a.xyz --settings fit.toml --kernel --per atom --zeta 3 --shared -o k.npz")
    expected = environment_kernel(soap.compute(frames[:5]), zeta=3, centers="shared")
    np.testing.assert_allclose(np.load("k.npz")["kernel"], expected, atol=1e-12)
    run("a.xyz --settings fit.toml --distances --pooling sum --zeta 1 -o d.npz")
    K = structure_kernel(soap.compute(frames[:5]), zeta=1, pooling="sum")
    own = np.diag(K)
    d = np.load("d.npz")["distances"]
    np.testing.assert_allclose(d**2, own[:, None] + own - 2 * K, atol=1e-8 * own.max())
    assert not np.diag(d).any()


def test_columns_of_every_kind_of_term_have_names(tmp_path, frames, soap):
    given = structures(frames)
    (tmp_path / "acsf.toml").write_text('[[terms]]\nkind = "acsf"\ncutoff = 4.0\n')
    own = descriptor_of(tmp_path / "acsf.toml", None, 1).term_for(given)
    acsf = SymmetryFunctions(cutoff=4.0).fit(frames)
    assert own.column_names() == {"": list(acsf.get_feature_names_out())}
    product = TermFeatures(product_model(), 0)
    names = product.column_names()[""]
    assert len(names) == len(set(names)) == product.n_features
    assert names[0] == "factor 1 H n=0 H n=0 l=0" and names[-1].startswith("factor 2 O n=2 O n=2")
    (tmp_path / "chosen.toml").write_text(
        TOML + 'feature_selection = {method = "fps", n_features = 4, recouple = true}\n'
    )
    own = descriptor_of(tmp_path / "chosen.toml", None, 1).term_for(given)
    chosen = own.column_names()[""]
    assert own.n_features == len(chosen) == 4
    assert {name.removeprefix("recoupled ") for name in chosen} <= set(soap.get_feature_names_out())
    (tmp_path / "each.toml").write_text(
        TOML + "feature_selection = {n_features = 4, per_species = true}\n"
    )
    own = descriptor_of(tmp_path / "each.toml", None, 1).term_for(given)
    assert {name: len(names) for name, names in own.column_names().items()} == {"Cu": 4, "Au": 4}
    assert next(own.rows(given)).shape == (8, 4)


def test_model_and_its_settings_have_the_same_features(run, made):
    fitted = {"data": {"train": ["a.xyz"]}, "terms": [SMALL | {"n_sparse": 5, "zeta": 3}]}
    fit(fitted, progress=False).model.save("model.sgpr")
    run("b.xyz --model model.sgpr -o model.npz")
    run("b.xyz --settings fit.toml -o settings.npz")
    first, second = np.load("model.npz"), np.load("settings.npz")
    np.testing.assert_allclose(first["features"], second["features"], atol=1e-12)
    run("b.xyz --model model.sgpr --kernel -o k.npz")
    assert json.loads(str(np.load("k.npz")["record"]))["zeta"] == 3


@pytest.fixture(scope="module")
def twice(made, frames):
    """A frame that is there again, turned, reordered and in another file; one with another energy;
    one far from all."""
    again = frames[1].copy()
    again = again[::-1]
    again.rotate(40, "z", rotate_cell=True)
    again.calc = frames[1].calc
    other = frames[2].copy()
    other.calc = frames[2].calc
    other.calc = type(other.calc)(other, energy=frames[2].get_potential_energy() + 1.6)
    far = frames[0].copy()
    far.set_cell(1.6 * far.cell, scale_atoms=True)
    write_frames(made / "again.xyz", [again, other, far])
    return made


def test_duplicates_and_outliers_are_found(run, twice, monkeypatch):
    said = run(
        "a.xyz --to again.xyz b.xyz --settings fit.toml --duplicates --outlier 2 "
        "--json found.json --plot found.png"
    )
    found = json.loads(Path("found.json").read_text())
    pairs = [(own["frame"], own["original"]) for own in found["duplicates"]]
    assert pairs == [("again.xyz#1", "a.xyz#2"), ("again.xyz#0", "a.xyz#1")]
    assert found["duplicates"][0]["energy_difference"] == pytest.approx(0.2)
    assert found["duplicates"][1]["energy_difference"] == pytest.approx(0.0, abs=1e-12)
    assert all(own["between"] and own["distance"] < 1e-6 for own in found["duplicates"])
    assert found["outliers"][0]["frame"] == "again.xyz#2"
    assert len(found["nearest"]) == found["structures"] == 11
    assert "1 of them with energies more than 0.1 meV/atom apart" in said
    assert "between --to and FRAMES: 2" in said and "200.000" in said
    assert Path("found.png").read_bytes().startswith(b"\x89PNG")
    both = run("a.xyz again.xyz --settings fit.toml --duplicates --json -")
    assert json.loads(both)["duplicates"][0]["frame"] == "again.xyz#1"


def test_threshold_and_unlabelled_frames(run, twice):
    ase.io.write("bare.xyz", emt_frames(3, seed=1, labels=()))
    said = run("bare.xyz --settings fit.toml --duplicates --threshold 5 --plot bare.png")
    assert "duplicates, at most 5 from one before: 2" in said and "bare.xyz#1" in said
    assert "outliers" in said


@pytest.mark.parametrize("n", [2, 5])
def test_frames_that_are_all_the_same_are_drawn(run, frames, n):
    write_frames("same.xyz", [frames[0]] * n)
    said = run("same.xyz --settings fit.toml --duplicates --plot same.png --json same.json")
    assert f"from one before: {n - 1}" in said and "from all but their duplicates" in said
    found = json.loads(Path("same.json").read_text())
    assert found["fence"] is None and found["outliers"] == [] and found["typical_distance"] == 0
    assert Path("same.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no reference data at {DATA}")
def test_silicon_set_has_strained_crystals_that_symmetry_makes_equal(made, monkeypatch, capsys):
    monkeypatch.chdir(made)
    folder = DATA / "mlearn_Si"
    files = [f"{folder}/train.xyz@140:", "--to", f"{folder}/test.xyz@15:"]
    line = ["describe", *files, "--settings", "fit.toml", "--duplicates", "--json", "-"]
    assert main(line) == 0
    found = json.loads(capsys.readouterr().out)["duplicates"]
    assert sum(own["between"] for own in found) == 3
    assert all(abs(own["energy_difference"]) < 1e-6 for own in found)


BAD = [
    ("none.xyz --settings fit.toml -o x.npz", "none.xyz: found nothing, expected an existing file"),
    ("a.xyz --settings none.toml -o x.npz", "none.toml: no such file"),
    ("a.xyz --model none.sgpr -o x.npz", "none.sgpr"),
    ("a.xyz --settings fit.toml --term 2 -o x.npz", "fit.toml: found no term 2, expected one from"),
    ("a.xyz --settings pair.toml -o x.npz", "pair.toml: term 1 is of kind 'pair', expected one"),
    ("a.xyz --settings fit.toml -o x.csv", "x.csv: found the ending '.csv', expected .npz or .h5"),
    ("a.xyz --settings fit.toml --kernel -o x.xyz", "x.xyz: found the ending '.xyz', expected .np"),
    ("a.xyz --settings fit.toml -o folder.npz", "folder.npz: found a folder, expected the name of"),
    ("a.xyz --settings fit.toml -o a.xyz", "a.xyz: is the file to read, expected another name"),
    ("a.xyz --settings fit.toml", "expected -o with a file for the numbers, or --duplicates"),
    (
        "a.xyz --settings fit.toml --duplicates -o x.npz",
        "--output: found with --duplicates, expect",
    ),
    (
        "a.xyz --settings fit.toml --zeta 2 -o x.npz",
        "--zeta: found with features, expected it with",
    ),
    (
        "a.xyz --settings fit.toml --pooling sum -o x.npz",
        "--pooling: found with rows of atoms, exp",
    ),
    (
        "a.xyz --settings fit.toml --per structure --pooling rematch -o x.npz",
        "pooling: found 'rematch', expected 'mean' or 'sum'",
    ),
    (
        "a.xyz --settings fit.toml --kernel --per atom --pooling sum -o x.npz",
        "--pooling: found with --per atom, expected --per structure",
    ),
    (
        "a.xyz --settings fit.toml --kernel --gamma 1 -o x.npz",
        "--gamma: expected --pooling rematch",
    ),
    ("a.xyz --settings fit.toml --centers Au -o x.xyz", "--centers: found with a column of all at"),
    (
        "a.xyz --settings fit.toml --centers Si -o x.npz",
        "found no atoms of Si in the structures, e",
    ),
    ("a.xyz@0 --settings fit.toml --duplicates", "found 1 point, expected at least two to compare"),
    (
        "a.xyz --settings fit.toml --duplicates --plot x.pdf",
        "x.pdf: found the ending '.pdf', expec",
    ),
    (
        "a.xyz --settings product.toml --duplicates",
        "product.toml: term 1: found a product of kerne",
    ),
    (
        "a.xyz --settings alchemy.toml --duplicates",
        "found centers = 'alchemical', expected separate",
    ),
    ("a.xyz --settings fit.toml --duplicates --energy-key e", "no frame has 'e'; names found: "),
    ("empty.xyz --settings fit.toml -o x.npz", "empty.xyz#0: found 0 atoms, expected at least one"),
    ("silicon.xyz --model own.sgpr -o x.npz", "silicon.xyz#0: the model does not know Si, it was"),
    (
        "atoms.xyz --settings fit.toml -o x.xyz",
        "atoms.xyz#0: has 'features' already, expected none",
    ),
]


@pytest.mark.parametrize("line, message", BAD)
def test_bad_input_is_one_sentence(bad, capsys, monkeypatch, line, message):
    monkeypatch.chdir(bad)
    before = set(bad.iterdir())
    assert main(["describe", *line.split()]) == 1
    said = [s for s in capsys.readouterr().err.splitlines() if "warning" not in s]
    assert len(said) == 1 and message in said[0]
    assert set(bad.iterdir()) == before


@pytest.fixture(scope="module")
def bad(made, frames):
    (made / "folder.npz").mkdir()
    factor = "{cutoff = 3.0, n_max = 2, l_max = 1}"
    (made / "product.toml").write_text(
        f'[[terms]]\nkind = "product"\nfactors = [{factor}, {factor}]\n'
    )
    (made / "alchemy.toml").write_text(
        TOML + 'alchemy = {dimensions = 1}\ncenters = "alchemical"\n'
    )
    ase.io.write(made / "empty.xyz", ase.Atoms(), format="extxyz")
    ase.io.write(made / "silicon.xyz", ase.Atoms("Si2", [[0, 0, 0], [0, 0, 2.3]]))
    labelled = frames[0].copy()
    labelled.arrays["features"] = np.zeros((8, 2))
    write_frames(made / "atoms.xyz", [labelled])
    product_model(species=(29, 79)).save(made / "own.sgpr")
    return made


def test_features_that_are_not_finite_are_named(frames, monkeypatch, tmp_path):
    (tmp_path / "fit.toml").write_text(TOML)
    term = descriptor_of(tmp_path / "fit.toml", None, 1).term_for(structures(frames))
    monkeypatch.setattr(
        "potential.descriptors.chosen.features", lambda *_: np.full((8, 63), np.nan)
    )
    with pytest.raises(Exception, match=r"^a.xyz#0: found features that are not finite$"):
        list(term.rows(structures(frames)))


def test_hdf5_without_h5py_is_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(Exception, match=r"x.h5: HDF5 files need the package h5py, which is not"):
        write_table(tmp_path / "x.h5", None)
