# SPDX-License-Identifier: BSD-3-Clause
"""Species are integers: atomic numbers up to 118, and beyond them the names of beads, spelled out.

A bead is a particle of a coarse-grained model. The characters of its name are the digits of a
number of base 64, the first the highest, with 1 to 26 for A to Z, 27 to 52 for a to z, 53 for _ and
54 to 63 for 0 to 9; 118 is added. So names need no table, in models, messages and LAMMPS alike.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable

from ase.data import atomic_numbers, chemical_symbols

LAST_ELEMENT = 118
BEADS = "names of up to 5 letters, digits or _, not of the form of a chemical symbol (X, Xx)"

_DIGITS = "\0" + string.ascii_letters.swapcase() + "_" + string.digits
_BEAD = re.compile(r"(?![A-Z][a-z]?$)[A-Za-z][A-Za-z0-9_]{0,4}")


def is_element(name: str) -> bool:
    """Whether this is a chemical symbol."""
    return atomic_numbers.get(name, 0) > 0


def is_bead_name(name: object) -> bool:
    """Whether a bead may be called so."""
    return isinstance(name, str) and _BEAD.fullmatch(name) is not None


def species_number(name: str) -> int:
    """The number of a chemical symbol or of the name of a bead, 0 of anything else."""
    if is_bead_name(name):
        places = enumerate(reversed(name))
        return LAST_ELEMENT + sum(_DIGITS.index(c) << 6 * k for k, c in places)
    return atomic_numbers.get(name, 0)


def symbol(number: int) -> str:
    """The chemical symbol or name of a species, or the number where there is no such species."""
    if 0 <= number <= LAST_ELEMENT:
        return chemical_symbols[number]
    code = int(number) - LAST_ELEMENT
    name = ""
    while code > 0:
        name = _DIGITS[code % 64] + name
        code //= 64
    return name if is_bead_name(name) else str(number)


def is_species(number: int) -> bool:
    """Whether this is the number of an element or of a bead."""
    return number > 0 and species_number(symbol(number)) == number


def bead_names(species: Iterable[int]) -> tuple[str, ...]:
    """The names of the beads among species, numbers."""
    return tuple(symbol(int(z)) for z in species if z > LAST_ELEMENT)
