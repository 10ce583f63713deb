# SPDX-License-Identifier: BSD-3-Clause
"""Fits of [[targets]]: equal to dense least squares, beside a potential and alone, from data with
holes, on several ranks, through all commands."""

import json

import ase.io
import numpy as np
import pytest
from ase.calculators.emt import EMT
from targets import AVERAGE, SITE, TOTAL, labelled, target_toml
from targets import target_settings as settings
from test_fit_ranks import run_fit
from training_data import write_fit

from potential import Model, SoapGprError, _core, fit
from potential.cli import main
from potential.structures.structure import structure_from_atoms
from potential.training.refit import refit


@pytest.fixture(scope="module")
def train():
    return labelled(12, seed=1)


@pytest.fixture(scope="module")
def test():
    return labelled(6, seed=2)


@pytest.fixture(scope="module")
def result(train, test):
    return fit(settings(SITE, TOTAL, AVERAGE), train=train, test=test, progress=False)


def test_potential_is_that_of_a_fit_without_targets(result, train):
    alone = fit(settings(), train=train, progress=False).model
    for a in range(2):
        found, expected = (m.arrays[f"term0.weights.{a}"] for m in (result.model, alone))
        np.testing.assert_array_equal(found, expected)


def test_targets_are_learnt(result, test):
    errors = result.test_property_errors
    spreads = {key: np.std([atoms.info[key] for atoms in test]) for key in ("sum", "mean")}
    assert errors["site"]["Cu"].rmse < 0.05 and errors["site"]["Au"].rmse < 0.05
    assert set(errors["total"]) == {"all", "even", "odd"}
    assert errors["total"]["all"].rmse < 0.5 * spreads["sum"]
    assert errors["average"]["all"].rmse < 0.5 * spreads["mean"]


def design(model, frames, a=None):
    """Rows of kernels (n, n_weights): of all atoms of a species, or sums for each frame."""
    rows, sizes = [], [len(model.sparse_points(0)[k]) for k in range(2)]
    for atoms in frames:
        environments = model.environments(structure_from_atoms(atoms))
        K = _core.kernel_rows(model.core, 0, environments)
        if a is None:
            rows.append(K.sum(axis=0)[None])
        else:
            own = slice(sum(sizes[:a]), sum(sizes[: a + 1]))
            rows.append(K[environments.species == a][:, own])
    return np.concatenate(rows)


def dense_weights(A, y, sigma, K_MM, s):
    """argmin of eq. (23f) by the normal equations; s (n_weights,)."""
    prior = K_MM + 1e-10 * np.mean(np.diag(K_MM)) * np.eye(len(K_MM))
    return np.linalg.solve(A.T @ A / sigma**2 + prior / np.outer(s, s), A.T @ y / sigma**2)


def prior_scales(model, scale):
    """s (n_weights,) of eq. (23c), of the one term of a model."""
    K_MM, out, begin = model.kernel_matrix(), [], 0
    for points in model.sparse_points(0).values():
        own = slice(begin, begin + len(points))
        v = np.mean(np.diag(K_MM[own, own])) - np.mean(K_MM[own, own])
        out.append(np.full(len(points), scale / np.sqrt(v)))
        begin = own.stop
    return np.concatenate(out)


@pytest.mark.parametrize("a", [0, 1])
def test_weights_of_atoms_are_dense_least_squares_of_each_species(result, train, a):
    model = result.model
    z = model.species[a]
    y = np.concatenate([atoms.arrays["site_energy"][atoms.numbers == z] for atoms in train])
    A = design(model, train, a)
    sizes = [len(model.sparse_points(0)[k]) for k in range(2)]
    own = slice(sum(sizes[:a]), sum(sizes[: a + 1]))
    K_MM = model.kernel_matrix()[own, own]
    W = dense_weights(A, y - y.mean(), 0.01, K_MM, prior_scales(model, y.std())[own])
    assert model.arrays["target0.mean"][a] == pytest.approx(y.mean())
    np.testing.assert_allclose(
        A @ model.arrays[f"target0.term0.weights.{a}"], A @ W, atol=1e-6 * y.std()
    )


