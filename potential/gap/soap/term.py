# SPDX-License-Identifier: BSD-3-Clause
"""A soap term of ours from descriptors of GAP that differ in their centres alone.

What soap and soap_turbo have in common: channels, their products, sparse points (docs/gap.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from potential.errors import SoapGprError
from potential.gap.read.gap_file import Coordinate
from potential.gap.soap.channels import Channels

MAX_FEATURES = 1_000_000


@dataclass(frozen=True)
class RadialTables:
    """Functions of the distance of the listed species before their channels are mixed.

    segments: [begin, end, n_intervals]; tables: one (n_knots, 3, n_l, n_max) for each listed
    species; at_zero (n_listed, n_max): a centre of that species, without Y_00.
    """

    segments: list[list]
    tables: list[np.ndarray]
    at_zero: np.ndarray


class Descriptor(Protocol):
    """Options of soap or soap_turbo, equal for all coordinates of a term."""

    @property
    def cutoff(self) -> float: ...
    @property
    def l_max(self) -> int: ...
    @property
    def zeta(self) -> float: ...
    @property
    def delta(self) -> float: ...
    @property
    def normalize(self) -> bool: ...
    @property
    def offset(self) -> float: ...  # σ_0²
    @property
    def keeps_offset(self) -> bool: ...  # whether σ_0 is one more component of sparse points
    @property
    def species(self) -> tuple[int, ...]: ...  # of the channels, 0: any
    @property
    def channels(self) -> Channels: ...
    def radial_tables(self) -> RadialTables: ...
    def in_center(self, z: int) -> list[int]: ...  # channels' species that a centre is part of


def dot_product_exponent(name: str, coordinate: Coordinate) -> float:
    """ζ. Raises SoapGprError for other kernels and exponents out of range."""
    where, zeta = coordinate.where, coordinate.zeta
    if coordinate.kernel != "dot_product" or zeta is None:
        raise SoapGprError(
            f"{where}: {name} with the kernel {coordinate.kernel} cannot be imported, expected "
            "dot_product"
        )
    if not 1 <= zeta <= 100:
        raise SoapGprError(f"{where}: found zeta={zeta:g}, expected 1 to 100")
    return zeta


def soap_term(
    options: Descriptor,
    coordinates: Sequence[tuple[Coordinate, tuple[int, ...]]],
    species: Sequence[int],
) -> dict[str, Any]:
    """A draft of coordinates with equal options.

    coordinates: each with the atomic numbers of its centres, 0 for any.
    """
    own = options.channels
    places = own.places(options.l_max)
    if len(places) > MAX_FEATURES:
        raise SoapGprError(f"{coordinates[0][0].where}: found {len(places)} features, too many")
    found = [sparse_points(coordinate, options) for coordinate, _ in coordinates]
    term = {
        "kind": "soap",
        "cutoff": options.cutoff,
        "l_max": options.l_max,
        "zeta": int(options.zeta) if options.zeta == int(options.zeta) else options.zeta,
        "delta": options.delta,
        "normalize": options.normalize,
        **_tables(options, own, species),
    }
    if options.offset:
        term["offset"] = options.offset
    if not own.plain:
        term["features"] = places
        term["feature_scale"] = own.scales(options.l_max)
    points: dict[int, list[np.ndarray]] = {a: [] for a in range(len(species))}
    weights: dict[int, list[np.ndarray]] = {a: [] for a in range(len(species))}
    for (coordinate, centers), own_points in zip(coordinates, found, strict=True):
        for a, z in enumerate(species):
            if 0 in centers or z in centers:
                points[a].append(own_points)
                weights[a].append(coordinate.alpha * coordinate.cutoffs)
    nothing = np.zeros((0, len(places)))
    term["sparse_points"] = {a: np.concatenate([nothing, *own]) for a, own in points.items()}
    term["weights"] = {a: np.concatenate([np.zeros(0), *own]) for a, own in weights.items()}
    return term


def sparse_points(coordinate: Coordinate, options: Descriptor) -> np.ndarray:
    """(M, n_features) in the order of the term."""
    own = options.channels
    places = own.places(options.l_max)
    points = coordinate.points
    expected = len(places) + int(options.keeps_offset)
    if points.shape[1] != expected:
        raise SoapGprError(
            f"{coordinate.where}: found sparse points of {points.shape[1]} numbers, the descriptor "
            f"has {expected}"
        )
    last = points[:, len(places) :]
    if np.abs(last**2 - options.offset).max(initial=0) > 1e-12 * max(options.offset, 1):
        raise SoapGprError(
            f"{coordinate.where}: found sparse points of another covariance_sigma0 than the "
            "descriptor's"
        )
    points = points[:, : len(places)]
    if not own.plain:
        return points
    ordered = np.empty_like(points)
    ordered[:, places] = points
    return ordered


def _tables(options: Descriptor, own: Channels, species: Sequence[int]) -> dict[str, Any]:
    """What ``basis.tabulate`` returns, for QUIP's radial functions and channels."""
    n_l = options.l_max + 1
    radial = options.radial_tables()
    Q = own.W.shape[2]
    begins, ends, tables, central = [], [], {}, {}
    for a, z in enumerate(species):
        s = _channel_of(options.species, z)
        begin, end = 0, 0
        if s is not None:
            used = np.flatnonzero(own.W[s].any(axis=0))
            begin, end = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 0)
        table = radial.tables[s or 0]
        W = own.W[s or 0][:, begin:end]
        tables[a] = (table @ W).reshape(*table.shape[:2], n_l * (end - begin))
        begins.append([begin] * n_l)
        ends.append([end] * n_l)
        central[a] = np.zeros(Q)
        for k in options.in_center(z):
            central[a] += radial.at_zero[k] @ own.W[k] / np.sqrt(4 * np.pi)
    return {
        "n_channels": [Q] * n_l,
        "channel_begin": begins,
        "channel_end": ends,
        "segments": radial.segments,
        "tables": tables,
        "central": central,
    }


def _channel_of(listed: tuple[int, ...], z: int) -> int | None:
    """The block of channels of a neighbour, None for a species that the descriptor ignores."""
    if 0 in listed:
        return listed.index(0)
    return listed.index(z) if z in listed else None
