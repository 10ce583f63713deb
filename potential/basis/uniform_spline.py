# SPDX-License-Identifier: BSD-3-Clause
"""Quintic B-splines on equispaced knots, one axis at a time (docs/theory.md eq. 22b)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

SIZE = 6  # coefficients that decide a value


def sites(n_intervals: int, end: float) -> np.ndarray:
    """The n_intervals + 5 points of [0, end] whose values decide a spline.

    The knots, and the middles of the first two and the last two intervals; n_intervals >= 4.
    """
    middles = [0.5, 1.5, n_intervals - 1.5, n_intervals - 0.5]
    return np.sort(np.concatenate([np.arange(n_intervals + 1.0), middles])) * (end / n_intervals)


def coefficients(values: np.ndarray, n_intervals: int) -> np.ndarray:
    """Coefficients (n_intervals + 5, ...) of the splines with these values at the sites."""
    flat = np.asarray(values, dtype=float).reshape(len(values), -1)
    return (_inverse(n_intervals) @ flat).reshape(np.shape(values))


def splines(r: np.ndarray, n_intervals: int, end: float) -> np.ndarray:
    """All B-splines (n, n_intervals + 5) at points r (n,) of [0, end]."""
    places, values = nonzero(r, n_intervals, end)
    out = np.zeros((len(places), n_intervals + 5))
    np.put_along_axis(out, places, values, axis=1)
    return out


def nonzero(r: np.ndarray, n_intervals: int, end: float) -> tuple[np.ndarray, np.ndarray]:
    """Places (n, 6) and values (n, 6) of the B-splines that are not zero at points r (n,)."""
    x = np.asarray(r) * (n_intervals / end)
    first = np.clip(x.astype(int), 0, n_intervals - 1)
    powers = (x - first)[:, None] ** np.arange(SIZE)
    return first[:, None] + np.arange(SIZE), powers @ _PIECES.T / 120


# Rows: the polynomials of the six B-splines above an interval, ascending powers of t, times 5!.
_PIECES = np.array(
    [
        [1.0, -5.0, 10.0, -10.0, 5.0, -1.0],
        [26.0, -50.0, 20.0, 20.0, -20.0, 5.0],
        [66.0, 0.0, -60.0, 0.0, 30.0, -10.0],
        [26.0, 50.0, 20.0, -20.0, -20.0, 10.0],
        [1.0, 5.0, 10.0, 10.0, 5.0, -5.0],
        [0.0, 0.0, 0.0, 0.0, 0.0, 1.0],
    ]
)


@lru_cache(maxsize=8)
def _inverse(n_intervals: int) -> np.ndarray:
    return np.linalg.inv(splines(sites(n_intervals, 1.0), n_intervals, 1.0))
