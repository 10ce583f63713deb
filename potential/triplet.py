# SPDX-License-Identifier: BSD-3-Clause
"""Triplet terms: functions of three distances, kept as splines (docs/theory.md eq. 22 to 22d).

Entry: the term's entry in the model file's list of terms. The kernel of a sparse point is a product
of functions of one distance each, and so is its spline: rows of the design matrix and the model's
coefficients come from the same three factors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from potential import pair
from potential.basis import uniform_spline
from potential.errors import SoapGprError
from potential.neighbors import neighbor_list
from potential.progress import Progress, silent
from potential.settings import TripletTermSettings
from potential.sparse import select
from potential.structure import Structure, symbol

# Of the spline, per length scale: an error of 1e-7 of a sparse point's kernel.
INTERVALS_PER_LENGTH = 6
# Candidates for sparse points: one triplet of each cube with this edge, in length scales.
CUBE = 1 / 6
MAX_INTERVALS = 128
TOLERANCE = 1e-8  # error of a fixed function's spline, relative to its largest value
_WAITING = 200_000  # triplets, before they are thinned

Function = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def functions(n_species: int) -> list[tuple[int, int, int]]:
    """Species indices (centre, neighbour, neighbour) of every function, in the file's order."""
    return [(a, *both) for a in range(n_species) for both in pair.pairs(n_species)]


def names(species: Sequence[int]) -> list[str]:
    """Such as H-O-H, the centre in the middle, one per function."""
    symbols = [symbol(z) for z in species]
    return [f"{symbols[b]}-{symbols[a]}-{symbols[c]}" for a, b, c in functions(len(species))]


def kernel(entry: Mapping[str, Any], points: np.ndarray, symmetric: bool) -> np.ndarray:
    """K_MM (M, M) in eV² of sparse points (M, 3) in Å, docs/theory.md eq. (22d).

    symmetric: the two neighbours are of one species.
    """

    def gaussian(others):
        difference = (points[:, None] - others) / entry["length_scale"]
        return np.exp(-0.5 * np.einsum("ijx,ijx->ij", difference, difference))

    mirrored = gaussian(points[:, [1, 0, 2]]) if symmetric else 0.0
    return entry["delta"] ** 2 * (gaussian(points) + mirrored)


def factors(entry: Mapping[str, Any], points: np.ndarray) -> tuple[np.ndarray, ...]:
    """Coefficients (n, M) of the three factors of each sparse point's kernel, eq. (22c)."""
    axes = []
    for axis in range(3):
        n, end = _axis(entry, axis)
        x = (uniform_spline.sites(n, end)[:, None] - points[:, axis]) / entry["length_scale"]
        axes.append(uniform_spline.coefficients(np.exp(-0.5 * x**2), n))
    axes[2] *= entry["delta"] ** 2
    return tuple(np.ascontiguousarray(axis) for axis in axes)


def table(
    entry: Mapping[str, Any], points: np.ndarray, weights: np.ndarray, symmetric: bool
) -> np.ndarray:
    """Spline coefficients (n, n, m) in eV of one function; (0, n, m) without sparse points."""
    first, second, third = factors(entry, points)
    if len(points) == 0:
        return np.zeros((0, len(first), len(third)))
    product = np.einsum("im,jm->ijm", first, weights * second) @ third.T
    return product + product.swapaxes(0, 1) if symmetric else product


def is_symmetric(n_species: int) -> list[bool]:
    """Whether the neighbours of each function are of one species."""
    return [b == c for _, b, c in functions(n_species)]


