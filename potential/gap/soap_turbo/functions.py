# SPDX-License-Identifier: BSD-3-Clause
"""Tables of soap_turbo: radial functions times angular functions times the atoms' amplitudes.

S_nl(r) = A(r) c_n(r) e^−y i_l(y) / σ_t², y = r²/σ_t(r)², c_n of soap_turbo_radial and
A(r) = (1 − 3ρ² + 2ρ³)^p h(r) / σ_r, ρ = r/x_c, h = 1, r + √(2/π) σ_r or
r² + 2√(2/π) σ_r r + σ_r² for radial_enhancement 0, 1, 2: means of |x|^k under half a Gaussian.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

import numpy as np

from potential.basis import bessel, jets
from potential.basis.tables import piecewise_tables
from potential.gap.soap_turbo.radial import RadialExpansion, Width

TOLERANCE = 1e-11  # of the splines, relative to the largest value
GRADES = 12  # segments, each a quarter of the one before, towards a cutoff with a root in it


@dataclass(frozen=True)
class Neighbour:
    """Options of one species."""

    n_max: int
    radial: Width
    angular: Width
    amplitude: float  # amplitude_scaling
    central_weight: float


def tables(neighbours: Sequence[Neighbour], l_max, soft, hard, nf, enhancement, gaussian):
    """Segments, tables (n_knots, 3, n_l, largest n_max) of each species and (n_species, n_max) of
    a centre of that species.

    Raises SoapGprError when the functions vary too fast.
    """
    alike = [replace(own, central_weight=1.0) for own in neighbours]
    expansions = {
        own: RadialExpansion(own.n_max, own.radial, soft, hard, nf, gaussian) for own in alike
    }
    largest = max(own.n_max for own in neighbours)
    functions = [
        partial(_function, own, expansion, l_max, hard, enhancement, largest)
        for own, expansion in expansions.items()
    ]
    pieces = [
        (begin, end, [partial(f, middle=0.5 * (begin + end)) for f in functions])
        for begin, end in pairwise(_ends(expansions, hard))
    ]
    segments, joined = piecewise_tables(pieces, TOLERANCE)
    shaped = {
        own: table.reshape(*table.shape[:2], l_max + 1, largest)
        for own, table in zip(expansions, joined, strict=True)
    }
    at_zero = np.zeros((len(neighbours), largest))
    for own, key, row in zip(neighbours, alike, at_zero, strict=True):
        factors = _amplitude(own, hard, enhancement, np.zeros(1))[0, 0]
        factors *= _angular(own.angular, 0, np.zeros(1))[0, 0, 0]
        row[: own.n_max] = own.central_weight * factors * expansions[key].center()
    return segments, [shaped[key] for key in alike], at_zero


def _ends(expansions: dict[Neighbour, RadialExpansion], hard: float) -> list[float]:
    """Ends of the segments: where one of the functions jumps, and towards a root at the cutoff."""
    switches = [r for expansion in expansions.values() for r in expansion.switches]
    inner = {r for r in switches if 1e-9 < r < hard - 1e-9}
    inner |= {0.0, hard}
    if any(2 * own.amplitude != int(2 * own.amplitude) for own in expansions):
        last = sorted(inner)[-2]
        inner |= {hard - (hard - last) * 0.25**k for k in range(1, GRADES)}
    return sorted(inner)


def _function(own: Neighbour, expansion, l_max, hard, enhancement, largest, r, middle):
    """Jet (3, n, (l_max + 1) largest), l-major, as it is at ``middle``."""
    radial = expansion(r, middle > expansion.filter_from, middle < expansion.gaussian_until)
    radial = jets.multiply(radial, _amplitude(own, hard, enhancement, r)[:, :, None])
    angular = _angular(own.angular, l_max, r)
    found = np.zeros((3, len(r), l_max + 1, largest))
    found[..., : own.n_max] = jets.multiply(angular[:, :, :, None], radial[:, :, None, :])
    return found.reshape(3, len(r), -1)


def _amplitude(own: Neighbour, hard: float, enhancement: int, r: np.ndarray) -> np.ndarray:
    """Jet (3, n) of A(r)."""
    sigma = own.radial(r)
    total = jets.compose(1 / sigma[0], -(sigma[0] ** -2.0), 2 * sigma[0] ** -3.0, sigma)
    # 1 − 3ρ² + 2ρ³ = (1 − ρ)² (1 + 2ρ)
    for power, start, slope in ((2 * own.amplitude, 1.0, -1.0), (own.amplitude, 1.0, 2.0)):
        total = jets.multiply(total, _power(start + slope * r / hard, slope / hard, power))
    position = np.stack([r, np.ones_like(r), np.zeros_like(r)])
    mean = np.sqrt(2 / np.pi)
    if enhancement == 1:
        total = jets.multiply(total, position + mean * sigma)
    elif enhancement == 2:
        square = jets.multiply(position, position + 2 * mean * sigma)
        total = jets.multiply(total, square + jets.multiply(sigma, sigma))
    return total


def _power(value: np.ndarray, slope: float, p: float) -> np.ndarray:
    """Jet of (a + slope r)^p from the values of the bracket."""
    value = np.maximum(value, 0.0)
    found = [value**p]
    factor = 1.0
    for k in (1, 2):
        factor *= (p - k + 1) * slope
        found.append(factor * value ** (p - k) if factor else np.zeros_like(value))
    return np.stack(found)


def _angular(width: Width, l_max: int, r: np.ndarray) -> np.ndarray:
    """Jet (3, n, l_max + 1) of e^−y i_l(y) / σ_t²."""
    sigma = width(r)
    inverse = jets.compose(sigma[0] ** -1.0, -(sigma[0] ** -2.0), 2 * sigma[0] ** -3.0, sigma)
    inverse = jets.multiply(inverse, inverse)
    y = jets.multiply(np.stack([r**2, 2 * r, 0 * r + 2]), inverse)
    i0 = bessel.scaled_spherical_in(l_max + 2, y[0])
    i1 = bessel.derivative(i0)
    i2 = bessel.derivative(i1)
    i0, i1 = i0[: l_max + 1], i1[: l_max + 1]
    values = jets.compose(i0, i1 - i0, i2 - 2 * i1 + i0, y[:, None])
    return jets.multiply(values, inverse[:, None]).transpose(0, 2, 1)
