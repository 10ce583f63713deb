# SPDX-License-Identifier: BSD-3-Clause
"""Functions of three distances of GAP potentials as fixed triplet terms (docs/gap.md).

angle_3b and distance_Nb of order 3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from potential import triplet
from potential.errors import SoapGprError
from potential.gap.gap_file import Coordinate
from potential.gap.pair_functions import matches

# Error of the spline, relative to the largest value: the first of these that can be had.
TOLERANCES = (1e-9, 1e-8, 1e-7, 1e-6)
CHUNK = 4096  # points at a time

Function = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
# name, options, coordinate, whether its clusters are compact
Entry = tuple[str, dict[str, Any], Coordinate, bool]


def triplet_terms(
    entries: Sequence[Entry], species: Sequence[int]
) -> tuple[list[dict[str, Any]], list[str]]:
    """One fixed term for all functions of equal cutoffs, and warnings."""
    groups: dict[tuple, dict[int, list[Function]]] = {}
    warnings = []
    for name, values, coordinate, compact in entries:
        width = values["cutoff_transition_width"]
        if not (0 < values["cutoff"] <= 100 and 0 < width <= values["cutoff"]):
            raise SoapGprError(
                f"{coordinate.where}: found cutoff={values['cutoff']:g} and "
                f"cutoff_transition_width={width:g}, expected 0 < width <= cutoff <= 100"
            )
        third = "cluster" if name == "distance_nb" and not compact else "none"
        shared = name == "distance_nb"
        own = groups.setdefault((values["cutoff"], width, third, shared), {})
        for p, function in _functions(name, values, coordinate, compact, species).items():
            own.setdefault(p, []).append(function)
        if name == "distance_nb" and compact and len(set(values["z"])) == 2:
            warnings.append(
                f"{coordinate.where}: QUIP's energy of compact clusters of two species depends on "
                "the order of the atoms; this model has the mean over their orders"
            )
    terms = []
    for (cutoff, width, third, shared), own in groups.items():
        if own:
            term, tolerance = _term(cutoff, width, third, shared, species, own)
            terms.append(term)
            if tolerance > 1e-8:
                warnings.append(
                    f"functions of three distances to {cutoff:g} Å follow QUIP's to {tolerance:g} "
                    "of the largest value only, as they are not smooth"
                )
    return terms, warnings


def _term(cutoff, width, third, shared, species, own):
    callables = {p: _sum(functions) for p, functions in own.items()}
    for tolerance in TOLERANCES:
        try:
            term = triplet.fixed_term(
                "GAP", cutoff, width, species, callables, third, tolerance, shared
            )
            return term, tolerance
        except SoapGprError:
            if tolerance == TOLERANCES[-1]:
                raise
    raise AssertionError


def _sum(functions: Sequence[Function]) -> Function:
    return lambda *distances: np.sum([function(*distances) for function in functions], axis=0)


def _functions(name, values, coordinate, compact, species) -> dict[int, Function]:
    """Of one coordinate, by place in ``triplet.functions``."""
    process = _process(coordinate)
    wanted = list(values["z"]) if name == "distance_nb" else []
    if wanted and len(wanted) != 3:
        raise SoapGprError(f"{coordinate.where}: found Z={wanted}, expected three species")
    found: dict[int, Function] = {}
    for p, (a, *others) in enumerate(triplet.functions(len(species))):
        center, neighbors = species[a], [species[b] for b in others]
        if name == "angle_3b":
            pair = values["z1"], values["z2"]
            if values["z_center"] in (0, center) and matches(pair, neighbors):
                found[p] = lambda x, y, z: 2 * process(x + y, (x - y) ** 2, z)  # both orders
        elif not wanted or 0 in wanted or sorted(wanted) == sorted([center, *neighbors]):
            # compact clusters have their centre first, the others all atoms in the order of Z
            order = [0, 1, 2]
            if not compact:
                order = [int(k) for k in np.argsort([center, *neighbors], kind="stable")]
            found[p] = _reordered(process, order)
            if compact and neighbors[0] == neighbors[1] != center:
                found[p] = _mean(found[p])
    return found


def _reordered(process: Function, order: Sequence[int]) -> Function:
    """The process of the distances (1, 2), (1, 3), (2, 3) of atoms in another order."""
    places = {(0, 1): 0, (0, 2): 1, (1, 2): 2}
    first, second, third = order
    taken = [
        places[min(i, j), max(i, j)] for i, j in ((first, second), (first, third), (second, third))
    ]
    return lambda *distances: process(*(distances[k] for k in taken))


def _mean(function: Function) -> Function:
    """Over both orders of the neighbours."""
    return lambda x, y, z: 0.5 * (function(x, y, z) + function(y, x, z))


def _process(coordinate: Coordinate) -> Function:
    """Σ_s α_s k(x_s, x) of three numbers."""
    theta, where = coordinate.theta, coordinate.where
    if coordinate.points.shape[1] != 3 or len(theta) != 3 or (theta <= 0).any():
        raise SoapGprError(f"{where}: found sparse points or theta that are not those of triplets")
    if coordinate.kernel not in _SHAPES:
        raise SoapGprError(f"{where}: found the kernel {coordinate.kernel}, expected ard_se or pp")
    shape = _SHAPES[coordinate.kernel]
    permutations = np.array(coordinate.permutations)
    points = coordinate.points[:, permutations] / theta  # (M, n_permutations, 3)
    weights = coordinate.alpha * coordinate.cutoffs
    constant = coordinate.f0**2 * weights.sum()
    scaled = coordinate.delta**2 * weights
    several = len(permutations) > 1
    if several:
        scaled = scaled / np.sqrt(
            sum(shape(points[:, k] - coordinate.points / theta) for k in range(len(permutations)))
        )

    def chunk(x):  # (n, 3)
        total = sum(
            scaled @ shape(points[:, None, k] - x / theta) for k in range(len(permutations))
        )
        if several:
            own = sum(shape((x[:, order] - x) / theta) for order in permutations)
            total = total / np.sqrt(own)
        return total + constant

    def function(*distances):
        x = np.stack(distances, axis=1)
        parts = [chunk(x[begin : begin + CHUNK]) for begin in range(0, len(x), CHUNK)]
        return np.concatenate([np.zeros(0), *parts])

    return function


def _ard_se(u: np.ndarray) -> np.ndarray:
    """exp(−|u|²/2) of (..., 3)."""
    return np.exp(-0.5 * np.einsum("...d,...d->...", u, u))


def _pp(u: np.ndarray) -> np.ndarray:
    """(1 − |u|)⁴ (4 |u| + 1), zero from |u| = 1 on."""
    length = np.sqrt(np.einsum("...d,...d->...", u, u))
    return np.maximum(1 - length, 0.0) ** 4 * (4 * length + 1)


_SHAPES = {"ard_se": _ard_se, "pp": _pp}
