# SPDX-License-Identifier: BSD-3-Clause
"""Fits with alchemical maps and coupled centres: all that a fit, its files and its users ask."""

import json

import numpy as np
import pytest
from alchemical import alchemical_model
from body_order import assert_rows_are_the_evaluation
from models import random_structure
from training_data import emt_frames, small_settings, write_frames

from potential import Model, SoapGprError
from potential.cli import main
from potential.descriptors import SoapDescriptor
from potential.model.compression import compress
from potential.model.evaluation import evaluate_structures
from potential.reports.elements import cell, directions
from potential.selection.rows import Coupling
from potential.selection.select import select
from potential.settings.file import parse_settings
from potential.structures.structure import structure_from_atoms
from potential.terms import terms_of
from potential.training.estimate import estimate
from potential.training.fitting import fit
from potential.training.provenance import summary
from potential.training.refit import refit
from potential.validation.cross_validation import FoldFactors
from potential.validation.learning_curve import learning_curve
from potential.validation.row_store import prepare, read_data

E0 = {"Cu": 3.5, "Au": 3.8, "Ag": 3.0}
COUPLED = ("alchemical", "shared")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alchemy")
    train = write_frames(folder / "train.xyz", emt_frames(10, seed=1))
    return train, write_frames(folder / "test.xyz", emt_frames(4, seed=2))


def settings_of(files, centers, alchemy=None, **term):
    alchemy = {"dimensions": 2} if alchemy is None else alchemy
    own = small_settings(files[0], [files[1]], alchemy=alchemy, centers=centers, **term)
    return own | {"solver": {"keep_factor": True}}


@pytest.fixture(scope="module", params=COUPLED)
def result(request, files):
    return fit(settings_of(files, request.param), progress=False)


def test_one_set_serves_all_centers(result):
    model = result.model
    (points,) = model.sparse_points(0).values()
    (term,) = terms_of(model)
    assert len(points) == model.n_weights == sum(term.counts.values()) == 40
    assert set(term.counts) == {"Cu", "Au"}
    assert result.provenance["sparse_points"] == [term.counts]
    assert "24" not in term.description and "of 2 pseudo-species" in term.description
    assert f"{term.entry['centers']} centers" in summary(model)
    assert result.test_errors["all"]["energy"].rmse < 0.01
    for atoms in emt_frames(2, seed=5):
        assert_rows_are_the_evaluation(model, atoms)


def test_a_refit_is_the_fit(result):
    again = refit(Model(result.model.to_bytes()), jitter=1e-10)
    weights = result.model.arrays["term0.weights.0"]
    np.testing.assert_allclose(again.arrays["term0.weights.0"], weights, rtol=1e-6)


def test_a_compressed_model_is_the_model_within_the_tolerance(result):
    structures = [structure_from_atoms(atoms) for atoms in emt_frames(3, seed=4)]
    smaller = compress(result.model, structures, 1e-3)
    assert smaller.deviation.force <= 1e-3
    ((_, name),) = smaller.ranks
    assert name == "all" and "Compressed     all: " in summary(smaller.model)
    before, after = (evaluate_structures(m, structures) for m in (result.model, smaller.model))
    assert 0 < np.abs(before[0].forces - after[0].forces).max() <= 1e-3


@pytest.mark.parametrize("centers", COUPLED)
def test_learning_curves_and_cross_validation_take_them(files, centers):
    settings = parse_settings(settings_of(files, centers))
    curve = learning_curve(settings, [5, 10], repeats=1)
    model = fit(settings, progress=False)
    expected = model.test_errors["all"]["force"].rmse
    assert curve.errors["force"]["rmse"][1, 0] == pytest.approx(expected, rel=1e-6)
    factors = FoldFactors(prepare(settings, read_data(settings)), 2)
    assert 0 < factors.cross_validate(settings).rmse["force"] < 1


