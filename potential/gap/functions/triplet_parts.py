# SPDX-License-Identifier: BSD-3-Clause
"""What one coordinate of a GAP potential adds to one function of three distances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from potential.errors import SoapGprError
from potential.gap.functions.covariance import covariance, own_covariance
from potential.gap.read.gap_file import Coordinate
from potential.terms.fixed_triplet import Process

CHUNK = 40_000  # products of points and sparse points at a time, which the caches hold
NEAR = 400  # places near sparse points at which a spline is tested


@dataclass(frozen=True)
class Part:
    """factor × Σ_s α_s k(x_s, x) of numbers x: those of an angle, or distances in some order."""

    coordinate: Coordinate
    angle: bool
    order: tuple[int, ...]  # which of r_ij, r_ik, r_jk the numbers are, unless of an angle
    factor: float

    def function(self, *distances: np.ndarray) -> np.ndarray:
        """(n,) eV at three arrays of distances (n,) Å."""
        x = self.numbers(distances)
        weights = self.factor * self._weights
        size = CHUNK // max(len(weights), 1) + 1
        chunks = (x[begin : begin + size] for begin in range(0, len(x), size))
        values = [covariance(self.coordinate, chunk) @ weights for chunk in chunks]
        return np.concatenate([np.zeros(0), *values])

    def numbers(self, distances: Sequence[np.ndarray]) -> np.ndarray:
        """x (n, 3) of three arrays of distances (n,) Å."""
        r_ij, r_ik, r_jk = distances
        if self.angle:
            return np.stack([r_ij + r_ik, (r_ij - r_ik) ** 2, r_jk], axis=1)
        return np.stack([distances[k] for k in self.order], axis=1)

    def process(self, p: int) -> Process:
        """The same to be summed at run time, for the place p in ``clusters.triplets``."""
        own, theta = self.coordinate, self.coordinate.theta
        several = len(own.permutations) > 1
        if any((theta[order] != theta).any() for order in own.permutations):
            raise SoapGprError(
                f"{own.where}: found different theta for numbers that are permuted, expected "
                "the same"
            )
        weights = own.delta**2 * self.factor * self._weights
        if several:
            weights = weights / np.sqrt(own_covariance(own, own.points))
        return Process(
            function=p,
            kernel=own.kernel,
            angle=self.angle,
            order=list(self.order),
            length_scales=theta.tolist(),
            permutations=[order.tolist() for order in own.permutations] if several else [],
            constant=float(own.f0**2 * self.factor * self._weights.sum()),
            points=self._points().T / theta[:, None],
            weights=np.tile(weights, len(own.permutations)),
        )

    def near(self, cutoff: float) -> np.ndarray:
        """Triplets (n, 3) at and near the sparse points, distances in Å."""
        x = self._points()
        x = x[:: len(x) // NEAR + 1]
        rng = np.random.default_rng(0)
        x = np.concatenate([x, x + self.coordinate.theta * rng.normal(size=x.shape)])
        if self.angle:
            half = 0.5 * np.sqrt(np.maximum(x[:, 1], 0))
            r = np.stack([0.5 * x[:, 0] + half, 0.5 * x[:, 0] - half, x[:, 2]], axis=1)
        else:
            r = np.empty_like(x)
            r[:, self.order] = x
        first, second, third = r.T
        inside = (r[:, :2] > 0).all(axis=1) & (r[:, :2] < cutoff).all(axis=1)
        return r[inside & (np.abs(first - second) <= third) & (third <= first + second)]

    def mean(self) -> list[Part]:
        """Over both orders of the neighbours."""
        swapped = tuple((1, 0, 2)[k] for k in self.order)
        return [
            replace(self, factor=0.5 * self.factor),
            replace(self, factor=0.5 * self.factor, order=swapped),
        ]

    @property
    def _weights(self) -> np.ndarray:
        return self.coordinate.alpha * self.coordinate.cutoffs

    def _points(self) -> np.ndarray:
        """Sparse points in all permutations (n, 3)."""
        own = self.coordinate
        return np.concatenate([own.points[:, order] for order in own.permutations])
