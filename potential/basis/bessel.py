# SPDX-License-Identifier: BSD-3-Clause
"""Modified spherical Bessel functions of the first kind, scaled: e^{−z} i_l(z).

docs/theory.md eq. 2b.
"""

import numpy as np
from scipy.special import ive


def scaled_spherical_in(l_max, z):
    """e^{−z} i_l(z) for l = 0..l_max, (l_max + 1, *z.shape), z ≥ 0.

    The two highest orders come from scipy's ive, the others from the downward recurrence
    i_{l−1} = i_{l+1} + (2l + 1)/z i_l, a sum of positive terms; z < 0.01 from the power series
    i_l = z^l / (2l+1)!! [1 + (z²/2)/(2l+3) + (z²/2)²/(2 (2l+3)(2l+5)) + ...].
    """
    z = np.asarray(z, dtype=float)
    small = z < 1e-2
    safe = np.where(small, 1.0, z)
    values = np.empty((l_max + 1, *z.shape))
    factor = np.sqrt(0.5 * np.pi / safe)
    above = factor * ive(l_max + 1.5, safe)
    values[l_max] = factor * ive(l_max + 0.5, safe)
    for l in range(l_max, 0, -1):
        values[l - 1] = above + (2 * l + 1) / safe * values[l]
        above = values[l]
    values[:, small] = _series(l_max, z[small])
    return values


def _series(l_max, z):
    values = np.empty((l_max + 1, *z.shape))
    prefactor = np.exp(-z)
    half = 0.5 * z**2
    for l in range(l_max + 1):
        if l > 0:
            prefactor = prefactor * z / (2 * l + 1)
        last = half / (3 * (2 * l + 7))
        bracket = half / (2 * l + 3) * (1.0 + half / (2 * (2 * l + 5)) * (1.0 + last))
        values[l] = prefactor * (1.0 + bracket)
    return values


def derivative(values):
    """Lowers l_max by one: e^{−z} i_l′ = e^{−z} [l i_{l−1} + (l+1) i_{l+1}] / (2l+1), no 1/z.

    values: (l_max + 1, ...) with values[l] = e^{−z} i_l or e^{−z} times one of its derivatives.
    """
    l = np.arange(len(values) - 1).reshape(-1, *([1] * (values.ndim - 1)))
    below = np.concatenate([np.zeros_like(values[:1]), values[:-2]])
    return (l * below + (l + 1) * values[1:]) / (2 * l + 1)
