# SPDX-License-Identifier: BSD-3-Clause
"""Pair functions of GAP potentials as fixed pair terms (docs/gap.md).

distance_2b and distance_Nb of order 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import erf

from potential.basis import jets, spline
from potential.basis.cutoff import COSINE, CutoffFunction, Jet
from potential.errors import SoapGprError
from potential.gap.entry import Entry
from potential.gap.functions.covariance import require_stationary
from potential.gap.read.gap_file import Coordinate
from potential.terms.clusters import pairs
from potential.terms.fixed_pair import fixed_pair_draft

TOLERANCE = 1e-11  # of the spline, relative to the largest value
HALVINGS = 6  # of a piece that one table does not follow
PROBES = (-2, -1, 0, 1, 2)  # where a function is tested, in widths from its sparse points
BEGIN = 0.02  # Å: below it a function of 1/r goes on as a constant


def gaussian_process_term(entry: Entry, species: Sequence[int]) -> dict[str, Any]:
    """The fixed term of a distance_2b, or a distance_Nb of order 2."""
    coordinate, (cutoff, width) = entry.coordinate, entry.cutoffs
    wanted, exponents, tail = pair_options(entry)
    times = 1.0 if entry.loose else 2.0  # that QUIP visits a pair
    process = _process(coordinate, exponents, times)
    function = _with_tail(process, *tail)
    joints = {*_kinks(coordinate, exponents, cutoff), cutoff - width, cutoff}
    if min(exponents) < 0 or tail[0]:
        joints = {BEGIN, *(r for r in joints if r > BEGIN)}
    ends, taper = sorted(joints), CutoffFunction(cutoff, width, COSINE).taper
    pieces = []
    for begin, end in zip([0.0, *ends], ends, strict=False):
        if end - begin < 1e-9:
            continue
        fades = begin >= cutoff - width - 1e-12
        pieces.append((begin, end, jets.product(function, taper) if fades else function))
    where, begin = coordinate.where, BEGIN if ends[0] == BEGIN else 0.0
    centers, widths = _peaks(coordinate, exponents)
    try:
        own = _table(pieces, begin, min(widths, default=1.0))
    except SoapGprError:
        raise _too_narrow(where) from None
    _check(own, pieces, np.concatenate([centers + k * widths for k in PROBES]), begin, where)
    places = [
        p
        for p, (a, b) in enumerate(pairs(len(species)))
        if matches(wanted, (species[a], species[b]))
    ]
    return fixed_pair_draft(coordinate.descriptor.split()[0], dict.fromkeys(places, own), species)


def pair_options(entry: Entry) -> tuple[list[int], tuple[float, ...], tuple[int, float]]:
    """Species, exponents of the distance, and exponent and range of the tail. Raises SoapGprError
    for what cannot be imported."""
    values, where = entry.values, entry.coordinate.where
    if values.get("only_intra") or values.get("only_inter") or values.get("resid_name"):
        raise SoapGprError(f"{where}: distance_2b that tells molecules apart cannot be imported")
    if entry.name == "distance_2b":
        wanted = [values["z1"], values["z2"]]
        exponents = values["exponents"]
        n = values["n_exponents"]
        exponents = exponents or ((1,) if n == 1 else tuple(-k for k in range(1, n + 1)))
        tail = values["tail_exponent"], values["tail_range"]
    else:
        wanted, exponents, tail = list(values["z"] or (0, 0)), (1,), (0, 1.0)
    if len(wanted) != 2:
        raise SoapGprError(f"{where}: found {len(wanted)} species, expected those of pairs")
    require_stationary(entry.coordinate, len(exponents))
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


def _peaks(coordinate, exponents) -> tuple[np.ndarray, np.ndarray]:
    """Distances of the sparse points, and how wide the function is there, Å."""
    p = np.array(exponents, dtype=float)
    x = coordinate.points[coordinate.points[:, 0] > 0]
    r = x[:, 0] ** (1 / p[0])
    slopes = np.abs(p * r[:, None] ** (p - 1))
    return r, (coordinate.theta / np.maximum(slopes, 1e-300)).min(axis=1)


def _check(own, pieces, distances, begin, where) -> None:
    """Raises SoapGprError when the spline misses what is between its knots."""
    segments, knots = own
    r = np.concatenate([distances, np.linspace(0, segments[-1][1], 500)])
    table = {"tables": [knots[:, :, None]], "segments": segments}
    largest = error = 0.0
    for first, last, function in pieces:
        inside = r[(r > max(first, begin)) & (r < last)]
        if len(inside):
            exact = function(inside)[0]
            largest = max(largest, np.abs(exact).max())
            found = spline.evaluate(table, 0, inside)[:, 0]
            error = max(error, np.abs(found - exact).max())
    if error > 100 * TOLERANCE * largest:
        raise _too_narrow(where)


def _too_narrow(where):
    return SoapGprError(
        f"{where}: found a function of the distance that varies too fast for a spline, expected a "
        "larger theta"
    )


def _table(pieces, constant_below: float, width: float):
    """Segments and knots of one function from (begin, end, jet), which may be as narrow as width
    at places (Å)."""
    starts = [
        int(min(max(16, 2 * (end - begin) / width), spline.MAX_INTERVALS))
        for begin, end, _ in pieces
    ]
    scale = max(
        np.abs(f(np.linspace(b, e, 4 * n + 1)[1:])[0]).max()
        for (b, e, f), n in zip(pieces, starts, strict=True)
    )
    scale = max(scale, 1e-30)
    segments, parts = [], []
    for (begin, end, function), n in zip(pieces, starts, strict=True):
        if end <= constant_below:
            value = function(np.array([end]))[0, 0]
            segments.append([begin, end, 1])
            parts.append(np.array([[value, 0.0, 0.0]] * 2))
            continue
        for segment, knots in _segments(function, begin, end, scale, n):
            segments.append(segment)
            parts.append(knots)
    return segments, np.concatenate(parts)


def _segments(function: Jet, begin, end, scale, n, halvings=HALVINGS):
    """(segment, knots) of one piece, which is cut where it needs too many intervals."""
    one = jets.one_channel(function)
    try:
        n, (table,) = spline.build_segment([one], [scale], begin, end, TOLERANCE, n)
    except SoapGprError:
        if halvings == 0:
            raise
        middle = 0.5 * (begin + end)
        return [
            part
            for a, b in ((begin, middle), (middle, end))
            for part in _segments(function, a, b, scale, max(16, n // 2), halvings - 1)
        ]
    return [([begin, end, n], table[:, :, 0])]


def merged(terms: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Fixed pair terms of one name with functions of different pairs of species as one."""
    kept = list[dict[str, Any]]()
    for term in terms:
        own = {p for p, segments in enumerate(term["segments"]) if segments}
        for k, other in enumerate(kept):
            if other["name"] == term["name"] and not any(other["segments"][p] for p in own):
                kept[k] = _together(other, term, own)
                break
        else:
            kept.append(term)
    return kept


def _together(term, other, places) -> dict[str, Any]:
    """The term with the functions that the other one has at these places."""
    pairs = zip(term["segments"], other["segments"], strict=True)
    return term | {
        "cutoff": max(term["cutoff"], other["cutoff"]),
        "segments": [b if p in places else a for p, (a, b) in enumerate(pairs)],
        "tables": term["tables"] | {p: other["tables"][p] for p in places},
    }
