# SPDX-License-Identifier: BSD-3-Clause
"""Maps of structures and atoms: kernel PCA against scikit-learn, colours, pages, soap-gpr map."""

import gzip
import json
import re
import sys
import types
from html.parser import HTMLParser
from pathlib import Path

import ase.io
import numpy as np
import pytest
from targets import BY_COLUMN, with_targets
from training_data import emt_frames, write_frames

from potential import SoapDescriptor, structure_kernel
from potential.cli import main
from potential.descriptors.chosen import descriptor_of
from potential.descriptors.features import Features
from potential.errors import SoapGprError
from potential.maps import points as room
from potential.maps.catalogue import catalogue_of, thinned
from potential.maps.colors import NONE, coloring
from potential.maps.model_properties import errors_of
from potential.maps.nearest import survey
from potential.maps.points import PointKernel, Points, points_of
from potential.maps.projection import kernel_pca, landmarks, project
from potential.maps.properties import Property, property_of
from potential.model import Model
from potential.structures.structure import structure_from_atoms
from potential.training.fitting import fit

TOML = "[[terms]]\ncutoff = 3.5\nn_max = 3\nl_max = 2\nzeta = 2\n"


@pytest.fixture(scope="module")
def frames():
    found = emt_frames(12, seed=5)
    for k, atoms in enumerate(found):
        atoms.info["temperature"] = 100.0 * k
        atoms.arrays["shift"] = np.linspace(-1, 1, 8) + k
    return found


@pytest.fixture(scope="module")
def structures(frames):
    return [structure_from_atoms(atoms, source=f"a.xyz#{k}") for k, atoms in enumerate(frames)]


@pytest.fixture(scope="module")
def features(frames):
    return SoapDescriptor(cutoff=3.5, n_max=3, l_max=2).fit(frames).compute(frames)


@pytest.fixture(scope="module")
def made(tmp_path_factory, frames):
    folder = tmp_path_factory.mktemp("maps")
    write_frames(folder / "a.xyz", frames[:8])
    write_frames(folder / "b.xyz", frames[8:])
    (folder / "fit.toml").write_text(TOML)
    settings = {
        "data": {"train": [str(folder / "a.xyz")]},
        "terms": [{"cutoff": 3.5, "n_max": 3, "l_max": 2, "zeta": 2, "n_sparse": 10}],
    }
    fit(settings, progress=False).model.save(folder / "model.sgpr")
    return folder


@pytest.fixture
def folder(made, monkeypatch):
    monkeypatch.chdir(made)
    return made


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("pooling, zeta", [("features", 2), ("mean", 1), ("sum", 1), ("sum", 2)])
def test_condensed_points_have_the_kernel_of_all_environments(
    made, structures, features, pooling, zeta, normalize, monkeypatch
):
    monkeypatch.setattr(room, "SIDE", 5)
    term = descriptor_of(made / "fit.toml", None, 1).term_for(structures)
    kernel = PointKernel(zeta, pooling=pooling, normalize=normalize)
    found = points_of(term, structures, kernel)
    assert len(found.features.values) == (24 if kernel.condenses else 96)
    every = np.arange(12)
    expected = structure_kernel(features, zeta=zeta, pooling=pooling, normalize=normalize)
    np.testing.assert_allclose(found.between(every, every), expected, rtol=1e-10)
    np.testing.assert_allclose(found.own, np.diag(expected), rtol=1e-10)


def test_features_that_memory_does_not_hold_are_refused(made, structures, monkeypatch):
    term = descriptor_of(made / "fit.toml", None, 1).term_for(structures)
    monkeypatch.setattr(room, "available_bytes", lambda: 1000)
    with pytest.raises(SoapGprError, match=r"^96 rows of 63 features need .*or pooling 'features'"):
        points_of(term, structures, PointKernel(2, pooling="mean"))


