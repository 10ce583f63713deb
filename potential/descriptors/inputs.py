# SPDX-License-Identifier: BSD-3-Clause
"""Structures and species as users give them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, TypeAlias

import ase
import numpy as np

from potential.errors import SoapGprError
from potential.species import (
    BEADS,
    LAST_ELEMENT,
    bead_names,
    is_bead_name,
    is_species,
    species_number,
    symbol,
)
from potential.structures import beads as of_beads

Structures: TypeAlias = ase.Atoms | Iterable[ase.Atoms]


def species_of(species: Collection[str | int], beads: Sequence[str] = ()) -> list[int]:
    """Ascending numbers of chemical symbols, names of these beads, or numbers; SoapGprError for
    anything else."""
    several = isinstance(species, (Collection, np.ndarray)) and not isinstance(species, str)
    if not several or len(species) == 0:
        raise SoapGprError(f'species: found {species!r}, expected a list such as ["H", "O"]')
    numbers = [species_number(own) if isinstance(own, str) else own for own in species]
    for own, number in zip(species, numbers, strict=True):
        if isinstance(number, bool) or not isinstance(number, (int, np.integer)):
            number = 0
        if not is_species(int(number)) or (number > LAST_ELEMENT and symbol(number) not in beads):
            others = f", or {', '.join(beads)}" if beads else ""
            raise SoapGprError(
                f"species: found {own!r}, expected symbols or atomic numbers{others}"
            )
    return sorted({int(number) for number in numbers})


def require_beads(beads: Any) -> None:
    """Raise SoapGprError for anything but names of beads, each once."""
    good = isinstance(beads, (list, tuple)) and all(map(is_bead_name, beads))
    if not good or len(set(beads)) < len(beads):
        raise SoapGprError(f"beads: found {beads!r}, expected a list of different {BEADS}")


def places_of(features: Sequence[int | str], names: Sequence[str]) -> np.ndarray:
    """(n,) places among the columns of these names of the features that a descriptor keeps, given
    as places or by name; SoapGprError for others."""
    by_name = {name: k for k, name in enumerate(names)}
    own = [by_name.get(name, -1) if isinstance(name, str) else int(name) for name in features]
    for feature, k in zip(features, own, strict=True):
        if not 0 <= k < len(names):
            raise SoapGprError(
                f"features: found {feature!r}, expected places from 0 to {len(names) - 1}, or "
                "names of columns"
            )
    if len(set(own)) < len(own):
        raise SoapGprError("features: found one that is there twice, expected different ones")
    return np.array(own, dtype=np.int64)


def require_features(features: Any) -> None:
    """Raise SoapGprError for anything but places and names of columns, at least one."""
    several = isinstance(features, (Sequence, np.ndarray)) and not isinstance(features, str)
    if not several or len(features) == 0 or np.ndim(features) != 1:
        raise SoapGprError(
            f"features: found {features!r}, expected a list of places or names of columns"
        )
    for own in features:
        number = isinstance(own, (int, np.integer)) and not isinstance(own, bool)
        if not number and not isinstance(own, str):
            raise SoapGprError(f"features: found {own!r}, expected a place or a name of a column")


def numbers_of(k: int, atoms: ase.Atoms, beads: Sequence[str]) -> np.ndarray:
    """(N,) numbers of the species of structure k; SoapGprError for beads of other names."""
    numbers = of_beads.species_of(atoms)
    for name in bead_names(np.unique(numbers)):
        if name not in beads:
            raise SoapGprError(
                f"structure {k}: found {name}, expected chemical elements, or what `beads` names"
            )
    return numbers


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


def require_species(k: int, numbers: np.ndarray, species: Sequence[int]) -> None:
    """Raise SoapGprError for an atom of structure k that is of no species of the descriptor."""
    unknown = sorted(set(numbers.tolist()) - set(species))
    if unknown:
        raise SoapGprError(
            f"structure {k}: found {', '.join(map(symbol, unknown))}, expected only "
            f"{', '.join(map(symbol, species))}, the species of the descriptor"
        )
