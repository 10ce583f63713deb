# SPDX-License-Identifier: BSD-3-Clause
"""What the features of a soap term stand for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from potential.structures.structure import symbol


class Column(NamedTuple):
    """A feature p^l_qq': neighbours of two species, each in one radial function, of one l."""

    species_1: int
    n_1: int
    species_2: int
    n_2: int
    l: int

    def __str__(self) -> str:
        first, second = symbol(self.species_1), symbol(self.species_2)
        return f"{first} n={self.n_1} {second} n={self.n_2} l={self.l}"


def columns_of(entry: Mapping[str, Any], species: Sequence[int]) -> Iterator[Column]:
    """Of a term's entry in a model, by the blocks of channels of each species (eq. 3a, 5)."""
    for l, size in enumerate(entry["n_channels"]):
        begins = [begin[l] for begin in entry["channel_begin"]]
        owner = np.searchsorted(begins, np.arange(size), side="right") - 1
        channels = [(species[a], q - begins[a]) for q, a in enumerate(owner)]
        for q in range(size):
            for other in range(q, size):
                yield Column(*channels[q], *channels[other], l)