def test_survey_is_that_of_all_pairs(monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    X[[7, 40, 41]] = X[3] + 1e-9 * rng.normal(size=(3, 4))
    X[50] += 40.0
    monkeypatch.setattr(room, "SIDE", 16)
    own = Points(Features(X, np.ones(60, int), np.arange(61)), PointKernel(1, per_atom=True))
    found = survey(own)
    d = np.linalg.norm(X[:, None] - X, axis=2)
    off = d + np.where(np.eye(60) > 0, np.inf, 0)
    np.testing.assert_allclose(found.distance, off.min(axis=1), atol=1e-6)
    np.testing.assert_array_equal(found.duplicates, [7, 40, 41])
    assert set(found.original[[7, 40, 41]]) == {3}
    np.testing.assert_allclose(found.beyond[3], np.partition(off[3], 3)[3], rtol=1e-6)
    assert found.outliers.tolist() == [50]
    assert found.typical == pytest.approx(np.median(d[np.triu_indices(60, 1)]), rel=1e-6)


@pytest.mark.parametrize("pooling", ["features", "sum", "rematch"])
def test_components_are_those_of_scikit_learn(features, pooling):
    decomposition = pytest.importorskip("sklearn.decomposition")
    own = Points(features, PointKernel(2, pooling=pooling, normalize=True))
    found, shares, n = kernel_pca(own, 3, n_landmarks=100)
    K = own.between(np.arange(12), np.arange(12))
    expected = decomposition.KernelPCA(3, kernel="precomputed", eigen_solver="dense")
    expected = expected.fit_transform(K)
    signs = np.sign((found * expected).sum(axis=0))
    tolerance = 1e-8 if pooling != "rematch" else 1e-4  # REMatch has negative eigenvalues
    np.testing.assert_allclose(found, signs * expected, atol=tolerance)
    assert n == 12 and (np.diff(shares) <= 0).all() and shares.sum() <= 1
    assert (found[np.abs(found).argmax(axis=0), range(3)] > 0).all()


def test_landmarks_that_span_the_space_give_the_same_map():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(80, 3))
    own = Points(Features(X, np.ones(80, int), np.arange(81)), PointKernel(1, per_atom=True))
    every, _, _ = kernel_pca(own, 3, n_landmarks=80)
    few, _, n = kernel_pca(own, 3, n_landmarks=3)
    assert n == 3
    np.testing.assert_allclose(few, every, atol=1e-8)
    np.testing.assert_allclose(every.T @ every, np.diag((every**2).sum(axis=0)), atol=1e-8)
    assert len(set(landmarks(own, 3))) == 3


def test_points_that_make_no_map_are_refused():
    def flat(n):
        return Points(Features(np.ones((n, 2)), np.ones(n, int), np.arange(n + 1)), kernel)

    kernel = PointKernel(1, per_atom=True)
    with pytest.raises(SoapGprError, match=r"^found 2 points, expected at least three for a map$"):
        project(flat(2))
    with pytest.raises(SoapGprError, match=r"^found points that are all the same, expected some"):
        project(flat(4))
    with pytest.raises(SoapGprError, match=r"^method: found 'tsne', expected one of kpca, umap$"):
        project(flat(4), "tsne")


def test_umap_starts_from_the_components(features, monkeypatch):
    seen = {}

    class UMAP:
        def __init__(self, **options):
            seen.update(options)

        def fit_transform(self, X):
            seen["X"] = X
            return X[:, :2]

    monkeypatch.setitem(sys.modules, "umap", types.SimpleNamespace(UMAP=UMAP))
    found = project(Points(features, PointKernel(2)), "umap", seed=4)
    assert found.names == ["UMAP 1", "UMAP 2"] and found.share is None
    assert seen["n_neighbors"] == 11 and seen["random_state"] == 4 and seen["X"].shape == (12, 50)
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(SoapGprError, match=r"^method umap needs the package umap-learn, which is"):
        project(Points(features, PointKernel(2)), "umap")


def test_properties_are_of_structures_atoms_and_files(frames, structures):
    whole, _ = catalogue_of(frames, structures, False)
    energy = property_of(whole, "energy")
    assert energy.unit == "eV/atom" and energy.is_number
    assert energy.values[2] == pytest.approx(frames[2].get_potential_energy() / 8)
    assert property_of(whole, "temperature").values[3] == 300.0
    assert property_of(whole, "name").values[1] == "frame 1"
    assert set(property_of(whole, "species").values) == {"Cu-Au"}
    assert property_of(whole, "volume").values[0] == pytest.approx(frames[0].get_volume() / 8)
    gold, warnings = catalogue_of(frames, structures, True, [79])
    assert warnings == [] and set(gold.species()) == {"Au"}
    charges = np.concatenate([atoms.arrays["shift"][atoms.numbers == 79] for atoms in frames])
    np.testing.assert_array_equal(property_of(gold, "shift").values, charges)
    np.testing.assert_array_equal(
        property_of(gold, "temperature").values, 100.0 * np.array(gold.structure)
    )
    with pytest.raises(
        SoapGprError, match=r"^nonsense: found in no atom or frame, expected one of"
    ):
        property_of(gold, "nonsense")
    with pytest.raises(SoapGprError, match=r"^forces: found several values for one point, ex"):
        property_of(whole, "forces")


