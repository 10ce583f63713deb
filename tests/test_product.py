# SPDX-License-Identifier: BSD-3-Clause
"""Products of kernels (docs/theory.md eq. 7g to 7i): slow twin, derivatives, rows, choice, fits."""

import json

import numpy as np
import pytest
import slow_twin
from body_order import assert_forces_are_derivatives, assert_rows_are_the_evaluation, structures
from models import product_model, random_model
from training_data import emt_frames, write_frames

from potential import Model, SoapGprError, fit
from potential.cli import main
from potential.model.compression import compress
from potential.selection.select import select
from potential.settings import FactorSettings, ProductTermSettings
from potential.settings.file import load_settings, parse_settings
from potential.structures.structure import structure_from_atoms
from potential.terms.features import features
from potential.terms.product import ProductKernel

FACTOR = {"n_max": 3, "l_max": 2}
FACTORS = [FACTOR | {"cutoff": 3.0}, FACTOR | {"cutoff": 4.5, "zeta": 1}]


@pytest.fixture(scope="module", params=[2, 3])
def model(request):
    return product_model(n_factors=request.param)


@pytest.fixture(params=list(structures()))
def atoms(request):
    return structures()[request.param]


def twin_energies(model, atoms):
    """ε(i) = δ² Σ_m w_m Π_f (p̂_f,i·p̂_f,m + offset_f)^ζ_f of the first term, eq. (7g)."""
    entry, species = model.terms[0], model.species_indices(atoms.numbers)
    p = []
    for f, own in enumerate(entry["factors"]):
        arrays = {"tables": "table", "central": "central"}
        tables = own | {
            key: {a: model.arrays[f"term0.factor{f}.{name}.{a}"] for a in range(2)}
            for key, name in arrays.items()
        }
        found = slow_twin.features(
            tables, own["l_max"], species, atoms.positions, atoms.cell.array, atoms.pbc
        )
        p.append([slow_twin.normalise(own) for own in found])
    energies = []
    for i, a in enumerate(species):
        points, energy = model.arrays[f"term0.sparse_points.{a}"], 0.0
        for m, weight in enumerate(model.arrays[f"term0.weights.{a}"]):
            product, begin = 1.0, 0
            for own, p_f in zip(entry["factors"], p, strict=True):
                end = begin + len(p_f[i])
                dot = p_f[i] @ points[m, begin:end]
                product *= (dot + own.get("offset", 0.0)) ** own["zeta"]
                begin = end
            energy += entry["delta"] ** 2 * weight * product
        energies.append(energy)
    return energies


def test_energies_equal_the_slow_twin(model, atoms):
    found = model.evaluate_environments(model.environments(atoms), term=0)
    np.testing.assert_allclose(found.energies, twin_energies(model, atoms), rtol=1e-10, atol=1e-12)


def test_forces_and_virial_are_derivatives(model, atoms):
    assert_forces_are_derivatives(model, atoms)


def test_rows_times_weights_are_the_evaluation(model, atoms):
    assert_rows_are_the_evaluation(model, atoms)


def test_energies_without_forces_and_on_threads_are_the_same(model):
    atoms = structures()["triclinic"]
    expected = model.evaluate(atoms)
    np.testing.assert_array_equal(model.evaluate(atoms, forces=False).energies, expected.energies)
    threads = model.evaluate(atoms, n_threads=3)
    np.testing.assert_array_equal(threads.energies, expected.energies)
    np.testing.assert_allclose(threads.forces, expected.forces, atol=1e-13)


