# SPDX-License-Identifier: BSD-3-Clause
"""Laplacian eigenstates in a sphere (docs/theory.md eq. 2d).

R_nl(x) = N_nl j_l(z_nl x / r_c) on [0, r_c], z_nl the n-th zero (n = 1, 2, ...) of j_l,
N_nl = √(2 / r_c³) / |j_{l+1}(z_nl)|. Channel l keeps the functions with
z_nl ≤ z_{n_max,0} = n_max π: one limit on the eigenvalue, that is one smoothness, for all l. With
max_eigenvalue that limit is all there is to say, (z_nl / r_c)² ≤ max_eigenvalue (eq. 2e).
"""

from itertools import pairwise

import numpy as np
from scipy.special import spherical_jn

from potential.errors import SoapGprError


def spherical_bessel_zeros(l_max, limit):
    """Zeros of j_l up to limit (inclusive), list over l = 0..l_max of ascending arrays."""
    from scipy.optimize import brentq  # 0.2 s that other bases need not wait for

    # The zeros of j_l+1 interlace those of j_l: carry enough zeros of j_0 to bracket all.
    zeros = np.pi * np.arange(1, int(limit / np.pi) + l_max + 2)
    table = []
    for l in range(l_max + 1):
        table.append(zeros[zeros <= limit * (1.0 + 1e-12)])
        zeros = np.array(
            [
                brentq(lambda z, order=l + 1: spherical_jn(order, z), low, high, xtol=1e-14)
                for low, high in pairwise(zeros)
            ]
        )
    return table


class LaplacianBasis:
    """Eigenfunctions of the Laplacian on [0, cutoff] Å, orthonormal for each l.

    Raises SoapGprError when an angular channel up to l_max has no function below the limit.
    """

    def __init__(self, cutoff, n_max, l_max):
        self.support = float(cutoff)
        self.width = float(cutoff) / (np.pi * n_max)
        self.zeros = spherical_bessel_zeros(l_max, n_max * np.pi)
        empty = [l for l, zeros in enumerate(self.zeros) if len(zeros) == 0]
        if empty:
            raise SoapGprError(
                f"l_max = {l_max} is too large for the laplacian basis with n_max = {n_max}: "
                f"its eigenvalue limit leaves no radial function beyond l = {empty[0] - 1}, "
                "use a smaller l_max or a larger n_max"
            )

    @classmethod
    def up_to(cls, cutoff, max_eigenvalue, most_l):
        """All functions with (z_nl / r_c)² up to max_eigenvalue in Å^−2, whatever their l.

        Raises SoapGprError when there is none, or one of an l beyond most_l.
        """
        limit = cutoff * np.sqrt(max_eigenvalue)
        l_max = sum(len(zeros) > 0 for zeros in spherical_bessel_zeros(most_l + 1, limit)) - 1
        if 0 <= l_max <= most_l:
            return cls(cutoff, limit / np.pi, l_max)
        least = (np.pi / cutoff) ** 2
        most = (spherical_bessel_zeros(most_l + 1, np.pi * (most_l + 2))[-1][0] / cutoff) ** 2
        raise SoapGprError(
            f"max_eigenvalue: found {max_eigenvalue:g} Å^-2, expected {least:.4g} (the first "
            f"function) to {most:.4g} (l up to {most_l}) with cutoff = {cutoff:g} Å"
        )

    @property
    def l_max(self):
        """Largest angular channel, inclusive."""
        return len(self.zeros) - 1

    def n_channels(self, l):
        """Number of radial functions of angular channel l."""
        return len(self.zeros[l])

    def functions(self, l, x, derivative=0):
        """R_nl(x) or its first or second derivative, (n_channels(l), len(x)) in
        Å^(−3/2 − derivative), at x (n,) Å within [0, cutoff]."""
        z = self.zeros[l][:, None]
        norm = np.sqrt(2.0 / self.support**3) / np.abs(spherical_jn(l + 1, z))
        scale = z / self.support
        return norm * scale**derivative * _bessel(l, scale * x, derivative)


def _bessel(l, z, derivative):
    """j_l or a derivative, from j_l′ = [l j_{l−1} − (l+1) j_{l+1}] / (2l+1), no 1/z."""
    if derivative == 0:
        return spherical_jn(l, z)
    below = l * _bessel(l - 1, z, derivative - 1) if l else 0.0
    return (below - (l + 1) * _bessel(l + 1, z, derivative - 1)) / (2 * l + 1)
