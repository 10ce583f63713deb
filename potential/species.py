# SPDX-License-Identifier: BSD-3-Clause
"""Species are integers: atomic numbers up to 118, and beyond them the names of beads, spelled out
(potential/core/beads.cpp).
"""

from __future__ import annotations

from collections.abc import Iterable

from ase.data import atomic_numbers, chemical_symbols

from potential import _core

LAST_ELEMENT = 118
BEADS = "names of up to 5 letters, digits or _, not of the form of a chemical symbol (X, Xx)"


def is_element(name: str) -> bool:
    """Whether this is a chemical symbol."""
    return atomic_numbers.get(name, 0) > 0


def is_bead_name(name: object) -> bool:
    """Whether a bead may be called so."""
    return isinstance(name, str) and name.isascii() and _core.bead_number(name) > 0


def species_number(name: str) -> int:
    """The number of a chemical symbol or of the name of a bead, 0 of anything else."""
    return _core.bead_number(name) if is_bead_name(name) else atomic_numbers.get(name, 0)


def symbol(number: int) -> str:
    """The chemical symbol or name of a species, or the number where there is no such species."""
    if 0 <= number <= LAST_ELEMENT:
        return chemical_symbols[number]
    return (_core.bead_name(int(number)) if abs(number) < 2**31 else "") or str(number)


def is_species(number: int) -> bool:
    """Whether this is the number of an element or of a bead."""
    return number > 0 and species_number(symbol(number)) == number


def bead_names(species: Iterable[int]) -> tuple[str, ...]:
    """The names of the beads among species, numbers."""
    return tuple(symbol(int(z)) for z in species if z > LAST_ELEMENT)
