# SPDX-License-Identifier: BSD-3-Clause
"""Pair terms: Gaussian processes of one distance, kept as splines (docs/theory.md eq. 20, 20a).

Entry: the term's entry in the model file's list of terms. Everything here is linear in the weights:
knots of the spline = basis @ weights, so that rows of the knots times the basis are rows of the
weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from potential.basis import cutoff as cutoff_function
from potential.basis import jets, spline
from potential.errors import SoapGprError
from potential.settings import PairTermSettings
from potential.structures.neighbors import neighbors_of
from potential.structures.structure import Structure, symbol

TOLERANCE = 1e-10  # error of a basis function's spline, relative to its largest value


def pairs(n_species: int) -> list[tuple[int, int]]:
    """Species indices of every function, in the order of the model file."""
    return [(a, b) for a in range(n_species) for b in range(a, n_species)]


def names(species: Sequence[int]) -> list[str]:
    """Such as Si-O, one per function."""
    return [f"{symbol(species[a])}-{symbol(species[b])}" for a, b in pairs(len(species))]


def kernel(entry: Mapping[str, Any], points: np.ndarray) -> np.ndarray:
    """K_MM (M, M) in eV² of sparse points (M,) in Å, docs/theory.md eq. (20a)."""
    difference = (points[:, None] - points) / entry["length_scale"]
    return entry["delta"] ** 2 * np.exp(-0.5 * difference**2)


def basis(entry: Mapping[str, Any], function: int, points: np.ndarray) -> np.ndarray:
    """(3 n_knots, M): V, h V′, h² V″ at the knots of one function for each weight alone."""
    parts = [
        spline.knot_values(piece, begin, end, n_intervals).reshape(-1, len(points))
        for begin, end, n_intervals in entry["segments"][function]
        for piece in [_piece(entry, points, end)]
    ]
    return np.concatenate([np.zeros((0, len(points))), *parts])


def pair_term(
    settings: PairTermSettings, species: Sequence[int], structures: Sequence[Structure]
) -> tuple[dict[str, Any], list[str]]:
    """A term for ``build_model`` with its sparse points and no weights, and warnings.

    Sparse points lie at equal distances from the shortest distance among the structures to the
    cutoff; a pair of species that never meets has none, and no energy. Raises SoapGprError when no
    spline follows the functions.
    """
    shortest = shortest_distances(settings.cutoff, species, structures)
    entry: dict[str, Any] = {
        "kind": "pair",
        "fixed": False,
        "cutoff": settings.cutoff,
        "cutoff_width": settings.cutoff_width,
        "length_scale": settings.length_scale,
        "delta": settings.delta,
    }
    points = {
        p: np.linspace(begin, settings.cutoff, settings.n_sparse + 1)[:-1]
        if np.isfinite(begin)
        else np.zeros(0)
        for p, begin in enumerate(shortest)
    }
    try:
        entry["segments"] = [_segments(entry, own) if len(own) else [] for own in points.values()]
    except SoapGprError:
        raise SoapGprError(
            f"pair term: length_scale: found {settings.length_scale:g} Å with cutoff_width = "
            f"{settings.cutoff_width:g} Å, expected both long enough for a table of "
            f"{spline.MAX_INTERVALS} intervals up to cutoff = {settings.cutoff:g} Å"
        ) from None
    warnings = [
        f"pair term: no {name} distance below {settings.cutoff:g} Å among the training structures"
        for name, begin in zip(names(species), shortest, strict=True)
        if not np.isfinite(begin)
    ]
    return entry | {"sparse_points": points}, warnings


def _piece(entry, points, end):
    """Basis functions on a segment up to ``end``: a function r (n,) -> jet (3, n, M)."""
    r_c, width, scale = (entry[key] for key in ("cutoff", "cutoff_width", "length_scale"))
    taper = partial(cutoff_function.taper, cutoff=r_c, cutoff_width=width)
    factor = cutoff_function.plateau if end <= r_c - width * (1 - 1e-9) else taper

    def function(r):
        x = (r[:, None] - points) / scale
        value = entry["delta"] ** 2 * np.exp(-0.5 * x**2)
        gaussian = np.stack([value, -x / scale * value, (x**2 - 1) / scale**2 * value])
        return jets.multiply(factor(r)[:, :, None], gaussian)

    return function


def _segments(entry, points):
    """The kink of the cutoff function falls on a joint, as in the tables of SOAP terms."""
    r_c, width = entry["cutoff"], entry["cutoff_width"]
    ends = [end for end in (r_c - width, r_c) if end > 0]
    scale = [entry["delta"] ** 2]
    return [
        [
            begin,
            end,
            spline.build_segment([_piece(entry, points, end)], scale, begin, end, TOLERANCE)[0],
        ]
        for begin, end in zip([0.0, *ends], ends, strict=False)
    ]


def shortest_distances(
    cutoff: float, species: Sequence[int], structures: Sequence[Structure]
) -> np.ndarray:
    """Shortest distance in Å of each pair of species (n_functions,), inf where none is below the
    cutoff."""
    index = {z: a for a, z in enumerate(species)}
    place = {pair: p for p, pair in enumerate(pairs(len(species)))}
    shortest = np.full(len(place), np.inf)
    for structure in structures:
        neighbors = neighbors_of(structure, cutoff)
        own = np.array([index[int(z)] for z in structure.numbers])
        first = np.repeat(own, neighbors.counts)
        second = own[neighbors.neighbor.astype(np.int64)]
        r = np.linalg.norm(neighbors.r_ij, axis=1)
        for (a, b), p in place.items():
            # a < b appears in both directions
            of_pair = r[(first == a) & (second == b)]
            shortest[p] = min(shortest[p], of_pair.min(initial=np.inf))
    return np.where(shortest < cutoff, shortest, np.inf)
