# SPDX-License-Identifier: BSD-3-Clause
"""Functions of three distances of GAP potentials as fixed triplet terms (docs/gap.md).

angle_3b and distance_Nb of order 3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from potential import triplet
from potential.errors import SoapGprError
from potential.gap.covariance import covariance, require_stationary
from potential.gap.entry import Entry
from potential.gap.gap_file import Coordinate
from potential.gap.pair_functions import matches

# Error of the spline, relative to the largest value: the first of these that can be had.
TOLERANCES = (1e-9, 1e-8, 1e-7, 1e-6)
CHUNK = 4096  # points at a time

Function = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def triplet_terms(
    entries: Sequence[Entry], species: Sequence[int], literal: bool = False
) -> tuple[list[dict[str, Any]], list[str]]:
    """One fixed term for all functions of equal cutoffs, and warnings.

    literal: functions that depend on the order of the neighbours do so here (docs/theory.md
    eq. 22f); otherwise they are the mean over both orders.
    """
    groups: dict[tuple[float, float, str, bool, bool], dict[int, list[Function]]] = {}
    warnings = []
    for entry in entries:
        name, values, coordinate, compact = entry
        width = values["cutoff_transition_width"]
        if not (0 < values["cutoff"] <= 100 and 0 < width <= values["cutoff"]):
            raise SoapGprError(
                f"{coordinate.where}: found cutoff={values['cutoff']:g} and "
                f"cutoff_transition_width={width:g}, expected 0 < width <= cutoff <= 100"
            )
        functions, ambiguous = _functions(entry, species)
        if ambiguous:
            warnings.append(
                f"{coordinate.where}: QUIP's energy of these compact clusters depends on the order "
                "of the atoms; this model "
                + ("does so too" if literal else "has the mean over their orders")
            )
        third = "cluster" if name == "distance_nb" and not compact else "none"
        shared, ordered = name == "distance_nb", literal and bool(ambiguous)
        own = groups.setdefault((values["cutoff"], width, third, shared, ordered), {})
        for p, function in functions.items():
            mean = p in ambiguous and not literal
            own.setdefault(p, []).append(_mean(function) if mean else function)
    terms = []
    for key, own in groups.items():
        if own:
            term, tolerance = _term(*key, species, own)
            terms.append(term)
            if tolerance > 1e-8:
                warnings.append(
                    f"functions of three distances to {key[0]:g} Å follow QUIP's to {tolerance:g} "
                    "of the largest value only, as they are not smooth"
                )
    return terms, warnings


def _term(cutoff, width, third, shared, ordered, species, own):
    callables = {p: _sum(functions) for p, functions in own.items()}
    for tolerance in TOLERANCES:
        try:
            term = triplet.fixed_term(
                "GAP", cutoff, width, species, callables, third, tolerance, shared, ordered
            )
            return term, tolerance
        except SoapGprError:
            if tolerance == TOLERANCES[-1]:
                raise
    raise AssertionError


def _sum(functions: Sequence[Function]) -> Function:
    return lambda *distances: np.sum([function(*distances) for function in functions], axis=0)


def _functions(entry: Entry, species: Sequence[int]) -> tuple[dict[int, Function], set[int]]:
    """By place in ``triplet.functions``; those that depend on the order of two neighbours of one
    species."""
    name, values, coordinate, compact = entry
    process = _process(coordinate)
    found, ambiguous = dict[int, Function](), set[int]()
    for p, (a, *others) in enumerate(triplet.functions(len(species))):
        center, neighbors = species[a], [species[b] for b in others]
        order = cluster_order(name, values, compact, center, neighbors, coordinate.where)
        if order is None:
            continue
        if name == "angle_3b":
            found[p] = lambda *distances: 2 * process(*angle_numbers(*distances))  # both orders
            continue
        found[p] = _reordered(process, order)
        first, second, third = ([center, *neighbors][k] for k in order)
        if second == third and not _is_symmetric(coordinate, [1, 0, 2]):
            ambiguous.add(p)
        exchanged = first == second and not _is_symmetric(coordinate, [0, 2, 1])
        if not compact and (ambiguous or exchanged):
            raise SoapGprError(
                f"{coordinate.where}: found clusters that are not compact with permutations other "
                "than those of their species"
            )
    return found, ambiguous


def _is_symmetric(coordinate: Coordinate, order: list[int]) -> bool:
    """Whether the process is the same for its distances in another order."""
    own = {tuple(permutation.tolist()) for permutation in coordinate.permutations}
    theta = coordinate.theta
    return bool((theta[order] == theta).all()) and own == {
        tuple(permutation[k] for k in order) for permutation in own
    }


def cluster_order(
    name: str,
    values: Mapping[str, Any],
    compact: bool,
    center: int,
    neighbors: Sequence[int],
    where: str,
) -> list[int] | None:
    """Order in which the descriptor has the centre, 0, and the neighbours, 1 and 2; None for
    species that it does not take. Atomic numbers, those of the neighbours ascending."""
    if name == "angle_3b":
        taken = values["z_center"] in (0, center) and matches(
            (values["z1"], values["z2"]), neighbors
        )
        return [0, 1, 2] if taken else None
    wanted = list(values["z"])
    if wanted and len(wanted) != 3:
        raise SoapGprError(f"{where}: found Z={wanted}, expected three species")
    if wanted and 0 not in wanted and sorted(wanted) != sorted([center, *neighbors]):
        return None
    # compact clusters have their centre first, the others all atoms in the order of Z
    if compact:
        return [0, 1, 2]
    return [int(k) for k in np.argsort([center, *neighbors], kind="stable")]


def angle_numbers(r_ij, r_ik, r_jk):
    """The three numbers of angle_3b."""
    return r_ij + r_ik, (r_ij - r_ik) ** 2, r_jk


def reorder(distances: Sequence[np.ndarray], order: Sequence[int]) -> list[np.ndarray]:
    """The distances (1, 2), (1, 3), (2, 3) of atoms in another order."""
    places = {(0, 1): 0, (0, 2): 1, (1, 2): 2}
    first, second, third = order
    return [
        distances[places[min(i, j), max(i, j)]]
        for i, j in ((first, second), (first, third), (second, third))
    ]


def _reordered(process: Function, order: Sequence[int]) -> Function:
    return lambda *distances: process(*reorder(distances, order))


def _mean(function: Function) -> Function:
    """Over both orders of the neighbours."""
    return lambda x, y, z: 0.5 * (function(x, y, z) + function(y, x, z))


def _process(coordinate: Coordinate) -> Function:
    """Σ_s α_s k(x_s, x) of three numbers."""
    require_stationary(coordinate, 3)
    weights = coordinate.alpha * coordinate.cutoffs

    def function(*distances):
        x = np.stack(distances, axis=1)
        chunks = (x[begin : begin + CHUNK] for begin in range(0, len(x), CHUNK))
        return np.concatenate([np.zeros(0), *(covariance(coordinate, c) @ weights for c in chunks)])

    return function