@pytest.mark.parametrize(("h", "key", "sigma"), [(1, "sum", 0.02), (2, "mean", 0.005)])
def test_weights_of_structures_are_dense_least_squares(result, train, h, key, sigma):
    model, n = result.model, len(train[0])
    A = design(model, train) / (n if key == "mean" else 1)
    y = np.array([atoms.info[key] for atoms in train])
    counts = np.array([[np.sum(atoms.numbers == z) for z in model.species] for atoms in train])
    left = y - counts @ model.arrays[f"target{h}.mean"] / (n if key == "mean" else 1)
    scale = np.sqrt(np.mean(left**2)) * (n**0.5 if key == "mean" else n**-0.5)
    W = dense_weights(A, left, sigma, model.kernel_matrix(), prior_scales(model, scale))
    found = np.concatenate([model.arrays[f"target{h}.term0.weights.{a}"] for a in range(2)])
    np.testing.assert_allclose(A @ found, A @ W, atol=1e-5 * left.std())


def test_record_says_what_was_fitted(result):
    site, total, _ = result.provenance["targets"]
    assert site["labels"] == 12 * 8 and total["labels"] == 12
    assert set(site["mean"]) == {"Cu", "Au"} and site["sigma"] == {"Cu": 0.01, "Au": 0.01}
    assert result.provenance["train_target_errors"]["site"]["Cu"]["count"] > 0


def test_targets_alone_make_a_model_without_a_potential(train, test):
    bare = [labelled(4, seed, labels=()) for seed in (1, 2)]
    found = fit(settings(SITE | {"species": ["Cu"]}), train=bare[0], test=bare[1], progress=False)
    assert not found.model.has_potential and found.train_errors == {"all": {}}
    assert "the model has targets and no potential" in found.warnings
    assert set(found.test_property_errors["site"]) == {"all", "Cu"}
    values = found.model.evaluate(test[0]).properties["site"]
    np.testing.assert_array_equal(np.isnan(values), test[0].numbers == 79)


def test_noise_inf_for_all_labels_leaves_the_targets(train):
    inf = float("inf")
    noise = {"energy_per_atom": inf, "force": inf, "virial_per_atom": inf}
    found = fit(settings(SITE) | {"noise": noise}, train=train, progress=False)
    assert not found.model.has_potential


def test_shared_centres_are_one_regression(train, test):
    found = fit(settings(SITE, centers="shared"), train=train, test=test, progress=False)
    assert found.provenance["targets"][0]["weights"] == 20
    assert found.test_property_errors["site"]["all"].rmse < 0.1
    table = SITE | {"scale": {"Cu": 1.0, "Au": 0.5}}
    with pytest.raises(SoapGprError, match="one number, as centers of different species share"):
        fit(settings(table, centers="shared"), train=train, progress=False)


def test_products_serve_targets(train, test):
    factors = [{"n_max": 3, "l_max": 2, "cutoff": cutoff, "zeta": 1} for cutoff in (3.0, 4.5)]
    own = settings(SITE, AVERAGE)
    own["terms"] = [{"kind": "product", "n_sparse": 20, "factors": factors}]
    found = fit(own, train=train, test=test, progress=False)
    assert found.test_property_errors["site"]["all"].rmse < 0.1
    spread = np.std([atoms.info["mean"] for atoms in test])
    assert found.test_property_errors["average"]["all"].rmse < 0.5 * spread


def test_features_of_each_species_serve_targets(train, test):
    selection = {"n_features": 14, "per_species": True}
    model = fit(settings(SITE, feature_selection=selection), train=train, progress=False).model
    environments = model.environments(structure_from_atoms(test[0]))
    weights = [model.arrays[f"target0.term0.weights.{a}"] for a in range(2)]
    found = _core.kernel_rows(model.core, 0, environments) @ np.concatenate(weights)
    found += model.arrays["target0.mean"][environments.species]
    np.testing.assert_allclose(found, model.evaluate(test[0]).properties["site"], atol=1e-10)


