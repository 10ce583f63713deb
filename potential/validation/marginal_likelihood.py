# SPDX-License-Identifier: BSD-3-Clause
"""Noise levels and δ of terms by maximum marginal likelihood, from triangular factors of one set of
rows (docs/theory.md eq. 13d, 13i, 13j)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.linalg import solve_triangular
from scipy.optimize import minimize

from potential.settings import FitSettings, NoiseSettings, Sigmas
from potential.structures.label_table import LABELS
from potential.training.label_groups import OWN, level
from potential.training.regression import StreamingQR
from potential.validation.cross_validation import FoldFactors
from potential.validation.deltas import scaled_deltas
from potential.validation.term_prior import TermPrior

RANGE = 1e3  # a level or δ moves at most by this scale, up or down


class MarginalLikelihood:
    """log p(y) of all training labels as a function of one scale per label of its noise levels, and
    of one scale per term of its δ².

    The ratios between the config_types stay, and so do the structures' own sigmas.
    """

    def __init__(self, factors: FoldFactors, settings: FitSettings, *, noise: bool = True):
        """noise: whether noise levels have scales; without, ``labels`` is empty."""
        prepared = factors.prepared
        e0 = prepared.model.arrays["e0"]
        pieces: dict[str, list[np.ndarray]] = {}
        counts: dict[str, int] = {}
        for key, R in factors.weighted(settings.noise):
            group = key[1] if noise and key[2] != OWN else OWN
            pieces.setdefault(group, []).append(R)
            counts[group] = counts.get(group, 0) + factors.counts[key]
        self._fixed = prepared.collapse(pieces.pop(OWN, []), e0)
        self._counts = counts
        self.labels = list(pieces)
        self._factors = [prepared.collapse(of_label, e0) for of_label in pieces.values()]
        self._n = np.array([counts[label] for label in self.labels], dtype=float)
        self._prior = TermPrior(prepared, settings.solver.jitter)
        self.n_terms = self._prior.n_terms
        self._constant = _log_norm(factors, settings.noise)

    def __call__(
        self, log_scales: np.ndarray, log_deltas: np.ndarray | None = None
    ) -> tuple[float, np.ndarray]:
        """log p(y) and its derivatives by the logarithms of the scales (n_labels,) of noise levels,
        followed by those of the scales (n_terms,) of δ² where these are given."""
        U = self._prior.factor(log_deltas)
        M = len(U)
        scaled = [
            R * np.exp(-x) for R, x in zip(self._factors, np.asarray(log_scales), strict=True)
        ]
        qr = StreamingQR(M)
        qr.add(U, np.zeros(M))
        for R in (self._fixed, *scaled):
            qr.add(R[:, :M], R[:, M])
        triangle = qr.triangle()
        R = triangle[:M, :M]
        weights = solve_triangular(R, triangle[:M, M])
        log_det = 2.0 * (_log_diagonal(R) - _log_diagonal(U))
        value = -0.5 * (triangle[M, M] ** 2 + log_det) - self._n @ log_scales - self._constant
        misfit = [np.sum((T[:, :M] @ weights - T[:, M]) ** 2) for T in scaled]
        # tr(K̃⁻¹ AᵀA) = |R⁻ᵀ Aᵀ|²
        trace = [np.sum(solve_triangular(R, T[:, :M].T, trans=1) ** 2) for T in scaled]
        slopes = np.array(misfit) + np.array(trace) - self._n
        if log_deltas is not None:
            slopes = np.append(slopes, self._prior.slopes(U, R, weights, log_deltas))
        return float(value), slopes


def log_marginal_likelihood(factors: FoldFactors, settings: FitSettings) -> float:
    """log p(y) of the training labels, for sparse points as chosen (docs/theory.md eq. 13d)."""
    likelihood = MarginalLikelihood(factors, settings)
    return likelihood(np.zeros(len(likelihood.labels)))[0]


def maximum_likelihood_noise(factors: FoldFactors, settings: FitSettings) -> NoiseSettings:
    """The noise levels, one scale for each label, at which the labels are most likely."""
    return maximum_likelihood(factors, settings).noise


def maximum_likelihood(
    factors: FoldFactors, settings: FitSettings, *, noise: bool = True, delta: bool = False
) -> FitSettings:
    """The settings with the noise levels, the δ of all terms, or both, at which the labels are most
    likely. The factors are those of the δ in the settings."""
    likelihood = MarginalLikelihood(factors, settings, noise=noise)
    n_labels, n_terms = len(likelihood.labels), likelihood.n_terms if delta else 0

    def negative(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, slopes = likelihood(x[:n_labels], x[n_labels:] if delta else None)
        return -value, -slopes

    if n_labels + n_terms == 0:
        return settings
    limit = np.log(RANGE)
    found = minimize(
        negative,
        np.zeros(n_labels + n_terms),
        jac=True,
        method="L-BFGS-B",
        bounds=[(-limit, limit)] * n_labels + [(-2 * limit, 2 * limit)] * n_terms,
        options={"maxiter": 60, "gtol": 1e-3, "ftol": 1e-10},
    )
    scale = dict(zip(likelihood.labels, np.exp(found.x[:n_labels]).tolist(), strict=True))
    settings = replace(settings, noise=scaled_noise(settings.noise, scale))
    return scaled_deltas(settings, np.exp(0.5 * found.x[n_labels:])) if delta else settings


def scaled_noise(noise: NoiseSettings, scale: dict[str, float]) -> NoiseSettings:
    """All levels of a label times its scale, to four digits, as they are written to a file."""

    def scaled(sigmas: Sigmas) -> Sigmas:
        levels = {
            label.sigma_key: float(
                f"{getattr(sigmas, label.sigma_key) * scale.get(label.name, 1.0):.4g}"
            )
            for label in LABELS.values()
        }
        return replace(sigmas, **levels)

    tables = {name: scaled(sigmas) for name, sigmas in noise.config_type.items()}
    return replace(noise, default=scaled(noise.default), config_type=tables)


def _log_norm(factors: FoldFactors, noise: NoiseSettings) -> float:
    """Σ log(sigma sqrt(2 pi)) over all labels that are fitted."""
    total = 0.0
    counts: dict[tuple[str, str], int] = {}
    for (_, label, table), n in factors.counts.items():
        counts[label, table] = counts.get((label, table), 0) + n
    for (label, table), n in counts.items():
        sigma = level(noise, label, table)
        if np.isfinite(sigma):
            total += factors.log_sigma[label, table] + n * np.log(sigma * np.sqrt(2 * np.pi))
    return total


def _log_diagonal(R: np.ndarray) -> float:
    return float(np.sum(np.log(np.abs(np.diag(R)))))
