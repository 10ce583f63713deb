# SPDX-License-Identifier: BSD-3-Clause
"""Triplet terms: functions of three distances, kept as splines (docs/theory.md eq. 22 to 22d).

The kernel of a sparse point is a product of functions of one distance each, and so is its spline:
rows of the design matrix and the model's coefficients come from the same three functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from potential import _core
from potential.basis import uniform_spline
from potential.model import Environments
from potential.runtime.progress import Progress, silent
from potential.selection.select import select
from potential.settings import TripletTermSettings
from potential.structures.structure import Structure
from potential.terms.clusters import ClusterTerm, fading_entry, triplet_names, triplets
from potential.terms.term import Draft, Entry
from potential.terms.triplet_points import candidates

# Of the spline, per length scale: an error of 1e-7 of a sparse point's kernel.
INTERVALS_PER_LENGTH = 6
# Candidates for sparse points: one triplet of each cube with this edge, in length scales.
CUBE = 1 / 6


class TripletTerm(ClusterTerm):
    """One weight for each sparse triplet of distances; sparse sets are triplets of species."""

    @staticmethod
    def describes(entry: Entry) -> bool:
        return entry["kind"] == "triplet" and not entry.get("fixed", False)

    @staticmethod
    def takes(settings: Any) -> bool:
        return isinstance(settings, TripletTermSettings)

    @classmethod
    def draft(
        cls,
        settings: TripletTermSettings,
        species: Sequence[int],
        structures: Sequence[Structure],
        progress: Progress = silent,
    ) -> tuple[Draft, list[str]]:
        """Sparse points are the farthest points among the triplets of the structures, whose order
        plays no part; a function without triplets has none, and no energy."""
        n = int(np.ceil(INTERVALS_PER_LENGTH * settings.cutoff / settings.length_scale))
        entry: dict[str, Any] = {
            "kind": "triplet",
            "fixed": False,
            **fading_entry(settings),
            "third_factor": "none",
            "length_scale": settings.length_scale,
            "delta": settings.delta,
            "n_intervals": [max(n, 4), 2 * max(n, 4)],
        }
        functions, edge = triplets(len(species)), CUBE * settings.length_scale
        found = candidates(structures, settings.cutoff, species, functions, edge, progress)
        points, warnings, missing = {}, [], []
        for p, name in enumerate(triplet_names(species)):
            X = found[p] / settings.length_scale
            chosen = select(X, settings.n_sparse, "fps", seed=settings.seed)
            points[p] = found[p][chosen]
            if len(X) == 0:
                missing.append(name)
            elif len(chosen) < settings.n_sparse:
                warnings.append(
                    f"triplet term: only {len(chosen)} distinct triplets {name}, "
                    f"{settings.n_sparse} sparse points were asked for"
                )
        if missing:
            warnings.append(
                f"triplet term: no triplets {', '.join(missing)} within {settings.cutoff:g} Å "
                "among the training structures"
            )
        return entry | {"sparse_points": points}, warnings

    @staticmethod
    def names(species: Sequence[int]) -> list[str]:
        return triplet_names(species)

    def set_rows(
        self, p: int, points: np.ndarray, environments: Environments, gradients: bool
    ) -> np.ndarray:
        first, second, third = _axes(self.entry, points)
        return _core.triplet_rows(
            self.model.core, self.index, p, environments, first, second, third, gradients
        )

    def center_rows(
        self, p: int, points: np.ndarray, centers: Sequence[Environments]
    ) -> np.ndarray:
        own, axes = (self.model.core, self.index, p), _axes(self.entry, points)
        return np.concatenate([_core.triplet_rows(*own, one, *axes, False) for one in centers])

    def serves(self, a: int, center: int) -> bool:
        return triplets(len(self.model.species))[a][0] == center

    def of_points(self, p: int) -> dict[str, np.ndarray]:
        axes = _axes(self.entry, self.sparse_points[p])
        return dict(zip(("first", "second", "third"), axes, strict=True))

    def kernel(self, a: int, points: np.ndarray, out: np.ndarray) -> None:
        """docs/theory.md eq. (22d)."""

        def gaussian(others):
            difference = (points[:, None] - others) / self.entry["length_scale"]
            return np.exp(-0.5 * np.einsum("ijx,ijx->ij", difference, difference))

        symmetric = is_symmetric(len(self.model.species))[a]
        mirrored = gaussian(points[:, [1, 0, 2]]) if symmetric else 0.0
        out[:] = self.entry["delta"] ** 2 * (gaussian(points) + mirrored)

    @staticmethod
    def table(
        entry: Entry, n_species: int, p: int, points: np.ndarray, weights: np.ndarray
    ) -> np.ndarray:
        """Coefficients (n, n, m) in eV; (0, n, m) without sparse points."""
        first, second, third = _axes(entry, points)
        if len(points) == 0:
            return np.zeros((0, len(first), len(third)))
        product = np.einsum("im,jm->ijm", first, weights * second) @ third.T
        return product + product.swapaxes(0, 1) if is_symmetric(n_species)[p] else product

    def most_weights(self, settings: TripletTermSettings, structures: Sequence[Structure]) -> int:
        return settings.n_sparse * sum(len(own) > 0 for own in self.sparse_points.values())


def is_symmetric(n_species: int) -> list[bool]:
    """Whether the neighbours of each function are of one species."""
    return [b == c for _, b, c in triplets(n_species)]


def _axes(entry: Entry, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coefficients (n, M) of the functions of one distance each whose product is the kernel of a
    sparse point, eq. (22c)."""
    axes = []
    for axis in range(3):
        n, end = axis_grid(entry, axis)
        x = (uniform_spline.sites(n, end)[:, None] - points[:, axis]) / entry["length_scale"]
        axes.append(uniform_spline.coefficients(np.exp(-0.5 * x**2), n))
    axes[2] *= entry["delta"] ** 2
    first, second, third = map(np.ascontiguousarray, axes)
    return first, second, third


def interpolate(entry: Entry, table: np.ndarray, distances) -> np.ndarray:
    """G (n,) in eV from its coefficients, at three arrays of distances (n,) in Å."""
    (i, a), (j, b), (k, c) = (
        uniform_spline.nonzero(distances[axis], *axis_grid(entry, axis)) for axis in range(3)
    )
    own = table[i[:, :, None, None], j[:, None, :, None], k[:, None, None, :]]
    return np.einsum("nijk,ni,nj,nk->n", own, a, b, c, optimize=True)


def axis_grid(entry, axis):
    """Intervals and end, Å, of the spline along r_ij, r_ik or r_jk."""
    n_radial, n_third = entry["n_intervals"]
    return (n_third, 2 * entry["cutoff"]) if axis == 2 else (n_radial, entry["cutoff"])