def test_errors_are_those_of_the_model(made, frames, structures):
    model = Model.load(made / "model.sgpr")
    whole, _ = catalogue_of(frames, structures, False)
    expected = [1e3 * abs(model.evaluate(s).energy - s.energy) / len(s) for s in structures]
    np.testing.assert_allclose(errors_of(whole, model).values, expected, rtol=1e-8)
    atoms, _ = catalogue_of(frames, structures, True)
    few = thinned(atoms, 10, seed=1)
    assert len(few) == 10
    for k, (s, i) in enumerate(zip(few.structure, few.atom, strict=True)):
        own = few.structures[s]
        error = np.linalg.norm(model.evaluate(own).forces[i] - own.forces[i])
        assert errors_of(few, model).values[k] == pytest.approx(error)


def test_errors_of_the_potential_need_no_column_of_a_target(made, frames, structures):
    model = Model.load(made / "model.sgpr")
    both = with_targets(model, BY_COLUMN)
    whole, _ = catalogue_of(frames, structures, False)
    np.testing.assert_array_equal(errors_of(whole, both).values, errors_of(whole, model).values)


def test_colours_have_a_scale_or_groups():
    values = np.array([*np.linspace(0, 1, 100), 50.0, np.nan])
    found = coloring(Property("x", values, "eV"))
    assert found.colors[-1] == NONE and found.colors[-2] == found.shades[-2]
    assert 0 < found.limits[0] < 0.05 and 0.95 < found.limits[1] < 1
    same = coloring(Property("x", np.full(5, 2.0)))
    assert same.limits == (2.0, 2.0) and len(set(same.colors)) == 1
    words = coloring(Property("kind", np.array(["a", "b", "a", ""])))
    assert words.groups[0][0] == "a" and {name for name, _ in words.groups} == {"a", "b", "none"}
    assert words.colors[0] == words.colors[2] == words.groups[0][1]


class Reader(HTMLParser):
    """The circles, scripts and links of a page."""

    def __init__(self, page):
        super().__init__()
        self.circles, self.links, self.tags, self.data = [], [], [], {}
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append((tag, attrs))
        self.links += [attrs[key] for key in ("src", "href") if key in attrs]
        if tag == "circle":
            self.circles.append(attrs)

    def handle_data(self, data):
        if self.tags:
            self.data.setdefault(self.tags[-1][1].get("id"), data)


def test_page_stands_alone_and_has_every_point(folder, capsys):
    frames = ase.io.read("a.xyz", ":")
    frames[0].info["config_type"] = "</script><b>"
    write_frames("odd.xyz", frames)
    line = "map odd.xyz b.xyz --settings fit.toml --by temperature -o map.html map.png"
    assert main(line.split()) == 0
    assert "12 structures of odd.xyz, b.xyz" in capsys.readouterr().out
    text = Path("map.html").read_text()
    page = Reader(text)
    assert (
        len(page.circles) == 12
        and page.links == []
        and "http" not in re.sub(r'xmlns="[^"]*"', "", text)
    )
    assert text.count("</script>") == 2 and "<b>" not in text
    data = json.loads(page.data["map-data"])
    assert data["labels"][3].startswith("odd.xyz#3\ntemperature: 300\nenergy: ")
    assert data["labels"][3].endswith("eV/atom\nconfig_type: odd")
    assert [len(own["index"]) for own in data["colors"]] == [12] * 4
    first = data["colors"][0]
    assert [circle["fill"] for circle in page.circles] == [
        first["shades"][k] for k in first["index"]
    ]
    for circle in page.circles:
        assert 0 < float(circle["cx"]) < 900 and 0 < float(circle["cy"]) < 520
    assert text.count('class="legend hidden"') == 3
    assert Path("map.png").read_bytes().startswith(b"\x89PNG")


