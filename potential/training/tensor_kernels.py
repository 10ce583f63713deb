# SPDX-License-Identifier: BSD-3-Clause
"""Kernels of vectors and tensors between the atoms of structures and the sparse environments of a
basis (docs/theory.md eq. 26b)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from potential import _core
from potential.model import Environments
from potential.model.features import density_coefficients_of, features_of_densities
from potential.tensors.spherical import Part
from potential.terms import TrainingModel
from potential.terms.tensor_basis import SCALAR_PART


@dataclass(frozen=True)
class SparseSide:
    """Sparse environments of one set."""

    p: np.ndarray  # (M, n_features)
    psi: dict[Part, np.ndarray]  # (M, F, 2λ + 1)
    species: np.ndarray  # (M,) places in the list of the model


@dataclass(frozen=True)
class AtomSide:
    """The atoms of a structure that meet the sparse environments of one set."""

    atoms: np.ndarray  # (n,) their places
    scalar: np.ndarray  # (n, M) κ_c (p̂ · p̂_m)^(ζ − 1)
    dot: np.ndarray  # (n, M) p̂ · p̂_m
    psi: dict[Part, np.ndarray]  # (n, F, 2λ + 1)


class BasisKernels:
    """Those of one basis of a model."""

    def __init__(self, model: TrainingModel, basis: int):
        self.model, self.basis = model, basis
        entry = model.tensor_bases[basis]
        self.term, self.zeta = entry["term"], entry["zeta"]
        self.shared = "centers" in model.terms[self.term]
        self.kept = {
            Part(own["lambda"], own["sigma"]): model.arrays[f"basis{basis}.features.{p}"]
            for p, own in enumerate(entry["parts"])
        }

    @property
    def n_sets(self) -> int:
        return 1 if self.shared else len(self.model.species)

    def n_points(self, a: int) -> int:
        """Sparse environments of a set."""
        return len(self.model.arrays[f"basis{self.basis}.densities.{a}"])

    @cached_property
    def sparse(self) -> list[SparseSide]:
        """Of each set."""
        found = []
        for a in range(self.n_sets):
            c = self.model.arrays[f"basis{self.basis}.densities.{a}"]
            species = np.full(len(c), a, dtype=np.int32)
            if self.shared:
                own = self.model.arrays[f"basis{self.basis}.species"]
                species = np.ascontiguousarray(own, dtype=np.int32)
            found.append(SparseSide(*self._features(c, species), species))
        return found

    def _features(
        self, c: np.ndarray, species: np.ndarray
    ) -> tuple[np.ndarray, dict[Part, np.ndarray]]:
        """p̂ (n, n_features) and ψ̂ (n, F, 2λ + 1) of each part, of densities c (n, n_density)."""
        psi = {
            part: _core.equivariants_of_densities(
                self.model.core, self.term, species, c, *part, kept
            )
            for part, kept in self.kept.items()
        }
        return features_of_densities(self.model, self.term, c, species), psi

    def atoms(self, environments: Environments) -> list[AtomSide]:
        """Those of a structure by sparse set."""
        species = np.ascontiguousarray(environments.species, dtype=np.int32)
        c = density_coefficients_of(self.model, self.term, environments)
        p, psi = self._features(c, species)
        found = []
        for a, sparse in enumerate(self.sparse):
            own = np.flatnonzero(
                np.ones(len(p), dtype=bool) if self.shared else environments.species == a
            )
            dot = p[own] @ sparse.p.T
            scalar = self._coupled(environments.species[own], sparse, dot ** (self.zeta - 1))
            found.append(AtomSide(own, scalar, dot, {part: x[own] for part, x in psi.items()}))
        return found

    def summed_rows(self, part: Part, a: int, own: AtomSide, w: np.ndarray) -> np.ndarray:
        """Σ_i w_i k(i, m) (2λ + 1, M (2λ + 1)) over the atoms of one set, of weights w (n,)."""
        if part == SCALAR_PART:
            return w[None] @ (own.scalar * own.dot)
        psi, psi_m = own.psi[part], self.sparse[a].psi[part]
        n, F, size = psi.shape
        M = len(psi_m)
        # T[μ, α, m] = Σ_i w_i ψ̂_αμ(i) s_im first: nothing is as long as atoms times weights
        T = psi.transpose(2, 1, 0).reshape(size * F, n) @ (w[:, None] * own.scalar)
        by_point = T.reshape(size, F, M).transpose(2, 0, 1) @ psi_m
        return by_point.transpose(1, 0, 2).reshape(size, M * size)

    def atom_rows(self, part: Part, a: int, own: AtomSide, some: np.ndarray) -> np.ndarray:
        """k(i, m) (n (2λ + 1), M (2λ + 1)) of some (n,) of the atoms of one set."""
        if part == SCALAR_PART:
            return (own.scalar * own.dot)[some]
        psi, scalar = own.psi[part][some], own.scalar[some]
        return _matrix(psi, self.sparse[a].psi[part], scalar)

    def kernel_matrix(self, part: Part, a: int) -> np.ndarray:
        """K_MM (M (2λ + 1), M (2λ + 1)) of a set."""
        sparse = self.sparse[a]
        dot = sparse.p @ sparse.p.T
        scalar = self._coupled(sparse.species, sparse, dot ** (self.zeta - 1))
        if part == SCALAR_PART:
            return scalar * dot
        return _matrix(sparse.psi[part], sparse.psi[part], scalar)

    def spread(self, part: Part, a: int) -> float:
        """v of eq. (26g): what a component varies by over the sparse environments of a set."""
        sparse = self.sparse[a]
        if not len(sparse.p):
            return 0.0
        if part == SCALAR_PART:
            K = self.kernel_matrix(part, a)
            own = float(np.mean(np.diag(K)))
            return own if len(K) == 1 else max(own - float(K.mean()), 1e-12 * own)
        dot = np.einsum("mf,mf->m", sparse.p, sparse.p) ** (self.zeta - 1)
        if self.shared and (kappa := self._kappa) is not None:
            dot = dot * kappa[sparse.species, sparse.species]
        return float(np.mean(dot * np.sum(sparse.psi[part] ** 2, axis=(1, 2)))) / part.size

    @property
    def _kappa(self) -> np.ndarray | None:
        return self.model.arrays.get(f"term{self.term}.coupling")

    def _coupled(self, species: np.ndarray, sparse: SparseSide, scalar: np.ndarray) -> np.ndarray:
        if not self.shared or (kappa := self._kappa) is None:
            return scalar
        return scalar * kappa[np.ix_(species, sparse.species)]


def _matrix(psi: np.ndarray, psi_m: np.ndarray, scalar: np.ndarray) -> np.ndarray:
    """Matrices k(i, m) (n (2λ + 1), M (2λ + 1)) from ψ̂ (n, F, 2λ + 1), (M, F, 2λ + 1) and what
    multiplies them (n, M)."""
    n, F, size = psi.shape
    M = len(psi_m)
    K = psi.transpose(0, 2, 1).reshape(n * size, F) @ psi_m.transpose(1, 0, 2).reshape(F, M * size)
    K = K.reshape(n, size, M, size) * scalar[:, None, :, None]
    return K.reshape(n * size, M * size)
