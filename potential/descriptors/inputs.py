# SPDX-License-Identifier: BSD-3-Clause
"""Structures and species as users give them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TypeAlias

import ase
import numpy as np
from ase.data import atomic_numbers

from potential.errors import SoapGprError
from potential.structures.structure import symbol

Structures: TypeAlias = ase.Atoms | Iterable[ase.Atoms]


def species_of(species: Collection[str | int]) -> list[int]:
    """Ascending atomic numbers of symbols or numbers; SoapGprError for anything else."""
    several = isinstance(species, (Collection, np.ndarray)) and not isinstance(species, str)
    if not several or len(species) == 0:
        raise SoapGprError(f'species: found {species!r}, expected a list such as ["H", "O"]')
    numbers = [atomic_numbers.get(own, 0) if isinstance(own, str) else own for own in species]
    for own, number in zip(species, numbers, strict=True):
        if isinstance(number, bool) or not isinstance(number, (int, np.integer)):
            number = 0
        if not 0 < number < len(atomic_numbers):
            raise SoapGprError(f"species: found {own!r}, expected symbols or atomic numbers")
    return sorted({int(number) for number in numbers})


def frames_of(structures: Structures) -> list[ase.Atoms]:
    """At least one structure; SoapGprError for anything else."""
    if isinstance(structures, ase.Atoms):
        return [structures]
    if isinstance(structures, (str, bytes)) or not isinstance(structures, Iterable):
        raise SoapGprError(
            f"found {type(structures).__name__}, expected ase.Atoms or a list of them"
        )
    frames = list(structures)
    for k, atoms in enumerate(frames):
        if not isinstance(atoms, ase.Atoms):
            raise SoapGprError(f"structure {k}: found {type(atoms).__name__}, expected ase.Atoms")
    if not frames:
        raise SoapGprError("found no structures, expected at least one")
    return frames


def require_species(k: int, atoms: ase.Atoms, species: Sequence[int]) -> None:
    """Raise SoapGprError for an atom of structure k that is of no species of the descriptor."""
    unknown = sorted(set(atoms.numbers.tolist()) - set(species))
    if unknown:
        raise SoapGprError(
            f"structure {k}: found {', '.join(map(symbol, unknown))}, expected only "
            f"{', '.join(map(symbol, species))}, the species of the descriptor"
        )
