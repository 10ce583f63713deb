# SPDX-License-Identifier: BSD-3-Clause
"""Fixed pair potentials, which a fit takes off the labels and the model adds at run time.

docs/theory.md eq. (21), (21a) and docs/fit_toml.md, [baseline].
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import atomic_numbers, covalent_radii

from potential.basis import jets, spline
from potential.errors import SoapGprError
from potential.settings import BaselineSettings, ZblSettings
from potential.structures.structure import Structure, symbol
from potential.terms import pair

COULOMB = 14.399645  # e²/(4πε₀) in eV Å
SCREENING_LENGTH = 0.46850  # Å
SCREENING = ((0.18175, 3.19980), (0.50986, 0.94229), (0.28022, 0.40290), (0.02817, 0.20162))
# Of the sum of the covalent radii, where the settings name no distance: bonds stay longer.
INNER, OUTER = 0.35, 0.7
CORE = 0.05  # Å: below it the repulsion goes on as a parabola, which stays finite
TOLERANCE = 1e-10

Jet = Callable[[np.ndarray], np.ndarray]


def fixed_terms(settings: BaselineSettings, species: Sequence[int]) -> list[dict[str, Any]]:
    """Terms for ``build_model``: pair functions without weights. Raises SoapGprError."""
    terms = []
    if settings.zbl is not None:
        terms.append(_zbl_term(settings.zbl, species))
    if settings.pair_table is not None:
        terms.append(_table_term(settings.pair_table, species))
    return terms


def zbl_warnings(
    settings: BaselineSettings, species: Sequence[int], structures: Sequence[Structure]
) -> list[str]:
    """Where the zbl of the settings reaches distances of the data, which other terms pay for."""
    if settings.zbl is None:
        return []
    found = []
    shortest = pair.shortest_distances(
        1.5 * _largest_outer(settings.zbl, species), species, structures
    )
    for (a, b), name, nearest in zip(
        pair.pairs(len(species)), pair.names(species), shortest, strict=True
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
        switching_distances(settings, species[a], species[b])[1]
        for a, b in pair.pairs(len(species))
    )


def zbl(z_a: int, z_b: int) -> Jet:
    """Universal screened nuclear repulsion: r (n,) Å -> jet (3, n) in eV."""
    a = SCREENING_LENGTH / (z_a**0.23 + z_b**0.23)

    def function(r):
        inverse = np.stack([1 / r, -1 / r**2, 2 / r**3])
        screening = np.zeros((3, len(r)))
        for factor, rate in SCREENING:
            k = -rate / a
            value = factor * np.exp(k * r)
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
    bond = covalent_radii[z_a] + covalent_radii[z_b]
    outer = OUTER * bond if settings.outer is None else settings.outer
    inner = min(INNER * bond, 0.5 * outer) if settings.inner is None else settings.inner
    if not CORE < inner < outer:
        raise SoapGprError(
            f"[baseline.zbl]: found inner = {inner:.3g} Å and outer = {outer:.3g} Å for "
            f"{symbol(z_a)}-{symbol(z_b)}, expected {CORE} < inner < outer"
        )
    return float(inner), float(outer)


def _zbl_term(settings, species):
    segments, tables = [], {}
    for p, (a, b) in enumerate(pair.pairs(len(species))):
        function = zbl(species[a], species[b])
        inner, outer = switching_distances(settings, species[a], species[b])
        switched = jets.product(function, switch(inner, outer))
        ends = [CORE]
        while 2 * ends[-1] < inner:
            ends.append(2 * ends[-1])
        pieces = [(begin, end, function) for begin, end in itertools.pairwise(ends)]
        pieces += [(ends[-1], inner, function), (inner, outer, switched)]
        own, parts = [[0.0, CORE, 1]], [_parabola(function, CORE)]
        for begin, end, piece in pieces:
            scale = [float(piece(np.array([begin]))[0, 0])]
            columns = [jets.one_channel(piece)]
            n, (table,) = spline.build_segment(columns, scale, begin, end, TOLERANCE)
            own.append([begin, end, n])
            parts.append(table[:, :, 0])
        segments.append(own)
        tables[p] = np.concatenate(parts)
    cutoff = max(own[-1][1] for own in segments)
    return {
        "kind": "pair",
        "fixed": True,
        "name": "zbl",
        "cutoff": cutoff,
        "segments": segments,
        "tables": tables,
    }


def _parabola(function: Jet, end: float) -> np.ndarray:
    """Table (2, 3) on [0, end] of the parabola that continues a function below ``end``."""
    value, slope, curvature = function(np.array([end]))[:, 0]
    at_zero = [value - slope * end + 0.5 * curvature * end**2, slope - curvature * end, curvature]
    return np.array([at_zero, [value, slope, curvature]]) * [1.0, end, end**2]


def _table_term(file, species):
    blocks = read_pair_table(file)
    from scipy.interpolate import CubicSpline  # 0.1 s that fits without a table need not wait for

    segments: list[list] = []
    tables = {}
    for p, (a, b) in enumerate(pair.pairs(len(species))):
        key = tuple(sorted((species[a], species[b])))
        if key not in blocks:
            segments.append([])
            tables[p] = np.zeros((0, 3))
            continue
        r, v = blocks[key]
        # V″ = 0 at the first distance, below which the curve goes on as a straight line
        curve = CubicSpline(r, v, bc_type=((2, 0.0), (1, 0.0)))
        knots = np.stack([curve(r, k) for k in range(3)], axis=1)
        h = (r[-1] - r[0]) / (len(r) - 1)
        line = [[v[0] - knots[0, 1] * r[0], knots[0, 1], 0.0], knots[0]]
        own = [[0.0, float(r[0]), 1], [float(r[0]), float(r[-1]), len(r) - 1]]
        segments.append(own)
        tables[p] = np.concatenate([line * r[0] ** np.arange(3), knots * h ** np.arange(3)])
    used = [own[-1][1] for own in segments if own]
    if not used:
        raise SoapGprError(
            f"{file}: found no pair of the training structures' species, expected one at least"
        )
    return {
        "kind": "pair",
        "fixed": True,
        "name": Path(file).name,
        "cutoff": max(used),
        "segments": segments,
        "tables": tables,
    }


def read_pair_table(file: str | Path) -> dict[tuple[int, ...], tuple[np.ndarray, np.ndarray]]:
    """Distances (Å, equally spaced) and energies (eV, the last one 0) by atomic numbers, ascending.

    A line ``# Si O`` starts a pair, lines ``r V`` follow. Raises SoapGprError.
    """
    try:
        lines = Path(file).read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SoapGprError(f"{file}: cannot read the pair table: {error}") from None
    rows: dict[tuple[int, ...], list[list[float]]] = {}
    own: list[list[float]] | None = None
    for n, line in enumerate(lines, start=1):
        words = line.replace("#", "# ").split()
        if not words:
            continue
        if words[0] == "#":
            if len(words) == 3 and all(atomic_numbers.get(word, 0) > 0 for word in words[1:]):
                own = rows.setdefault(tuple(sorted(atomic_numbers[w] for w in words[1:])), [])
            continue
        try:
            distance, energy = map(float, words)
        except ValueError:
            raise SoapGprError(
                f"{file}: found {line.strip()!r} in line {n}, expected two numbers, r and V"
            ) from None
        if own is None:
            raise SoapGprError(
                f"{file}: found numbers in line {n}, expected a line such as '# Si Si' before them"
            )
        own.append([distance, energy])
    return {key: _checked(file, key, np.array(values)) for key, values in rows.items()}


def _checked(file, key, values):
    where = f"{file}: # {' '.join(symbol(z) for z in key)}:"
    if len(values) < 4 or not np.isfinite(values).all():
        raise SoapGprError(f"{where} found fewer than four rows, or infinite numbers")
    r, v = values.T
    steps = np.diff(r)
    if r[0] <= 0 or steps.min() <= 0 or np.ptp(steps) > 1e-3 * steps.mean():
        raise SoapGprError(f"{where} expected equally spaced distances that grow from above 0")
    if v[-1] != 0:
        raise SoapGprError(f"{where} found {v[-1]:g} eV at the last distance, expected 0")
    return np.linspace(r[0], r[-1], len(r)), v