def test_map_of_atoms_and_errors_with_fewer_points(folder, capsys):
    line = (
        "map a.xyz b.xyz --model model.sgpr --per atom --centers Au --by error shift "
        "--points 20 --landmarks 8 -o atoms.html atoms.png"
    )
    assert main(line.split()) == 0
    said = capsys.readouterr().out
    assert "20 atoms of a.xyz, b.xyz, 20 of 36 at random" in said
    assert "Components are combinations of 8 of the atoms." in said
    page = Reader(Path("atoms.html").read_text())
    labels = json.loads(page.data["map-data"])["labels"]
    assert len(page.circles) == 20
    assert all(re.search(r"atom \d \(Au\)\nerror: [\d.e-]+ eV/Å\nshift", own) for own in labels)


@pytest.mark.parametrize("per", ["structure", "atom"])
def test_chemiscope_reads_the_file(folder, per):
    chemiscope = pytest.importorskip("chemiscope")
    line = f"map a.xyz --model model.sgpr --per {per} --by config_type -o map.json map.json.gz"
    assert main(line.split()) == 0
    content = json.loads(Path("map.json").read_text())
    assert content == json.loads(gzip.decompress(Path("map.json.gz").read_bytes()))
    n = 8 if per == "structure" else 64
    assert len(content["structures"]) == 8 and content["structures"][0]["size"] == 8
    assert len(content["properties"]["energy"]["values"]) == n
    assert content["settings"]["map"]["x"]["property"] in content["properties"]
    assert content["properties"]["config_type"]["target"] == per
    assert len(content.get("environments", [])) == (0 if per == "structure" else 64)
    # what the package itself makes of its content
    again = chemiscope.create_input(
        content["structures"],
        metadata=content["meta"],
        properties=content["properties"],
        settings=content["settings"],
        environments=[tuple(own.values()) for own in content.get("environments", [])] or None,
    )
    assert again == content


@pytest.mark.parametrize(
    "line, message",
    [
        ("none.xyz --settings fit.toml", "none.xyz: found nothing, expected an existing file"),
        ("a.xyz --settings fit.toml --term 3", "fit.toml: found no term 3, expected one from 1 to"),
        ("a.xyz --settings fit.toml -o x.svg", "x.svg: found the ending '.svg', expected .html or"),
        ("a.xyz --settings fit.toml -o x.html x.html", "x.html: is to be written twice, expected"),
        (
            "a.xyz --settings fit.toml -o folder.html",
            "folder.html: found a folder, expected the na",
        ),
        (
            "a.xyz --settings fit.toml --by error",
            "--by error: found with --settings, expected --mo",
        ),
        (
            "a.xyz --settings fit.toml --by pressure",
            "pressure: found in no frame, expected one of e",
        ),
        ("a.xyz@:2 --settings fit.toml", "found 2 points, expected at least three for a map"),
        (
            "a.xyz --settings fit.toml --centers Si",
            "found no atoms of Si in the structures, expect",
        ),
        (
            "a.xyz --settings fit.toml --per atom --gamma 1",
            "--gamma: found with --per atom, expect",
        ),
        (
            "bare.xyz --settings fit.toml --by energy",
            "energy: found no labels of the energy, expec",
        ),
        (
            "bare.xyz --model model.sgpr --by error",
            "error: found no labels of the energy, expected",
        ),
        (
            "same.xyz --settings fit.toml",
            "found points that are all the same, expected some that d",
        ),
        (
            "a.xyz --settings fit.toml --per atom --by pos",
            "pos: found in no atom or frame, expecte",
        ),
        (
            "a.xyz --model model.sgpr --per atom --by positions",
            "positions: found several values for one",
        ),
    ],
)
def test_bad_input_is_one_sentence(folder, capsys, line, message):
    Path("folder.html").mkdir(exist_ok=True)
    bare = emt_frames(4, seed=2, labels=())
    for atoms in bare:
        atoms.calc = None
    write_frames("bare.xyz", bare)
    write_frames("same.xyz", [bare[0]] * 4)
    before = set(folder.iterdir())
    assert main(["map", *line.split()]) == 1
    said = [s for s in capsys.readouterr().err.splitlines() if "warning" not in s]
    assert len(said) == 1 and message in said[0]
    assert set(folder.iterdir()) == before


def test_chemiscope_that_is_missing_is_one_sentence(folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "chemiscope", None)
    assert main(["map", "a.xyz", "--settings", "fit.toml", "-o", "map2.json"]) == 1
    said = capsys.readouterr().err
    assert "map2.json: chemiscope files need the package chemiscope, which is not inst" in said
