# SPDX-License-Identifier: BSD-3-Clause
"""Fixed terms of triplets: given functions of three distances (docs/theory.md eq. 22 to 22g)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from potential.basis import uniform_spline
from potential.errors import SoapGprError
from potential.runtime.progress import Progress, silent
from potential.terms.clusters import triplet_names
from potential.terms.term import Draft, Entry, FixedTerm
from potential.terms.triplet import axis_grid, interpolate, is_symmetric

MAX_INTERVALS = 160
MAX_BYTES = 4e8  # of all splines of a term
TOLERANCE = 1e-7  # error of a function's spline, relative to its largest value
# On which the number of intervals is chosen: lines through triplets, at random and given ones.
LINES, MORE_LINES, POINTS = 40, 20, 801

Function = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Process:
    """A Gaussian process of a fixed term, docs/theory.md eq. (22g), summed at run time.

    function: place in ``clusters.triplets``; kernel: "ard_se" or "pp"; angle: whether its numbers
    are those of an angle instead of the distances in ``order``; length_scales θ: Å, of the second
    number of an angle Å²; permutations: in the norm, none for no norm; constant: eV; points (3, n):
    in length scales, those permuted included; weights (n,): eV.
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


class FixedTripletTerm(FixedTerm):
    """A draft holds the entry and ``tables`` {p: (n, n, m)} of every triplet of species, with
    ``process_points`` and ``process_weights``, lists in the order of its ``processes``."""

    ARRAYS = ("tables", "process_points", "process_weights")

    @staticmethod
    def describes(entry: Entry) -> bool:
        return entry["kind"] == "triplet" and bool(entry.get("fixed", False))

    @classmethod
    def arrays_of(cls, draft: Draft, n_species: int) -> dict[str, np.ndarray]:
        arrays = {f"table.{p}": table for p, table in draft["tables"].items()}
        for what in ("points", "weights"):
            own = draft.get(f"process_{what}", ())
            arrays |= {f"process.{n}.{what}": array for n, array in enumerate(own)}
        return arrays

    @staticmethod
    def names(species: Sequence[int]) -> list[str]:
        return triplet_names(species)

    def is_given(self, p: int) -> bool:
        processes = self.entry.get("processes", ())
        return super().is_given(p) or any(process["function"] == p for process in processes)


def fixed_triplet_draft(
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
    progress: Progress = silent,
) -> Draft:
    """A draft of functions G of eq. (22).

    callables: by place in ``clusters.triplets``, G(r_ij, r_ik, r_jk) in eV of arrays in Å, smooth
    up to the ends of [0, cutoff]² × [0, 2 cutoff], the first distance that to the neighbour of
    lower species; functions left out are zero. third_factor: "none" or "cluster", eq. (22a).
    shared_energy: eq. (22e). ordered: eq. (22f), functions are taken as they are where they are not
    symmetric in neighbours of one species. processes: to be added to them. near: by place,
    triplets (n, 3) in Å at which a function may be narrow and its spline is tested too.

    The spline is as fine along each axis as ``tolerance``, relative to the largest value, asks for.
    Raises SoapGprError when MAX_INTERVALS or MAX_BYTES do not suffice.
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
    symmetric = [like and not ordered for like in is_symmetric(len(species))]
    probes = {
        p: np.concatenate([_probes(cutoff), (near or {}).get(p, np.zeros((0, 3))).T], axis=1)
        for p in callables
    }
    wanted = {p: np.asarray(function(*probes[p])) for p, function in callables.items()}
    limits = {p: tolerance * max(np.abs(value).max(), 1e-300) for p, value in wanted.items()}
    n_intervals = [4, 4, 4]
    searched = [(p, axis) for p in callables for axis in ((0, 2) if symmetric[p] else (0, 1, 2))]
    for p, axis in progress(searched, "triplets, resolution"):
        own = callables[p], limits[p], axis, cutoff, name, probes[p][:, -MORE_LINES:]
        n_intervals[axis] = max(n_intervals[axis], _intervals(*own))
    entry["n_intervals"] = [max(n_intervals[:2]), n_intervals[2]]
    shape = [axis_grid(entry, axis)[0] + 5 for axis in range(3)]
    if 8.0 * len(callables) * np.prod(shape) > MAX_BYTES:
        raise SoapGprError(
            f"{name}: found {len(callables)} functions of three distances that take splines of "
            f"{np.prod(shape)} coefficients each, expected smoother or fewer ones"
        )
    tables = {
        p: _sampled(entry, function, symmetric[p], progress) for p, function in callables.items()
    }
    for p, value in wanted.items():
        # three axes, and lines in the search of intervals that missed the worst place
        if np.abs(interpolate(entry, tables[p], probes[p]) - value).max() > 10 * limits[p]:
            raise _too_rough(name, limits[p])
    empty = np.zeros((0, *shape[1:]))
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


def _intervals(function, limit, axis, cutoff, name, more):
    """Intervals along one axis for an error within limit (eV), on lines through some triplets, of
    which more (3, n) are given."""
    probes = np.concatenate([_probes(cutoff, LINES, seed=1), more], axis=1)
    end = 2 * cutoff if axis == 2 else cutoff
    fine = np.linspace(0, end, POINTS)
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


def _sampled(entry, function, symmetric, progress):
    """Coefficients of the spline through a function's values at the sites."""
    x, y, z = (uniform_spline.sites(*axis_grid(entry, axis)) for axis in range(3))
    values = np.empty((len(x), len(y), len(z)))
    # plane by plane, as the function may need much memory for each point
    for i in progress(range(len(x)), "triplets, splines"):
        begin = i if symmetric else 0
        plane = [own.ravel() for own in np.meshgrid(y[begin:], z, indexing="ij")]
        values[i, begin:] = function(np.full_like(plane[0], x[i]), *plane).reshape(-1, len(z))
        if symmetric:
            values[i:, i] = values[i, i:]
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
