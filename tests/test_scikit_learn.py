# SPDX-License-Identifier: BSD-3-Clause
"""The descriptor as a transformer of scikit-learn, and kernels against scikit-learn's."""

import numpy as np
import pytest
from ase.build import molecule

from potential import SoapDescriptor, SoapGprError, environment_kernel, structure_kernel

pytest.importorskip("sklearn")
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.metrics.pairwise import polynomial_kernel
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

NAMES = ["H2O", "CH4", "C2H6", "CH3OH", "C2H2", "H2CO", "CO2", "HCOOH", "C2H4", "H2O2"]
SMALL = {"cutoff": 3.0, "n_max": 3, "l_max": 2}


def molecules():
    return [molecule(name) for name in NAMES]


def masses():
    return np.array([atoms.get_masses().sum() for atoms in molecules()])


def small(**parameters):
    return SoapDescriptor(**SMALL | parameters)


def test_clone_has_the_same_parameters_and_is_not_fitted():
    soap = small(species=["H", "C", "O"], atom_sigma={"H": 0.4, "C": 0.5, "O": 0.5}, pooling="sum")
    copy = clone(soap)
    assert copy is not soap and copy.get_params() == soap.get_params()
    assert not hasattr(clone(small().fit(molecules())), "species_")


def test_pipeline_fits_a_property_that_is_linear_in_the_sum():
    model = make_pipeline(small(pooling="sum"), Ridge(alpha=1e-8))
    model.fit(molecules(), masses())
    check_is_fitted(model)
    assert model[0].species_ == [1, 6, 8]
    np.testing.assert_allclose(model.predict(molecules()), masses(), rtol=1e-3)
    assert len(model[:1].get_feature_names_out()) == model[-1].n_features_in_
    assert "SoapDescriptor" in repr(model) and "SoapDescriptor" in model._repr_html_()


def test_parameters_are_searched_through_a_pipeline():
    model = make_pipeline(small(species=["H", "C", "O"]), StandardScaler(), Ridge())
    grid = {"soapdescriptor__cutoff": [2.0, 3.0], "soapdescriptor__pooling": ["mean", "sum"]}
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(molecules(), masses())
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all() and len(set(scores)) == 4
    assert search.best_estimator_[0].cutoff == search.best_params_["soapdescriptor__cutoff"]
    assert len(cross_val_score(search.best_estimator_, molecules(), masses(), cv=3)) == 3


def test_feature_union_joins_two_ranges():
    union = FeatureUnion([("near", small(cutoff=2.0)), ("far", small())])
    X = union.fit_transform(molecules())
    assert X.shape == (len(NAMES), len(union.get_feature_names_out()))
    np.testing.assert_array_equal(X[:, X.shape[1] // 2 :], small().fit_transform(molecules()))


def test_rows_of_atoms_go_with_labels_of_atoms():
    charges = np.concatenate([atoms.numbers for atoms in molecules()])
    model = make_pipeline(small(pooling=None), Ridge(alpha=1e-8)).fit(molecules(), charges)
    assert model.predict(molecules()).shape == charges.shape


def test_pipeline_that_was_not_fitted_says_so():
    with pytest.raises(SoapGprError, match="species of the descriptor are not known"):
        small().transform(molecules())


@pytest.mark.parametrize("zeta", [1, 2, 4, 2.5])
def test_environment_kernel_is_the_polynomial_kernel_of_each_species(zeta):
    A = small(species=[1, 6, 8]).compute(molecules())
    B = small(species=[1, 6, 8]).compute(molecules()[3:5])
    products = np.maximum(A.values @ B.values.T, 0.0)  # of rounding alone
    expected = polynomial_kernel(A.values, B.values, degree=zeta, gamma=1, coef0=0)
    expected = np.where(products == 0.0, 0.0, expected)
    expected[A.numbers[:, None] != B.numbers] = 0.0
    np.testing.assert_allclose(environment_kernel(A, B, zeta=zeta), expected, atol=1e-13)
    np.testing.assert_allclose(np.diag(environment_kernel(A, zeta=zeta)), 1.0)


@pytest.mark.parametrize("pooling", ["mean", "sum"])
def test_structure_kernel_pools_the_kernel_of_environments(pooling):
    A = small(species=[1, 6, 8]).compute(molecules())
    B = small(species=[1, 6, 8]).compute(molecules()[3:5])
    k = environment_kernel(A, B, zeta=2)
    pool = np.mean if pooling == "mean" else np.sum
    expected = [[pool(k[A.structure == s][:, B.structure == t]) for t in (0, 1)] for s in range(10)]
    np.testing.assert_allclose(structure_kernel(A, B, zeta=2, pooling=pooling), expected)


@pytest.mark.parametrize("zeta", [1, 3])
def test_kernels_are_symmetric_and_positive(zeta):
    A = small().fit(molecules()).compute(molecules())
    for K in (
        environment_kernel(A, zeta=zeta),
        structure_kernel(A, zeta=zeta),
        structure_kernel(A, zeta=zeta, pooling="sum"),
    ):
        np.testing.assert_allclose(K, K.T, atol=1e-12)
        assert np.linalg.eigvalsh(K).min() > -1e-10 * np.trace(K)


def test_linear_structure_kernel_of_one_species_is_that_of_pooled_features():
    soap = small(species=["H"])
    A = soap.compute([molecule("H2"), molecule("H2")[:1]])
    X = A.pooled("mean")
    np.testing.assert_allclose(structure_kernel(A, zeta=1), X @ X.T, atol=1e-14)


@pytest.mark.parametrize("kernel", [environment_kernel, structure_kernel])
def test_bad_arguments_of_kernels_are_refused(kernel):
    A = small(species=[1, 6, 8]).compute(molecules())
    other = small(species=[1, 6]).compute(molecule("CH4"))
    with pytest.raises(SoapGprError, match=r"^found ndarray, expected Features, what SoapDesc"):
        kernel(A.values)
    with pytest.raises(SoapGprError, match=r"^found features of \d+ and of \d+ columns, expected"):
        kernel(A, other)
    for zeta in (0, 0.5, True, "2", np.inf, np.nan):
        with pytest.raises(SoapGprError, match=r"^zeta: found .*, expected a number of at least 1"):
            kernel(A, zeta=zeta)
    with pytest.raises(SoapGprError, match=r"^pooling: found 'max', expected 'mean' or 'sum' or"):
        structure_kernel(A, pooling="max")
