# SPDX-License-Identifier: BSD-3-Clause
"""Cutoff function f_c(r) of the neighbour density (docs/theory.md eq. 1a).

f_c = 1                                    for r < r_c − Δ
f_c = ½ [1 + cos(π (r − r_c + Δ) / Δ)]     for r_c − Δ ≤ r ≤ r_c
f_c = 0                                    for r > r_c

f_c and f_c′ are continuous, f_c″ jumps at r_c − Δ and r_c. Tables therefore ask for the two
pieces separately and get one-sided derivatives at the joint.
"""

import numpy as np


def plateau(r):
    """Piece below r_c − Δ. r: (n,) Å; returns the jet (3, n): 1, 0, 0."""
    jet = np.zeros((3, len(r)))
    jet[0] = 1.0
    return jet


def taper(r, cutoff, cutoff_width):
    """Piece from r_c − Δ to r_c, with one-sided derivatives at both ends.

    r: (n,) Å, cutoff and cutoff_width: Å.
    Returns the jet (3, n): f_c, f_c′ in 1/Å, f_c″ in 1/Å².
    """
    # Written with the angle left to r_c, so that f_c and f_c′ are exactly 0 at the cutoff.
    k = np.pi / cutoff_width
    angle = k * (cutoff - np.asarray(r, dtype=float))
    return np.stack(
        [np.sin(0.5 * angle) ** 2, -0.5 * k * np.sin(angle), 0.5 * k**2 * np.cos(angle)]
    )
