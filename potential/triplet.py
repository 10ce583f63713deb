# SPDX-License-Identifier: BSD-3-Clause
"""Triplet terms: functions of three distances, kept as splines (docs/theory.md eq. 22 to 22d).

Entry: the term's entry in the model file's list of terms. The kernel of a sparse point is a product
of functions of one distance each, and so is its spline: rows of the design matrix and the model's
coefficients come from the same three factors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from potential import pair
from potential.basis import uniform_spline
from potential.errors import SoapGprError
from potential.progress import Progress, silent
from potential.settings import TripletTermSettings
from potential.sparse import select
from potential.structure import Structure, symbol
from potential.triplet_points import candidates

# Of the spline, per length scale: an error of 1e-7 of a sparse point's kernel.
INTERVALS_PER_LENGTH = 6
# Candidates for sparse points: one triplet of each cube with this edge, in length scales.
CUBE = 1 / 6
MAX_INTERVALS = 160
LINES = 20  # through given triplets, on which the number of intervals is chosen
TOLERANCE = 1e-7  # error of a fixed function's spline, relative to its largest value

Function = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Process:
    """A Gaussian process of a fixed term, docs/theory.md eq. (22g), summed at run time.

    function: place in ``functions``; kernel: "ard_se" or "pp"; angle: whether its numbers are those
    of an angle instead of the distances in ``order``; length_scales θ: Å, of the second number of
    an angle Å²; permutations: in the norm, none for no norm; constant: eV; points (3, n): in length
    scales, those permuted included; weights (n,): eV.
    """

    function: int
    kernel: str
    angle: bool
    order: list[int]
    length_scales: list[float]
    permutations: list[list[int]]
    constant: float
    points: np.ndarray
    weights: np.ndarray


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
    kinds, edge = functions(len(species)), CUBE * settings.length_scale
    found = candidates(structures, settings.cutoff, species, kinds, edge, progress)
    points, warnings, missing = {}, [], []
    for p, name in enumerate(names(species)):
        X = found[p] / settings.length_scale
        chosen = select(X, settings.n_sparse, "fps", seed=settings.seed)
        points[p] = found[p][chosen]
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
    shared_energy: bool = False,
    ordered: bool = False,
    processes: Sequence[Process] = (),
    near: Mapping[int, np.ndarray] | None = None,
) -> dict[str, Any]:
    """A term without weights for ``build_model`` from functions G of eq. (22).

    callables: by place in ``functions``, G(r_ij, r_ik, r_jk) in eV of arrays in Å, smooth up to
    the ends of [0, cutoff]² × [0, 2 cutoff], the first distance that to the neighbour of lower
    species; functions left out are zero. third_factor: "none" or "cluster", eq. (22a).
    shared_energy: eq. (22e). ordered: eq. (22f), functions are taken as they are where they are not
    symmetric in neighbours of one species. processes: to be added to them. near: by place,
    triplets (n, 3) in Å at which a function may be narrow and its spline is tested too.

    The spline is as fine along each axis as ``tolerance``, relative to the largest value, asks for.
    Raises SoapGprError when MAX_INTERVALS do not suffice.
    """
    entry: dict[str, Any] = {
        "kind": "triplet",
        "fixed": True,
        "name": name,
        "cutoff": cutoff,
        "cutoff_width": cutoff_width,
        "third_factor": third_factor,
    }
    if shared_energy:
        entry["shared_energy"] = True
    if ordered:
        entry["neighbor_order"] = "index"
    probes = {
        p: np.concatenate([_probes(cutoff), (near or {}).get(p, np.zeros((0, 3))).T], axis=1)
        for p in callables
    }
    wanted = {p: np.asarray(function(*probes[p])) for p, function in callables.items()}
    limits = {p: tolerance * max(np.abs(value).max(), 1e-300) for p, value in wanted.items()}
    entry["n_intervals"] = [
        max(
            (
                _intervals(function, limits[p], axis, cutoff, name, probes[p][:, -LINES:])
                for p, function in callables.items()
                for axis in axes
            ),
            default=4,
        )
        for axes in ((0, 1), (2,))
    ]
    symmetric = [like and not ordered for like in is_symmetric(len(species))]
    tables = {p: _sampled(entry, function, symmetric[p]) for p, function in callables.items()}
    for p, value in wanted.items():
        # three axes, and lines in the search of intervals that missed the worst place
        if np.abs(interpolate(entry, tables[p], probes[p]) - value).max() > 10 * limits[p]:
            raise _too_rough(name, limits[p])
    empty = np.zeros((0, *(n + 5 for n in entry["n_intervals"])))
    return (
        entry
        | {"tables": {p: tables.get(p, empty) for p in range(len(symmetric))}}
        | _of_processes(processes)
    )


def _of_processes(processes: Sequence[Process]) -> dict[str, Any]:
    """What they add to a term's entry."""
    if not processes:
        return {}
    arrays = ("points", "weights")
    return {
        "processes": [
            {key: value for key, value in vars(process).items() if key not in arrays}
            for process in processes
        ],
        "process_points": [process.points for process in processes],
        "process_weights": [process.weights for process in processes],
    }