def test_scale_and_mean_may_be_given(train):
    given = SITE | {"scale": {"Cu": 0.3, "Au": 0.5}, "mean": {"Cu": 0.1, "Au": 0.2}}
    given |= {"noise": {"Cu": 0.01, "Au": 0.02}}
    (record,) = fit(settings(given), train=train, progress=False).provenance["targets"]
    assert record["scale"] == {"Cu": 0.3, "Au": 0.5} and record["mean"] == {"Cu": 0.1, "Au": 0.2}
    (record,) = fit(settings(SITE | {"mean": "zero"}), train=train, progress=False).provenance[
        "targets"
    ]
    assert record["mean"] == {"Cu": 0.0, "Au": 0.0}


def test_only_the_terms_that_are_named_have_weights(train):
    own = settings(SITE | {"terms": [2]})
    own["terms"] += [own["terms"][0] | {"cutoff": 3.0}, {"kind": "pair", "cutoff": 4.0}]
    model = fit(own, train=train, progress=False).model
    assert "target0.term1.weights.0" in model.arrays
    assert "target0.term0.weights.0" not in model.arrays
    with pytest.raises(SoapGprError, match="found 3, expected terms of kind"):
        fit(own | {"targets": [SITE | {"terms": [3]}]}, train=train, progress=False)


def test_holes_in_the_labels_are_counted(train):
    frames = [atoms.copy() for atoms in train]
    frames[0].arrays["site_energy"][:3] = np.nan
    del frames[1].arrays["site_energy"]
    found = fit(settings(SITE), train=frames, progress=False)
    assert "target site: 3 labels are nan and were left out" in found.warnings
    assert "target site: 1 of 12 structures have no 'site_energy'" in found.warnings
    assert found.provenance["targets"][0]["labels"] == 11 * 8 - 3


def changed(train, change):
    frames = [atoms.copy() for atoms in train[:3]]
    for atoms in frames:
        change(atoms)
    return frames


def constant(atoms):
    atoms.arrays["site_energy"][:] = 2.0


def a_word(atoms):
    atoms.arrays["site_energy"] = np.array(["x"] * len(atoms))


def all_nan(atoms):
    atoms.arrays["site_energy"][:] = np.nan


def no_gold(atoms):
    atoms.arrays["site_energy"][atoms.numbers == 79] = np.nan


def infinite(atoms):
    atoms.arrays["site_energy"][0] = np.inf


def short(atoms):
    atoms.calc = EMT()
    atoms.get_potential_energy()
    atoms.calc.results["site"] = np.zeros(3)


@pytest.mark.parametrize(
    ("target", "change", "words"),
    [
        (
            {"key": "sites"},
            None,
            "no frame has 'sites', the key of target site; names found: .*site",
        ),
        ({"key": "two"}, None, "two: found 2 columns, expected column = 0 to 1 for target site"),
        ({"key": "two", "column": 2}, None, "found 2 columns, expected one with the number 2"),
        ({"column": 0}, None, "found no columns, expected them for column = 0"),
        ({"key": "sum"}, None, "found one value, expected a column of atoms .* per_atom = false"),
        ({"per_atom": False}, None, "found a column of atoms, expected a value of the frame"),
        ({"key": "site"}, short, r"site: found shape \(3,\), expected a number for each atom"),
        ({}, constant, r"all \d+ labels of Cu are 2, expected labels that vary"),
        ({}, a_word, "site_energy: found .* expected a number for each atom"),
        ({}, all_nan, "site_energy: found only nan for target site, expected labels"),
        ({}, no_gold, "found no label of an atom of Au, expected some, or species that do not"),
        ({}, infinite, "found a number beyond 1e\\+08, or infinite"),
        ({"species": ["H"]}, None, "found only nan for target site on atoms of H, expected labels"),
        ({"species": ["Cu", "H"]}, None, "found H in species, expected species of the training"),
        ({"noise": {"Cu": 1.0}}, None, "found noise for Cu, expected Au as well"),
    ],
)
def test_bad_labels_are_one_sentence(train, target, change, words):
    frames = changed(train, change or (lambda atoms: None))
    with pytest.raises(SoapGprError, match=words) as caught:
        fit(settings(SITE | target), train=frames, progress=False)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        ([SITE | {"name": "a b"}], 'found "a b", expected a word'),
        ([SITE | {"name": "forces"}], 'found "forces", expected another one'),
        ([SITE, SITE], "number 2 name: found 'site', expected no name twice"),
        ([SITE | {"extensive": False}], "extensive: found False, expected nothing with per_atom"),
        ([TOTAL | {"species": ["Cu"]}], "species: found some, expected none with per_atom = false"),
        ([TOTAL | {"noise": {"Cu": 1.0}}], "noise: found a table, expected one number"),
        ([SITE | {"terms": [4]}], "number 1 terms: found 4, expected numbers to 1"),
        ([SITE | {"noise": 0}], "noise: found 0, expected a number"),
        ([{"name": "q", "key": "q"}], "noise: missing, and it has no default"),
    ],
)
def test_bad_settings_are_one_sentence(train, targets, words):
    with pytest.raises(SoapGprError, match=words):
        fit(settings(*targets), train=train, progress=False)


