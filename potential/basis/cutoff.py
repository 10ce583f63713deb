# SPDX-License-Identifier: BSD-3-Clause
"""Cutoff functions f_c(r) of densities, pairs and triplets (docs/theory.md eq. 1a).

f_c = 1        for r < r_c − Δ
f_c = τ(x)     for r_c − Δ ≤ r ≤ r_c,   x = (r_c − r) / Δ
f_c = 0        for r > r_c

smooth   τ = 1 / (1 + e^−z), z = 1/(1 − x) − 1/x: all derivatives are continuous
cosine   τ = ½ [1 − cos(π x)]: f_c and f_c′ are continuous, f_c″ jumps at r_c − Δ and r_c

Tables ask for the two pieces separately and get one-sided derivatives at the joint.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

Jet = Callable[[np.ndarray], np.ndarray]

COSINE, SMOOTH = "cosine", "smooth"
CUTOFF_FUNCTIONS = (SMOOTH, COSINE)
_FLAT = 1e-3  # nearer to its ends than this τ is 0 or 1 to more digits than a double has


@dataclass(frozen=True)
class CutoffFunction:
    """f_c with r_c = cutoff and Δ = width in Å; kind is one of CUTOFF_FUNCTIONS."""

    cutoff: float
    width: float
    kind: str

    def pieces(self) -> list[tuple[float, float, Jet]]:
        """(begin, end, function) from 0 to the cutoff; the functions take r (n,) in Å and return
        the jet (3, n): f_c, f_c′ in 1/Å, f_c″ in 1/Å². Δ = r_c leaves nothing below the last."""
        begin = self.cutoff - self.width
        plateau = [(0.0, begin, _plateau)] if begin > 0 else []
        return [*plateau, (max(begin, 0.0), self.cutoff, self.taper)]

    def taper(self, r: np.ndarray) -> np.ndarray:
        """The jet (3, n) of the last piece at r (n,) in Å, one-sided at both ends."""
        # from the cutoff, so that f_c and f_c′ are exactly 0 there
        x = (self.cutoff - np.asarray(r, dtype=float)) / self.width
        value, slope, curvature = _TAPERS[self.kind](x)
        return np.stack([value, -slope / self.width, curvature / self.width**2])

    def __call__(self, r: np.ndarray) -> np.ndarray:
        """f_c (n,) at any distances r (n,) in Å."""
        inside = r < self.cutoff
        falling = inside & (r >= self.cutoff - self.width)
        return np.where(falling, self.taper(np.where(falling, r, self.cutoff))[0], inside)


def _plateau(r: np.ndarray) -> np.ndarray:
    jet = np.zeros((3, len(r)))
    jet[0] = 1.0
    return jet


def _cosine(x: np.ndarray) -> np.ndarray:
    """Jet in x of ½ [1 − cos(π x)]."""
    k = np.pi
    return np.stack([np.sin(0.5 * k * x) ** 2, 0.5 * k * np.sin(k * x), 0.5 * k**2 * np.cos(k * x)])


def _smooth(x: np.ndarray) -> np.ndarray:
    """Jet in x of 1 / (1 + e^−z), z = 1/(1 − x) − 1/x."""
    x = np.clip(x, _FLAT, 1 - _FLAT)
    y = 1 - x
    z, z1, z2 = 1 / y - 1 / x, 1 / y**2 + 1 / x**2, 2 / y**3 - 2 / x**3
    value, rest = expit(z), expit(-z)
    slope = value * rest
    return np.stack([value, slope * z1, slope * (z2 + (rest - value) * z1**2)])


_TAPERS = {SMOOTH: _smooth, COSINE: _cosine}
