# SPDX-License-Identifier: BSD-3-Clause
"""Feature reconstruction errors against skmatter, and the command that compares features."""

import json

import numpy as np
import pytest
from ase.build import molecule
from training_data import emt_frames, write_frames

from potential import SoapDescriptor, SoapGprError, fit
from potential.cli import main
from potential.descriptors import Features
from potential.descriptors.chosen import descriptor_of
from potential.scores.reconstruction import (
    CUTOFFS,
    compare_features,
    global_reconstruction_error,
    kernel_features,
    local_reconstruction_error,
)

SMALL = {"cutoff": 3.0, "n_max": 3, "l_max": 2}
NAMES = ["H2O", "CH4", "C2H6", "CH3OH", "CO2", "HCOOH", "C2H4", "H2CO", "C2H2", "CH3CHO"]


@pytest.fixture(scope="module")
def frames():
    found = [molecule(name) for name in NAMES]
    for seed, atoms in enumerate(found):
        atoms.rattle(0.05, seed=seed)
    return found


@pytest.fixture(scope="module")
def sets(frames):
    """Features of two cutoffs of all atoms, and rows to learn from and to test on."""
    X, Y = (
        SoapDescriptor(**SMALL | {"cutoff": cutoff}, species=["H", "C", "O"])(frames)
        for cutoff in (2.0, 3.0)
    )
    order = np.random.default_rng(0).permutation(len(X))
    return X, Y, order[: len(X) // 2], order[len(X) // 2 :]


def skmatter_estimator(n):
    """skmatter's default, with our folds."""
    linear_model = pytest.importorskip("skmatter.linear_model")
    folds = [(np.arange(0, n, 2), np.arange(1, n, 2))]
    return linear_model.Ridge2FoldCV(
        alphas=CUTOFFS,
        alpha_type="relative",
        regularization_method="cutoff",
        cv=folds,
        scoring="neg_root_mean_squared_error",
        n_jobs=1,
    )


def test_global_error_equals_skmatter(sets):
    metrics = pytest.importorskip("skmatter.metrics")
    X, Y, train, test = sets
    for own in ((X, Y), (Y, X)):
        expected = metrics.global_reconstruction_error(
            *own, train_idx=train, test_idx=test, estimator=skmatter_estimator(len(train))
        )
        found = global_reconstruction_error(*own, train, test)
        assert found == pytest.approx(expected, rel=1e-8) and found > 1e-3


def test_local_error_equals_skmatter(sets):
    metrics = pytest.importorskip("skmatter.metrics")
    X, Y, train, test = sets
    for own in ((X, Y), (Y, X)):
        expected = metrics.local_reconstruction_error(
            *own, 8, train_idx=train, test_idx=test, estimator=skmatter_estimator(8)
        )
        assert local_reconstruction_error(*own, train, test, 8) == pytest.approx(expected, rel=1e-8)


def test_linear_functions_of_features_are_known_and_know_less():
    rng = np.random.default_rng(1)
    X = rng.standard_normal((80, 6))
    Y = X @ rng.standard_normal((6, 3)) + 5.0
    train, test = np.arange(40), np.arange(40, 80)
    assert global_reconstruction_error(X, Y, train, test) < 1e-12
    assert global_reconstruction_error(Y, X, train, test) > 0.3
    other = rng.standard_normal((80, 4))
    assert global_reconstruction_error(X, other, train, test) > 0.9


def test_local_maps_know_functions_that_no_linear_map_does():
    rng = np.random.default_rng(2)
    X = rng.uniform(-1.0, 1.0, (300, 1))
    Y = np.hstack([X**2, np.cos(3 * X)])
    train, test = np.arange(200), np.arange(200, 300)
    assert global_reconstruction_error(X, Y, train, test) > 0.9
    assert local_reconstruction_error(X, Y, train, test, 10) < 0.02


def test_kernel_features_are_those_of_the_kernel(frames):
    found = SoapDescriptor(**SMALL, species=["H", "C", "O"]).compute(frames)
    p = found.values
    Phi = kernel_features(found, 3)
    np.testing.assert_allclose(Phi @ Phi.T, (p @ p.T) ** 3, atol=1e-12)


def test_kernel_of_power_2_is_that_of_products_of_features():
    """The error of kernels is that of features which have the kernel for their product."""
    rng = np.random.default_rng(3)
    p, other = (rng.uniform(0.1, 1.0, (60, n)) for n in (3, 4))
    train, test = np.arange(30), np.arange(30, 60)
    products = [np.einsum("ia,ib->iab", X, X).reshape(60, -1) for X in (p, other)]
    kernels = [
        kernel_features(Features(X, np.ones(60, dtype=int), np.arange(61)), 2) for X in (p, other)
    ]
    expected = global_reconstruction_error(*products, train, test)
    found = global_reconstruction_error(*kernels, train, test)
    assert found == pytest.approx(expected, rel=1e-5) and expected > 0.1


def test_more_functions_know_fewer_and_not_the_other_way_round(frames):
    """Of more Gaussian-type orbitals and a larger l_max."""
    small, large = (
        SoapDescriptor(cutoff=4.0, n_max=n, l_max=l, species=["H", "C", "O"]).compute(frames)
        for n, l in ((2, 1), (4, 4))
    )
    options = {"n_local": 5, "centers": ["H"], "zeta": 2}
    found = compare_features(small, large, **options)
    assert set(found.errors) == {"global", "local", "kernel"}
    assert found.errors["global"][1] < 0.5 * found.errors["global"][0]


def test_split_is_by_structures_and_by_species(frames):
    found = SoapDescriptor(**SMALL, species=["H", "C", "O"]).compute(frames)
    n_hydrogens = int(np.sum(found.numbers == 1))
    result = compare_features(found, found, centers=["H"], n_local=5)
    assert result.n_train + result.n_test == n_hydrogens
    assert compare_features(found, found, n_environments=20, n_local=5).n_train == 10


# ---------------------------------------------------------------- settings and models


@pytest.fixture
def folder(tmp_path, monkeypatch, frames):
    monkeypatch.chdir(tmp_path)
    write_frames("frames.xyz", frames)
    text = "[[terms]]\ncutoff = 3.0\nn_max = {}\nl_max = 2\nbasis = '{}'\n"
    (tmp_path / "a.toml").write_text(text.format(3, "gto"))
    (tmp_path / "b.toml").write_text(
        text.format(3, "laplacian") + "contraction = {n_channels = 4}\n[[terms]]\nkind = 'pair'\n"
    )
    return tmp_path


def test_features_of_settings_are_those_of_the_descriptor(folder, frames):
    found = descriptor_of("a.toml", None, 1)(frames)
    expected = SoapDescriptor(**SMALL, basis="gto").fit(frames).compute(frames)
    np.testing.assert_array_equal(found.values, expected.values)
    np.testing.assert_array_equal(found.offsets, expected.offsets)
    contracted = SoapDescriptor(**SMALL, basis="laplacian", contraction={"n_channels": 4})
    np.testing.assert_allclose(
        descriptor_of("b.toml", None, 1)(frames).values,
        contracted.fit(frames).compute(frames).values,
        atol=1e-12,
    )


def test_features_of_a_model_are_what_its_fit_learnt(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = emt_frames(4)
    write_frames("train.xyz", data)
    (tmp_path / "fit.toml").write_text(
        '[data]\ntrain = ["train.xyz"]\n[[terms]]\ncutoff = 3.5\nn_max = 4\nl_max = 2\n'
        "n_sparse = 5\ncontraction = {n_channels = 3}\n"
    )
    fit("fit.toml", progress=False).model.save("model.sgpr")
    found = descriptor_of(None, "model.sgpr", 1)(data[:2])
    expected = descriptor_of("fit.toml", None, 1)(data[:2])
    np.testing.assert_allclose(found.values, expected.values, atol=1e-12)


def test_command_prints_a_table_and_writes_json(folder, capsys):
    line = "compare-features a.toml b.toml frames.xyz --neighbors 5 --zeta 2 --json errors.json"
    assert main(line.split()) == 0
    said = capsys.readouterr().out
    assert "A: a.toml, term 1, 135 features" in said and "local (LFRE)" in said
    written = json.loads((folder / "errors.json").read_text())
    assert set(written["errors"]) == {"global", "local", "kernel"}
    assert 0 < written["errors"]["global"]["B from A"] < written["errors"]["global"]["A from B"]
    assert main([*line.split()[:-1], "-"]) == 0
    assert json.loads(capsys.readouterr().out) == written


@pytest.mark.parametrize(
    "line, message",
    [
        ("a.toml b.toml none.xyz", "none.xyz: found nothing, expected an existing file"),
        ("a.toml none.toml frames.xyz", "none.toml: no such file"),
        ("a.toml none.sgpr frames.xyz", "none.sgpr"),
        ("a.toml b.toml frames.xyz --terms 2 1", "a.toml: found no term 2, expected one from 1 to"),
        ("a.toml b.toml frames.xyz --terms 1 2", "b.toml: term 2 is of kind 'pair', expected one"),
        ("a.toml b.toml frames.xyz@:2", "to learn from and to test on, expected at least 20 of"),
        ("a.toml b.toml frames.xyz --centers Si", "found 0 and 0 environments to learn from"),
        ("a.toml b.toml frames.xyz --centers Xy", "species: found 'Xy', expected symbols or"),
        ("a.toml b.toml frames.xyz --json a.toml", "a.toml: is the file to read"),
    ],
)
def test_bad_input_is_one_sentence(folder, capsys, line, message):
    assert main(["compare-features", *line.split()]) == 1
    said = capsys.readouterr().err
    assert message in said and len(said.splitlines()) == 1


@pytest.mark.parametrize(
    "table",
    ["alchemy = {dimensions = 2, optimise = {}}", "contraction = {n_channels = 2, optimise = {}}"],
)
def test_tables_that_a_fit_optimises_are_those_of_a_model(folder, table):
    (folder / "c.toml").write_text(f"[[terms]]\n{table}\nzeta = 1\n")
    with pytest.raises(SoapGprError, match=r"^c.toml: term 1 has a table that a fit optimises, ex"):
        descriptor_of("c.toml", None, 1)
    with pytest.raises(SoapGprError, match=r"^expected either settings or a model$"):
        descriptor_of("a.toml", "model.sgpr", 1)


def test_features_that_do_not_go_together_are_refused(frames):
    soap = SoapDescriptor(**SMALL, species=["H", "C", "O"])
    A = soap.compute(frames)
    with pytest.raises(SoapGprError, match=r"^found features of different structures, expected"):
        compare_features(A, soap.compute(frames[:-1]))
    flat = Features(np.ones_like(A.values), A.numbers, A.offsets)
    with pytest.raises(SoapGprError, match=r"^found features that are the same for all envir"):
        compare_features(A, flat, n_local=5)
