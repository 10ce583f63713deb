# SPDX-License-Identifier: BSD-3-Clause
"""Radial scaling u(r) = c / (c + (r/r_0)^m) (docs/theory.md eq. 1b; Willatt 2018, eq. 21)."""

from dataclasses import dataclass
from math import isfinite
from numbers import Real

import numpy as np

from potential.errors import SoapGprError


@dataclass(frozen=True)
class RadialScaling:
    """u(r) with r_0 = scale (Å), c = rate, m = exponent; exponent 0 means u = 1.

    Raises SoapGprError when a parameter is not usable. In particular rate = 0, u = (r_0/r)^m,
    diverges at r = 0, and exponents below 2 other than 0 and 1 have no second derivative there.
    """

    scale: float
    rate: float
    exponent: float

    def __post_init__(self):
        for name in ("scale", "rate", "exponent"):
            value = getattr(self, name)
            if not isinstance(value, Real) or isinstance(value, bool) or not isfinite(value):
                raise SoapGprError(
                    f"radial_scaling.{name} must be a finite number, found {value!r}"
                )
        if self.scale <= 0:
            raise SoapGprError(f"radial_scaling.scale must be positive, found {self.scale}")
        if self.exponent == 0:
            return
        if self.exponent < 2 and self.exponent != 1:
            raise SoapGprError(
                f"radial_scaling.exponent must be 0, 1 or at least 2, found {self.exponent}"
            )
        if self.rate <= 0:
            raise SoapGprError(
                f"radial_scaling.rate must be positive, found {self.rate}: with rate 0 the scaling "
                "(scale/r)^exponent diverges at r = 0; use a small positive rate"
            )

    def __call__(self, r):
        """r: (n,) Å, r ≥ 0. Returns the jet (3, n): u, u′ in 1/Å, u″ in 1/Å²."""
        r = np.asarray(r, dtype=float)
        m, c = self.exponent, self.rate
        if m == 0:
            return np.stack([np.ones_like(r), np.zeros_like(r), np.zeros_like(r)])
        # Beyond this x, u < 1e-100 and x^m would soon overflow.
        x = np.minimum(r / self.scale, (1e100 * c) ** (1.0 / m))
        # d = 1 + x^m/c; a derivative whose factor vanishes (m = 1) must not raise 0 to a power < 0
        d = 1.0 + x**m / c
        d1 = m * x ** (m - 1) / (c * self.scale)
        d2 = m * (m - 1) * x ** (m - 2) / (c * self.scale**2) if m != 1 else np.zeros_like(x)
        return np.stack([1.0 / d, -d1 / d**2, 2.0 * d1**2 / d**3 - d2 / d**2])
