# SPDX-License-Identifier: BSD-3-Clause
"""Targets of kernels between structures, which take a structure as a whole (docs/theory.md eq. 23k
to 23n)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from potential.errors import SoapGprError
from potential.kernels.structures import StructureKernel, Structures
from potential.model.environments import Environments
from potential.model.features import density_coefficients_of, features_of
from potential.model.mean_density import mean_spectrum
from potential.model.targets import Target, TargetKernel
from potential.settings.target_kernels import DENSITY, FEATURES
from potential.settings.terms import SHARED

if TYPE_CHECKING:
    from potential.model.model import Model

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class KernelTarget:
    """Such a target of a model, ready for evaluation."""

    target: Target
    mean: np.ndarray  # (n_species,)
    sparse: Structures
    weights: np.ndarray  # (M,)
    members: np.ndarray | None = None  # (C, M) deviations of those of a committee

    @staticmethod
    def read(target: Target, arrays: Arrays, h: int) -> KernelTarget:
        """The target number h of the model of these arrays."""
        of = f"target{h}.structures."
        sparse = Structures(
            arrays[of + "features"],
            arrays[of + "species"],
            arrays[of + "shares"],
            np.concatenate([[0], np.cumsum(arrays[of + "sizes"])]),
        )
        mean, weights = arrays[f"target{h}.mean"], arrays[f"target{h}.weights"]
        return KernelTarget(target, mean, sparse, weights, arrays.get(f"members.target{h}.weights"))

    def arrays(self, h: int) -> dict[str, np.ndarray]:
        """What ``read`` reads, without members."""
        of = f"target{h}.structures."
        return {
            f"target{h}.mean": self.mean,
            f"target{h}.weights": self.weights,
            of + "features": self.sparse.values,
            of + "species": np.asarray(self.sparse.numbers, dtype=np.int64),
            of + "shares": self.sparse.weights,
            of + "sizes": np.diff(self.sparse.offsets),
        }

    def value(self, model: Model, environments: Environments) -> tuple[float, np.ndarray | None]:
        """The property of a structure, eq. (23k), whose environments the model made, and what the
        members of a committee deviate by (C,), None without one. Raises SoapGprError where it is
        not finite, as the core does of others."""
        assert self.target.kernel is not None
        species, columns = environments.species, environments.columns
        mean = self.target.value(self.mean[species], species, columns)
        w = self.target.atom_weights(species, columns)
        if not w.any():
            row = np.full(len(self.weights), 0 * mean)
            return mean, None if self.members is None else self.members @ row
        with np.errstate(all="ignore"):
            own = structure_of(model, self.target.kernel, environments, w)
            row = kernel_row(self.target, own, w.sum(), self.sparse)
            found = float(mean + row @ self.weights)
        if not np.isfinite(found):
            raise SoapGprError(f"a value of the target {self.target.name} is not finite")
        return found, None if self.members is None else self.members @ row


def structure_of(
    model: Model, kernel: TargetKernel, environments: Environments, w: np.ndarray
) -> Structures:
    """What the kernel takes of one structure whose atoms have the weights w (N,), not all of them
    0: the environments that count; the mean features of each species, or of all; the spectrum of
    the mean density."""
    if kernel.pooling == DENSITY:
        c = density_coefficients_of(model, kernel.term, environments)
        p = mean_spectrum(c, w, model.terms[kernel.term])
        return Structures(p[None], np.zeros(1, dtype=np.int64), np.ones(1), np.arange(2))
    counted = w > 0
    values = features_of(model, kernel.term, environments)[counted]
    species = environments.species.astype(np.int64)[counted]
    shares = w[counted] / w.sum()
    if kernel.pooling == FEATURES:
        groups = np.zeros_like(species) if kernel.centers == SHARED else species
        present, group = np.unique(groups, return_inverse=True)
        means = np.zeros((len(present), values.shape[1]))
        np.add.at(means, group, values * shares[:, None])
        values, species, shares = means, present, np.ones(len(present))
    return Structures(values, species, shares, np.array([0, len(species)]))


def kernel_row(target: Target, own: Structures, size: float, sparse: Structures) -> np.ndarray:
    """(M,) what the weights of sparse structures multiply for one structure, eq. (23k), (23l).

    size: the number of its atoms, or the sum of their weights. Raises SoapGprError where a match of
    REMatch is not found."""
    assert target.kernel is not None
    kernel = of_structures(target.kernel)
    try:
        row = kernel.between(own, sparse, 1)[0]
        of_own = kernel.of_each(own)[0] if target.kernel.normalize else 1.0
    except SoapGprError as error:
        raise SoapGprError(f"target {target.name}: {error}") from None
    if target.kernel.normalize:
        row = row / np.sqrt(of_own) if of_own > 0 else np.zeros_like(row)
    return size * row if target.extensive else row


def of_structures(kernel: TargetKernel) -> StructureKernel:
    """The kernel as a function of structures."""
    gamma = 0.0 if kernel.gamma is None else kernel.gamma
    if kernel.pooling == DENSITY:  # of one row of features for each, which has no centre
        return StructureKernel(kernel.zeta, FEATURES, SHARED, gamma)
    return StructureKernel(kernel.zeta, kernel.pooling, kernel.centers, gamma)