def test_points_come_again_from_a_model_and_from_marked_atoms(files, result, tmp_path):
    result.model.save(tmp_path / "first.sgpr")
    term = {"sparse_method": "file", "sparse_file": str(tmp_path / "first.sgpr")}
    centers = result.model.terms[0]["centers"]
    own = settings_of(files, centers, **term)
    del own["terms"][0]["n_sparse"]
    again = fit(own, progress=False).model
    for name in ("sparse_points.0", "sparse_species"):
        np.testing.assert_array_equal(
            again.arrays[f"term0.{name}"], result.model.arrays[f"term0.{name}"]
        )
    own["terms"][0]["sparse_file"] = files[1]
    of_frames = fit(own, progress=False).model
    assert 0 < of_frames.n_weights <= 32
    other = {"alchemical": "shared", "shared": "alchemical"}[centers]
    own["terms"][0] |= {"centers": other, "sparse_file": str(tmp_path / "first.sgpr")}
    with pytest.raises(SoapGprError, match="found no soap term with the basis and the species"):
        fit(own, progress=False)


def test_the_estimate_counts_one_set(files):
    own = settings_of(files, "shared", n_sparse=50)
    assert "Weights        at most 50" in estimate(own)
    own["terms"][0]["n_sparse"] = 500
    assert "Weights        at most 80" in estimate(own)


def test_quotas_are_of_the_one_set(files):
    own = settings_of(files, "shared", n_sparse_config_type={"odd": 15}, n_sparse=20)
    assert fit(own, progress=False).model.n_weights == 20


@pytest.mark.parametrize("method", ["fps", "cur"])
def test_the_choice_is_that_of_the_coupled_kernel(method):
    rng = np.random.default_rng(0)
    X = np.abs(rng.normal(size=(30, 5)))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    species = rng.integers(3, size=30)
    u = rng.normal(size=(3, 2))
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    K = (X @ X.T) ** 3 * (u @ u.T)[species][:, species]
    chosen = select(X, 8, method, zeta=3, coupling=Coupling(species, u @ u.T)).tolist()
    for step in range(1, 8):
        if method == "fps":
            d2 = 2 - 2 * K[:, chosen[:step]]
            measure = d2.min(axis=1)
        else:
            own = K[:, chosen[:step]]
            inverse = np.linalg.inv(own[chosen[:step]])
            measure = np.diag(K) - np.einsum("ij,jk,ik->i", own, inverse, own)
        assert chosen[step] == np.argmax(measure)


def test_equal_environments_of_two_species_are_two_where_they_count_as_such():
    X, species = np.ones((4, 1)), np.array([0, 1, 0, 1])
    assert len(select(X, 3)) == 1
    assert len(select(X, 3, coupling=Coupling(species, np.eye(2)))) == 2


def with_extra(files, centers="shared", e0=E0, terms=None, **data):
    own = settings_of(files, centers)
    own["data"] |= {"extra_species": ["Ag"], **data}
    own["baseline"] = {"isolated_atom_energies": e0}
    own["terms"] += terms or []
    return own


@pytest.mark.parametrize("centers", ["separate", *COUPLED])
def test_an_element_that_training_lacks_can_be_used(files, centers):
    found = fit(with_extra(files, centers), progress=False)
    (warning,) = [line for line in found.warnings if "Ag" in line]
    assert warning.startswith("[data] extra_species: Ag is in no training structure")
    assert ("e0 alone" in warning) == (centers == "separate")
    assert found.model.species == (29, 47, 79)
    (atoms,) = emt_frames(1, seed=9)
    atoms.numbers[0] = 47
    energies = found.model.evaluate(atoms).energies
    assert (abs(energies[0] - E0["Ag"]) < 1e-12) == (centers == "separate")
    assert abs(energies[1:] - [E0[s] for s in atoms.symbols[1:]]).min() > 0.1
    assert_rows_are_the_evaluation(found.model, atoms)


