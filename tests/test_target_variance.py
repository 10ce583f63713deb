# SPDX-License-Identifier: BSD-3-Clause
"""Variances and rigidities of targets (docs/theory.md eq. 25p): of atoms in a run, of structures in
Python, and what fits say of them."""

import json

import ase
import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, DotProduct, Exponentiation
from targets import HALF, SITE, TOTAL, labelled
from test_uncertain_targets import BARE
from test_uncertain_targets import settings as of_committee

from potential import Model, SoapGprCalculator, fit
from potential.errors import SoapGprError
from potential.settings.file import as_settings
from potential.terms import TrainingModel
from potential.terms.features import features_of
from potential.training.target_problem import TargetProblem
from potential.uncertainty import TargetProcess

OWN = {"committee": 0, "variance": True, "n_blocks": 5}
ASKED = ["targets_variance"]


PAIR = {"kind": "pair", "cutoff": 4.0, "n_sparse": 6}  # no part of targets


def settings(*targets, zeta=2, more=(), **uncertainty):
    own = of_committee(*(targets or (SITE, HALF, TOTAL)), **(OWN | uncertainty))
    own["terms"][0]["zeta"] = zeta
    own["terms"] += more
    return own


@pytest.fixture(scope="module")
def train():
    return labelled(12, seed=1) + labelled(5, seed=4, labels=BARE)


@pytest.fixture(scope="module")
def test():
    return labelled(5, seed=2)


@pytest.fixture(scope="module", params=["with a potential", "alone", "zeta 1", "zeta 4 and pairs"])
def made(request, train, test):
    of = {"zeta 1": settings(zeta=1), "zeta 4 and pairs": settings(zeta=4, more=[PAIR])}
    own = of.get(request.param, settings())
    some = labelled(14, 1, labels=BARE) if request.param == "alone" else train
    return fit(own, train=some, test=test, progress=False), own


class Dense:
    """The Gaussian process of a group by all matrices at once, on the structures of a fit."""

    def __init__(self, result, own, g):
        self.settings = as_settings(own, data_required=False)
        self.problem = TargetProblem(TrainingModel(result.model.to_bytes()), self.settings)
        self.group = self.problem.groups[g]
        h = self.problem.number(self.group)
        prior = self.problem.prior(h, result.train)
        self.s = self.group.scale(prior)
        K = self.group.kernel_matrix(self.problem.model)
        # the bracket is that of the model's prior, whose jitter is a part of all its kernels
        every, jitter = self.problem.model.kernel_matrix(), self.settings.solver.jitter
        self.K_MM, own = (K + jitter * np.mean(np.diag(k)) * np.eye(len(K)) for k in (every, K))
        rows = [
            self.group.weighted(self.rows(structure), prior)[0]
            for structure in result.train
            if "site" in structure.targets
        ]
        A = np.concatenate(rows)
        self.K_tilde = A.T @ A + own

    def rows(self, structure):
        return self.problem.rows(structure)[self.problem.groups.index(self.group)]

    def followed(self, K):
        """Squares by K_MM and, with scales, by the posterior."""
        return [
            np.einsum("im,mn,in->i", k, np.linalg.inv(matrix), k)
            for k, matrix in ((K, self.K_MM), (K * self.s, self.K_tilde))
        ]


def prior_kernel(model, environments, at):
    """(n, n) between centres of one species."""
    entry, X = model.terms[0], features_of(model, 0, environments)[at]
    return entry["delta"] ** 2 * (X @ X.T) ** entry["zeta"]


def test_deviations_of_atoms_are_those_of_the_dense_process(made):
    result, own = made
    model, structure = result.model, result.train[0]
    found = model.evaluate(structure, uncertainty=ASKED).uncertainty
    assert found.target_variances.keys() == found.target_rigidities.keys() == {"site"}
    variances, rigidities = found.target_variances["site"], found.target_rigidities["site"]
    environments = model.environments(structure)
    for g in range(2):
        twin = Dense(result, own, g)
        at = np.flatnonzero(environments.species == g)
        known, posterior = twin.followed(twin.rows(structure).K)
        left = np.maximum(np.diag(prior_kernel(model, environments, at)) - known, 0)
        expected = twin.s[0] ** 2 * left + posterior
        np.testing.assert_allclose(variances[at], expected, rtol=1e-5, atol=1e-9)
        np.testing.assert_allclose(rigidities[at], 1 / posterior, rtol=1e-4)  # of inverses
    of = model.uncertainty.target_variances["site"]
    sigma = found.results["site_uncertainty"]
    np.testing.assert_allclose(sigma, np.array(of.scale)[environments.species] * variances**0.5)
    edges = np.array(of.edges)[environments.species]
    np.testing.assert_allclose(found.results["site_grade"], variances**0.5 / edges)
    assert found.results["site_grade"].max() <= 1 + 1e-9


