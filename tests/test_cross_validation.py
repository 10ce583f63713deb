# SPDX-License-Identifier: BSD-3-Clause
"""Cross-validation and marginal likelihood from triangular factors, against the plain ways."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.stats import multivariate_normal
from training_data import emt_frames, small_settings, write_frames

from potential.model.evaluation import evaluate_structures
from potential.scores import metrics
from potential.settings import Sigmas
from potential.settings.file import parse_settings
from potential.training.noise import label_sigmas
from potential.training.regression import StreamingQR, solve
from potential.training.rows import weighted_rows
from potential.validation.cross_validation import FoldFactors
from potential.validation.marginal_likelihood import (
    MarginalLikelihood,
    log_marginal_likelihood,
    maximum_likelihood_noise,
    scaled_noise,
)
from potential.validation.row_store import prepare, read_data

NOISE = {
    "energy_per_atom": 0.004,
    "force": 0.08,
    "virial_per_atom": 0.03,
    "config_type": {"odd": {"force": 0.2}},
}


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """Frames with two noise tables, a few with a sigma of their own, and an isolated atom."""
    frames = emt_frames(11, seed=1)
    frames[2].info["force_sigma"] = 0.03
    frames[3].info["energy_sigma"] = 0.5
    frames[4].info["virial_sigma"] = np.inf
    lone = frames[0][:1]
    lone.pbc, lone.info = False, {"config_type": "isolated_atom", "energy": 0.3}
    lone.calc = None
    path = write_frames(tmp_path_factory.mktemp("folds") / "train.xyz", [*frames, lone])
    return parse_settings(small_settings(path, n_sparse=12) | {"noise": NOISE})


@pytest.fixture(scope="module")
def factors(settings):
    return FoldFactors(prepare(settings, read_data(settings)), 3, seed=4)


def changed(settings):
    """Other noise levels and another jitter."""
    noise = scaled_noise(settings.noise, {"energy": 2.0, "force": 0.3, "virial": 5.0})
    return replace(settings, noise=noise, solver=replace(settings.solver, jitter=1e-6))


def stacked(model, structures, settings):
    parts = [weighted_rows(model, s, settings) for s in structures]
    return np.concatenate([A for A, _ in parts]), np.concatenate([y for _, y in parts])


@pytest.mark.parametrize("change", [lambda s: s, changed])
def test_values_equal_those_of_refits(settings, factors, change):
    new = change(settings)
    prepared, part = factors.prepared, factors.part
    held_out, predictions = [], []
    for fold in range(3):
        rest = [s for s, k in zip(prepared.train, part, strict=True) if k != fold]
        model = prepared.model.with_arrays({"e0": prepared.e0(rest)})
        qr = StreamingQR(model.n_weights)
        qr.add(*stacked(model, rest, new))
        weights = solve(qr.triangle(), model.kernel_matrix(), new.solver.jitter).weights
        own = [s for s, k in zip(prepared.train, part, strict=True) if k == fold]
        own = [
            replace(s, virial=None if s.sigma_virial else s.virial) for s in own
        ]  # inf: left out
        held_out += own
        predictions += evaluate_structures(model.with_weights(weights), own)
    expected = metrics.errors(held_out, predictions)[metrics.ALL]
    result = factors.cross_validate(new)
    assert result.counts == {"energy": 11, "force": 264, "virial": 60}
    for label, rmse in result.rmse.items():
        assert rmse == pytest.approx(expected[label].rmse, rel=1e-8), label


def test_isolated_atom_is_in_every_fit_and_never_tested(factors):
    lone = [k for k, s in enumerate(factors.prepared.train) if len(s) == 1]
    assert factors.part[lone].tolist() == [-1]
    assert factors.count("energy") == 12 and factors.count("energy", -1) == 1


def test_infinite_level_leaves_the_label_out(settings, factors):
    noise = replace(
        settings.noise,
        default=Sigmas(0.004, 0.08, np.inf),
        config_type={"odd": Sigmas(0.004, 0.2, np.inf)},
    )
    without = factors.cross_validate(replace(settings, noise=noise)).rmse
    assert without["virial"] > 1.2 * factors.cross_validate(settings).rmse["virial"]


def test_likelihood_equals_that_of_the_dense_gaussian(settings, factors):
    """p(y) = N(0, A K_MM⁻¹ Aᵀ + Λ) with all labels in one matrix."""
    for new in (settings, changed(settings)):
        model, train = factors.prepared.model, factors.prepared.train
        A, y = stacked(model, train, new)
        K = model.kernel_matrix()
        K += new.solver.jitter * np.mean(np.diag(K)) * np.eye(len(K))
        covariance = A @ np.linalg.solve(K, A.T) + np.eye(len(y))
        dense = multivariate_normal(cov=0.5 * (covariance + covariance.T)).logpdf(y)
        dense -= log_of_sigmas(train, new)
        assert log_marginal_likelihood(factors, new) == pytest.approx(dense, rel=1e-8)


def log_of_sigmas(structures, settings):
    """Σ log sigma over all labels of finite sigma."""
    total = 0.0
    for s in structures:
        sigma = label_sigmas(settings.noise, s)
        for value, count, level in (
            (s.energy, 1, sigma.energy),
            (s.forces, 3 * len(s), sigma.force),
            (s.virial, 6, sigma.virial),
        ):
            if value is not None and np.isfinite(level):
                total += count * np.log(level)
    return total


def test_likelihood_derivatives_are_those_of_finite_differences(settings, factors):
    likelihood = MarginalLikelihood(factors, settings)
    x = np.array([0.3, -0.2, 0.5])
    numerical = approx_fprime(x, lambda x: likelihood(x)[0], 1e-6)
    np.testing.assert_allclose(likelihood(x)[1], numerical, rtol=1e-4)


def test_maximum_likelihood_finds_the_noise_that_was_added(tmp_path):
    """Labels made by a model of the same sparse points, with known errors added."""
    train = write_frames(tmp_path / "train.xyz", emt_frames(30, seed=3))
    settings = parse_settings(small_settings(train, n_sparse=6))
    prepared = prepare(settings, read_data(settings))
    rng = np.random.default_rng(0)
    K = prepared.model.kernel_matrix()
    weights = 0.05 * np.linalg.solve(np.linalg.cholesky(K).T, rng.standard_normal(len(K)))
    model = prepared.model.with_weights(weights)
    noisy = [
        replace(
            s,
            energy=e.energy + 0.01 * np.sqrt(len(s)) * rng.standard_normal(),
            forces=e.forces + 0.07 * rng.standard_normal((len(s), 3)),
            virial=None,
        )
        for s, e in zip(prepared.train, evaluate_structures(model, prepared.train), strict=True)
    ]
    factors = FoldFactors(replace(prepared, train=noisy), 2)
    found = maximum_likelihood_noise(factors, settings).default
    assert found.force == pytest.approx(0.07, rel=0.06)
    assert found.energy_per_atom == pytest.approx(0.01, rel=0.4)
    assert found.virial_per_atom == settings.noise.default.virial_per_atom
