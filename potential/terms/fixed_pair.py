# SPDX-License-Identifier: BSD-3-Clause
"""Fixed terms of pairs: given functions of one distance (docs/theory.md eq. 21 and 21a)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from potential.terms.clusters import pair_names, pairs
from potential.terms.term import Draft, Entry, FixedTerm

# By place in ``clusters.pairs``: segments (begin Å, end Å, number of intervals) and V, h V′, h² V″
# at their knots (n_knots, 3) in eV.
Functions = Mapping[int, tuple[list, np.ndarray]]


class FixedPairTerm(FixedTerm):
    """A draft holds the entry and ``tables`` {p: (n_knots, 3)} of every pair of species."""

    ARRAYS = ("tables",)

    @staticmethod
    def describes(entry: Entry) -> bool:
        return entry["kind"] == "pair" and bool(entry.get("fixed", False))

    @classmethod
    def arrays_of(cls, draft: Draft, n_species: int) -> dict[str, np.ndarray]:
        return {f"table.{p}": table for p, table in draft["tables"].items()}

    @staticmethod
    def names(species: Sequence[int]) -> list[str]:
        return pair_names(species)


def fixed_pair_draft(name: str, functions: Functions, species: Sequence[int]) -> Draft:
    """A draft of these functions; those left out are zero."""
    none: tuple[list, np.ndarray] = ([], np.zeros((0, 3)))
    own = [functions.get(p, none) for p in range(len(pairs(len(species))))]
    return {
        "kind": "pair",
        "fixed": True,
        "name": name,
        "cutoff": max((segments[-1][1] for segments, _ in functions.values()), default=1.0),
        "segments": [segments for segments, _ in own],
        "tables": {p: table for p, (_, table) in enumerate(own)},
    }
