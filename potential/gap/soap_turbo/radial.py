# SPDX-License-Identifier: BSD-3-Clause
"""Radial functions of soap_turbo: M. A. Caro, Phys. Rev. B 100, 024112 (2019), as QUIP has them.

A neighbour at r has the density exp(−(x − r)²/2σ²), σ = σ_0 + s r, along x, and beyond the soft
cutoff x_s times F(x) = exp(−(x − x_s)²/2f²). Expanded in g_n = Σ_α [S^−1/2]_nα φ_α, with
φ_α ∝ (1 − x/x_c)^(α+2) and, for poly3gauss, a last φ ∝ exp(−x²/2σ_0²). QUIP differs from the
exact integrals in four places, which docs/gap.md lists.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import svd
from scipy.special import erf

from potential.basis import jets
from potential.errors import SoapGprError

PER_PANEL = 10  # Gauss-Legendre nodes on each length of the narrowest Gaussian
FAR = 10.0  # σ at which a Gaussian counts as zero
ROUNDING = 1e-14  # of eigenvalues of the overlaps


@dataclass(frozen=True)
class Width:
    """σ(r) = at_zero + slope r, Å."""

    at_zero: float
    slope: float

    def __call__(self, r: np.ndarray) -> np.ndarray:
        """Jet (3, n)."""
        return np.stack([self.at_zero + self.slope * r, 0 * r + self.slope, 0 * r])

    def reaches(self, times: float, length: float) -> float:
        """The r at which r + times σ(r) = length; −∞ or ∞ if it is always more or less."""
        slope = 1 + times * self.slope
        if slope <= 0:
            return -np.copysign(np.inf, times)
        return (length - times * self.at_zero) / slope

    def least(self, cutoff: float) -> float:
        return min(self.at_zero, self.at_zero + self.slope * cutoff)


class RadialExpansion:
    """c_n(r) (3, n_r, n_max) of one species, without amplitude; see the module.

    gaussian: whether the last function is a Gaussian (poly3gauss). ``switches`` are the distances
    at which QUIP leaves something out, so that c_n jumps. Raises SoapGprError for an overlap of
    the basis that is not positive definite.
    """

    def __init__(self, n_max: int, width: Width, soft: float, hard: float, nf: float, gaussian):
        self.width, self.soft, self.hard, self.fall = width, soft, hard, (hard - soft) / nf
        self.n_polynomials = n_max - 1 if gaussian else n_max
        self.overlap = overlap(n_max, width, hard, gaussian)
        if np.linalg.eigvalsh(self.overlap)[0] < -ROUNDING:
            raise SoapGprError(
                f"the radial basis of alpha_max={n_max} with atom_sigma_r={width.at_zero:g} is "
                "singular, and QUIP's descriptor arbitrary"
            )
        self.root = _inverse_root(self.overlap)
        self.gaussian = bool(gaussian)
        step = width.least(hard)
        inner = _quadrature(0.0, soft, step)
        between = _quadrature(soft, hard, min(step, self.fall))
        far = max(FAR * width.at_zero, soft)
        beyond = _quadrature(soft, far, step) if gaussian and far > soft else None
        self.inner = inner[0], self._polynomials(inner)
        filtered = np.exp(-0.5 * ((between[0] - soft) / self.fall) ** 2)
        self.between = between[0], self._polynomials(between) * filtered[:, None]
        if gaussian:
            self.inner_gaussian = self._gaussian(inner)
            self.beyond = (beyond[0], self._gaussian(beyond)) if beyond else None

    @property
    def filter_from(self) -> float:
        """Nearer atoms are integrated up to the soft cutoff only."""
        return self.width.reaches(4.0, self.soft)

    @property
    def gaussian_until(self) -> float:
        """Farther atoms are not projected on the Gaussian: r > 4 (σ_0 + σ(r))."""
        return self.width.reaches(-4.0, 4.0 * self.width.at_zero) if self.gaussian else np.inf

    @property
    def switches(self) -> list[float]:
        return [self.filter_from, self.gaussian_until]

    def __call__(self, r: np.ndarray, filtered: bool, gaussian: bool) -> np.ndarray:
        """Jet (3, n, n_max), on either side of the switches. r: (n,) Å."""
        chunks = [
            self._evaluate(part, filtered, gaussian and self.gaussian)
            for part in np.array_split(r, len(r) // 64 + 1)
        ]
        return np.concatenate(chunks, axis=1)

    def center(self) -> np.ndarray:
        """(n_max,) of the centre's own density."""
        if not self.gaussian:
            return self(np.zeros(1), self.filter_from < 0, False)[0, 0]
        # the basis has this very Gaussian: QUIP takes its overlaps, without a filter
        return self.root.astype(float) @ self.overlap[:, -1] * _norm(self.width.at_zero)

    def _evaluate(self, r, filtered, gaussian):
        x, weights = self.inner
        if gaussian:
            weights = weights + self.inner_gaussian
        total = self._density(x, r) @ weights.astype(float)
        if filtered:
            x, weights = self.between
            total += self._density(x, r) @ weights.astype(float)
            if self.n_polynomials:
                total -= self._lost(r)
        if gaussian and self.beyond:
            x, weights = self.beyond
            total += self._density(x, r) @ weights.astype(float)
        return total

    def _density(self, x, r):
        """Jet (3, n_r, n_x) of exp(−t²/2), t = (x − r)/σ(r)."""
        sigma, slope = self.width(r)[0][:, None], self.width.slope
        t = (x - r[:, None]) / sigma
        t1 = -(1 + slope * t) / sigma
        t2 = -2 * slope * t1 / sigma
        value = np.exp(-0.5 * t**2)
        return np.stack([value, -t * t1 * value, ((t * t1) ** 2 - t1**2 - t * t2) * value])

    def _lost(self, r):
        """What QUIP's recursion leaves out at the hard cutoff, of docs/gap.md."""
        square = jets.multiply(self.width(r), self.width(r))
        f2 = self.fall**2
        total = square + np.array([f2, 0, 0])[:, None]
        below = jets.compose(total[0] ** -1.0, -(total[0] ** -2.0), 2 * total[0] ** -3.0, total)
        v = jets.multiply(f2 * square, below)
        position = np.stack([r, np.ones_like(r), np.zeros_like(r)])
        mean = jets.multiply(f2 * position + self.soft * square, below)
        u = np.array([1.0, 0, 0])[:, None] - mean / self.hard
        at_end = self._density(np.array([self.hard]), r)[:, :, 0]
        at_end = at_end * np.exp(-0.5 * ((self.hard - self.soft) / self.fall) ** 2)
        lost = [np.zeros_like(u), jets.multiply(v, at_end) / self.hard]
        for k in range(2, self.n_polynomials + 3):
            before = jets.multiply(v, lost[k - 2]) * ((k - 1) / self.hard**2)
            lost.append(jets.multiply(u, lost[k - 1]) + before)
        alpha = np.arange(1, self.n_polynomials + 1)
        parts = np.stack(lost[3:], axis=2) * np.sqrt((2 * alpha + 5) / self.hard)
        return parts @ self.root[:, : self.n_polynomials].T.astype(float)

    def _polynomials(self, quadrature):
        """Weights (n_x, n_max) of the part of g_n that is a polynomial."""
        x, w = quadrature
        alpha = np.arange(1, self.n_polynomials + 1)
        power = (1 - x[:, None].astype(np.longdouble) / self.hard) ** (alpha + 2)
        power *= np.sqrt(np.longdouble(2 * alpha + 5) / self.hard)
        return (power @ self.root[:, : self.n_polynomials].T) * w[:, None]

    def _gaussian(self, quadrature):
        """Weights (n_x, n_max) of the rest of g_n."""
        x, w = quadrature
        value = np.exp(-0.5 * (x.astype(np.longdouble) / self.width.at_zero) ** 2)
        return np.outer(value / _norm(self.width.at_zero) * w, self.root[:, -1])


