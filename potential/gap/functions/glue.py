# SPDX-License-Identifier: BSD-3-Clause
"""The pair potentials of Glue_params, a baseline of GAP potentials, as a fixed pair term
(docs/gap.md)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.interpolate import CubicSpline

from potential.errors import SoapGprError
from potential.gap.read.values import number
from potential.gap.read.xml_file import Element
from potential.structures.structure import symbol
from potential.terms.clusters import pairs
from potential.terms.fixed_pair import fixed_pair_draft


def glue_term(glue: Element, species: Sequence[int], where: str) -> dict[str, Any]:
    """The pair potentials of Glue_params. Raises SoapGprError when an embedding counts too."""
    types = glue_types(glue, where)
    for entry in glue.walk("per_type_data"):
        z = types[entry.attributes.get("type", "")]
        if z in species and _embeds(entry):
            raise SoapGprError(
                f"{where}: found a Glue baseline with an embedding energy of {symbol(z)}, expected "
                "one of pairs alone"
            )
    functions = {}
    for entry in glue.walk("per_pair_data"):
        key = sorted(types.get(entry.attributes.get(k, ""), 0) for k in ("type1", "type2"))
        curve = entry.first("potential_pair")
        for p, (a, b) in enumerate(pairs(len(species))):
            if curve is not None and sorted((species[a], species[b])) == key:
                functions[p] = _glue_function(curve, where)
    return fixed_pair_draft("Glue", functions, species)


def glue_types(glue: Element, where: str) -> dict[str, int]:
    """Atomic numbers by the names of types."""
    return {
        entry.attributes.get("type", ""): int(
            number(f"{where}: atomic_num", entry.attributes.get("atomic_num", "0"))
        )
        for entry in glue.walk("per_type_data")
    }


def _embeds(entry: Element) -> bool:
    curve = entry.first("potential_density")
    return curve is not None and any(
        point.attributes.get("E", "0").strip(" -+0.eEdD") for point in curve.all("point")
    )


def _glue_function(curve: Element, where: str):
    """A cubic spline with given slopes at both ends, a straight line below the first knot."""
    try:
        points = [
            (float(point.attributes["r"]), float(point.attributes["E"]))
            for point in curve.all("point")
        ]
        slopes = [float(curve.attributes.get(key, "0")) for key in ("y1", "yn")]
    except (KeyError, ValueError):
        raise SoapGprError(f"{where}: found a pair of Glue_params without numbers") from None
    r, v = np.array(points, dtype=float).reshape(-1, 2).T
    if len(r) < 2 or not np.isfinite(points).all() or r[0] <= 0 or (np.diff(r) <= 0).any():
        raise SoapGprError(f"{where}: found a pair of Glue_params whose distances do not grow")
    ends = [(2, 0.0) if abs(slope) > 0.99e30 else (1, slope) for slope in slopes]
    spline_ = CubicSpline(r, v, bc_type=tuple(ends))
    slope = 0.0 if ends[0][0] == 2 else slopes[0]
    segments: list[list] = [[0.0, float(r[0]), 1]]
    knots = [np.array([[v[0] - slope * r[0], slope * r[0], 0.0], [v[0], slope * r[0], 0.0]])]
    for begin, end in itertools.pairwise(r):
        h = end - begin
        jet = np.stack([spline_([begin, end], k) * h**k for k in range(3)], axis=1)
        segments.append([float(begin), float(end), 1])
        knots.append(jet)
    return segments, np.concatenate(knots)
