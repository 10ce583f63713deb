# SPDX-License-Identifier: BSD-3-Clause
"""Quintic Hermite tables on segments of equispaced knots (docs/theory.md eq. 3c).

A table holds, at every knot, S, h S′ and h² S″ (h: spacing of the knot's segment). Segments meet at
kinks of S″; the knot at a joint is stored twice, with the one-sided derivatives of either segment.
"""

import numpy as np

from potential.errors import SoapGprError

# Polynomials in t, ascending powers: rows multiply S, hS′, h²S″ at t = 0, then at t = 1.
HERMITE = np.array(
    [
        [1.0, 0.0, 0.0, -10.0, 15.0, -6.0],
        [0.0, 1.0, 0.0, -6.0, 8.0, -3.0],
        [0.0, 0.0, 0.5, -1.5, 1.5, -0.5],
        [0.0, 0.0, 0.0, 10.0, -15.0, 6.0],
        [0.0, 0.0, 0.0, -4.0, 7.0, -3.0],
        [0.0, 0.0, 0.0, 0.5, -1.0, 0.5],
    ]
)
MAX_INTERVALS = 2048


def knot_values(function, begin, end, n_intervals):
    """Table (n_intervals + 1, 3, channels) of one segment; function: r (n,) -> (3, n, channels)."""
    h = (end - begin) / n_intervals
    jet = function(np.linspace(begin, end, n_intervals + 1))
    return np.ascontiguousarray(np.moveaxis(jet * np.array([1.0, h, h * h])[:, None, None], 0, 1))


def segment_values(table, t, interval, derivative=0):
    """Interpolates at fraction t (n,) of the given interval (n,). Returns d^k S / dt^k."""
    powers = np.zeros((6, len(t)))
    for k in range(derivative, 6):
        factor = np.prod(np.arange(k - derivative + 1, k + 1))
        powers[k] = factor * t ** (k - derivative)
    weights = HERMITE @ powers
    knots = np.concatenate([table[interval], table[interval + 1]], axis=1)
    return np.einsum("kn,nkq->nq", weights, knots)


def build_segment(functions, scales, begin, end, tolerance, n=16):
    """Tables of one segment for several functions on the same, nearly coarsest, sufficient grid.

    functions: callables r (n,) -> jet (3, n, channels); scales: one number each, the |S| to which
    the tolerance is relative; n: number of intervals to begin with. Returns (n_intervals, list of
    tables (n_intervals + 1, 3, channels)).
    Raises SoapGprError when MAX_INTERVALS do not suffice.
    """
    while n <= MAX_INTERVALS:
        tables = [knot_values(function, begin, end, n) for function in functions]
        error = max(
            max_error(function, table, begin, end) / scale
            for function, table, scale in zip(functions, tables, scales, strict=True)
        )
        if error <= tolerance:
            return n, tables
        # The error falls as h⁶ once h is small: aim at it, but at most double at a time.
        n = int(np.ceil(n * np.clip((error / tolerance) ** (1.0 / 6.0), 1.02, 2.0)))
    raise SoapGprError(
        f"the radial functions between {begin:g} and {end:g} Å vary too fast for a table of "
        f"{MAX_INTERVALS} intervals: use a larger atom_sigma or cutoff_width, a smoother "
        "radial_scaling, or a smaller n_max"
    )


def max_error(function, table, begin, end):
    """Largest |spline − function| at 1/3, 1/2 and 2/3 of every interval, over all channels."""
    n_intervals = len(table) - 1
    t = np.tile([1.0 / 3.0, 0.5, 2.0 / 3.0], n_intervals)
    interval = np.repeat(np.arange(n_intervals), 3)
    exact = function(begin + (interval + t) * (end - begin) / n_intervals)[0]
    return np.abs(segment_values(table, t, interval) - exact).max()


def evaluate(tables, a, r, derivative=0):
    """S or a derivative of the neighbour species a (index) from tables, as the core does it.

    tables: what tabulate returns; r: (n,) Å. Returns (n, C_a) in Å^-derivative times the unit of
    S; zero at and beyond the cutoff.
    """
    r = np.atleast_1d(np.asarray(r, dtype=float))
    table = tables["tables"][a]
    values = np.zeros((len(r), table.shape[2]))
    first_knot = 0
    for begin, end, n_intervals in tables["segments"]:
        inside = (r >= begin) & (r < end)
        scaled = (r[inside] - begin) * (n_intervals / (end - begin))
        interval = np.minimum(scaled.astype(int), n_intervals - 1)
        segment = table[first_knot : first_knot + n_intervals + 1]
        values[inside] = segment_values(segment, scaled - interval, interval, derivative)
        values[inside] *= (n_intervals / (end - begin)) ** derivative
        first_knot += n_intervals + 1
    return values