def interpolate(entry: Mapping[str, Any], table: np.ndarray, distances) -> np.ndarray:
    """G (n,) in eV from its coefficients, at three arrays of distances (n,) in Å."""
    axes = [uniform_spline.splines(distances[axis], *_axis(entry, axis)) for axis in range(3)]
    return np.array([a @ (table @ c) @ b for a, b, c in zip(*axes, strict=True)])


def _axis(entry, axis):
    """Intervals and end of r_ij, r_ik or r_jk."""
    n_radial, n_third = entry["n_intervals"]
    return (n_third, 2 * entry["cutoff"]) if axis == 2 else (n_radial, entry["cutoff"])


def _intervals(function, limit, axis, cutoff, name, more):
    """Intervals along one axis for an error within limit (eV), on lines through some triplets, of
    which more (3, n) are given."""
    probes = np.concatenate([_probes(cutoff, 60, seed=1), more], axis=1)
    end = 2 * cutoff if axis == 2 else cutoff
    fine = np.linspace(0, end, 1501)
    lines = np.repeat(probes[:, :, None], len(fine), axis=2)
    lines[axis] = fine
    wanted = np.asarray(function(*lines.reshape(3, -1))).reshape(-1, len(fine))
    x, y, z = lines
    possible = (np.abs(x - y) <= z) & (z <= x + y)
    n = 8
    while n <= MAX_INTERVALS:
        at = np.repeat(probes[:, :, None], n + 5, axis=2)
        at[axis] = uniform_spline.sites(n, end)
        values = np.asarray(function(*at.reshape(3, -1))).reshape(-1, n + 5)
        found = uniform_spline.splines(fine, n, end) @ uniform_spline.coefficients(values.T, n)
        error = np.abs(found.T - wanted)[possible].max()
        if error <= limit:
            return n
        # It falls as h⁶ once h is small.
        n = max(n + 1, int(n * min(1.5, (error / limit) ** (1 / 6))))
    raise _too_rough(name, limit)


def _too_rough(name, limit):
    return SoapGprError(
        f"{name}: found a function of three distances that no spline of {MAX_INTERVALS} intervals "
        f"follows within {limit:.2g} eV, expected a smoother one"
    )


def _sampled(entry, function, symmetric):
    """Coefficients of the spline through a function's values at the sites."""
    x, y, z = (uniform_spline.sites(*_axis(entry, axis)) for axis in range(3))
    plane = [values.ravel() for values in np.meshgrid(y, z, indexing="ij")]
    values = np.stack(  # plane by plane, as the function may need much memory for each point
        [np.asarray(function(np.full_like(plane[0], x_1), *plane)) for x_1 in x]
    ).reshape(len(x), len(y), len(z))
    if symmetric:
        values = 0.5 * (values + values.swapaxes(0, 1))
    for axis in range(3):
        turned = np.moveaxis(values, axis, 0)
        values = np.moveaxis(
            uniform_spline.coefficients(turned, entry["n_intervals"][axis == 2]), 0, axis
        )
    return np.ascontiguousarray(values)


def _probes(cutoff, n=1500, seed=0):
    """Distances (3, n) of triplets at random, for the error of a spline."""
    rng = np.random.default_rng(seed)
    r_ij, r_ik = rng.uniform(0, cutoff, (2, n))
    cosine = rng.uniform(-1, 1, n)
    return np.stack([r_ij, r_ik, np.sqrt(r_ij**2 + r_ik**2 - 2 * r_ij * r_ik * cosine)])
