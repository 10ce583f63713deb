# SPDX-License-Identifier: BSD-3-Clause
"""Radial integral of a Gaussian at distance r (docs/theory.md eq. 2, 2a).

R^_nl(r) = 4π exp(−r²/2σ²) ∫ x² R_nl(x) exp(−x²/2σ²) i_l(x r/σ²) dx

by Gauss–Legendre quadrature. With the scaled ĩ_l = e^{−z} i_l, z = x r/σ², the kernel is
exp(−(x − r)²/2σ²) ĩ_l(z), which neither overflows nor underflows early. Derivatives in r are taken
under the integral, with E = exp(−(x² + r²)/2σ²):

d/dr   [E i_l] = E [−(r/σ²) i_l + (x/σ²) i_l′]
d²/dr² [E i_l] = E [(r²/σ⁴ − 1/σ²) i_l − 2 (r x/σ⁴) i_l′ + (x²/σ⁴) i_l″]

i_l′ and i_l″ follow from a recurrence without 1/z, so r = 0 is an ordinary point.
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
        s2 = self.atom_sigma**2
        x, r = self.x, r[:, None]
        i0 = bessel.scaled_spherical_in(self.l_max + 2, x * r / s2)
        i0 *= np.exp(-0.5 * (x - r) ** 2 / s2)
        i1 = bessel.derivative(i0)
        i2 = bessel.derivative(i1)
        jets = []
        for l, weighted in enumerate(self.weighted):
            first = (x * i1[l] - r * i0[l]) / s2
            second = ((r**2 - s2) * i0[l] - 2.0 * r * x * i1[l] + x**2 * i2[l]) / s2**2
            jets.append(np.stack([i0[l] @ weighted, first @ weighted, second @ weighted]))
        return np.concatenate(jets, axis=2)


class RadialIntegral(GaussianSums):
    """R^_nl(r) and its first two derivatives for one radial basis and one atom_sigma.

    basis: object with n_channels(l), functions(l, x), support (R vanishes beyond, Å) and
    width (shortest length over which R varies, Å). r must stay within [0, cutoff].
    """

    def __init__(self, basis, l_max, atom_sigma, cutoff):
        # 9 σ beyond the farthest neighbour the Gaussian is below 1e-17.
        upper = min(basis.support, cutoff + 9.0 * atom_sigma)
        narrowest = 1.0 / np.hypot(1.0 / atom_sigma, 1.0 / basis.width)
        nodes, weights = np.polynomial.legendre.leggauss(int(3.5 * upper / narrowest) + 32)
        x = 0.5 * upper * (nodes + 1.0)
        measure = 4.0 * np.pi * 0.5 * upper * weights * x**2
        weighted = [(basis.functions(l, x) * measure).T.copy() for l in range(l_max + 1)]
        super().__init__(x, weighted, atom_sigma)
