# SPDX-License-Identifier: BSD-3-Clause
"""Feature selections of symmetry functions and of factors of products, of all centres."""

import numpy as np
import pytest
from body_order import assert_forces_are_derivatives, assert_rows_are_the_evaluation
from training_data import emt_frames, write_frames

from potential import Model, SoapGprError, fit
from potential.cli import main
from potential.model.compression import compress
from potential.structures.structure import structure_from_atoms
from potential.terms.features import factors_of, features
from potential.terms.product import ProductKernel
from potential.training.provenance import summary

ACSF = {"kind": "acsf", "cutoff": 4.5, "n_sparse": 12, "zeta": 2}
FACTOR = {"cutoff": 3.5, "n_max": 3, "l_max": 2}
FACTORS = [
    FACTOR | {"feature_selection": {"n_features": 12, "recouple": True}},
    FACTOR | {"cutoff": 4.5, "zeta": 1, "feature_selection": {"tolerance": 0.02}},
]
PRODUCT = {"kind": "product", "n_sparse": 12, "factors": FACTORS}


def fitted(term):
    return fit({"data": {}, "terms": [term]}, train=emt_frames(6), progress=False).model


@pytest.fixture(scope="module")
def product():
    return fitted(PRODUCT)


@pytest.mark.parametrize(
    "changes",
    [{}, {"feature_scaling": "std"}, {"normalize": False, "feature_scaling": "std", "zeta": 1}],
    ids=str,
)
@pytest.mark.parametrize("recouple", [False, True])
def test_a_fit_keeps_some_symmetry_functions(changes, recouple):
    wanted = {"n_features": 16, "recouple": recouple}
    model = fitted(ACSF | changes | {"feature_selection": wanted})
    assert model.arrays["term0.sparse_points.0"].shape == (12, 16)
    atoms = emt_frames(1, seed=7)[0]
    assert_rows_are_the_evaluation(model, atoms)
    assert_forces_are_derivatives(model, atoms)
    all_functions = fitted(ACSF | changes)
    kept = model.arrays["term0.features"]
    scale = all_functions.arrays.get("term0.feature_scale", np.ones(72))
    np.testing.assert_array_equal(model.arrays["term0.feature_scale"], scale[kept])
    assert "16 of 72 features by cur, residual" in summary(model)


def rows(model):
    return features(model, 0, structure_from_atoms(emt_frames(1, seed=7)[0]))


def test_recoupled_symmetry_functions_have_the_kernel_of_all():
    full, tight = (
        fitted(ACSF | more)
        for more in ({}, {"feature_selection": {"tolerance": 1e-4, "recouple": True}})
    )
    assert len(tight.arrays["term0.features"]) < 50
    one, other = rows(tight), rows(full)
    np.testing.assert_allclose(one @ one.T, other @ other.T, atol=2e-4)


def test_products_of_selected_features_evaluate_as_they_are_fitted(product, tmp_path, capsys):
    atoms = emt_frames(1, seed=7)[0]
    assert_rows_are_the_evaluation(product, atoms)
    assert_forces_are_derivatives(product, atoms)
    product.save(tmp_path / "m.sgpr")
    loaded = Model.load(tmp_path / "m.sgpr")
    np.testing.assert_array_equal(loaded.evaluate(atoms).forces, product.evaluate(atoms).forces)
    assert main(["info", f"{tmp_path}/m.sgpr"]) == 0
    text = capsys.readouterr().out
    assert "term 1, factor 1, 12 of 63 features by cur, residual" in text
    assert "%, recoupled" in text and "term 1, factor 2, " in text


def test_kernels_of_a_product_are_those_of_its_selected_features(product):
    widths = [12, len(product.arrays["term0.factor1.features"])]
    X = product.arrays["term0.sparse_points.0"]
    assert X.shape == (12, sum(widths)) and sum(widths) < 100
    one, other = X[:, :12], X[:, 12:]
    expected = (one @ one.T) ** 2 * (other @ other.T)
    np.testing.assert_allclose(product.kernel_matrix()[:12, :12], expected, rtol=1e-12)
    lengths = [np.linalg.norm(part, axis=1) for part in np.hsplit(rows(product), [12])]
    np.testing.assert_allclose(lengths, 1.0)


def test_recoupled_factors_have_the_kernel_of_all_features():
    tight = {"feature_selection": {"tolerance": 1e-4, "recouple": True}}
    factors = [FACTOR, FACTOR | {"cutoff": 4.5, "zeta": 1}]
    full = fitted(PRODUCT | {"factors": factors})
    model = fitted(PRODUCT | {"factors": [own | tight for own in factors]})
    assert len(model.arrays["term0.factor1.features"]) < 60
    one, other = (
        ProductKernel(factors_of(own, 0)).between(X, X)
        for own in (model, full)
        for X in (rows(own),)
    )
    np.testing.assert_allclose(one, other, atol=5e-4)


def test_selected_symmetry_functions_compress():
    model = fitted(ACSF | {"n_sparse": 40, "feature_selection": {"n_features": 30}})
    frames = [structure_from_atoms(atoms) for atoms in emt_frames(2)]
    assert compress(model, frames, 1e-2).deviation.force <= 1e-2


@pytest.mark.parametrize(
    "terms, message",
    [
        ('kind = "acsf"\nfeature_selection = {n_features = 90}', "[[terms]] feature_selection"),
        (
            'kind = "product"\n[[terms.factors]]\nl_max = 2\n[[terms.factors]]\nn_max = 3\n'
            "feature_selection = {n_features = 9999}",
            "[[terms]] factor 2 feature_selection",
        ),
        (
            'kind = "product"\n[[terms.factors]]\n[[terms.factors]]\nn_max = 3\n'
            "feature_selection = {n_features = 9999}\n[[terms]]",
            "[[terms]] number 1 factor 2 feature_selection",
        ),
    ],
)
def test_more_features_than_there_are_name_the_place(terms, message, tmp_path, capsys):
    write_frames(tmp_path / "a.xyz", emt_frames(2))
    (tmp_path / "fit.toml").write_text(f'[data]\ntrain = ["a.xyz"]\n[[terms]]\n{terms}\n')
    file = str(tmp_path / "fit.toml")
    assert main(["fit", file, "-o", str(tmp_path / "m.sgpr")]) == 1
    error = capsys.readouterr().err
    assert f"{file}: {message}: found n_features = " in error
    assert error.count("\n") == 1 and not (tmp_path / "m.sgpr").exists()


def test_settings_of_no_use_are_one_sentence():
    with pytest.raises(SoapGprError, match=r"n_features: found 0, expected"):
        fitted(ACSF | {"feature_selection": {"n_features": 0}})
