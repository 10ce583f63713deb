# SPDX-License-Identifier: BSD-3-Clause
"""Jets: a function of r together with its first and second derivative, stacked on axis 0."""

import numpy as np


def multiply(f, g):
    """Product rule to second order. f, g: (3, ...) broadcastable; returns (3, ...)."""
    return np.stack(
        [
            f[0] * g[0],
            f[1] * g[0] + f[0] * g[1],
            f[2] * g[0] + 2.0 * f[1] * g[1] + f[0] * g[2],
        ]
    )