def overlap(n_max: int, width: Width, hard: float, gaussian) -> np.ndarray:
    """S (n_max, n_max)."""
    n_polynomials = n_max - 1 if gaussian else n_max
    two_alpha = 2.0 * np.arange(1, n_polynomials + 1)
    S = np.eye(n_max)
    S[:n_polynomials, :n_polynomials] = np.sqrt((5 + two_alpha[:, None]) * (5 + two_alpha)) / (
        5 + 0.5 * (two_alpha[:, None] + two_alpha)
    )
    if gaussian:
        S[:-1, -1] = S[-1, :-1] = _overlap_with_gaussian(n_polynomials, width.at_zero, hard)
    return S


def _inverse_root(S: np.ndarray) -> np.ndarray:
    """S^(−1/2) (n_max, n_max) of long doubles.

    S is close to singular for many functions, and its root then mostly rounding: in double
    precision by singular values, as here, it is closer to QUIP's than the exact one would be.
    """
    U, values, Vt = svd(S)
    return ((U / np.sqrt(values)) @ Vt).astype(np.longdouble)


def _norm(sigma: float) -> float:
    """√∫ exp(−x²/σ²) dx over x > 0."""
    return np.sqrt(0.5 * np.sqrt(np.pi) * sigma)


def _overlap_with_gaussian(n: int, sigma: float, hard: float) -> np.ndarray:
    """∫ φ_α φ over [0, x_c] for α = 1..n, but for a term at x_c that QUIP leaves out."""
    ratio = sigma / hard
    integrals = [np.sqrt(0.5 * np.pi) * sigma * erf(np.sqrt(0.5) / ratio)]
    for k in range(1, n + 3):
        before = (k - 1) * ratio**2 * integrals[k - 2] if k > 1 else 0.0
        integrals.append(integrals[k - 1] - sigma * ratio + before)
    alpha = np.arange(1, n + 1)
    return np.array(integrals[3:]) * np.sqrt((2 * alpha + 5) / hard) / _norm(sigma)


def _quadrature(begin: float, end: float, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights (n,) of Gauss and Legendre on panels of a length."""
    nodes, weights = np.polynomial.legendre.leggauss(PER_PANEL)
    edges = np.linspace(begin, end, int(np.ceil((end - begin) / step)) + 1)
    half = 0.5 * np.diff(edges)
    x = (edges[:-1] + half)[:, None] + half[:, None] * nodes
    return x.ravel(), (half[:, None] * weights).ravel()