def test_targets_need_terms_of_environments(train):
    own = {"terms": [{"kind": "pair", "cutoff": 4.0}], "targets": [SITE]}
    with pytest.raises(SoapGprError, match=r"found no \[\[terms\]\] that it could use"):
        fit(own, train=train, progress=False)


def test_factor_in_the_model_is_of_a_potential():
    own = settings(SITE) | {"solver": {"keep_factor": True}}
    with pytest.raises(SoapGprError, match=r"\[solver\] keep_factor: found no energies, forces"):
        fit(own, train=labelled(4, 1, labels=()), progress=False)


def test_maps_cannot_be_optimised_without_energies():
    alchemy = {"dimensions": 2, "optimise": {"n_structures": 5}}
    with pytest.raises(SoapGprError, match="number 1: alchemy: found optimise, expected energies"):
        fit(settings(SITE, alchemy=alchemy), train=labelled(4, 1, labels=()), progress=False)


def test_refit_keeps_the_targets(train):
    own = settings(SITE) | {"solver": {"keep_factor": True}}
    model = fit(own, train=train, progress=False).model
    again = refit(model, jitter=1e-8)
    np.testing.assert_array_equal(
        again.arrays["target0.term0.weights.0"], model.arrays["target0.term0.weights.0"]
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory, train, test):
    return write_fit(tmp_path_factory.mktemp("targets"), target_toml(20), train, test)


def test_commands_show_the_targets(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    assert main(["fit", "fit.toml", "--dry-run"]) == 0
    assert "Targets        site, average" in capsys.readouterr().out
    assert main(["fit", "fit.toml", "-o", "m.sgpr"]) == 0
    said = capsys.readouterr().out
    assert "Test errors of targets" in said and "Target         site (eV) of atoms" in said
    assert main(["info", "m.sgpr"]) == 0
    assert "mean over atoms, terms 1; 12 labels" in capsys.readouterr().out
    assert main(["evaluate", "m.sgpr", "test.xyz", "-o", "out.xyz", "--json", "e.json"]) == 0
    assert "average  all" in capsys.readouterr().out
    errors = json.loads((folder / "e.json").read_text())
    assert errors["target_errors"]["site"]["Au"]["count"] > 0
    assert errors["target_units"] == {"site": "eV", "average": ""}
    written, model = ase.io.read("out.xyz", ":"), Model.load("m.sgpr")
    for atoms, source in zip(written, ase.io.read("test.xyz", ":"), strict=True):
        found = model.evaluate(source).properties
        np.testing.assert_allclose(atoms.arrays["site"], found["site"], atol=1e-7)
        np.testing.assert_allclose(
            atoms.arrays["reference_site"], source.arrays["site_energy"], atol=1e-7
        )
        assert atoms.info["average"] == pytest.approx(found["average"])
    assert main(["report", "m.sgpr", "test.xyz", "-o", "r.html"]) == 0
    page = (folder / "r.html").read_text()
    assert "site: 48 values" in page and "average: 6 values" in page


def test_ranks_find_the_weights_of_one_process(folder):
    done = run_fit(folder, "-o", "two.sgpr", ranks=2)
    assert done.returncode == 0, done.stderr
    one = fit(folder / "fit.toml", progress=False).model
    two = Model.load(folder / "two.sgpr")
    for atoms in ase.io.read(folder / "test.xyz", ":"):
        found, expected = (m.evaluate(atoms).properties for m in (two, one))
        np.testing.assert_allclose(found["site"], expected["site"], atol=1e-6)
        assert found["average"] == pytest.approx(expected["average"], abs=1e-6)