def test_kernel_matrix_is_the_energy_of_single_weights(model):
    K, n = model.kernel_matrix(), len(model.arrays["term0.sparse_points.0"])
    X = model.arrays["term0.sparse_points.0"]
    expected, begin = 0.7**2, 0
    for own in model.terms[0]["factors"]:
        q = own["n_channels"]
        end = begin + sum(size * (size + 1) // 2 for size in q)
        gram = X[:, begin:end] @ X[:, begin:end].T
        expected = expected * (gram + own.get("offset", 0.0)) ** own["zeta"]
        begin = end
    np.testing.assert_allclose(K[:n, :n], expected, rtol=1e-12)


def test_equal_factors_are_one_kernel_of_the_summed_power():
    """(p·p')^1 (p·p')^2 = (p·p')^3."""
    one = random_model(n_max=3, l_max=2, zeta=3)
    factor = {key: value for key, value in one.terms[0].items() if key not in ("zeta", "delta")}
    entry = {
        "kind": "product",
        "cutoff": one.terms[0]["cutoff"],
        "delta": one.terms[0]["delta"],
        "factors": [factor | {"zeta": zeta, "delta": 1.0} for zeta in (1, 2)],
    }
    arrays = {name: array for name, array in one.arrays.items() if not name.startswith("term0")}
    for a in range(2):
        for f in range(2):
            for name in ("table", "central"):
                arrays[f"term0.factor{f}.{name}.{a}"] = one.arrays[f"term0.{name}.{a}"]
        points = one.arrays[f"term0.sparse_points.{a}"]
        arrays[f"term0.sparse_points.{a}"] = np.hstack([points, points])
        arrays[f"term0.weights.{a}"] = one.arrays[f"term0.weights.{a}"]
    header = {"format": "soap-gpr", "units": "eV,angstrom", "terms": json.dumps([entry])}
    product, atoms = Model.from_arrays(header, arrays), structures()["triclinic"]
    expected, found = one.evaluate(atoms), product.evaluate(atoms)
    np.testing.assert_allclose(found.energies, expected.energies, atol=1e-11)
    np.testing.assert_allclose(found.forces, expected.forces, atol=1e-10)
    np.testing.assert_allclose(found.virial, expected.virial, atol=1e-10)


def test_atom_that_one_factor_does_not_see_has_no_energy():
    model, atoms = product_model(), structures()["pair"]
    central = np.zeros_like(model.arrays["term0.factor1.central.0"])
    arrays = {f"term0.factor1.central.{a}": central for a in range(2)}
    entries = json.loads(json.dumps(model.terms))
    entries[0]["factors"][1].pop("offset", None)
    header = {"format": "soap-gpr", "units": "eV,angstrom", "terms": json.dumps(entries)}
    blind = Model.from_arrays(header, model.arrays | arrays)
    atoms.positions[1] = [1.0, 2.0, 6.0]  # 3 Å: within the first cutoff, not the second
    found = blind.evaluate_environments(blind.environments(atoms), term=0)
    np.testing.assert_array_equal(found.energies, 0.0)
    np.testing.assert_array_equal(found.forces, 0.0)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("product")
    train = write_frames(folder / "train.xyz", emt_frames(12, seed=1))
    test = write_frames(folder / "test.xyz", emt_frames(4, seed=9))
    terms = [
        {"kind": "product", "n_sparse": 15, "factors": FACTORS},
        {"kind": "pair", "cutoff": 4.0, "n_sparse": 6},
    ]
    return fit({"data": {"train": [train], "test": [test]}, "terms": terms}, progress=False)


def test_a_fit_learns(fitted, tmp_path, capsys):
    errors = fitted.test_errors["all"]
    assert errors["force"].rmse < 0.1 and errors["energy"].rmse < 0.01
    fitted.model.save(tmp_path / "m.sgpr")
    loaded = Model.load(tmp_path / "m.sgpr")
    for structure in fitted.test:
        a, b = fitted.model.evaluate(structure), loaded.evaluate(structure)
        np.testing.assert_array_equal(a.forces, b.forces)
    assert main(["info", f"{tmp_path}/m.sgpr"]) == 0
    assert "Cu 15, Au 15 (product, soap 3 Å ^2 × soap 4.5 Å ^1" in capsys.readouterr().out


def test_factors_may_differ_by_all_that_soap_terms_may(tmp_path):
    (tmp_path / "fit.toml").write_text("""
[data]
train = ["a.xyz"]
[[terms]]
kind = "product"
sparse_method = "cur"
n_sparse = {Cu = 4, Au = 3}
[[terms.factors]]
cutoff = 3.0
basis = "laplacian"
atom_sigma = {Cu = 0.4, Au = 0.5}
[[terms.factors]]
zeta = 1
offset = 0.5
""")
    term = load_settings(tmp_path / "fit.toml").terms[0]
    assert term.factors[0].basis == "laplacian" and term.factors[1].offset == 0.5
    assert term.cutoff == 6.0 and term.n_sparse == {"Cu": 4, "Au": 3}


@pytest.mark.parametrize("method", ["fps", "cur", "random", "leverage", "kmeans"])
def test_every_method_chooses_distinct_environments(fitted, method):
    model = fitted.model
    X = features(model, 0, fitted.train[0])
    kernel = ProductKernel(model.terms[0]["factors"])
    chosen = select(X, 4, method, kernel=kernel)
    assert len(set(chosen.tolist())) == 4


def test_farthest_points_are_those_of_the_product(fitted):
    model = fitted.model
    X = np.concatenate([features(model, 0, s)[s.numbers == 29] for s in fitted.train[:4]])
    kernel = ProductKernel(model.terms[0]["factors"])
    chosen = select(X, 6, "fps", kernel=kernel, seed=3)
    K = kernel.between(X, X)
    d2 = np.diag(K)[:, None] + np.diag(K)[None] - 2 * K
    for step in range(1, 6):
        nearest = d2[:, chosen[:step]].min(axis=1)
        assert nearest[chosen[step]] == pytest.approx(nearest.max(), rel=1e-9)
    residual = K - K[:, chosen[:0]] @ K[chosen[:0]]
    first = select(X, 3, "cur", kernel=kernel)
    np.testing.assert_allclose(residual[first[0], first[0]], residual.diagonal().max())
    below = K - np.outer(K[:, first[0]], K[first[0]]) / K[first[0], first[0]]
    assert below[first[1], first[1]] == pytest.approx(below.diagonal().max(), rel=1e-9)


def test_compression_leaves_products_alone():
    structure = structure_from_atoms(structures()["triclinic"])
    full = product_model(n_sparse=60)
    try:
        smaller = compress(full, [structure], 1e-2).model
    except SoapGprError as error:
        assert "nothing to gain" in str(error)
        return
    assert not any("term0.projection" in name for name in smaller.arrays)


@pytest.mark.parametrize(
    "term, message",
    [
        ({}, r"\[\[terms\]\] factors: missing"),
        ({"factors": [FACTOR]}, "expected 2 to 8 tables"),
        ({"factors": FACTOR}, "expected 2 to 8 tables"),
        (
            {"factors": [FACTOR, {"cutof": 3.0}]},
            r"\[\[terms.factors\]\] number 2 unknown key 'cutof'; did you mean 'cutoff'",
        ),
        ({"factors": [FACTOR, {"zeta": 0}]}, r"number 2 zeta: found 0"),
        ({"factors": [FACTOR, {"n_sparse": 3}]}, "unknown key 'n_sparse'"),
        ({"factors": 2 * [{"zeta": 1.5}], "sparse_method": "cur"}, "integers for zeta"),
        ({"factors": FACTORS, "sparse_method": "file"}, 'found "file"'),
        ({"factors": FACTORS, "n_sparse": 3, "n_sparse_config_type": {"a": 4}}, "at most n_sparse"),
        ({"factors": FACTORS, "cutoff": 3.0}, "unknown key 'cutoff'"),
    ],
)
def test_mistakes_are_one_sentence(term, message):
    with pytest.raises(SoapGprError, match=message):
        parse_settings({"data": {"train": ["a"]}, "terms": [{"kind": "product"} | term]})


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda e: e.update(factors=e["factors"][:1]), "a product of 1 kernels, expected 2 to 8"),
        (lambda e: e.update(cutoff=9.0), "another cutoff than the longest"),
        (lambda e: e["factors"][0].update(delta=2.0), "another delta than 1"),
        (lambda e: e["factors"][1].update(normalize=False), "is not normalised"),
        (lambda e: e["factors"][1].update(kind="pair"), "factor 2 of term 1 .* not of the kind"),
        (lambda e: e["factors"][1].update(novel=1), "factor 2 of term 1 .*novel"),
        (lambda e: e.pop("delta"), "delta"),
    ],
)
def test_damaged_entries_are_refused(change, message):
    model = product_model()
    entries = json.loads(json.dumps(model.terms))
    change(entries[0])
    header = {"format": "soap-gpr", "units": "eV,angstrom", "terms": json.dumps(entries)}
    with pytest.raises(SoapGprError, match=message):
        Model.from_arrays(header, model.arrays)


def test_settings_go_round(fitted):
    own = fitted.model.metadata["settings"]["terms"][0]
    assert [factor["cutoff"] for factor in own["factors"]] == [3.0, 4.5]
    factors = tuple(FactorSettings(**FACTOR) for _ in range(2))
    assert ProductTermSettings(factors).delta == 1.0
    again = parse_settings({"data": {"train": ["a"]}, "terms": [own]})
    assert again.terms[0].factors[1].zeta == 1