def test_a_factor_of_a_fit_without_the_element_is_refused(files, tmp_path):
    own = with_extra(files)
    fit(own | {"data": own["data"] | {"extra_species": []}}, progress=False, factor=tmp_path / "f")
    with pytest.raises(SoapGprError):
        fit(own, progress=False, factor=tmp_path / "f")


def test_an_extra_element_that_training_has_is_said(files):
    found = fit(with_extra(files, extra_species=["Cu"]), progress=False)
    assert "[data] extra_species: Cu is in the training structures" in found.warnings


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"e0": "fit"}, r"extra_species: found Ag, expected their e0 in a table \[baseline\]"),
        ({"e0": {"Cu": 1.0, "Au": 1.0}}, "found Ag, expected their e0 in a table"),
        ({"terms": [{"kind": "pair"}]}, r"found Ag, expected none with \[\[terms\]\] number 2"),
        ({"terms": [{"n_sparse": 5}]}, r"expected none with \[\[terms\]\] number 2"),
        ({"extra_species": ["Xx"]}, r"extra_species: found \['Xx'\], expected a list of chemical"),
        ({"extra_species": "Ag"}, 'found "Ag", expected a list of chemical symbols'),
    ],
)
def test_extra_elements_that_cannot_be_served_are_refused(files, change, message):
    with pytest.raises(SoapGprError, match=message):
        fit(with_extra(files, **change), progress=False)


def test_a_product_of_maps_serves_an_extra_element(files):
    factor = {"cutoff": 3.5, "n_max": 2, "l_max": 1, "alchemy": {"dimensions": 1}}
    own = with_extra(files)
    own["terms"] = [{"kind": "product", "factors": [factor, factor | {"zeta": 1}], "n_sparse": 5}]
    found = fit(own, progress=False)
    assert any("Ag" in line and "e0 alone" in line for line in found.warnings)
    (atoms,) = emt_frames(1, seed=9)
    before = found.model.evaluate(atoms)
    atoms.numbers[0] = 47
    after = found.model.evaluate(atoms)
    assert abs(after.energies[0] - E0["Ag"]) < 1e-12
    assert abs(after.energies[1:] - before.energies[1:]).max() > 1e-6  # as a neighbour it counts


