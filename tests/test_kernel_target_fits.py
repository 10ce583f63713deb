# SPDX-License-Identifier: BSD-3-Clause
"""Fits of targets of kernels between structures: scikit-learn's kernel ridge, sparse structures,
kernels that are not positive definite, labels with holes, several ranks, all commands."""

import json
from dataclasses import replace

import ase.io
import numpy as np
import pytest
from kernel_targets import GAP, TERM, VOLUME, molecules, settings
from test_fit_ranks import run_fit
from training_data import emt_frames, small_settings, write_fit

from potential import (
    Model,
    SoapDescriptor,
    SoapGprError,
    averaged_density,
    fit,
    structure_kernel,
)
from potential.cli import main
from potential.model.evaluation import evaluate_structures
from potential.runtime.ranks import Ranks
from potential.scores.properties import property_errors
from potential.settings.file import load_settings
from potential.structures.digests import fingerprint
from potential.training import structure_basis
from potential.training.targets import fit_targets
from potential.validation.learning_curve import learning_curve
from potential.validation.row_store import prepare, read_data

SPECIES = ["H", "C", "O"]


@pytest.fixture(scope="module")
def train():
    return molecules(24, seed=1)


@pytest.fixture(scope="module")
def test():
    return molecules(8, seed=2)


def labels(frames, key):
    return np.array([atoms.info[key] for atoms in frames])


def baselines(frames, mean, extensive):
    names = [atoms.get_chemical_symbols() for atoms in frames]
    total = np.sum if extensive else np.mean
    return np.array([total([mean[name] for name in own]) for own in names])


@pytest.mark.parametrize(
    ("target", "kernel", "centers"),
    [
        (GAP, {"pooling": "rematch", "gamma": 1.0, "normalize": True}, "separate"),
        (GAP, {"pooling": "features"}, "shared"),
        (GAP, {"pooling": "sum", "normalize": True}, "separate"),
        (VOLUME, {"pooling": "sum"}, "separate"),
        (VOLUME, {"pooling": "mean", "normalize": True}, "shared"),
        (VOLUME, {"pooling": "features", "normalize": True}, "separate"),
    ],
)
def test_all_structures_are_kernel_ridge_of_scikit_learn(train, test, target, kernel, centers):
    KernelRidge = pytest.importorskip("sklearn.kernel_ridge").KernelRidge
    own = settings(target, **kernel)
    own["terms"][0]["centers"] = centers
    model = fit(own, train=train, progress=False).model
    (record,) = model.metadata["provenance"]["targets"]
    soap = SoapDescriptor(**TERM, species=SPECIES)
    A, B = soap.compute(train), soap.compute(test)
    options = {"zeta": 2, "centers": centers, **kernel}
    K, K_test = structure_kernel(A, **options), structure_kernel(B, A, **options)
    N, N_test = (np.array([len(atoms) for atoms in frames]) for frames in (train, test))
    if target is not VOLUME:
        N, N_test = np.ones(len(N)), np.ones(len(N_test))
    by_atom = K / np.outer(N, N) if kernel["pooling"] == "sum" and target is VOLUME else K
    v = np.mean(np.diag(by_atom)) - np.mean(by_atom)
    y, mean = labels(train, target["key"]), record["mean"]
    left = y - baselines(train, mean, target is VOLUME)
    scale = np.sqrt(np.mean((left / N) ** 2))
    assert record["scale"]["H"] == pytest.approx(scale)
    ridge = KernelRidge(kernel="precomputed", alpha=target["noise"] ** 2 * v / scale**2)
    if by_atom is K:  # N K(A, B) N, with weights of the structures in its place
        ridge.fit(K, left / N, sample_weight=N**2)
        expected = N_test * ridge.predict(K_test)
    else:
        expected = ridge.fit(K, left).predict(K_test)
    expected += baselines(test, mean, target is VOLUME)
    found = [model.evaluate(atoms).properties[target["name"]] for atoms in test]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8 * np.abs(y).max())


def of_model(model, h=0):
    """Sparse structures as rows of features, species, and where each begins."""
    arrays = {
        key: model.arrays[f"target{h}.structures.{key}"]
        for key in ("features", "species", "shares", "sizes")
    }
    return arrays


