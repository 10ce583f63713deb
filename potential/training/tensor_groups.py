# SPDX-License-Identifier: BSD-3-Clause
"""The regressions of vectors and tensors: one of each part λσ, and of values of atoms of each
species whose sparse sets are apart (docs/theory.md eq. 26g, 26h)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from potential.errors import SoapGprError
from potential.model.targets import atom_weights
from potential.settings import FitSettings, TargetSettings
from potential.settings.targets import tensor_basis
from potential.species import symbol
from potential.structures.structure import Structure
from potential.tensors.spherical import Part, parts_of, places, to_spherical
from potential.terms import TrainingModel
from potential.terms.tensor_basis import SCALAR_PART, most_environments
from potential.training.target_groups import Group, Rows
from potential.training.target_priors import Prior, asked_species, prior_of, weights_of
from potential.training.tensor_kernels import AtomSide, BasisKernels


@dataclass(frozen=True)
class TensorPrior(Prior):
    """That of a vector or tensor: of λ = 0 where it has it, and of each part."""

    parts: Mapping[Part, Prior]


@dataclass(frozen=True, eq=False)
class TensorGroup(Group):
    """The regression of one part, for some atoms or for structures."""

    part: Part
    kernels: BasisKernels

    def scale(self, prior: Prior) -> np.ndarray:
        return super().scale(self._own(prior))

    def weighted(self, rows: Rows, prior: Prior) -> tuple[np.ndarray, np.ndarray]:
        return super().weighted(rows, self._own(prior))

    def rescaled(self, ratios: Mapping[int, float]) -> Group:
        """Kernels of tensors have no δ."""
        return self

    def by_weight(self, ratios: Mapping[int, float]) -> np.ndarray:
        return np.ones(self.n_weights)

    def most_rows(self, n_atoms: int) -> int:
        return most_rows(self.target, self.part, n_atoms)

    @property
    def own_sets(self) -> list[int]:
        """Sparse sets of the basis."""
        return [a for _, a in self.sets]

    @property
    def parts_of_target(self) -> tuple[Part, ...]:
        """All parts of the target."""
        return parts_of(self.target.n_indices, self.target.symmetric)

    def spherical(self, T: np.ndarray) -> np.ndarray:
        """The components (..., 2λ + 1) of the part, of Cartesian ones (..., 3^rank)."""
        rank, symmetric = self.target.n_indices, self.target.symmetric
        return to_spherical(T, rank, symmetric)[..., places(rank, symmetric)[self.part]]

    def of_structure(
        self, structure: Structure, species: np.ndarray, sides: Sequence[AtomSide]
    ) -> Rows:
        """Rows of a structure whose atoms (N,) are of these species; sides: of the basis."""
        target, part = self.target, self.part
        T = structure.targets.get(self.name)
        if T is None or not np.isfinite(T).any():
            return self._nothing()
        t = self.spherical(T)
        means = np.eye(self.n_species) if part == SCALAR_PART else np.zeros((self.n_species,) * 2)
        if target.per_atom:
            return self._of_atoms(t, species, sides, means)
        w = atom_weights(self.weights, species, structure.arrays)
        total = 1.0 if target.extensive else w.sum()
        blocks = [
            self.kernels.summed_rows(part, a, sides[a], w[sides[a].atoms]) for a in self.own_sets
        ]
        K = np.concatenate([np.zeros((part.size, 0)), *blocks], axis=1) / total
        C = np.tile(w @ means[species] / total, (part.size, 1))
        return Rows(K, C, t, np.full(part.size, self.species[0]))

    def _of_atoms(
        self, t: np.ndarray, species: np.ndarray, sides: Sequence[AtomSide], means: np.ndarray
    ) -> Rows:
        used = np.flatnonzero(np.isfinite(t).all(axis=1) & np.isin(species, self.species))
        size = self.part.size
        K = np.zeros((len(used), size, self.n_weights))
        begin = 0
        for a in self.own_sets:
            end = begin + self.kernels.n_points(a) * size
            inside = np.isin(used, sides[a].atoms)
            some = np.searchsorted(sides[a].atoms, used[inside])
            own = self.kernels.atom_rows(self.part, a, sides[a], some)
            K[inside, :, begin:end] = own.reshape(len(some), size, -1)
            begin = end
        C = np.repeat(means[species[used]], size, axis=0)
        return Rows(
            K.reshape(-1, self.n_weights),
            C,
            t[used].ravel(),
            np.repeat(species[used], size),
            np.repeat(used, size),
        )

    def _nothing(self) -> Rows:
        none = np.zeros((0, self.n_species))
        return Rows(np.zeros((0, self.n_weights)), none, np.zeros(0), np.zeros(0, dtype=int))

    def kernel_matrix(self, model: TrainingModel) -> np.ndarray:
        """K_MM (n_weights, n_weights) of the sets."""
        K, begin = np.zeros((self.n_weights, self.n_weights)), 0
        for a in self.own_sets:
            own = self.kernels.kernel_matrix(self.part, a)
            end = begin + len(own)
            K[begin:end, begin:end] = own
            begin = end
        return K

    def _own(self, prior: Prior) -> Prior:
        """That of the part."""
        return prior.parts[self.part] if isinstance(prior, TensorPrior) else prior


def most_rows(target: TargetSettings, part: Part, n_atoms: int) -> int:
    """Of atoms one for each component. Those of structures are sums over atoms of scalar kernels,
    which have a column for each sparse environment and not for each of its weights."""
    return n_atoms * part.size if target.per_atom else -(-n_atoms // part.size)


def most_sizes(
    model: TrainingModel,
    target: TargetSettings,
    settings: FitSettings,
    structures: Sequence[Structure],
) -> list[tuple[int, int]]:
    """Weights of each of the ``tensor_groups`` of a fit to these structures if all sparse
    environments asked for are found, and their ``most_rows``. model: of any sparse points."""
    basis = tensor_basis(target, settings.terms)
    points = most_environments(model, settings, basis, structures)
    asked = asked_species(target, model.species)
    shared, largest = "centers" in model.terms[basis.term], max(map(len, structures))
    sets = [[0]] if shared else [[a] for a in asked] if target.per_atom else [asked]
    return [
        (part.size * sum(points[a] for a in own), most_rows(target, part, largest))
        for part in parts_of(target.n_indices, target.symmetric)
        for own in sets
    ]


def tensor_groups(model: TrainingModel, target: TargetSettings, kernels: BasisKernels):
    """The regressions of a vector or tensor on this basis, part by part."""
    asked = asked_species(target, model.species)
    apart = target.per_atom and not kernels.shared
    found = []
    for part in parts_of(target.n_indices, target.symmetric):
        for species in [(a,) for a in asked] if apart else [tuple(asked)]:
            sets = [0] if kernels.shared else list(species)
            sizes = [kernels.n_points(a) * part.size for a in sets]
            owners = [-1 if kernels.shared else a for a in sets]
            spread = [kernels.spread(part, a) for a in sets]
            found.append(
                TensorGroup(
                    target,
                    species,
                    len(model.species),
                    weights_of(target, model.species),
                    tuple((_key(kernels, part), a) for a in sets),
                    (),
                    np.repeat(np.array(owners, dtype=int), sizes),
                    (kernels.term,),
                    np.repeat(np.array([spread]), sizes, axis=1),
                    part,
                    kernels,
                )
            )
    return found


def _key(kernels: BasisKernels, part: Part) -> int:
    """A number of its own in the place of that of a term: the sets tell matrices apart."""
    return -1 - (2 * (kernels.basis * 8 + part.lam) + (part.sigma > 0))


def tensor_prior(
    target: TargetSettings, structures: Sequence[Structure], species: Sequence[int]
) -> TensorPrior:
    """From the settings and the labels. Raises SoapGprError as ``prior_of``."""
    where = places(target.n_indices, target.symmetric)
    labelled = [s for s in structures if target.name in s.targets]
    t = [to_spherical(s.targets[target.name], target.n_indices, target.symmetric) for s in labelled]
    largest = max((float(np.nanmax(np.abs(own), initial=0.0)) for own in t), default=0.0)
    parts, spread = dict[Part, Prior](), np.zeros(len(species))
    for part in where:
        labels = {id(s): own[..., where[part]] for s, own in zip(labelled, t, strict=True)}
        if part == SCALAR_PART:
            labels = {k: own[..., 0] for k, own in labels.items()}
        own = _of_part(target, part)
        found = prior_of(replace(own, scale=None), structures, species, labels, largest or np.inf)
        spread += found.scale
        if own.scale is not None:
            found = prior_of(own, structures, species, labels, largest or np.inf)
        parts[part] = found
    _require_spread(target, spread, species)
    first = parts.get(SCALAR_PART)
    sigma = next(iter(parts.values())).sigma
    scale = np.sqrt(np.mean([prior.scale**2 for prior in parts.values()], axis=0))
    mean = np.zeros(len(species)) if first is None else first.mean
    return TensorPrior(mean, scale, sigma, parts)


def _require_spread(target: TargetSettings, spread: np.ndarray, species: Sequence[int]) -> None:
    """Raise SoapGprError where no part varies; spread: of all parts, by species (n_species,)."""
    for a in asked_species(target, species):
        if spread[a] == 0:
            of = f" of {symbol(species[a])}" if target.per_atom else ""
            less = "" if target.per_atom else ", or differ by composition alone"
            raise SoapGprError(
                f"target {target.name}: found labels{of} that are all equal{less}, expected labels "
                "that vary"
            )


def _of_part(target: TargetSettings, part: Part) -> TargetSettings:
    """λ = 0 is the trace over √3, and others have no mean."""
    if part != SCALAR_PART:
        return replace(target, mean="zero")
    if isinstance(target.mean, str):
        return target
    root = float(np.sqrt(3))
    if isinstance(target.mean, Mapping):
        return replace(target, mean={name: root * own for name, own in target.mean.items()})
    return replace(target, mean=root * target.mean)
