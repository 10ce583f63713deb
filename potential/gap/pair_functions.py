# SPDX-License-Identifier: BSD-3-Clause
"""Pair functions of GAP potentials as fixed pair terms: their Gaussian processes, and Glue.

distance_2b, distance_Nb of order 2 and the pair part of Glue_params (docs/gap.md).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import erf

from potential import pair
from potential.basis import cutoff as cutoff_function
from potential.basis import jets, spline
from potential.errors import SoapGprError
from potential.gap.covariance import require_stationary
from potential.gap.gap_file import Coordinate
from potential.gap.read_values import number
from potential.gap.xml_file import Element
from potential.structure import symbol

TOLERANCE = 1e-11  # of the spline, relative to the largest value
BEGIN = 0.02  # Å: below it a function of 1/r goes on as a constant

Jet = Callable[[np.ndarray], np.ndarray]


def gaussian_process_term(
    name: str,
    values: dict[str, Any],
    coordinate: Coordinate,
    compact: bool,
    species: Sequence[int],
) -> dict[str, Any]:
    """The fixed term of a distance_2b, or a distance_Nb of order 2."""
    cutoff, width = values["cutoff"], values["cutoff_transition_width"]
    wanted, exponents, tail = pair_options(name, values, coordinate)
    # QUIP visits every pair twice, but clusters that are not compact once
    times = 1.0 if name == "distance_nb" and not compact else 2.0
    process = _process(coordinate, exponents, times)
    function = _with_tail(process, *tail)
    ends = sorted({*_kinks(coordinate, exponents, cutoff), cutoff - width, cutoff})
    if min(exponents) < 0 or tail[0]:
        ends = sorted({BEGIN, *ends})
    pieces = []
    for begin, end in zip([0.0, *ends], ends, strict=False):
        if end - begin < 1e-9:
            continue
        taper = _taper(cutoff, width) if begin >= cutoff - width - 1e-12 else None
        pieces.append((begin, end, jets.product(function, taper) if taper else function))
    own = _table(pieces, constant_below=BEGIN if ends[0] == BEGIN else 0.0)
    places = [
        p
        for p, (a, b) in enumerate(pair.pairs(len(species)))
        if matches(wanted, (species[a], species[b]))
    ]
    return _term(coordinate.descriptor.split()[0], dict.fromkeys(places, own), species)


def pair_options(
    name: str, values: Mapping[str, Any], coordinate: Coordinate
) -> tuple[list[int], tuple[float, ...], tuple[int, float]]:
    """Species, exponents of the distance, and exponent and range of the tail. Raises SoapGprError
    for what cannot be imported."""
    where, cutoff = coordinate.where, values["cutoff"]
    width = values["cutoff_transition_width"]
    if not (0 < cutoff <= 100 and 0 < width <= cutoff):
        raise SoapGprError(
            f"{where}: found cutoff={cutoff:g} and cutoff_transition_width={width:g}, expected "
            "0 < cutoff_transition_width <= cutoff <= 100"
        )
    if values.get("only_intra") or values.get("only_inter") or values.get("resid_name"):
        raise SoapGprError(f"{where}: distance_2b that tells molecules apart cannot be imported")
    if name == "distance_2b":
        wanted = [values["z1"], values["z2"]]
        exponents = values["exponents"]
        n = values["n_exponents"]
        exponents = exponents or ((1,) if n == 1 else tuple(-k for k in range(1, n + 1)))
        tail = values["tail_exponent"], values["tail_range"]
    else:
        wanted, exponents, tail = list(values["z"] or (0, 0)), (1,), (0, 1.0)
    if len(wanted) != 2:
        raise SoapGprError(f"{where}: found {len(wanted)} species, expected those of pairs")
    require_stationary(coordinate, len(exponents))
    return wanted, exponents, tail


def matches(wanted: Sequence[int], found: Sequence[int]) -> bool:
    """Whether atomic numbers are those wanted in any order, 0 standing for any."""
    return any(
        all(w in (0, z) for w, z in zip(wanted, order, strict=True))
        for order in (found, found[::-1])
    )


def _process(coordinate: Coordinate, exponents, times: float) -> Jet:
    """times × Σ_s α_s k(x_s, x(r)) with its derivatives."""
    theta, points = coordinate.theta, coordinate.points
    weights = coordinate.alpha * coordinate.cutoffs * times
    constant = coordinate.f0**2 * weights.sum()
    shape = _SHAPES[coordinate.kernel]
    p = np.array(exponents, dtype=float)[:, None]

    def function(r):
        # large weights of opposite signs: rounding of doubles is more than a spline can follow
        r = np.maximum(r, 1e-12).astype(np.longdouble)
        x = np.stack([r**p, p * r ** (p - 1), p * (p - 1) * r ** (p - 2)])  # (3, d, n)
        total = np.zeros((3, len(r)), dtype=np.longdouble)
        for point, weight in zip(points, coordinate.delta**2 * weights, strict=True):
            u = x / theta[:, None]
            u[0] -= (point / theta)[:, None]
            total += weight * shape(u)
        total[0] += constant
        return total.astype(float)

    return function


def _squared_length(u):
    """Jet of Σ_d u_d²."""
    return jets.multiply(u, u).sum(axis=1)


def _ard_se(u):
    """Jet of exp(−|u|²/2)."""
    e, e1, e2 = -0.5 * _squared_length(u)
    value = np.exp(e)
    return np.stack([value, value * e1, value * (e1**2 + e2)])


def _pp(u):
    """Jet of (1 − |u|)^(j+1) ((j + 1) |u| + 1), j = d/2 + 2: of compact support."""
    n = u.shape[1] // 2 + 3  # j + 1
    q, q1, q2 = _squared_length(u)
    length = np.sqrt(np.maximum(q, 1e-300))
    left = np.maximum(1 - length, 0.0)
    value = left**n * (n * length + 1)
    # by q = |u|²: g′ = −n (n + 1) (1 − |u|)^(n−1) / 2, and once more
    slope = -0.5 * n * (n + 1) * left ** (n - 1)
    second = 0.25 * n * (n + 1) * (n - 1) * left ** (n - 2)
    with np.errstate(over="ignore"):
        curvature = np.where(length > 1e-12, second / np.maximum(length, 1e-12) * q1**2, 0.0)
    return np.stack([value, slope * q1, curvature + slope * q2])


_SHAPES = {"ard_se": _ard_se, "pp": _pp}


def _kinks(coordinate, exponents, cutoff):
    """Distances where the third derivative of pp jumps: joints of the spline."""
    if coordinate.kernel != "pp" or len(exponents) != 1:
        return set()
    x = coordinate.points[:, 0]
    at = np.concatenate([x, x - coordinate.theta[0], x + coordinate.theta[0]])
    at = at[at > 0] ** (1.0 / exponents[0])
    return {float(r) for r in np.unique(at.round(12)) if 0 < r < cutoff}


def _with_tail(function: Jet, exponent: int, reach: float) -> Jet:
    """times (erf(a r)/r)^n."""
    if exponent == 0:
        return function

    def tail(r):
        value = erf(reach * r)
        slope = 2 * reach / np.sqrt(np.pi) * np.exp(-((reach * r) ** 2))
        f = np.stack([value, slope, -2 * reach**2 * r * slope])
        f = jets.multiply(f, np.stack([1 / r, -1 / r**2, 2 / r**3]))
        n = exponent
        power = f[0] ** (n - 2)
        return np.stack(
            [
                power * f[0] ** 2,
                n * power * f[0] * f[1],
                n * (n - 1) * power * f[1] ** 2 + n * power * f[0] * f[2],
            ]
        )

    return jets.product(function, tail)


def _taper(cutoff, width) -> Jet:
    return lambda r: cutoff_function.taper(r, cutoff, width)


def _table(pieces, constant_below: float):
    """Segments and knots of one function from (begin, end, jet)."""
    scale = max(np.abs(f(np.linspace(b, e, 65)[1:])[0]).max() for b, e, f in pieces)
    scale = max(scale, 1e-30)
    segments, parts = [], []
    for begin, end, function in pieces:
        if end <= constant_below:
            value = function(np.array([end]))[0, 0]
            segments.append([begin, end, 1])
            parts.append(np.array([[value, 0.0, 0.0]] * 2))
            continue
        one = jets.one_channel(function)
        n, (table,) = spline.build_segment([one], [scale], begin, end, TOLERANCE)
        segments.append([begin, end, n])
        parts.append(table[:, :, 0])
    return segments, np.concatenate(parts)


def _term(name, functions, species) -> dict[str, Any]:
    """A fixed pair term from (segments, knots) by pair of species."""
    n = len(pair.pairs(len(species)))
    cutoff = max((own[0][-1][1] for own in functions.values()), default=1.0)
    return {
        "kind": "pair",
        "fixed": True,
        "name": name,
        "cutoff": cutoff,
        "segments": [functions[p][0] if p in functions else [] for p in range(n)],
        "tables": {p: functions[p][1] if p in functions else np.zeros((0, 3)) for p in range(n)},
    }


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
        for p, (a, b) in enumerate(pair.pairs(len(species))):
            if curve is not None and sorted((species[a], species[b])) == key:
                functions[p] = _glue_function(curve, where)
    return _term("Glue", functions, species)


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
    from scipy.interpolate import CubicSpline

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
