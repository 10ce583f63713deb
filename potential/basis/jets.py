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


def compose(f, f1, f2, g):
    """The jet (3, ...) of f(g(r)) from f, f′ and f″ at g's values and the jet of g."""
    return np.stack([f, f1 * g[1], f2 * g[1] ** 2 + f1 * g[2]])


def product(f, g):
    """The function r -> f(r) g(r) of two functions r (n,) -> jet (3, n)."""
    return lambda r: multiply(f(r), g(r))


def one_channel(function):
    """The function r (n,) -> jet (3, n, 1) of a function r -> jet (3, n)."""
    return lambda r: function(r)[:, :, None]
