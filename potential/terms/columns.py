# SPDX-License-Identifier: BSD-3-Clause
"""What the features of each representation stand for, in their order (docs/theory.md 5, 5b, 5d)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import comb, prod
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from potential.structures.structure import symbol

Entry: TypeAlias = Mapping[str, Any]
# [l][q]: species and radial function; 0 and the channel of one that several species feed
Channels: TypeAlias = Sequence[Sequence[tuple[int, int]]]


class PseudoSpecies(int):
    """J of an alchemical map (eq. 3e), counted from 0, in the place of an atomic number."""


def _name(species: int, n: int) -> str:
    if isinstance(species, PseudoSpecies):
        return f"J={species:d} n={n}"
    return f"{symbol(species)} n={n}" if species else f"q={n}"


class RadialColumn(NamedTuple):
    """A feature p_q: neighbours of a species in one radial function."""

    species: int
    n: int

    def __str__(self) -> str:
        return _name(self.species, self.n)


class Column(NamedTuple):
    """A feature p^l_qq': neighbours of two species, each in one radial function, of one l."""

    species_1: int
    n_1: int
    species_2: int
    n_2: int
    l: int

    def __str__(self) -> str:
        first, second = _name(self.species_1, self.n_1), _name(self.species_2, self.n_2)
        return f"{first} {second} l={self.l}"


class TripleColumn(NamedTuple):
    """A feature of the bispectrum: neighbours of three species, each in one function of n and l."""

    species_1: int
    n_1: int
    l_1: int
    species_2: int
    n_2: int
    l_2: int
    species_3: int
    n_3: int
    l_3: int

    def __str__(self) -> str:
        own = (self[3 * k : 3 * k + 3] for k in range(3))
        return " ".join(f"{_name(species, n)} l={l}" for species, n, l in own)


AnyColumn: TypeAlias = RadialColumn | Column | TripleColumn


def columns(entry: Entry, channels: Channels) -> Iterator[AnyColumn]:
    """Of all features before a selection; channels: the names of the density channels of each l."""
    representation = entry.get("representation", "power_spectrum")
    if representation == "radial_spectrum":
        yield from (RadialColumn(*own) for own in channels[0])
    elif representation == "bispectrum":
        yield from _triples(entry, channels)
    else:
        for l, own in enumerate(channels):
            for q, first in enumerate(own):
                yield from (Column(*first, *second, l) for second in own[q:])


def n_columns(entry: Entry) -> int:
    """How many there are."""
    sizes = entry["n_channels"]
    representation = entry.get("representation", "power_spectrum")
    if representation == "radial_spectrum":
        return sizes[0]
    if representation == "power_spectrum":
        return sum(comb(size + 1, 2) for size in sizes)
    n = 0
    for ls in _coupled(entry):
        odd = sum(ls) % 2
        # channels of one l: unordered, and different ones where the product is antisymmetric
        counts = {l: ls.count(l) for l in ls}
        n += prod(comb(sizes[l] + (0 if odd else k - 1), k) for l, k in counts.items())
    return n


def n_features(entry: Entry) -> int:
    """How many are kept: those of ``features`` of a draft, or all."""
    return len(entry["features"]) if "features" in entry else n_columns(entry)


def kept_names(
    names: Sequence[str], arrays: Mapping[str, np.ndarray], at: str, species: Sequence[int]
) -> dict[str, list[str]]:
    """The names of the features that a model keeps of all, by the species of the centre; under ""
    where they are the same for all centres.

    at: what comes before ``features`` and ``recoupling`` in the names of the model's arrays.
    """
    of_species = {symbol(z): f".{a}" for a, z in enumerate(species)}
    by_species = f"{at}features.0" in arrays or f"{at}recoupling.0" in arrays
    found = dict[str, list[str]]()
    for group, end in (of_species if by_species else {"": ""}).items():
        kept = arrays.get(f"{at}features{end}")
        own = list(names) if kept is None else [names[k] for k in kept]
        R = arrays.get(f"{at}recoupling{end}")
        if R is not None:  # eq. (5i): row k of the root has most of the kept feature k
            own = [f"recoupled {name}" for name in own]
        found[group] = own
    return found


def _triples(entry: Entry, channels: Channels) -> Iterator[TripleColumn]:
    for l1, l2, l3 in _coupled(entry):
        odd = (l1 + l2 + l3) % 2
        for q1, first in enumerate(channels[l1]):
            begin = q1 + odd if l2 == l1 else 0
            for q2, second in enumerate(channels[l2][begin:], begin):
                for third in channels[l3][q2 + odd if l3 == l2 else 0 :]:
                    yield TripleColumn(*first, l1, *second, l2, *third, l3)


def _coupled(entry: Entry) -> list[tuple[int, int, int]]:
    """l1 <= l2 <= l3 <= l1 + l2 of the bispectrum of an entry, of even sum or of both."""
    both = entry.get("parity", "even") == "both"
    return [
        (l1, l2, l3)
        for l1 in range(entry["l_max"] + 1)
        for l2 in range(l1, entry["l_max"] + 1)
        for l3 in range(l2, min(entry["l_max"], l1 + l2) + 1)
        if both or (l1 + l2 + l3) % 2 == 0
    ]
