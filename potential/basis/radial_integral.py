# SPDX-License-Identifier: BSD-3-Clause
"""Radial integral of a Gaussian at distance r (docs/theory.md eq. 2, 2a).

R^_nl(r) = 4π exp(−r²/2σ²) ∫ x² R_nl(x) exp(−x²/2σ²) i_l(x r/σ²) dx

by Gauss–Legendre quadrature. With the scaled ĩ_l = e^{−z} i_l, z = x r/σ², the kernel is
exp(−(x − r)²/2σ²) ĩ_l(z), which neither overflows nor underflows early. Derivatives in r are taken
under the integral, with E = exp(−(x² + r²)/2σ²):

d/dr   [E i_l] = E [−(r/σ²) i_l + (x/σ²) i_l′]
d²/dr² [E i_l] = E [(r²/σ⁴ − 1/σ²) i_l − 2 (r x/σ⁴) i_l′ + (x²/σ⁴) i_l″]

i_l′ and i_l″ follow from a recurrence without 1/z, so r = 0 is an ordinary point. Widths that grow
with the distance (eq. 2g) add terms; for a width of zero the integral is R_nl itself (eq. 2f).
"""

import numpy as np

from potential.basis import bessel


class GaussianSums:
    """Σ_x E(x, r) i_l(x r/σ²) w^l_xn and its first two derivatives in r, E as above.

    nodes: (n_nodes,) Å; weights: list over l of (n_nodes, n_channels). r must not be negative.
    """

    def __init__(self, nodes, weights, atom_sigma):
        self.l_max = len(weights) - 1
        self.atom_sigma = float(atom_sigma)
        self.x = nodes
        self.weighted = weights

    def __call__(self, r):
        """r: (n,) Å. Returns the jet (3, n, Σ_l n_channels(l)), channels l-major."""
        r = np.asarray(r, dtype=float)
        chunks = [self._evaluate(part) for part in np.array_split(r, len(r) // 128 + 1)]
        return np.concatenate(chunks, axis=1)

    def _evaluate(self, r):
        x, r = self.x, r[:, None]
        s2 = self.width(r) ** 2
        i0 = bessel.scaled_spherical_in(self.l_max + 2, x * r / s2)
        i0 *= np.exp(-0.5 * (x - r) ** 2 / s2)
        i1 = bessel.derivative(i0)
        i2 = bessel.derivative(i1)
        jets = []
        for l, weighted in enumerate(self.weighted):
            first, second = self.derivatives(x, r, i0[l], i1[l], i2[l])
            jets.append(np.stack([i0[l] @ weighted, first @ weighted, second @ weighted]))
        return np.concatenate(jets, axis=2)

    def width(self, r):
        """σ at the distance r."""
        return self.atom_sigma

    def derivatives(self, x, r, i0, i1, i2):
        """First and second derivative of E i_l in r from E times i_l and its derivatives in z."""
        s2 = self.atom_sigma**2
        first = (x * i1 - r * i0) / s2
        second = ((r**2 - s2) * i0 - 2.0 * r * x * i1 + x**2 * i2) / s2**2
        return first, second


class RadialIntegral(GaussianSums):
    """R^_nl(r) and its first two derivatives for one radial basis and one atom_sigma.

    basis: object with n_channels(l), functions(l, x), support (R vanishes beyond, Å) and
    width (shortest length over which R varies, Å). r must stay within [0, cutoff].
    """

    def __init__(self, basis, l_max, atom_sigma, cutoff):
        # 9 σ beyond the farthest neighbour the Gaussian is below 1e-17.
        upper = min(basis.support, cutoff + 9.0 * self.most_width(atom_sigma, cutoff))
        narrowest = 1.0 / np.hypot(1.0 / atom_sigma, 1.0 / basis.width)
        nodes, weights = np.polynomial.legendre.leggauss(int(3.5 * upper / narrowest) + 32)
        x = 0.5 * upper * (nodes + 1.0)
        measure = 4.0 * np.pi * 0.5 * upper * weights * x**2
        weighted = [(basis.functions(l, x) * measure).T.copy() for l in range(l_max + 1)]
        super().__init__(x, weighted, atom_sigma)

    def most_width(self, atom_sigma, cutoff):
        """σ of the farthest neighbour."""
        return atom_sigma


class GrowingIntegral(RadialIntegral):
    """The same for widths σ(r) = atom_sigma + growth r (docs/theory.md eq. 2g)."""

    def __init__(self, basis, l_max, atom_sigma, growth, cutoff):
        self.growth = float(growth)
        super().__init__(basis, l_max, atom_sigma, cutoff)

    def most_width(self, atom_sigma, cutoff):
        return atom_sigma + self.growth * cutoff

    def width(self, r):
        return self.atom_sigma + self.growth * r

    def derivatives(self, x, r, i0, i1, i2):
        # E i_l = exp(a) i_l(z) with a = −(x² + r²)/2σ², z = x r/σ², dσ/dr = g
        g, s = self.growth, self.width(r)
        a1 = (-r + (x**2 + r**2) * g / s) / s**2
        a2 = (-1.0 + (4.0 * r - 3.0 * (x**2 + r**2) * g / s) * g / s) / s**2
        z1 = x * (1.0 - 2.0 * r * g / s) / s**2
        z2 = x * (-4.0 + 6.0 * r * g / s) * g / s**3
        first = a1 * i0 + z1 * i1
        second = (a2 + a1**2) * i0 + (2.0 * a1 * z1 + z2) * i1 + z1**2 * i2
        return first, second


class RadialFunctions:
    """R_nl(r) and its first two derivatives, in the place of R^_nl for a δ density (eq. 2f)."""

    def __init__(self, basis, l_max):
        self.basis, self.l_max = basis, l_max

    def __call__(self, r):
        """r: (n,) Å. Returns the jet (3, n, Σ_l n_channels(l)), channels l-major."""
        r = np.asarray(r, dtype=float)
        jets = [
            np.concatenate([self.basis.functions(l, r, k) for l in range(self.l_max + 1)]).T
            for k in range(3)
        ]
        return np.stack(jets)