def triplet_term(
    settings: TripletTermSettings,
    species: Sequence[int],
    structures: Sequence[Structure],
    progress: Progress = silent,
) -> tuple[dict[str, Any], list[str]]:
    """A term for ``build_model`` with its sparse points and no weights, and warnings.

    Sparse points are the farthest points among the triplets of the structures, whose order plays
    no part; a function without triplets has none, and no energy.
    """
    n = int(np.ceil(INTERVALS_PER_LENGTH * settings.cutoff / settings.length_scale))
    entry: dict[str, Any] = {
        "kind": "triplet",
        "fixed": False,
        "cutoff": settings.cutoff,
        "cutoff_width": settings.cutoff_width,
        "third_factor": "none",
        "length_scale": settings.length_scale,
        "delta": settings.delta,
        "n_intervals": [max(n, 4), 2 * max(n, 4)],
    }
    candidates = _candidates(settings, species, structures, progress)
    points, warnings, missing = {}, [], []
    for p, name in enumerate(names(species)):
        X = candidates[p] / settings.length_scale
        chosen = select(X, settings.n_sparse, "fps", seed=settings.seed)
        points[p] = candidates[p][chosen]
        if len(X) == 0:
            missing.append(name)
        elif len(chosen) < settings.n_sparse:
            warnings.append(
                f"triplet term: only {len(chosen)} distinct triplets {name}, {settings.n_sparse} "
                "sparse points were asked for"
            )
    if missing:
        warnings.append(
            f"triplet term: no triplets {', '.join(missing)} within {settings.cutoff:g} Å among "
            "the training structures"
        )
    return entry | {"sparse_points": points}, warnings


def fixed_term(
    name: str,
    cutoff: float,
    cutoff_width: float,
    species: Sequence[int],
    callables: Mapping[int, Function],
    third_factor: str = "none",
    tolerance: float = TOLERANCE,
) -> dict[str, Any]:
    """A term without weights for ``build_model`` from functions G of eq. (22).

    callables: by place in ``functions``, G(r_ij, r_ik, r_jk) in eV of arrays in Å, smooth up to
    the ends of [0, cutoff]² × [0, 2 cutoff], the first distance that to the neighbour of lower
    species; functions left out are zero. third_factor: "none" or "cluster", eq. (22a). The spline
    is as fine as ``tolerance``, relative to the largest value, asks for. Raises SoapGprError when
    MAX_INTERVALS do not suffice.
    """
    entry = {
        "kind": "triplet",
        "fixed": True,
        "name": name,
        "cutoff": cutoff,
        "cutoff_width": cutoff_width,
        "third_factor": third_factor,
    }
    probes = _probes(cutoff)
    wanted = {p: np.asarray(function(*probes)) for p, function in callables.items()}
    symmetric = is_symmetric(len(species))
    n = 12
    while n <= MAX_INTERVALS:
        entry["n_intervals"] = [n, 2 * n]
        tables = {p: _sampled(entry, function, symmetric[p]) for p, function in callables.items()}
        error = max(
            np.abs(interpolate(entry, tables[p], probes) - value).max()
            / max(np.abs(value).max(), 1e-300)
            for p, value in wanted.items()
        )
        if error <= tolerance:
            empty = np.zeros((0, n + 5, 2 * n + 5))
            return entry | {"tables": {p: tables.get(p, empty) for p in range(len(symmetric))}}
        # The error falls as h⁶ once h is small.
        n = max(n + 2, int(n * min(1.5, 1.05 * (error / tolerance) ** (1 / 6))))
    raise SoapGprError(
        f"{name}: found a function of three distances that no spline of {MAX_INTERVALS} intervals "
        f"follows within {tolerance:g}, expected a smoother one"
    )


def interpolate(entry: Mapping[str, Any], table: np.ndarray, distances) -> np.ndarray:
    """G (n,) in eV from its coefficients, at three arrays of distances (n,) in Å."""
    axes = [uniform_spline.splines(distances[axis], *_axis(entry, axis)) for axis in range(3)]
    return np.array([a @ (table @ c) @ b for a, b, c in zip(*axes, strict=True)])


def _axis(entry, axis):
    """Intervals and end of r_ij, r_ik or r_jk."""
    n_radial, n_third = entry["n_intervals"]
    return (n_third, 2 * entry["cutoff"]) if axis == 2 else (n_radial, entry["cutoff"])


