# SPDX-License-Identifier: BSD-3-Clause
"""ASE calculator."""

from collections.abc import Collection
from typing import ClassVar

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from potential.measures import FORCES, require_served
from potential.model.model import Model
from potential.model.uncertainty import measures_of
from potential.runtime.parallel import thread_count
from potential.structures.labels import volume_of

_WITHOUT_FORCES = ("energy", "free_energy", "energies")


class SoapGprCalculator(Calculator):
    """A model as an ASE calculator.

    model: a Model or the path of a ``*.sgpr`` file. n_threads: by default OMP_NUM_THREADS or all
    cores. Gives energy and free_energy (eV), energies (N,), forces (N, 3) eV/Å and, in a cell of
    three vectors that is periodic in one or more directions (its vacuum included, as with ASE's
    EMT), stress (6,) and stresses (N, 6) in eV/Å³, ASE's sign and order; stresses are the per-atom
    (centroid) virials, made symmetric, over −V (docs/theory.md eq. 9b). Targets of the model are
    further properties under their names, in their units: (N,) with nan for atoms that have none, or
    one number; a model without a potential has these alone. Columns of atoms that weigh them in
    targets are those of ``atoms.arrays``.

    uncertainty: the measures of ``Model.evaluate`` that every calculation gives, by default none; a
    property that needs another is calculated when it is asked for. They are energy_uncertainty,
    energies_uncertainty (N,), forces_uncertainty (N, 3), of a committee also committee_energies
    (C,), committee_forces (C, N, 3) and committee_virials (C, 3, 3), and of the variance
    deviations, rigidities and grades (N,), as in ``MeasuredUncertainty``; of a target its
    standard deviation, its name and ``_uncertainty``, by the committee or else of atoms by the
    variance, which has ``_rigidity`` and ``_grade`` too. Raises SoapGprError for a measure
    that the model lacks.
    """

    implemented_properties: ClassVar[list[str]] = [  # type: ignore[misc]
        *_WITHOUT_FORCES,
        "forces",
        "stress",
        "stresses",
    ]

    def __init__(
        self, model, n_threads: int | None = None, uncertainty: Collection[str] = (), **kwargs
    ):
        super().__init__(**kwargs)
        self.model = model if isinstance(model, Model) else Model.load(model)
        self.n_threads = thread_count(n_threads)
        names = [target.name for target in self.model.targets]
        of_potential = type(self).implemented_properties if self.model.has_potential else []
        require_served(uncertainty, self.model.uncertainty)
        self._measures = measures_of(None, self.model.uncertainty)
        self.uncertainty = frozenset(uncertainty)
        self.implemented_properties = [  # type: ignore[misc]
            *of_potential,
            *names,
            *self._measures,
        ]
        self._without_forces = {*_WITHOUT_FORCES, *names}.union(
            name for name, measure in self._measures.items() if measure != FORCES
        )

    def check_state(self, atoms, tol=1e-15):
        """What has changed since the last calculation, a column of weights too, of which ASE knows
        nothing."""
        changes = super().check_state(atoms, tol)
        if self.atoms is not None:
            for name in self.model.weight_columns:
                own, other = (of.arrays.get(name) for of in (self.atoms, atoms))
                if not np.array_equal(own, other):
                    changes.append(name)
        return changes

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        atoms = self.atoms
        wants_forces = not set(properties) <= self._without_forces
        asked = measures_of(properties, self.model.uncertainty)
        wanted = self.uncertainty.union(asked.values())
        result = self.model.evaluate(
            atoms, forces=wants_forces, uncertainty=wanted, n_threads=self.n_threads
        )
        self.results = dict(result.properties)
        if result.uncertainty:
            self.results |= result.uncertainty.results
        if not self.model.has_potential:
            return
        self.results |= {
            "energy": result.energy,
            "free_energy": result.energy,
            "energies": result.energies,
        }
        if not wants_forces:
            return
        self.results["forces"] = result.forces
        volume = volume_of(atoms.cell.array, atoms.pbc)
        if volume and result.virials is not None:
            self.results["stress"] = full_3x3_to_voigt_6_stress(-result.virial / volume)
            symmetric = 0.5 * (result.virials + result.virials.transpose(0, 2, 1))
            self.results["stresses"] = full_3x3_to_voigt_6_stress(-symmetric / volume)
