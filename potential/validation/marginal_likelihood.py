# SPDX-License-Identifier: BSD-3-Clause
"""Noise levels and δ of terms by maximum marginal likelihood, from triangular factors of one set of
rows (docs/theory.md eq. 13d, 13i, 13j)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from potential.settings import FitSettings, NoiseSettings, Sigmas
from potential.structures.label_table import LABELS
from potential.training.evidence import RANGE, Evidence, climbed, level_widths
from potential.training.label_groups import OWN, level
from potential.training.noise import given
from potential.validation.cross_validation import FoldFactors
from potential.validation.deltas import scaled_deltas
from potential.validation.term_prior import TermPrior

_DELTA_WIDTH = 0.1  # about how well log δ² is determined


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
        fixed = [prepared.collapse(pieces.pop(OWN, []), e0)]
        self.labels = list(pieces)
        of_labels = [[prepared.collapse(of_label, e0)] for of_label in pieces.values()]
        self._evidence = Evidence(fixed, of_labels, [counts[label] for label in self.labels])
        self._prior = TermPrior(prepared, settings.solver.jitter)
        self.n_terms = self._prior.n_terms
        self._constant = _log_norm(factors, settings.noise)

    @property
    def n_labels(self) -> np.ndarray:
        """(n_labels,) how many there are of each whose levels have a scale."""
        return self._evidence.n_labels

    def __call__(
        self, log_scales: np.ndarray, log_deltas: np.ndarray | None = None
    ) -> tuple[float, np.ndarray]:
        """log p(y) and its derivatives by the logarithms of the scales (n_labels,) of noise levels,
        followed by those of the scales (n_terms,) of δ² where these are given."""
        U = self._prior.factor(log_deltas)
        point = self._evidence(U, log_scales)
        slopes = point.slopes
        if log_deltas is not None:
            of_terms = self._prior.slopes(U, point.R, point.weights, log_deltas)
            slopes = np.append(slopes, of_terms)
        return point.value - self._constant, slopes


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
    if n_labels + n_terms == 0:
        return settings

    def value(x: np.ndarray) -> tuple[float, np.ndarray]:
        return likelihood(x[:n_labels], x[n_labels:] if delta else None)

    widths = np.append(level_widths(likelihood.n_labels), np.full(n_terms, _DELTA_WIDTH))
    limits = np.log(RANGE) * np.append(np.ones(n_labels), np.full(n_terms, 2.0))
    x = climbed(value, np.zeros(n_labels + n_terms), widths, limits)
    scale = dict(zip(likelihood.labels, np.exp(x[:n_labels]).tolist(), strict=True))
    settings = replace(settings, noise=scaled_noise(settings.noise, scale))
    return scaled_deltas(settings, np.exp(0.5 * x[n_labels:])) if delta else settings


def scaled_noise(noise: NoiseSettings, scale: dict[str, float]) -> NoiseSettings:
    """All levels of a label times its scale, to four digits, as they are written to a file."""

    def scaled(sigmas: Sigmas) -> Sigmas:
        levels = {
            label.sigma_key: float(f"{given(sigmas, label) * scale.get(label.name, 1.0):.4g}")
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