def _sampled(entry, function, symmetric):
    """Coefficients of the spline through a function's values at the sites."""
    grid = np.meshgrid(
        *[uniform_spline.sites(*_axis(entry, axis)) for axis in range(3)], indexing="ij"
    )
    values = np.asarray(function(*(x.ravel() for x in grid))).reshape(grid[0].shape)
    if symmetric:
        values = 0.5 * (values + values.swapaxes(0, 1))
    for axis in range(3):
        turned = np.moveaxis(values, axis, 0)
        values = np.moveaxis(
            uniform_spline.coefficients(turned, entry["n_intervals"][axis == 2]), 0, axis
        )
    return np.ascontiguousarray(values)


def _probes(cutoff, n=1500):
    """Distances of triplets at random, for the error of a spline."""
    rng = np.random.default_rng(0)
    r_ij, r_ik = rng.uniform(0, cutoff, (2, n))
    cosine = rng.uniform(-1, 1, n)
    return r_ij, r_ik, np.sqrt(r_ij**2 + r_ik**2 - 2 * r_ij * r_ik * cosine)


def _candidates(settings, species, structures, progress):
    """Triplets (n, 3) in Å of every function, at most one in each cube: the lowest."""
    edge = CUBE * settings.length_scale
    places = {own: p for p, own in enumerate(functions(len(species)))}
    kept = [_Thinned(edge) for _ in places]
    for structure in progress(structures, "triplets"):
        for own, found in _triplets(structure, settings.cutoff, species):
            kept[places[own]].add(found)
    return [own.points() for own in kept]


class _Thinned:
    """Triplets, of which one in each cube is kept; bounded by the number of cubes."""

    def __init__(self, edge: float):
        self._edge = edge
        self._kept, self._waiting, self._count = np.zeros((0, 3)), list[np.ndarray](), 0

    def add(self, points: np.ndarray) -> None:
        self._waiting.append(points)
        self._count += len(points)
        if self._count > _WAITING:
            self.points()

    def points(self) -> np.ndarray:
        """(n, 3), in an order that does not depend on that of ``add``."""
        points = np.concatenate([self._kept, *self._waiting])
        points = points[np.lexsort(points.T)]
        _, lowest = np.unique((points / self._edge).astype(np.int64), axis=0, return_index=True)
        self._kept, self._waiting, self._count = points[np.sort(lowest)], [], 0
        return self._kept


def _triplets(
    structure: Structure, cutoff: float, species: Sequence[int]
) -> Iterator[tuple[tuple[int, int, int], np.ndarray]]:
    """(centre, neighbour, neighbour) and distances (n, 3) Å, centre by centre.

    Neighbours of one species come with the shorter distance first.
    """
    neighbors = neighbor_list(structure.positions, structure.cell, structure.pbc, cutoff)
    index = {z: a for a, z in enumerate(species)}
    own = np.array([index[int(z)] for z in structure.numbers])
    distance = np.linalg.norm(neighbors.r_ij, axis=1)
    of_neighbor = own[neighbors.neighbor.astype(np.int64)]
    offset = neighbors.offset.astype(np.int64)
    for i, a in enumerate(own.tolist()):
        span = np.arange(offset[i], offset[i + 1])
        span = span[distance[span] < cutoff]
        span = span[np.lexsort((distance[span], of_neighbor[span]))]
        first, second = (span[k] for k in np.triu_indices(len(span), 1))
        r_jk = np.linalg.norm(neighbors.r_ij[second] - neighbors.r_ij[first], axis=1)
        found = np.stack([distance[first], distance[second], r_jk], axis=1)
        kinds = of_neighbor[first] * len(species) + of_neighbor[second]
        for kind in np.unique(kinds).tolist():
            yield (a, *divmod(kind, len(species))), found[kinds == kind]
