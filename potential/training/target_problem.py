# SPDX-License-Identifier: BSD-3-Clause
"""The regressions of all [[targets]] on the sparse sets of a model (docs/theory.md eq. 23 to 23f),
for any structures: one fit, or many of the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from potential import _core
from potential.model.evaluation import naming
from potential.model.targets import Target
from potential.settings import FitSettings, TargetSettings
from potential.settings.target_tensors import SCALAR
from potential.settings.targets import tensor_bases, tensor_basis, terms_used
from potential.structures.structure import Structure
from potential.tensors.spherical import cartesian, parts_of
from potential.terms import TrainingModel
from potential.training.regression import solve
from potential.training.target_groups import (
    Group,
    Rows,
    groups_of,
    kernel_columns,
    require_one_scale,
)
from potential.training.target_priors import Prior, asked_species, prior_of, weights_of
from potential.training.tensor_groups import TensorGroup, tensor_groups, tensor_prior
from potential.training.tensor_kernels import AtomSide, BasisKernels


@dataclass(frozen=True)
class TargetProblem:
    """What there is to be solved for the weights of the targets of the settings, vectors and
    tensors too, but for those of kernels between structures, which ``settings`` no longer has."""

    model: TrainingModel  # whose sparse points they stand on
    settings: FitSettings

    def __post_init__(self) -> None:
        targets = tuple(own for own in self.settings.targets if own.kernel is None)
        if len(targets) < len(self.settings.targets):
            object.__setattr__(self, "settings", replace(self.settings, targets=targets))

    @cached_property
    def terms(self) -> list[int]:
        """Those that some target uses."""
        own, scalars = self.settings, [t for t in self.settings.targets if t.kind == SCALAR]
        return sorted({t for target in scalars for t in terms_used(target, own.terms)})

    @cached_property
    def bases(self) -> list[BasisKernels]:
        """Those of vectors and tensors."""
        return [BasisKernels(self.model, b) for b in range(len(self.model.tensor_bases))]

    def basis(self, target: TargetSettings) -> int:
        """The place of that of a vector or tensor among the bases of the model."""
        own = self.settings
        return tensor_bases(own.targets, own.terms).index(tensor_basis(target, own.terms))

    @cached_property
    def groups(self) -> list[Group]:
        """Those of all targets, one after the other."""
        columns, own = kernel_columns(self.model, self.terms), self.settings
        found = list[Group]()
        for target in own.targets:
            if target.kind == SCALAR:
                used = terms_used(target, own.terms)
                found += groups_of(self.model, target, used, columns)
            else:
                found += tensor_groups(self.model, target, self.bases[self.basis(target)])
        return found

    @cached_property
    def scalars(self) -> TargetProblem:
        """That of the targets that are no vectors and tensors."""
        own = tuple(target for target in self.settings.targets if target.kind == SCALAR)
        return replace(self, settings=replace(self.settings, targets=own))

    @property
    def targets(self) -> list[Target]:
        """As the model file has them."""
        found = []
        for own in self.settings.targets:
            target = _target(own, self.model.species)
            if own.kind != SCALAR:
                basis, rank = self.basis(own), own.n_indices
                target = replace(target, basis=basis, rank=rank, symmetric=own.symmetric)
            found.append(target)
        return found

    def prior(self, h: int, structures: Sequence[Structure]) -> Prior:
        """That of a target from the labels of these structures. Raises SoapGprError."""
        target = self.settings.targets[h]
        if target.kind != SCALAR:
            require_one_scale(self.model, target, [tensor_basis(target, self.settings.terms).term])
            return tensor_prior(target, structures, self.model.species)
        require_one_scale(self.model, target, terms_used(target, self.settings.terms))
        return prior_of(target, structures, self.model.species)

    def priors(self, structures: Sequence[Structure]) -> list[Prior]:
        """Those of all targets. Raises SoapGprError."""
        return [self.prior(h, structures) for h in range(len(self.settings.targets))]

    def groups_of(self, h: int) -> list[int]:
        """Places of the groups of a target."""
        return [g for g, own in enumerate(self.groups) if self.number(own) == h]

    def number(self, group: Group) -> int:
        """The place in [[targets]] of that of a group."""
        return self.settings.targets.index(group.target)

    def kernels(self, structure: Structure) -> np.ndarray:
        """(N, n_kernels) of the atoms with the sparse points of all terms that targets use."""
        with naming(structure):
            environments = self.model.environments(structure)
            own = [_core.kernel_rows(self.model.core, t, environments) for t in self.terms]
        return np.concatenate([np.zeros((len(environments), 0)), *own], axis=1)

    def rows(self, structure: Structure, kernels: np.ndarray | None = None) -> list[Rows]:
        """Those of each group of a structure, whose kernels may be there already."""
        if not self.groups:
            return []
        kernels = self.kernels(structure) if kernels is None else kernels
        species = self.model.species_indices(structure.numbers)
        sides = self._sides(structure)
        return [
            own.of_structure(structure, species, sides.get(own.kernels.basis, []))
            if isinstance(own, TensorGroup)
            else own.rows(structure, species, kernels)
            for own in self.groups
        ]

    def _sides(self, structure: Structure) -> dict[int, list[AtomSide]]:
        """Of a structure, for the bases whose targets it has labels of."""
        tensors = [own for own in self.settings.targets if own.kind != SCALAR]
        used = {self.basis(own) for own in tensors if own.name in structure.targets}
        if not used:
            return {}
        with naming(structure):
            environments = self.model.environments(structure)
            return {b: self.bases[b].atoms(environments) for b in used}

    def weights(self, group: Group, triangle: np.ndarray, prior: Prior) -> np.ndarray:
        """W (n_weights,) of a group from R of its rows, which is overwritten (eq. 23f)."""
        K_MM = group.kernel_matrix(self.model)
        return solved_weights(group, triangle, prior, K_MM, self.settings.solver.jitter)

    def arrays(
        self, priors: Sequence[Prior], weights: Sequence[np.ndarray], places: Sequence[int]
    ) -> dict[str, np.ndarray]:
        """Arrays of the model file, from the weights of each group; places: of the targets among
        those of the model."""
        arrays = dict[str, np.ndarray]()
        for h, (prior, place) in enumerate(zip(priors, places, strict=True)):
            arrays |= self.arrays_of(h, prior, {g: weights[g] for g in self.groups_of(h)}, place)
        return arrays

    def arrays_of(
        self, h: int, prior: Prior, weights: Mapping[int, np.ndarray], place: int
    ) -> dict[str, np.ndarray]:
        """Arrays of one target by the weights of its groups, zero for other sets, when it has this
        place among the targets of a model."""
        return {f"target{place}.mean": prior.mean} | self.weight_arrays(h, weights, place)

    def weight_arrays(
        self, h: int, weights: Mapping[int, np.ndarray], place: int
    ) -> dict[str, np.ndarray]:
        """Those of ``arrays_of`` for the sparse sets; of weights (..., n_weights), (..., M)."""
        if self.settings.targets[h].kind != SCALAR:
            return self._tensor_arrays(h, weights, place)
        arrays, lead = dict[str, np.ndarray](), next(iter(weights.values())).shape[:-1]
        for t in terms_used(self.settings.targets[h], self.settings.terms):
            for a, points in self.model.sparse_points(t).items():
                arrays[f"target{place}.term{t}.weights.{a}"] = np.zeros((*lead, len(points)))
        for g, own in weights.items():
            begin = 0
            for t, a in self.groups[g].sets:
                end = begin + len(self.model.sparse_points(t)[a])
                arrays[f"target{place}.term{t}.weights.{a}"] = own[..., begin:end].copy()
                begin = end
        return arrays

    def _tensor_arrays(
        self, h: int, weights: Mapping[int, np.ndarray], place: int
    ) -> dict[str, np.ndarray]:
        target = self.settings.targets[h]
        basis, rank = self.bases[self.basis(target)], target.n_indices
        arrays = {f"target{place}.cartesian": np.array(cartesian(rank, target.symmetric))}
        for k, part in enumerate(parts_of(rank, target.symmetric)):
            for a in range(basis.n_sets):
                none = np.zeros((basis.n_points(a), part.size))
                arrays[f"target{place}.part{k}.weights.{a}"] = none
            for g, own in weights.items():
                group, begin = self.groups[g], 0
                assert isinstance(group, TensorGroup)
                for a in group.own_sets if group.part == part else ():
                    end = begin + basis.n_points(a) * part.size
                    found = own[begin:end].reshape(-1, part.size)
                    arrays[f"target{place}.part{k}.weights.{a}"] = found.copy()
                    begin = end
        return arrays


def require_priors(
    model: TrainingModel, structures: Sequence[Structure], settings: FitSettings
) -> None:
    """Raise SoapGprError where labels of [[targets]], or what is given of them by species, cannot
    be fitted: before anything long."""
    TargetProblem(model, settings).priors(structures)
    for own in settings.targets:
        if own.kernel is not None:
            prior_of(own, structures, model.species)


def solved_weights(
    group: Group, triangle: np.ndarray, prior: Prior, K_MM: np.ndarray, jitter: float
) -> np.ndarray:
    """W (n_weights,) of a group from R of its rows, which is overwritten, and K_MM (eq. 23f)."""
    if group.n_weights == 0:
        return np.zeros(0)
    return group.scale(prior) * solve(triangle, K_MM, jitter, overwrite=True).weights


def _target(own: TargetSettings, species: Sequence[int]) -> Target:
    asked = tuple(species[a] for a in asked_species(own, species)) if own.species else None
    weights = weights_of(own, species)
    return Target(own.name, own.unit or "", own.per_atom, own.extensive, asked, weights)
