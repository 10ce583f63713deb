# SPDX-License-Identifier: BSD-3-Clause
"""Elements that no training structure has and the model shall know all the same, through its
alchemical maps: [data] extra_species."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from potential.basis.settings import IDENTITY, AlchemySettings
from potential.schema import Place
from potential.settings import (
    DataSettings,
    FitSettings,
    ProductTermSettings,
    SoapTermSettings,
    TermSettings,
)
from potential.settings.terms import SEPARATE
from potential.species import species_number
from potential.structures.structure import Structure, symbol

_KEY = "[data] extra_species"


def known_species(settings: DataSettings, structures: Sequence[Structure]) -> list[int]:
    """Atomic numbers, ascending, of the training structures and the extra ones."""
    found = {int(z) for structure in structures for z in structure.numbers}
    return sorted(found | {species_number(name) for name in settings.extra_species})


def extra_species(settings: FitSettings, structures: Sequence[Structure]) -> list[str]:
    """What there is to warn of. Raises SoapGprError when a term or e0 cannot serve them."""
    names = settings.data.extra_species
    if not names:
        return []
    place = Place(settings.file, DataSettings.table, key="extra_species")
    given = settings.baseline.isolated_atom_energies
    missing = [name for name in names if not isinstance(given, Mapping) or name not in given]
    if missing:
        raise place.says(
            f"found {', '.join(missing)}, expected their e0 in a table "
            "[baseline] isolated_atom_energies"
        )
    for number, term in enumerate(settings.terms, 1):
        if any(own is None or own.start == IDENTITY for own in _maps(term)):
            raise place.says(
                f"found {', '.join(names)}, expected none with [[terms]] number {number} of kind "
                f'"{term.kind}", which has no alchemical map that likens them to other elements'
            )
    present = {symbol(int(z)) for structure in structures for z in structure.numbers}
    seen = [name for name in names if name in present]
    new = [name for name in names if name not in present]
    warnings = [f"{_KEY}: {', '.join(seen)} is in the training structures"] if seen else []
    if new:
        # a product has no other centers
        separate = any(getattr(own, "centers", SEPARATE) == SEPARATE for own in settings.terms)
        warnings.append(
            f"{_KEY}: {', '.join(new)} is in no training structure: what the model says of it "
            "comes from the elements that alchemy takes it for"
            + ("; as a centre it has e0 alone where centers are separate" if separate else "")
        )
    return warnings


def _maps(term: TermSettings) -> list[AlchemySettings | None]:
    """Of every density of a term; None where it has none."""
    if isinstance(term, ProductTermSettings):
        return [factor.alchemy for factor in term.factors]
    return [term.alchemy if isinstance(term, SoapTermSettings) else None]