@pytest.mark.parametrize("name, g", [("average", 2), ("total", 3)])
def test_deviations_of_structures_are_those_of_the_dense_process(made, name, g):
    result, own = made
    model, structure = result.model, result.train[0]
    found = TargetProcess(model).evaluate(structure)[name]
    twin, environments = Dense(result, own, g), model.environments(structure)
    K = twin.rows(structure).K
    posterior = twin.followed(K)[1]
    w = np.ones(len(structure))
    if name == "average":
        w[structure.numbers == 29] = 0.5
        w /= w.sum()
    left, begin = 0.0, 0
    for a, points in model.sparse_points(0).items():
        at = np.flatnonzero(environments.species == a)
        own_K = K[:, begin : begin + len(points)]
        K_MM = twin.K_MM[begin : begin + len(points), begin : begin + len(points)]
        s, begin = twin.s[begin], begin + len(points)
        prior = w[at] @ prior_kernel(model, environments, at) @ w[at]
        left += s**2 * (prior - float(own_K[0] @ np.linalg.solve(K_MM, own_K[0])))
    assert found.variance == pytest.approx(max(left, 0) + posterior[0], rel=1e-5)
    assert found.rigidity == pytest.approx(1 / posterior[0], rel=1e-5)
    scale = model.uncertainty.target_variances[name].scale
    assert found.uncertainty == pytest.approx(scale * found.variance**0.5)


def test_variance_is_that_of_the_exact_process_where_all_environments_are_sparse_points():
    """scikit-learn's, of one species without noise in the prior."""
    frames = labelled(6, seed=3, labels=BARE)
    for atoms in frames:
        atoms.numbers[:] = 29
    own = settings(SITE | {"mean": "zero", "scale": 1.0}) | {"solver": {"jitter": 1e-12}}
    own["terms"][0]["n_sparse"] = 5 * len(frames[0])
    model = fit(own, train=frames[:5], progress=False).model
    X = [features_of(model, 0, model.environments(atoms)) for atoms in frames]
    entry = model.terms[0]
    own_kernel = ConstantKernel(entry["delta"] ** 2, "fixed") * Exponentiation(
        DotProduct(0.0, "fixed"), entry["zeta"]
    )
    group = TargetProblem(
        TrainingModel(model.to_bytes()), as_settings(own, data_required=False)
    ).groups[0]
    v = group.spreads.sum(axis=0)[0]
    process = GaussianProcessRegressor(own_kernel, alpha=SITE["noise"] ** 2 * v, optimizer=None)
    process.fit(np.concatenate(X[:5]), np.zeros(sum(map(len, X[:5]))))
    expected = process.predict(X[5], return_std=True)[1] / np.sqrt(v)
    found = model.evaluate(frames[5], uncertainty=ASKED).uncertainty.target_variances["site"]
    np.testing.assert_allclose(np.sqrt(found), expected, rtol=1e-3)


def test_calibration_and_record(made):
    result, _ = made
    of = result.provenance["uncertainty"]["targets"]["quality"]
    assert of["train"].keys() == {"variance", "rigidity"}
    kinds = {"site Cu", "site Au", "average", "total"}
    assert of["train"]["variance"].keys() == of["test"]["rigidity"].keys() == kinds
    own = result.model.uncertainty
    assert own.target_variances["site"].scale[1] == of["train"]["variance"]["site Au"]["scale"]
    assert own.target_variances["total"].rigidity == of["train"]["rigidity"]["total"]["scale"]
    assert own.targets == {} and "targets_variance" in own.measures
    assert not any("uncertainty" in text for text in result.warnings)
    again = Model.from_bytes(result.model.to_bytes())
    assert again.uncertainty == own


def test_with_a_committee_deviations_are_its_own_unless_the_variance_is_asked_for(train, test):
    own = settings(SITE, committee=4)
    model = fit(own, train=train, progress=False).model
    both = model.evaluate(test[0], uncertainty=["targets", *ASKED]).uncertainty
    alone = model.evaluate(test[0], uncertainty=ASKED).uncertainty
    of_committee = model.evaluate(test[0], uncertainty=["targets"]).uncertainty
    sigma = of_committee.results["site_uncertainty"]
    np.testing.assert_array_equal(both.results["site_uncertainty"], sigma)
    np.testing.assert_array_equal(both.target_deviations["site"], alone.results["site_uncertainty"])
    assert np.abs(alone.results["site_uncertainty"] - sigma).max() > 0


