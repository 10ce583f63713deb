# SPDX-License-Identifier: BSD-3-Clause
"""A model: made of metadata and arrays or read from a file, evaluated on structures."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np

from potential import _core
from potential.errors import SoapGprError
from potential.measures import FORCES, OF_ATOMS, of_members, require_measures
from potential.model.contents import ModelContents
from potential.model.environments import Environments, geometry_of
from potential.model.gradients import TargetGradients, target_gradients
from potential.model.result import CoreResult, Evaluation
from potential.model.targets import (
    member_properties,
    of_targets_of_atoms,
    properties,
    values_of_atoms,
)
from potential.model.uncertainty import MeasuredUncertainty
from potential.runtime.parallel import thread_count
from potential.structures.neighbors import in_order, neighbor_list
from potential.structures.structure import symbol


class _Evaluators(threading.local):
    """One evaluator per calling thread and number of OpenMP threads."""

    def __init__(self):
        self.by_threads: dict[int, _core.Evaluator] = {}


class Model(ModelContents):
    """An immutable soap-gpr model. Evaluation is thread-safe.

    species: atomic numbers, ascending; cutoff in Å.
    """

    def _start(self, core: _core.Model, source: str) -> None:
        super()._start(core, source)
        self._species_index = {z: a for a, z in enumerate(self.species)}
        self._evaluators = _Evaluators()

    def species_indices(self, numbers) -> np.ndarray:
        """(N,) index of each atom's species; SoapGprError names a species the model lacks."""
        numbers = np.asarray(numbers)
        unknown = sorted(set(numbers.tolist()) - set(self.species))
        if unknown:
            names = ", ".join(symbol(z) for z in unknown)
            known = ", ".join(symbol(z) for z in self.species)
            raise SoapGprError(f"the model does not know {names}, it was trained for {known}")
        return np.array([self._species_index[z] for z in numbers.tolist()], dtype=np.int32)

    def environments(self, atoms, positions=None, cell=None, pbc=None) -> Environments:
        """Species and neighbours of every atom; arguments and errors as of ``evaluate``."""
        arrays = {} if positions is not None else getattr(atoms, "arrays", {})
        numbers, positions, cell, pbc = geometry_of(atoms, positions, cell, pbc)
        species = self.species_indices(numbers)
        if len(species) == 0:
            raise SoapGprError("found a structure without atoms")
        neighbors = neighbor_list(positions, cell, pbc, self.cutoff)
        if self.core.ordered_neighbors:
            neighbors = in_order(neighbors, positions, cell, pbc)
        columns = {name: arrays[name] for name in self.weight_columns if name in arrays}
        return Environments(species, neighbors, columns)

    def evaluate(
        self,
        atoms,
        positions=None,
        cell=None,
        pbc=None,
        *,
        forces: bool = True,
        targets: bool = True,
        uncertainty: Collection[str] = (),
        n_threads: int = 1,
    ) -> Evaluation:
        """Energies, forces, virials and further properties of a structure, these by ``targets``.

        atoms: an ``ase.Atoms`` or anything else with numbers, positions, cell and pbc; or atomic
        numbers (N,), then with positions (N, 3) Å, cell (3, 3) Å with rows as cell vectors or None,
        pbc a bool or three, by default False. uncertainty: any of "energies" and "forces" of the
        members of a committee, "variance", of atoms, with their rigidity, "targets" of the members,
        which asks for targets as well, and "targets_variance", of targets of atoms with their
        rigidity. n_threads as ``parallel.thread_count`` takes it.
        Raises SoapGprError for a measure that the model lacks, an unknown species, coincident
        atoms, anything that is not finite, a column of weights that a target needs and the atoms
        lack, and as ``neighbor_list``.
        """
        environments = self.environments(atoms, positions, cell, pbc)
        return self.evaluate_environments(
            environments,
            forces=forces,
            targets=targets,
            uncertainty=uncertainty,
            n_threads=n_threads,
        )

    def evaluate_environments(
        self,
        environments: Environments,
        *,
        forces: bool = True,
        targets: bool = True,
        uncertainty: Collection[str] = (),
        n_threads: int = 1,
        term: int | None = None,
    ) -> Evaluation:
        """As ``evaluate``, of environments that this model made, or another with the same species,
        the same order of neighbours and no shorter cutoff; term: of this one alone, without e0."""
        require_measures(uncertainty)
        only = -1 if term is None else range(len(self.terms))[term]
        asked = of_members(uncertainty), *(own in uncertainty for own in OF_ATOMS)
        with_targets = (targets or asked[2]) and term is None and bool(self.targets)
        evaluator = self._evaluator(n_threads)
        made = CoreResult(*evaluator.evaluate(environments, forces, only, with_targets, *asked))
        if not self.has_potential:  # zeros would be taken for energies and forces
            made = made.without_potential()
        about = environments.species, environments.columns
        values = dict[str, Any]()
        if with_targets:
            of_atoms = of_targets_of_atoms(self.targets, made.targets, made.tensors)
            values = properties(self.targets, of_atoms, *about)
        of_kernels = dict[str, np.ndarray]()  # members' deviations
        for own in self._kernel_targets if with_targets else ():
            values[own.target.name], members_own = own.value(self, environments)
            if members_own is not None:
                of_kernels[own.target.name] = members_own
        evaluation = Evaluation(made.energies, made.forces, made.virials, values)
        if not uncertainty or self.uncertainty is None:
            return evaluation
        of_forces, of_virials, of_targets = None, None, None
        if made.target_members is not None:
            of_targets = member_properties(self.targets, made.target_members, *about) | of_kernels
        if FORCES in uncertainty:
            of_forces, of_virials = evaluator.member_forces(environments)
        measured = MeasuredUncertainty(
            self.uncertainty,
            environments.species,
            (made.energies, evaluation.forces, evaluation.virial if forces else None),
            made.members,
            of_forces,
            of_virials,
            made.variances,
            made.rigidities,
            values,
            of_targets,
            *(
                own if own is None else values_of_atoms(self.targets, own)
                for own in (made.target_variances, made.target_rigidities)
            ),
        )
        return replace(evaluation, uncertainty=measured)

    def gradients(
        self, name: str, atoms, positions=None, cell=None, pbc=None, *, n_threads: int = 1
    ) -> TargetGradients:
        """Derivatives of a vector or tensor of structures, the target of this name, by positions
        and strain (docs/theory.md eq. 26f); the rest as of ``evaluate``.

        Of a dipole they are Born effective charges, of a polarizability Raman tensors. Raises
        SoapGprError for another kind of target as well.
        """
        environments = self.environments(atoms, positions, cell, pbc)
        return target_gradients(self._evaluator(n_threads), self.targets, name, environments)

    def _evaluator(self, n_threads: int) -> _core.Evaluator:
        evaluators = self._evaluators.by_threads
        if n_threads not in evaluators:
            evaluators[n_threads] = _core.Evaluator(self.core, thread_count(n_threads))
        return evaluators[n_threads]

    def __reduce__(self):
        return type(self), (self.to_bytes(),)
