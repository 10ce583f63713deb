# SPDX-License-Identifier: BSD-3-Clause
"""From settings to the tables that the core evaluates (docs/theory.md eq. 3, 3a, 3b).

c^l_qm = Σ_j S^l_{a_j,q}(r_ij) Y_lm + δ_l0 s0_{a_i,q},   S^l_{a,(n)}(r) = f_c(r) u(r) R^_nl(r)

Species index s feeds the channels q = s n_l .. (s + 1) n_l − 1 of each l, n_l radial functions.
With an alchemical map (eq. 3d, 3e) these are channels of pseudo-species J,
S^l_{a,(J,n)} = u_Ja S^l_n, and the tables are those of S^l_n, one for each atom_sigma.
"""

from collections.abc import Sequence
from numbers import Integral
from typing import TypedDict

import numpy as np

from potential.basis import jets, spline
from potential.basis.alchemy import alchemical_map
from potential.basis.cutoff import CutoffFunction
from potential.basis.settings import SoapBasis
from potential.errors import SoapGprError
from potential.species import is_species

SCALE_POINTS = 65  # enough to find max |S| to a few per cent


class TermTables(TypedDict, total=False):
    """Tables of one SOAP term; a is an index into the species.

    n_channels    Q_l, list over l

    without an alchemical map:

    channel_begin first channel that species a feeds, [a][l]
    channel_end   one past the last, [a][l]
    segments      [r_begin, r_end, n_intervals], contiguous from 0 to the cutoff, Å
    tables        {a: (Σ (n_intervals + 1), 3, C_a)}: S, h S′, h² S″ at the knots of each segment,
                  h the segment's spacing; columns l-major, then q in [begin, end)
    central       {a: (Q_0,)}: s0 of a centre of species a, Y_00 included

    with it ``segments``, tables k of (…, Σ_l n_l) and central k of (n_0,) before the map, and

    alchemy       u_Ja (n_species, d_J); Q_l = d_J n_l
    table_of      the table of species a, [a]
    """

    n_channels: list[int]
    channel_begin: list[list[int]]
    channel_end: list[list[int]]
    segments: list[list]
    tables: dict[int, np.ndarray]
    central: dict[int, np.ndarray]
    alchemy: np.ndarray
    table_of: list[int]


def tabulate(basis: SoapBasis, species: Sequence[int], tolerance: float = 1e-10) -> TermTables:
    """Spline tables of a term for the given atomic numbers.

    tolerance: largest error of S between the knots, relative to max |S| over the table of the
    same species. Raises SoapGprError when settings and species do not fit together.
    """
    species = _checked_species(species)
    if not 1e-13 <= tolerance < 1.0:
        raise SoapGprError(f"tolerance must lie between 1e-13 and 1, found {tolerance!r}")
    sigmas = [basis.sigma(number) for number in species]
    radial = basis.radial_basis()
    # Species of equal atom_sigma share their radial functions, hence their tables.
    integrals = {sigma: basis.integral(sigma) for sigma in dict.fromkeys(sigmas)}
    segments, joined = segments_and_tables(
        basis.f_c(), basis.scaling(), list(integrals.values()), tolerance
    )
    tables = dict(zip(integrals, joined, strict=True))

    n_per_l = [radial.n_channels(l) for l in range(basis.largest_l + 1)]
    if basis.alchemy is not None:
        u = alchemical_map(basis.alchemy, species)
        own = list(integrals)
        return {
            "n_channels": [u.shape[1] * n for n in n_per_l],
            "segments": segments,
            "table_of": [own.index(sigma) for sigma in sigmas],
            "tables": dict(enumerate(joined)),
            "central": {
                k: _central(basis.central_weight, integrals[sigma], 0, 1, n_per_l[0])
                for k, sigma in enumerate(own)
            },
            "alchemy": u,
        }
    return {
        "n_channels": [len(species) * n for n in n_per_l],
        "channel_begin": [[a * n for n in n_per_l] for a in range(len(species))],
        "channel_end": [[(a + 1) * n for n in n_per_l] for a in range(len(species))],
        "segments": segments,
        "tables": {a: tables[sigma].copy() for a, sigma in enumerate(sigmas)},
        "central": {
            a: _central(basis.central_weight, integrals[sigma], a, len(species), n_per_l[0])
            for a, sigma in enumerate(sigmas)
        },
    }


def weighted_integral(integral, scaling, cutoff_piece):
    """S = f_c u R^ on one piece of f_c: a function r (n,) -> jet (3, n, channels)."""

    def function(r):
        factor = cutoff_piece(r)
        if scaling is not None:
            factor = jets.multiply(factor, scaling(r))
        return jets.multiply(factor[:, :, None], integral(r))

    return function


def segments_and_tables(
    f_c: CutoffFunction, scaling, integrals, tolerance: float, joints: Sequence[float] = ()
):
    """Segments [begin, end, n_intervals] and a table for each integral, one grid for all.

    integrals: callables r (n,) -> jet (3, n, channels); scaling: another, of one channel, or None.
    joints: further distances where segments meet; the tolerance is then relative to the largest
    value of each segment instead of all, for functions that grow without limit. Raises SoapGprError
    when the functions vary too fast.
    """
    # what f_c has of a kink at r_c − Δ falls on a joint
    rows = [
        (begin, end, [weighted_integral(integral, scaling, piece) for integral in integrals])
        for begin, end, piece in _split(f_c.pieces(), joints)
    ]
    return piecewise_tables(rows, tolerance, by_segment=bool(joints))


def piecewise_tables(pieces, tolerance, by_segment=False):
    """Segments [begin, end, n_intervals] and a table for each function, one grid for all.

    pieces: contiguous (begin, end, functions), the same functions r (n,) -> jet (3, n, channels)
    in each. The tolerance is relative to the largest value of all, or of each segment. Raises
    SoapGprError when the functions vary too fast.
    """
    scales = np.array(
        [
            [np.abs(f(np.linspace(begin, end, SCALE_POINTS))[0]).max() for f in functions]
            for begin, end, functions in pieces
        ]
    )
    if not by_segment:
        scales[:] = scales.max(axis=0)
    segments, parts = [], []
    for (begin, end, functions), scale in zip(pieces, scales, strict=True):
        n_intervals, tables = spline.build_segment(functions, scale, begin, end, tolerance)
        segments.append([begin, end, n_intervals])
        parts.append(tables)
    return segments, [np.concatenate(tables) for tables in zip(*parts, strict=True)]


def _split(pieces, joints):
    """Pieces (begin, end, function) cut at joints."""
    parts = []
    for begin, end, function in pieces:
        ends = [*(joint for joint in sorted(joints) if begin < joint < end), end]
        parts += [(a, b, function) for a, b in zip([begin, *ends[:-1]], ends, strict=True)]
    return parts


def _central(weight, integral, a, n_species, n_radial):
    """s0 (Q_0,) of a centre of species a: u_0 R^_n0(0) Y_00 in its own channels, no cutoff."""
    s0 = np.zeros(n_species * n_radial)
    at_zero = integral(np.zeros(1))[0, 0, :n_radial]
    s0[a * n_radial : (a + 1) * n_radial] = weight * at_zero / np.sqrt(4.0 * np.pi)
    return s0


def _checked_species(species):
    species = list(species)
    for number in species:
        if not isinstance(number, Integral) or not is_species(int(number)):
            raise SoapGprError(f"species must be atomic numbers, found {number!r}")
    if not species or len(set(species)) != len(species):
        raise SoapGprError(f"species must be distinct and at least one, found {species}")
    return [int(number) for number in species]