@pytest.mark.parametrize("representation", ["power_spectrum", "radial_spectrum"])
def test_averaged_density_is_kernel_ridge_of_its_spectra(train, test, representation):
    own = settings(GAP | {"mean": "zero", "weights": {"H": 0.5}}, pooling="density")
    basis = {**TERM, "l_max": 0} if representation == "radial_spectrum" else dict(TERM)
    own["terms"] = [{**basis, "representation": representation}]
    model = fit(own, train=train, progress=False).model
    soap = SoapDescriptor(**basis, representation=representation, species=SPECIES)
    A, B = (averaged_density(soap, frames, weights={"H": 0.5}) for frames in (train, test))
    K, K_test = structure_kernel(A, zeta=2), structure_kernel(B, A, zeta=2)
    y = labels(train, "homo_lumo")
    alpha = GAP["noise"] ** 2 * (np.mean(np.diag(K)) - np.mean(K)) / np.mean(y**2)
    expected = K_test @ np.linalg.solve(K + alpha * np.eye(len(K)), y)
    found = [model.evaluate(atoms).properties["gap"] for atoms in test]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-7 * np.abs(y).max())


@pytest.mark.parametrize("target", [GAP, VOLUME])
def test_weights_of_atoms_are_those_of_the_kernel(train, test, target):
    """By species and by a column alike; hydrogens, and whatever weighs 0, are not there."""
    weights = {"H": 0.0, "O": 2.0}
    frames = [[atoms.copy() for atoms in group] for group in (train, test)]
    for atoms in [*frames[0], *frames[1]]:
        atoms.arrays["share"] = np.array([weights.get(name, 1.0) for name in atoms.symbols])
    heavy = [[atoms for atoms in group if "C" in atoms.symbols] for group in frames]
    own = settings(target | {"weights": "share", "mean": "zero"}, pooling="mean")
    model = fit(own, train=heavy[0], progress=False).model
    by_species = settings(target | {"weights": weights, "mean": "zero"}, pooling="mean")
    other = fit(by_species, train=heavy[0], progress=False).model
    A, B = (SoapDescriptor(**TERM, species=SPECIES).compute(group) for group in heavy)
    K = structure_kernel(A, zeta=2, weights=weights)
    columns = [np.concatenate([atoms.arrays["share"] for atoms in group]) for group in heavy]
    K_test = structure_kernel(B, A, zeta=2, weights=tuple(columns[::-1]))
    N, N_test = (np.array([atoms.arrays["share"].sum() for atoms in group]) for group in heavy)
    if target is GAP:
        N, N_test = np.ones(len(N)), np.ones(len(N_test))
    y = labels(heavy[0], target["key"]) / N
    alpha = target["noise"] ** 2 * (np.mean(np.diag(K)) - np.mean(K)) / np.mean(y**2)
    expected = N_test * (K_test @ np.linalg.solve(K + alpha * np.diag(N**-2.0), y))
    for of in (model, other):
        found = [of.evaluate(atoms).properties[target["name"]] for atoms in heavy[1]]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8 * np.abs(expected).max())
    nothing = heavy[1][0].copy()
    nothing.arrays["share"][:] = 0.0
    found = model.evaluate(nothing).properties[target["name"]]
    assert found == 0.0 if target is VOLUME else np.isnan(found)


def test_sparse_structures_are_distinct_and_learn_as_a_projected_process(train, test):
    """Eq. (23n) by dense matrices."""
    found = fit(settings(GAP, n_structures=10), train=train, test=test, progress=False)
    model, (record,) = found.model, found.provenance["targets"]
    arrays = of_model(model)
    assert record["weights"] == 10 and len(arrays["sizes"]) == 10
    soap = SoapDescriptor(**TERM, species=SPECIES)
    features = [soap.compute(atoms) for atoms in train]
    chosen = [
        next(k for k, own in enumerate(features) if np.array_equal(own.values, rows))
        for rows in np.split(arrays["features"], np.cumsum(arrays["sizes"])[:-1])
    ]
    assert len(set(chosen)) == 10
    A = soap.compute(train)
    K = structure_kernel(A, zeta=2)
    K_MM, K_NM = K[np.ix_(chosen, chosen)], K[:, chosen]
    left = labels(train, "homo_lumo") - baselines(train, record["mean"], False)
    v = np.mean(np.diag(K_MM)) - np.mean(K_MM)
    alpha = GAP["noise"] ** 2 * v / record["scale"]["H"] ** 2
    W = np.linalg.solve(K_NM.T @ K_NM + alpha * K_MM, K_NM.T @ left)
    expected = K_NM @ W + baselines(train, record["mean"], False)
    values = [model.evaluate(atoms).properties["gap"] for atoms in train]
    np.testing.assert_allclose(values, expected, atol=1e-6)


def test_more_sparse_structures_learn_more(train, test):
    errors = [
        fit(settings(GAP, n_structures=n), train=train, test=test, progress=False)
        .test_property_errors["gap"]["all"]
        .rmse
        for n in (2, 24)
    ]
    assert errors[1] < 0.7 * errors[0]
    assert errors[1] < 0.5 * np.std(labels(test, "homo_lumo"))


