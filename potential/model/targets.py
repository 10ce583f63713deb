# SPDX-License-Identifier: BSD-3-Clause
"""Properties of atoms and structures that a model has beside the energy (docs/theory.md eq. 23)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Target:
    """One entry of ``targets`` in the metadata of a model file."""

    name: str
    unit: str
    per_atom: bool  # a value of each atom, or one of the structure
    extensive: bool = True  # the structure's is the sum over its atoms, or else their mean
    species: tuple[int, ...] | None = None  # atoms that have a value; None: all

    def value(self, of_atoms: np.ndarray) -> Any:
        """The property (N,), nan for atoms without a value, or one number of the structure, from
        what each atom has of it (N,)."""
        if self.per_atom:
            return of_atoms
        return float(of_atoms.sum() if self.extensive else of_atoms.mean())

    def entry(self) -> dict[str, Any]:
        """What the model file has of it."""
        own = {"name": self.name, "unit": self.unit, "per_atom": self.per_atom}
        if not self.per_atom:
            own["extensive"] = self.extensive
        if self.species is not None:
            own["species"] = list(self.species)
        return own


def targets_of(metadata: Mapping[str, str]) -> tuple[Target, ...]:
    """The targets of a model file, which the core has checked."""
    entries = json.loads(metadata.get("targets", "[]"))
    return tuple(
        Target(**entry | ({"species": tuple(entry["species"])} if "species" in entry else {}))
        for entry in entries
    )


def properties(targets: Sequence[Target], of_atoms: np.ndarray) -> dict[str, Any]:
    """Values by the names of the targets; of_atoms (n_targets, N)."""
    return {target.name: target.value(own) for target, own in zip(targets, of_atoms, strict=True)}
