# SPDX-License-Identifier: BSD-3-Clause
"""The radial bases of QUIP's soap, as sums of Gaussians times Bessel functions.

Each is linear in F_l(r_a) = exp(−(r_a² + r²)/2σ²) i_l(r_a r/σ²) on a grid of distances r_a:
R_nl(r) = Σ_a F_l(r_a) T^l_an, which basis.radial_integral.GaussianSums evaluates.
docs/gap.md has the formulas.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import erf, gamma, gammainc

from potential.basis.radial_integral import GaussianSums
from potential.errors import SoapGprError

BEGIN = 0.05  # Å: below it (scale/r)^exponent goes on as a parabola


@dataclass(frozen=True)
class InversePower:
    """u(r) = (scale/r)^exponent, the scaling of cutoff_rate=0; a parabola below BEGIN.

    Raises SoapGprError for numbers out of range.
    """

    scale: float
    exponent: int

    def __post_init__(self):
        if not (0 < self.exponent <= 20 and 0 < self.scale <= 100):
            raise SoapGprError(
                f"found cutoff_scale={self.scale:g} and cutoff_dexp={self.exponent} with "
                "cutoff_rate=0, expected 0 < scale <= 100 and 0 < dexp <= 20"
            )

    def __call__(self, r):
        """r: (n,) Å. Returns the jet (3, n)."""
        m, at = self.exponent, np.maximum(r, BEGIN)
        u = (self.scale / at) ** m
        slope, curvature = -m * u / at, m * (m + 1) * u / at**2
        beyond = r - at
        return np.stack(
            [
                u + slope * beyond + 0.5 * curvature * beyond**2,
                slope + curvature * beyond,
                curvature,
            ]
        )

    def joints(self, cutoff: float) -> list[float]:
        """Distances between which u changes by a factor of 2^exponent."""
        return [BEGIN * 2.0**k for k in range(int(np.log2(cutoff / BEGIN)) + 1)]


def radial_functions(name, n_max, l_max, sigma, radius):
    """GaussianSums of equispaced_gauss, poly or gto; radius: end of the basis, Å."""
    if name == "equispaced_gauss":
        nodes = np.arange(n_max) * radius / n_max
        return GaussianSums(nodes, [_equispaced(nodes, sigma)] * (l_max + 1), sigma)
    nodes = np.arange(3 * n_max) * radius / (3 * n_max)
    if name == "poly":
        weights = [_least_squares(*_poly(nodes, n_max, radius))] * (l_max + 1)
    else:
        weights = [_least_squares(*_gto(nodes, n_max, radius, l)) for l in range(l_max + 1)]
    return GaussianSums(nodes, weights, sigma)


def rounding(name, n_max, l_max, sigma, radius) -> float:
    """How much the radial basis multiplies rounding: the largest condition number of the matrices
    that are factorised, the overlaps with 1 on their diagonals."""
    nodes = np.arange(3 * n_max) * radius / (3 * n_max)
    if name == "equispaced_gauss":
        matrices = [_gaussians(nodes[::3], sigma)]
    elif name == "poly":
        matrices = [_poly(nodes, n_max, radius)[1]]
    else:
        matrices = [_gto(nodes, n_max, radius, l)[1] for l in range(l_max + 1)]
    norms = [np.sqrt(np.diag(own)) for own in matrices]
    scaled = [own / np.outer(norm, norm) for own, norm in zip(matrices, norms, strict=True)]
    return max(float(np.linalg.cond(own)) for own in scaled)


def _gaussians(r, sigma):
    """C: of width sigma around each r at all r."""
    return np.exp(-0.5 * ((r[:, None] - r) / sigma) ** 2)


def _equispaced(r, sigma):
    """T = C⁻¹ L: coefficients on Gaussians at r, made orthonormal by S = L Lᵀ."""
    alpha = 0.5 / sigma**2
    difference, s = r[:, None] - r, r[:, None] + r
    S = np.sqrt(2) * alpha**1.5 * s * np.exp(-alpha * (r[:, None] ** 2 + r**2))
    S += (
        np.sqrt(np.pi)
        * alpha
        * (1 + alpha * s**2)
        * np.exp(-0.5 * alpha * difference**2)
        * (1 + erf(s * np.sqrt(alpha / 2)))
    )
    S /= np.sqrt(128 * alpha**5)
    return np.linalg.solve(_gaussians(r, sigma), np.linalg.cholesky(S))


def _poly(r, n_max, radius):
    """Values (n_grid, n_max) and overlap of (R − r)^(i+2), i = 1..n_max, normalised."""
    i = np.arange(1, n_max + 1)
    norm = np.sqrt(radius ** (2 * i + 7.0) / ((i + 3) * (2 * i + 5) * (2 * i + 7)))
    total = i[:, None] + i
    overlap = 2 * radius ** (total + 7.0) / ((5 + total) * (6 + total) * (7 + total))
    return (radius - r[:, None]) ** (i + 2) / norm, overlap / np.outer(norm, norm)


def _gto(r, n_max, radius, l):
    """Values (n_grid, n_max) and overlap of r^l exp(−a r²), which have decayed at n R/n_max."""
    decayed = np.arange(1, n_max + 1) * radius / n_max
    a = -(np.log(0.001) - l * np.log(decayed)) / decayed**2
    t, u = l + 1.5, (a[:, None] + a) * radius**2
    overlap = 0.5 * radius ** (2 * t) * u ** (-t) * gammainc(t, u) * gamma(t)
    return r[:, None] ** l * np.exp(-np.outer(r**2, a)), overlap


def _least_squares(values, overlap):
    """T of the fit of M R = F on the grid, M = B L⁻ᵀ and L Lᵀ the overlap."""
    M = np.linalg.solve(np.linalg.cholesky(overlap), values.T).T
    Q, R = np.linalg.qr(M)
    return np.linalg.solve(R, Q.T).T.copy()
