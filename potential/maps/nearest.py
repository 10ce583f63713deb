# SPDX-License-Identifier: BSD-3-Clause
"""The nearest other of each point of a set: duplicates and outliers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from potential.errors import SoapGprError
from potential.maps.points import Points, blocks
from potential.runtime.progress import Progress, silent

SAMPLE = 500  # points of whose distances the typical one is the median
DUPLICATE = 1e-4  # of the typical distance
OUTLIER = 3.0  # times the interquartile range: what Tukey calls far out


@dataclass(frozen=True)
class Survey:
    """What the distances of all pairs of points say."""

    typical: float  # the median distance of two points
    threshold: float  # points at most so far apart are duplicates
    factor: float  # outliers are beyond the upper quartile by so many interquartile ranges
    nearest: np.ndarray  # (n,) index of the nearest other point
    distance: np.ndarray  # (n,) from it
    original: np.ndarray  # (n,) the first of the points before it that it is a duplicate of, or -1
    to_original: np.ndarray  # (n,) from that, nan without
    beyond: np.ndarray  # (n,) distance to the nearest that is no duplicate; inf without one

    @property
    def duplicates(self) -> np.ndarray:
        """Indices of the points that have an original, the closest first."""
        found = np.flatnonzero(self.original >= 0)
        return found[np.argsort(self.to_original[found], kind="stable")]

    @property
    def fence(self) -> float:
        """The value of ``beyond`` from which points are outliers; inf where all points are
        duplicates of each other."""
        known = self.beyond[np.isfinite(self.beyond)]
        if not len(known):
            return np.inf
        first, third = np.percentile(known, [25, 75])
        return float(third + self.factor * (third - first))

    @property
    def outliers(self) -> np.ndarray:
        """Indices of the points that are far from all but their duplicates, the farthest first."""
        found = np.flatnonzero(np.isfinite(self.beyond) & (self.beyond > self.fence))
        return found[np.argsort(-self.beyond[found], kind="stable")]


def survey(
    points: Points,
    threshold: float | None = None,
    factor: float = OUTLIER,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> Survey:
    """Look at all pairs of points, in the memory of two blocks of them.

    threshold: distance up to which points are duplicates, by default a ten-thousandth of the
    median distance of two points (of 500 at random). Raises SoapGprError for fewer than two points.
    """
    n = len(points)
    if n < 2:
        raise SoapGprError(f"found {n} point{'s' * (n != 1)}, expected at least two to compare")
    typical = _typical(points, seed)
    threshold = DUPLICATE * typical if threshold is None else threshold
    found = Survey(
        typical,
        threshold,
        factor,
        nearest=np.zeros(n, dtype=np.int64),
        distance=np.full(n, np.inf),
        original=np.full(n, -1),
        to_original=np.full(n, np.nan),
        beyond=np.full(n, np.inf),
    )
    pairs = [(I, J) for I in blocks(n) for J in blocks(n) if I[0] <= J[0]]
    for I, J in progress(pairs, "distances"):
        d = points.distances(I, J)
        if I[0] == J[0]:
            np.fill_diagonal(d, np.inf)
        _see(found, I, J, d)
        if I[0] != J[0]:
            _see(found, J, I, d.T)
    return found


def _typical(points: Points, seed: int) -> float:
    n = len(points)
    sample = np.arange(n)
    if n > SAMPLE:
        sample = np.sort(np.random.default_rng(seed).choice(n, SAMPLE, replace=False))
    d = points.distances(sample, sample)
    return float(np.median(d[np.triu_indices(len(d), 1)]))


def _see(found: Survey, I: np.ndarray, J: np.ndarray, d: np.ndarray) -> None:
    """Take note of the distances d (n_I, n_J) of points I from J; blocks J come in order."""
    place = d.argmin(axis=1)
    least = d[np.arange(len(I)), place]
    nearer = least < found.distance[I]
    found.distance[I[nearer]], found.nearest[I[nearer]] = least[nearer], J[place[nearer]]
    same = d <= found.threshold
    found.beyond[I] = np.minimum(found.beyond[I], np.where(same, np.inf, d).min(axis=1))
    same &= I[:, None] > J
    new = np.flatnonzero(same.any(axis=1) & (found.original[I] < 0))
    first = same[new].argmax(axis=1)
    found.original[I[new]], found.to_original[I[new]] = J[first], d[new, first]