def test_each_of_several_targets_of_atoms_has_its_own(train, test):
    """One of them has values of gold alone and more noise."""
    gold = SITE | {"name": "gold", "species": ["Au"], "noise": 0.05}
    model = fit(settings(SITE, HALF, gold), train=train, progress=False).model
    single = fit(settings(gold), train=train, progress=False).model
    found, alone = (own.evaluate(test[0], uncertainty=ASKED).uncertainty for own in (model, single))
    assert alone.results.keys() == {"gold_uncertainty", "gold_rigidity", "gold_grade"}
    for values in alone.results.values():
        np.testing.assert_array_equal(np.isnan(values), test[0].numbers != 79)
    for name in ("target_variances", "target_rigidities", "target_grades"):  # scales: other blocks
        one, other = (getattr(own, name)["gold"] for own in (found, alone))
        np.testing.assert_allclose(one, other, rtol=1e-6)
    assert not np.isnan(found.results["site_rigidity"]).any()


def test_atoms_that_do_not_count_leave_a_value_of_a_structure_alone(train, test):
    own = settings(TOTAL | {"weights": {"Au": 0}})
    process = TargetProcess(fit(own, train=train, progress=False).model)
    structure = ase.Atoms(test[0].numbers, test[0].positions)
    far = structure + ase.Atoms("Au", [[50.0, 0, 0]])
    expected, found = (process.evaluate(own)["total"] for own in (structure, far))
    assert found.variance == pytest.approx(expected.variance, rel=1e-9)
    assert found.rigidity == pytest.approx(expected.rigidity, rel=1e-9)


def test_ase_has_them_as_properties(made, test):
    atoms = test[0].copy()
    atoms.calc = SoapGprCalculator(made[0].model, uncertainty=ASKED)
    expected = made[0].model.evaluate(atoms, uncertainty=ASKED).uncertainty.results
    assert expected.keys() == {"site_uncertainty", "site_rigidity", "site_grade"}
    for name, values in expected.items():
        np.testing.assert_array_equal(atoms.calc.get_property(name, atoms), values)


def test_process_of_a_model_without_targets_of_structures_is_refused(train):
    model = fit(settings(SITE), train=train, progress=False).model
    with pytest.raises(SoapGprError, match="found no variance of targets of structures"):
        TargetProcess(model)


def test_other_targets_have_no_variance_of_the_old(made):
    model = made[0].model
    arrays = {name: own for name, own in model.arrays.items() if name.startswith("target0.")}
    other = model.with_targets(model.targets[:1], arrays, potential=model.has_potential)
    left = other.uncertainty.measures if model.has_potential else other.uncertainty
    assert left == (("variance",) if model.has_potential else None)
    assert not any(name.startswith("variance.target") for name in other.arrays)


def test_wrong_files_are_refused(made):
    model = made[0].model
    names = [name for name in model.arrays if name.startswith("variance.target")]
    assert len(names) == 3 + 2 + 2  # scales of all, of atoms by species, of structures
    for name in names:
        with pytest.raises(SoapGprError, match=f"the model file lacks the array '{name}'"):
            model.without_array(name)
        longer = np.concatenate([model.arrays[name], model.arrays[name][:1]])
        with pytest.raises(SoapGprError, match=f"array '{name}' has the unexpected shape"):
            model.with_arrays({name: longer})
        if "posterior" in name:
            full = model.arrays[name].copy()
            full[0, -1] = 1e-3
            with pytest.raises(SoapGprError, match=f"'{name}' holds numbers above its diagonal"):
                model.with_arrays({name: full})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"site": {"variance": {"edges": [1.0]}}}, "has edges that are not one number from 0"),
        ({"site": {"rigidity": {"scale": -1.0}}}, "scale"),
        ({"site": {"rigidity": None}}, "rigidity"),
        ({"average": {"variance": {"edges": [1.0, 1.0]}}}, "unknown key 'edges'"),
    ],
)
def test_wrong_entries_are_refused(made, change, message):
    model = made[0].model
    metadata, arrays = model._contents
    entry = json.loads(metadata["uncertainty"])
    for name, measures in change.items():
        for measure, values in measures.items():
            if values is None:
                del entry["targets"][name][measure]
            else:
                entry["targets"][name][measure] |= values
    with pytest.raises(SoapGprError, match=message):
        Model.from_arrays(metadata | {"uncertainty": json.dumps(entry)}, arrays)
