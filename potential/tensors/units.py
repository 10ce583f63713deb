# SPDX-License-Identifier: BSD-3-Clause
"""Units of dipoles and polarizabilities by their names."""

from __future__ import annotations

DIPOLE, POLARIZABILITY = "dipole", "polarizability"
_E_BOHR_PER_DEBYE = 0.3934302695  # CODATA 2018
_EV_ANGSTROM_PER_E2 = 14.399645478  # e²/(4πε0): 1 e² Å²/eV of polarizability is so many Å³

# A number, and how many Å are in it: the rest is in atomic units. Names are without blanks, "*",
# "." and "·", in lower case.
_ATOMIC = dict.fromkeys(("au", "atomicunits"), (1.0, 0))
_UNITS = {
    DIPOLE: _ATOMIC
    | dict.fromkeys(("eå", "ea", "eangstrom"), (1.0, 1))
    | dict.fromkeys(("ebohr", "ea0"), (1.0, 0))
    | dict.fromkeys(("d", "debye"), (_E_BOHR_PER_DEBYE, 0)),
    POLARIZABILITY: _ATOMIC
    | dict.fromkeys(("å^3", "å3", "a^3", "a3", "angstrom^3"), (1.0, 3))
    | dict.fromkeys(("bohr^3", "bohr3", "a0^3"), (1.0, 0))
    | dict.fromkeys(("e^2å^2/ev", "e^2a^2/ev", "e^2angstrom^2/ev"), (_EV_ANGSTROM_PER_E2, 3)),
}


def known_units(quantity: str) -> str:
    """The names of units of a quantity, for messages."""
    return ", ".join(sorted(_UNITS[quantity]))


def atomic_units_per(quantity: str, unit: str, bohr_per_angstrom: float) -> float | None:
    """How many atomic units, e bohr or bohr³, the unit of a dipole or polarizability is.

    None for a unit that is not known. bohr_per_angstrom: as the program has it that reads them.
    """
    word = unit.lower()
    for ignored in (" ", "*", ".", "·"):
        word = word.replace(ignored, "")
    if word not in _UNITS[quantity]:
        return None
    factor, power = _UNITS[quantity][word]
    return factor * bohr_per_angstrom**power