def test_order_of_the_structures_changes_nothing(train, test):
    own = settings(GAP, n_structures=10, normalize=True)
    one, other = (fit(own, train=frames, progress=False).model for frames in (train, train[::-1]))
    for atoms in test:
        found, expected = (m.evaluate(atoms).properties["gap"] for m in (one, other))
        assert found == pytest.approx(expected, abs=1e-9)


def test_candidates_are_thinned_where_there_are_too_many(train, monkeypatch):
    monkeypatch.setattr(structure_basis, "CANDIDATE_BYTES", 40_000)
    found = fit(settings(GAP, n_structures=5), train=train, progress=False)
    assert any("are chosen from one in" in text for text in found.warnings)
    assert found.provenance["targets"][0]["weights"] == 5
    monkeypatch.setattr(structure_basis, "available_bytes", lambda: 10_000)
    with pytest.raises(SoapGprError, match=r"target gap: 5 sparse structures need about .*: lower"):
        fit(settings(GAP, n_structures=5), train=train, progress=False)


def test_equal_structures_and_negative_eigenvalues_leave_the_fit_finite(train):
    """REMatch of 16 molecules of water, of which two are there twice, has negative eigenvalues."""
    frames = [train[0].copy() for _ in range(18)]
    for k, atoms in enumerate(frames):
        atoms.rattle(0.3, seed=k % 16)
        atoms.info["homo_lumo"] = float(atoms.get_distance(0, 1))
    own = settings(GAP | {"noise": 0.001}, pooling="rematch", gamma=0.1)
    found = fit(own, train=frames, test=frames[:4], progress=False)
    (said,) = [text for text in found.warnings if "eigenvalues" in text]
    assert said.startswith("target gap: ") and "of the kernel are negative" in said
    assert found.test_property_errors["gap"]["all"].rmse < 0.1
    smooth = fit(settings(GAP, pooling="rematch", gamma=10.0), train=train, progress=False)
    assert smooth.warnings == ["the model has targets and no potential"]


def test_terms_of_kernels_alone_need_no_sparse_points(train):
    own = settings(GAP, pooling="features")
    assert fit(own, train=train, progress=False).model.n_weights == 0
    both = own | {"targets": [*own["targets"], VOLUME | {"name": "size"}]}
    model = fit(both, train=train, progress=False).model
    assert model.n_weights > 0 and [target.name for target in model.targets] == ["gap", "size"]
    before, after = (m.evaluate(train[0]).properties for m in (model, model))
    assert before == after and np.isfinite(list(before.values())).all()


def test_potential_is_that_of_a_fit_without_the_target():
    frames = emt_frames(8, seed=1)
    for k, atoms in enumerate(frames):
        atoms.info["homo_lumo"] = float(k)
    own = {"terms": small_settings("")["terms"]}
    own["terms"][0] |= {"n_sparse": 10}
    plain = fit(own, train=frames, progress=False).model
    model = fit(own | {"targets": [GAP | {"kernel": {}}]}, train=frames, progress=False).model
    assert model.has_potential and model.targets[0].kernel.zeta == model.terms[0]["zeta"]
    np.testing.assert_array_equal(
        model.evaluate(frames[0]).forces, plain.evaluate(frames[0]).forces
    )


def test_features_are_those_of_the_term_that_is_named(train):
    own = settings(GAP | {"terms": [2]}, pooling="mean")
    own["terms"] = [{"kind": "pair", "cutoff": 3.0}, *own["terms"], {"kind": "acsf", "cutoff": 3.0}]
    assert fit(own, train=train, progress=False).model.targets[0].kernel.term == 1
    own["targets"][0]["terms"] = [3]
    assert fit(own, train=train, progress=False).model.targets[0].kernel.term == 2


def test_holes_in_the_labels_are_counted(train, test):
    frames = [atoms.copy() for atoms in train]
    frames[0].info["homo_lumo"] = np.nan
    del frames[1].info["homo_lumo"]
    found = fit(settings(GAP, n_structures=40), train=frames, test=test, progress=False)
    assert "target gap: 1 labels are nan and were left out" in found.warnings
    assert "target gap: 1 of 24 structures have no 'homo_lumo'" in found.warnings
    said = "target gap: 22 structures have labels, n_structures = 40 were asked for"
    assert said in found.warnings
    assert found.provenance["targets"][0]["labels"] == 22


