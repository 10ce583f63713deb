# SPDX-License-Identifier: BSD-3-Clause
"""Pair potentials given as tables in a text file (docs/fit_toml.md, [baseline])."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from potential.errors import SoapGprError
from potential.species import species_number
from potential.structures.structure import symbol
from potential.terms.clusters import pairs
from potential.terms.fixed_pair import Functions


def table_functions(file: str | Path, species: Sequence[int]) -> Functions:
    """Splines of the pairs of species that the file has. Raises SoapGprError."""
    blocks = read_pair_table(file)
    from scipy.interpolate import CubicSpline  # 0.1 s that fits without a table need not wait for

    functions = {}
    for p, (a, b) in enumerate(pairs(len(species))):
        key = tuple(sorted((species[a], species[b])))
        if key not in blocks:
            continue
        r, v = blocks[key]
        # V″ = 0 at the first distance, below which the curve goes on as a straight line
        curve = CubicSpline(r, v, bc_type=((2, 0.0), (1, 0.0)))
        knots = np.stack([curve(r, k) for k in range(3)], axis=1)
        h = (r[-1] - r[0]) / (len(r) - 1)
        line = [[v[0] - knots[0, 1] * r[0], knots[0, 1], 0.0], knots[0]]
        own = [[0.0, float(r[0]), 1], [float(r[0]), float(r[-1]), len(r) - 1]]
        table = np.concatenate([line * r[0] ** np.arange(3), knots * h ** np.arange(3)])
        functions[p] = own, table
    if not functions:
        raise SoapGprError(
            f"{file}: found no pair of the training structures' species, expected one at least"
        )
    return functions


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
            if len(words) == 3 and all(map(species_number, words[1:])):
                own = rows.setdefault(tuple(sorted(map(species_number, words[1:]))), [])
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
