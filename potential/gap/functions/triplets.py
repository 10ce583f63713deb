# SPDX-License-Identifier: BSD-3-Clause
"""Functions of three distances of GAP potentials as fixed triplet terms (docs/gap.md).

angle_3b and distance_Nb of order 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from potential.errors import SoapGprError
from potential.gap.entry import Entry
from potential.gap.functions.covariance import require_stationary
from potential.gap.functions.pairs import matches
from potential.gap.functions.triplet_parts import Part
from potential.gap.read.gap_file import Coordinate
from potential.runtime.progress import Progress, silent
from potential.terms.clusters import triplets
from potential.terms.fixed_triplet import Function, fixed_triplet_draft

# Error of the spline, relative to the largest value: the first of these that can be had.
TOLERANCES = (1e-9, 1e-8)

Group = dict[int, list[Part]]  # by place in ``clusters.triplets``


def triplet_terms(
    entries: Sequence[Entry],
    species: Sequence[int],
    literal: bool = False,
    progress: Progress = silent,
) -> tuple[list[dict[str, Any]], list[str]]:
    """One fixed term for all functions of equal cutoffs, and warnings.

    literal: functions that depend on the order of the neighbours do so here (docs/theory.md
    eq. 22f); otherwise they are the mean over both orders.
    """
    groups: dict[tuple[float, float, str, bool, bool], Group] = {}
    warnings = []
    for entry in entries:
        parts, ambiguous = parts_of(entry, species)
        if ambiguous:
            warnings.append(
                f"{entry.coordinate.where}: QUIP's energy of these compact clusters depends on the "
                "order of the atoms; this model "
                + ("does so too" if literal else "has the mean over their orders")
            )
        third = "cluster" if entry.loose else "none"
        shared, ordered = entry.name == "distance_nb", literal and bool(ambiguous)
        own = groups.setdefault((*entry.cutoffs, third, shared, ordered), {})
        for p, part in parts.items():
            own.setdefault(p, []).extend(part.mean() if p in ambiguous and not literal else [part])
    return [_term(*key, species, own, progress) for key, own in groups.items() if own], warnings


def _term(cutoff, width, third, shared, ordered, species, own: Group, progress) -> dict[str, Any]:
    """Splines of smooth functions; all others are summed at run time."""
    rough = [part.process(p) for p, parts in own.items() for part in parts if _is_rough(part)]
    smooth = {p: [part for part in parts if not _is_rough(part)] for p, parts in own.items()}
    smooth = {p: parts for p, parts in smooth.items() if parts}
    near = {p: np.concatenate([part.near(cutoff) for part in parts]) for p, parts in smooth.items()}
    functions = {p: _sum(parts) for p, parts in smooth.items()}
    term = partial(
        fixed_triplet_draft,
        "GAP",
        cutoff,
        width,
        species,
        third_factor=third,
        shared_energy=shared,
        ordered=ordered,
    )
    for tolerance in TOLERANCES:
        try:
            return term(
                functions, tolerance=tolerance, processes=rough, near=near, progress=progress
            )
        except SoapGprError:
            pass
    return term({}, processes=[part.process(p) for p, parts in own.items() for part in parts])


def _is_rough(part: Part) -> bool:
    """Third derivatives of pp jump at each sparse point."""
    return part.coordinate.kernel == "pp"


def _sum(parts: Sequence[Part]) -> Function:
    return lambda *distances: np.sum([part.function(*distances) for part in parts], axis=0)


def parts_of(entry: Entry, species: Sequence[int]) -> tuple[dict[int, Part], set[int]]:
    """By place in ``clusters.triplets``; those that depend on the order of two neighbours of one
    species. Raises SoapGprError for what cannot be imported."""
    coordinate = entry.coordinate
    require_stationary(coordinate, 3)
    found, ambiguous = dict[int, Part](), set[int]()
    for p, (a, *others) in enumerate(triplets(len(species))):
        center, neighbors = species[a], [species[b] for b in others]
        order = _order(entry, center, neighbors)
        if order is None:
            continue
        if entry.name == "angle_3b":
            found[p] = Part(coordinate, True, (0, 1, 2), 2.0)  # both orders
            continue
        found[p] = Part(coordinate, False, _places(order), 1.0)
        first, second, third = ([center, *neighbors][k] for k in order)
        if second == third and not _is_symmetric(coordinate, [1, 0, 2]):
            ambiguous.add(p)
        exchanged = first == second and not _is_symmetric(coordinate, [0, 2, 1])
        if entry.loose and (ambiguous or exchanged):
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


def _order(entry: Entry, center: int, neighbors: Sequence[int]) -> list[int] | None:
    """Order in which the descriptor has the centre, 0, and the neighbours, 1 and 2; None for
    species that it does not take. Atomic numbers, those of the neighbours ascending."""
    values = entry.values
    if entry.name == "angle_3b":
        taken = values["z_center"] in (0, center) and matches(
            (values["z1"], values["z2"]), neighbors
        )
        return [0, 1, 2] if taken else None
    wanted = list(values["z"])
    if wanted and len(wanted) != 3:
        raise SoapGprError(f"{entry.coordinate.where}: found Z={wanted}, expected three species")
    if wanted and 0 not in wanted and sorted(wanted) != sorted([center, *neighbors]):
        return None
    # compact clusters have their centre first, the others all atoms in the order of Z
    if entry.compact:
        return [0, 1, 2]
    return [int(k) for k in np.argsort([center, *neighbors], kind="stable")]


def _places(order: Sequence[int]) -> tuple[int, ...]:
    """Which of the distances (1, 2), (1, 3), (2, 3) those of the atoms in another order are."""
    places = {(0, 1): 0, (0, 2): 1, (1, 2): 2}
    first, second, third = order
    return tuple(
        places[min(i, j), max(i, j)] for i, j in ((first, second), (first, third), (second, third))
    )