TOML = """\
[data]
train = ["train.xyz"]
test = ["test.xyz"]
[[terms]]
cutoff = 3.0
n_max = 3
l_max = 2
[[targets]]
name = "gap"
key = "homo_lumo"
per_atom = false
extensive = false
unit = "eV"
noise = 0.1
kernel = {pooling = "rematch", gamma = 1.0, normalize = true, zeta = 2, n_structures = 20}
[[targets]]
name = "volume"
key = "size"
per_atom = false
noise = 0.2
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory, train, test):
    return write_fit(tmp_path_factory.mktemp("kernels"), TOML, train, test)


def test_commands_show_the_kernel(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    assert main(["fit", "fit.toml", "--dry-run"]) == 0
    assert "Targets        gap: kernels with sparse structures" in capsys.readouterr().out
    assert main(["fit", "fit.toml", "-o", "m.sgpr"]) == 0
    words = "gap (eV) of structures, normalised kernel 'rematch', zeta 2, gamma 1, terms 1; 24 lab"
    assert words in capsys.readouterr().out
    assert main(["info", "m.sgpr"]) == 0
    assert words in capsys.readouterr().out
    assert main(["evaluate", "m.sgpr", "test.xyz", "-o", "out.xyz", "--json", "e.json"]) == 0
    assert json.loads((folder / "e.json").read_text())["target_errors"]["gap"]["all"]["count"] == 8
    model = Model.load("m.sgpr")
    for atoms, source in zip(
        ase.io.read("out.xyz", ":"), ase.io.read("test.xyz", ":"), strict=True
    ):
        expected = model.evaluate(source).properties
        assert atoms.info["gap"] == pytest.approx(expected["gap"])
        assert atoms.info["reference_gap"] == pytest.approx(source.info["homo_lumo"])
        assert atoms.info["volume"] == pytest.approx(expected["volume"])
    assert main(["report", "m.sgpr", "test.xyz", "-o", "r.html"]) == 0
    assert "gap: 8 values" in (folder / "r.html").read_text()


@pytest.mark.parametrize("kept", ["checkpoint", "factor"])
def test_checkpoints_and_factors_fit_kernels_again(train, test, tmp_path, kept):
    """Of models that have nothing else, and beside targets on sparse points."""
    own = settings(GAP, VOLUME, pooling="features")
    for targets in (own["targets"], own["targets"][:1]):
        of = own | {"targets": targets}
        plain = fit(of, train=train, progress=False).model
        for _ in range(2):  # the second goes on from the first
            path = tmp_path / f"{kept}{len(targets)}"
            again = fit(of, train=train, progress=False, **{kept: path}).model
            for atoms in test[:2]:
                expected, found = (m.evaluate(atoms).properties for m in (plain, again))
                assert found == pytest.approx(expected, abs=1e-8)


def test_tune_refuses_kernels(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    search = '[tune.search]\n"terms.0.zeta" = [1, 2]\n'
    (folder / "tune.toml").write_text(f"{TOML}{search}")
    assert main(["tune", "tune.toml"]) == 1
    assert "target gap: found a kernel between structures" in capsys.readouterr().err


@pytest.mark.parametrize("beside", [True, False])
def test_learning_curves_are_those_of_fits(folder, monkeypatch, beside):
    """Beside a target on sparse points, and where no term has any, with weights of atoms."""
    monkeypatch.chdir(folder)
    settings = load_settings("fit.toml")
    if not beside:
        gap = settings.targets[0]
        kernel = replace(gap.kernel, n_structures=40)
        settings = replace(settings, targets=(replace(gap, weights="counted", kernel=kernel),))
    curve = learning_curve(settings, [6, 24], repeats=2, seed=3)
    assert list(curve.target_errors) == ["gap", "volume"][: 1 + beside]
    said = "target gap: 24 structures have labels, n_structures = 40 were asked for"
    assert curve.warnings.count(said) == (0 if beside else 1)
    of_fit = fit(settings, progress=False).test_property_errors["gap"]["all"]
    found = curve.target_errors["gap"]["all"]["rmse"]
    assert found[1, 0] == pytest.approx(of_fit.rmse, rel=1e-6)
    order = np.random.default_rng([3, 1]).permutation(24)
    train = read_data(settings).train
    subset = sorted((train[k] for k in order[:6]), key=fingerprint)
    model = fit_targets(
        prepare(settings, read_data(settings)).model, subset, settings, Ranks()
    ).model
    test = read_data(settings).test
    errors = property_errors(model.targets, test, evaluate_structures(model, test))
    assert found[0, 1] == pytest.approx(errors["gap"]["all"].rmse, rel=1e-6)


def test_ranks_find_the_weights_of_one_process(folder):
    done = run_fit(folder, "-o", "two.sgpr", ranks=2)
    assert done.returncode == 0, done.stderr
    one = fit(folder / "fit.toml", progress=False).model
    two = Model.load(folder / "two.sgpr")
    for atoms in ase.io.read(folder / "test.xyz", ":"):
        found, expected = (m.evaluate(atoms).properties for m in (two, one))
        for name in found:
            assert found[name] == pytest.approx(expected[name], abs=1e-7)
