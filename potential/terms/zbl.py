# SPDX-License-Identifier: BSD-3-Clause
"""Screened nuclear repulsion, switched off where bonds begin (docs/theory.md eq. 21 and 21a)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from ase.data import covalent_radii

from potential.basis import jets, spline
from potential.schema.limits import ZBL_CORE
from potential.settings import BaselineSettings, ZblSettings
from potential.species import LAST_ELEMENT
from potential.structures.structure import Structure, symbol
from potential.terms.clusters import pair_names, pairs, shortest_distances
from potential.terms.fixed_pair import Functions

COULOMB = 14.399645  # e²/(4πε₀) in eV Å
SCREENING_LENGTH = 0.46850  # Å
SCREENING = ((0.18175, 3.19980), (0.50986, 0.94229), (0.28022, 0.40290), (0.02817, 0.20162))
# Of the sum of the covalent radii, where the settings name no distance: bonds stay longer.
INNER, OUTER = 0.35, 0.7
TOLERANCE = 1e-10

Jet = Callable[[np.ndarray], np.ndarray]


def zbl_functions(settings: ZblSettings, species: Sequence[int]) -> Functions:
    """Splines of all pairs of species, not to be changed. Raises SoapGprError."""
    return _zbl_functions(settings, tuple(species))


@lru_cache(maxsize=8)  # e0 and the model of a fit need the same, and so does every fold
def _zbl_functions(settings: ZblSettings, species: tuple[int, ...]) -> Functions:
    functions = {}
    for p, (a, b) in enumerate(pairs(len(species))):
        function = zbl(species[a], species[b])
        inner, outer = switching_distances(settings, species[a], species[b])
        switched = jets.product(function, switch(inner, outer))
        ends = [ZBL_CORE]
        while 2 * ends[-1] < inner:
            ends.append(2 * ends[-1])
        pieces = [(begin, end, function) for begin, end in itertools.pairwise(ends)]
        pieces += [(ends[-1], inner, function), (inner, outer, switched)]
        own, parts = [[0.0, ZBL_CORE, 1]], [_parabola(function, ZBL_CORE)]
        for begin, end, piece in pieces:
            scale = [float(piece(np.array([begin]))[0, 0])]
            columns = [jets.one_channel(piece)]
            n, (table,) = spline.build_segment(columns, scale, begin, end, TOLERANCE)
            own.append([begin, end, n])
            parts.append(table[:, :, 0])
        functions[p] = own, np.concatenate(parts)
    return functions


def zbl_warnings(
    settings: BaselineSettings, species: Sequence[int], structures: Sequence[Structure]
) -> list[str]:
    """Where the zbl of the settings reaches distances of the data, which other terms pay for."""
    if settings.zbl is None:
        return []
    found = []
    shortest = shortest_distances(1.5 * _largest_outer(settings.zbl, species), species, structures)
    for (a, b), name, nearest in zip(
        pairs(len(species)), pair_names(species), shortest, strict=True
    ):
        outer = switching_distances(settings.zbl, species[a], species[b])[1]
        if nearest < outer:
            found.append(
                f"[baseline.zbl] outer = {outer:.2f} Å of {name} is beyond the shortest distance "
                f"of the training structures, {nearest:.2f} Å: a steep function that the other "
                "terms must undo; a smaller outer is easier for them"
            )
    return found


def _largest_outer(settings, species):
    return max(
        switching_distances(settings, species[a], species[b])[1] for a, b in pairs(len(species))
    )


def zbl(z_a: int, z_b: int) -> Jet:
    """Universal screened nuclear repulsion: r (n,) Å -> jet (3, n) in eV."""
    a = SCREENING_LENGTH / (z_a**0.23 + z_b**0.23)

    def function(r):
        inverse = np.stack([1 / r, -1 / r**2, 2 / r**3])
        screening = np.zeros((3, len(r)))
        for amplitude, rate in SCREENING:
            k = -rate / a
            value = amplitude * np.exp(k * r)
            screening += np.stack([value, k * value, k * k * value])
        return COULOMB * z_a * z_b * jets.multiply(inverse, screening)

    return function


def switch(inner: float, outer: float) -> Jet:
    """1 at inner, 0 at outer, with two continuous derivatives: r (n,) -> jet (3, n)."""

    def function(r):
        h = outer - inner
        x = (r - inner) / h
        return np.stack(
            [
                1 - x**3 * (10 - 15 * x + 6 * x**2),
                -30 * (x * (1 - x)) ** 2 / h,
                -60 * x * (1 - x) * (1 - 2 * x) / h**2,
            ]
        )

    return function


def switching_distances(settings: ZblSettings, z_a: int, z_b: int) -> tuple[float, float]:
    """(inner, outer) in Å of a pair of elements."""
    if max(z_a, z_b) > LAST_ELEMENT:
        raise settings.place().says(
            f"found the pair {symbol(z_a)}-{symbol(z_b)}, expected chemical elements: beads have "
            "no nuclei"
        )
    bond = covalent_radii[z_a] + covalent_radii[z_b]
    outer = OUTER * bond if settings.outer is None else settings.outer
    inner = min(INNER * bond, 0.5 * outer) if settings.inner is None else settings.inner
    if not ZBL_CORE < inner < outer:
        raise settings.place().says(
            f"found inner = {inner:.3g} Å and outer = {outer:.3g} Å for "
            f"{symbol(z_a)}-{symbol(z_b)}, expected {ZBL_CORE} < inner < outer"
        )
    return float(inner), float(outer)


def _parabola(function: Jet, end: float) -> np.ndarray:
    """Table (2, 3) on [0, end] of the parabola that continues a function below ``end``."""
    value, slope, curvature = function(np.array([end]))[:, 0]
    at_zero = [value - slope * end + 0.5 * curvature * end**2, slope - curvature * end, curvature]
    return np.array([at_zero, [value, slope, curvature]]) * [1.0, end, end**2]
