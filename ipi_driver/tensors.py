# SPDX-License-Identifier: BSD-3-Clause
"""Dipoles, polarizabilities and their derivatives under the names, in the shapes and in the units
that i-PI's own code reads: atomic units."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from ipi_driver.units import ANGSTROM_PER_BOHR, BOHR_PER_ANGSTROM
from potential.errors import SoapGprError
from potential.tensors.units import DIPOLE, POLARIZABILITY, atomic_units_per, known_units

_RANK = {DIPOLE: 1, POLARIZABILITY: 2}


class TensorExtras:
    """Extras of the vectors and tensors of a model.

    derivatives: names of those of structures whose derivatives by positions are wanted. notes: what
    there is to say of units. Raises SoapGprError for derivatives of anything else.
    """

    def __init__(self, model, derivatives: Collection[str] = ()):
        targets = {own.name: own for own in getattr(model, "targets", ()) if own.rank}
        of_structures = [name for name, own in targets.items() if not own.per_atom]
        for name in derivatives:
            if name not in of_structures:
                known = ", ".join(of_structures) or "the model has none"
                raise SoapGprError(
                    f"found derivatives of {name!r}, expected a vector or tensor of structures: "
                    f"{known}"
                )
        self._model, self._derivatives = model, tuple(dict.fromkeys(derivatives))
        self._factors, self.notes = dict[str, float](), list[str]()
        for name, rank in _RANK.items():
            if name in of_structures and targets[name].rank == rank:
                self._factors[name] = self._factor(name, targets[name].unit)

    def _factor(self, name: str, unit: str) -> float:
        """To atomic units; 1 where the unit says nothing, which is noted."""
        factor = atomic_units_per(name, unit, BOHR_PER_ANGSTROM)
        if factor is not None:
            return factor
        found = f"unit {unit!r}" if unit else "no unit"
        self.notes.append(
            f"target {name}: found {found}, expected one of {known_units(name)}: it goes to i-PI "
            "as it is, which takes it for atomic units"
        )
        return 1.0

    def converted(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Properties with the dipole (3,) and the polarizability (9,) in atomic units."""
        own = {name: factor * np.ravel(values[name]) for name, factor in self._factors.items()}
        return {**values, **own}

    def derivatives(self, *structure, **options) -> dict[str, np.ndarray]:
        """``<name>_derivative``: of atom after atom ∂T/∂x, ∂T/∂y, ∂T/∂z of each component in one
        row, and of the dipole ``BEC`` (3 N, 3) too: row 3 j + x is ∂μ/∂x of atom j. Over bohr.

        structure, options: as ``Model.gradients`` takes them after the name.
        """
        values = dict[str, np.ndarray]()
        for name in self._derivatives:
            found = self._model.gradients(name, *structure, **options).positions
            factor = self._factors.get(name, 1.0) * ANGSTROM_PER_BOHR
            by_component = factor * found.reshape(len(found), 3, -1)
            values[f"{name}_derivative"] = by_component.transpose(0, 2, 1).ravel()
            if name == DIPOLE:
                values["BEC"] = by_component.reshape(-1, 3)
        return values