MAP = "cutoff = 3.5\nn_max = 2\nl_max = 1\nalchemy = {dimensions = 5}\n"
PRODUCT = "[[terms]]\nkind = 'product'\nfactors = [{cutoff = 3.0}, {cutoff = 3.5, "


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"[[terms]]\n{MAP}", "[[terms]] alchemy.dimensions: found 5, expected at most 2"),
        (
            f"[[terms]]\nkind = 'pair'\n[[terms]]\n{MAP}",
            "[[terms]] number 2 alchemy.dimensions: found 5, expected at most 2",
        ),
        (
            "[[terms]]\nkind = 'pair'\n[[terms]]\nalchemy = {dimensions = 0}",
            "[terms.alchemy] of [[terms]] number 2 dimensions: found 0",
        ),
        (
            PRODUCT + "alchemy = {dimensions = 5}}]",
            "[[terms]] factor 2 alchemy.dimensions: found 5, expected at most 2",
        ),
        (PRODUCT + "atom_sigma = {Cu = 1}}]", "[[terms]] factor 2: atom_sigma has no entry for Au"),
        ("[[terms]]\natom_sigma = {Cu = 1}", "[[terms]] atom_sigma has no entry for Au"),
        ("[[terms]]\nn_sparse = {Cu = 1}", "[[terms]] n_sparse: found Cu, expected Au as well"),
        (
            "[[terms]]\nkind = 'pair'\n[[terms]]\natom_sigma = {MW = 1}",
            "[[terms]] number 2 atom_sigma: found the key 'MW', expected a chemical symbol",
        ),
        (
            "[[terms]]\nalchemy = {dimensions = 1, start = {MW = [1]}}",
            "[terms.alchemy] start: found the key 'MW', expected a chemical symbol or a bead",
        ),
        ("extra_species = ['Ag']", "[data] extra_species: found Ag, expected their e0 in a table"),
        ("extra_species = ['ag']", "[data] extra_species: found 'ag', expected a chemical symbol"),
        (
            "[baseline]\nisolated_atom_energies = {Cu = 1}",
            "[baseline] isolated_atom_energies: found Cu, expected Au as well",
        ),
    ],
)
def test_what_data_contradict_is_named_with_its_file(files, tmp_path, capsys, text, message):
    path = tmp_path / "fit.toml"
    path.write_text(f"[data]\ntrain = ['{files[0]}']\n{text}\n")
    assert main(["fit", str(path), "-o", str(tmp_path / "m.sgpr")]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and f"error: {path}: {message}" in error


@pytest.mark.parametrize(
    ("term", "message"),
    [
        ({"centers": "odd"}, 'centers: found "odd", expected one of "separate", "alchemical"'),
        ({"centers": "alchemical", "alchemy": None}, 'expected "separate" or "shared" without'),
        ({"n_sparse": {"Cu": 5, "Au": 5}}, "n_sparse: found a table by species, expected one"),
        ({"sparse_basis": "derivatives"}, 'centers: found "shared", expected "separate" with'),
    ],
)
def test_bad_settings_of_centers_are_refused(files, term, message):
    own = settings_of(files, "shared")
    own["terms"][0] |= term
    with pytest.raises(SoapGprError, match=message):
        parse_settings(own)


def test_centers_are_shared_without_a_map_too(files):
    own = settings_of(files, "shared")
    del own["terms"][0]["alchemy"]
    model = fit(own, progress=False).model
    assert "term0.alchemy" not in model.arrays and model.n_weights == 40


def test_the_command_says_what_a_model_is(tmp_path, capsys):
    model = alchemical_model(centers="alchemical")
    model.save(tmp_path / "model.sgpr")
    assert main(["info", str(tmp_path / "model.sgpr")]) == 0
    text = capsys.readouterr().out
    assert "6 density channels of 2 pseudo-species, alchemical centers" in text
    assert "H 5, O 5, Cu 5, Au 5" in text
    assert main(["info", "--json", str(tmp_path / "model.sgpr")]) == 0
    assert json.loads(capsys.readouterr().out)["terms"][0]["table_of"] == [0, 0, 0, 0]


def test_a_report_shows_where_elements_lie(files, result, tmp_path):
    result.model.save(tmp_path / "model.sgpr")
    page = tmp_path / "page.html"
    assert main(["report", str(tmp_path / "model.sgpr"), files[1], "-o", str(page)]) == 0
    text = page.read_text()
    assert "Elements as term 1 sees them (2 pseudo-species)" in text
    assert "The same colours in the periodic table" in text


def test_places_of_elements_do_not_depend_on_the_rotation_of_the_map():
    rng = np.random.default_rng(3)
    u, rotation = rng.normal(size=(7, 4)), np.linalg.qr(rng.normal(size=(4, 4)))[0]
    np.testing.assert_allclose(directions(u), directions(u @ rotation), atol=1e-12)
    places = directions(u[:, :1])
    np.testing.assert_allclose(np.abs(places[:, 0]), np.abs(u[:, 0]))
    assert len(set(map(cell, range(1, 119)))) == 118
    assert (cell(1), cell(2), cell(79), cell(57)) == ((1, 1), (1, 18), (6, 11), (8, 4))


def test_features_of_descriptors_are_named_by_pseudo_species():
    soap = SoapDescriptor(n_max=2, l_max=1, alchemy={"dimensions": 2}, species=["Cu", "Ag", "Au"])
    names = soap.get_feature_names_out()
    assert names[:3].tolist() == [
        "J=0 n=0 J=0 n=0 l=0",
        "J=0 n=0 J=0 n=1 l=0",
        "J=0 n=0 J=1 n=0 l=0",
    ]
    assert soap(random_structure([29, 47, 79])).shape == (3, len(names))
