# SPDX-License-Identifier: BSD-3-Clause
"""Variances of the projected process and prediction rigidities (docs/theory.md eq. 25h to 25k)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import solve_triangular

from potential.errors import SoapGprError
from potential.model import TRIANGLE, Environments, Model
from potential.runtime.parallel import ordered_map
from potential.runtime.progress import Progress, silent
from potential.settings import SolverSettings
from potential.structures.label_table import FORCE
from potential.structures.structure import Structure
from potential.terms import TrainingModel
from potential.terms.clusters import ClusterTerm
from potential.terms.feature_term import FeatureTerm
from potential.terms.prior import prior_factor
from potential.terms.term import SparseTerm
from potential.uncertainty.prior import prior_atoms, prior_energy, prior_forces


@dataclass(frozen=True)
class SparseSet:
    """A sparse set of a term among the columns of the weights."""

    term: SparseTerm
    a: int  # its number in the term
    columns: slice


def sparse_sets(model: TrainingModel) -> list[SparseSet]:
    """All of them, in the order of the weights."""
    found, begin = [], 0
    for term in model.own_terms:
        for a, points in model.sparse_points(term.index).items():
            if isinstance(term, SparseTerm):
                found.append(SparseSet(term, a, slice(begin, begin + len(points))))
            begin += len(points)
    return found


def columns_of_center(model: TrainingModel, a: int) -> np.ndarray:
    """The columns of weights that the energy of an atom of species a may depend on."""
    found = [
        np.arange(own.columns.start, own.columns.stop)
        for own in sparse_sets(model)
        if own.term.serves(own.a, a)
    ]
    return np.concatenate([np.zeros(0, dtype=np.int64), *found])


def columns_of_terms(model: TrainingModel, terms: Collection[int]) -> np.ndarray:
    """The columns of weights of all sparse sets of these terms."""
    found = [
        np.arange(own.columns.start, own.columns.stop)
        for own in sparse_sets(model)
        if own.term.index in terms
    ]
    return np.concatenate([np.zeros(0, dtype=np.int64), *found])


def variance_arrays(model: TrainingModel, R: np.ndarray, U: np.ndarray) -> dict[str, np.ndarray]:
    """Arrays of the model file (docs/model_file.md) from the triangle R (M, M) of the regression
    with its prior, and U (M, M) of the prior."""
    arrays = prior_arrays(model, U)
    for a in range(len(model.species)):
        arrays[f"variance.posterior.{a}"] = posterior(R, columns_of_center(model, a))
    return arrays


def prior_arrays(model: TrainingModel, U: np.ndarray) -> dict[str, np.ndarray]:
    """Those of them that say nothing of the regression."""
    arrays = {}
    for own in sparse_sets(model):
        name = f"term{own.term.index}.{own.a}"
        if isinstance(own.term, FeatureTerm):
            arrays[f"variance.prior.{name}"] = inverse(U[own.columns, own.columns]).T
        elif isinstance(own.term, ClusterTerm):
            made = own.term.of_points(own.a)
            arrays |= {f"variance.{kind}.{name}": array for kind, array in made.items()}
    return arrays


def posterior(R: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """P lower triangular with |P k|² = kᵀ K̃⁻¹ k for k zero outside the columns (eq. 25i)."""
    M, n = len(R), len(columns)
    if n < M:
        others = np.setdiff1d(np.arange(M), columns)
        R = _triangle(R[:, np.concatenate([others, columns])])
    return inverse(R[M - n :, M - n :]).T


def _triangle(A: np.ndarray) -> np.ndarray:
    """R of A = Q R."""
    return np.asarray(np.linalg.qr(A, mode="r"))


def inverse(R: np.ndarray) -> np.ndarray:
    """Of an upper triangle."""
    return solve_triangular(R, np.eye(len(R)), overwrite_b=True)


def require_all_features(model: Model) -> None:
    """Raise SoapGprError for a compressed model, which has no rows of the regression."""
    if model.compressed:
        raise SoapGprError("found a compressed model, expected the one that it was made from")


@dataclass(frozen=True)
class Variances:
    """Of one structure, not scaled."""

    energy: float  # eV², of the total energy
    atoms: np.ndarray  # (N,) eV², of the energies of atoms
    forces: np.ndarray | None  # (N, 3) eV²/Å²
    energy_rigidity: float  # 1/eV², of the total energy
    rigidities: np.ndarray  # (N,) 1/eV², of the energies of atoms


class ProjectedProcess:
    """Variances and rigidities of a model with ``[uncertainty] variance = true``, also those that
    it does not evaluate in a run: of total energies and of forces.

    Raises SoapGprError for other models.
    """

    def __init__(self, model: Model):
        require_all_features(model)
        triangle = model.arrays.get(TRIANGLE)
        if triangle is None:
            raise SoapGprError(
                "found no triangular factor in the model, expected one: fit with [uncertainty] "
                "variance = true"
            )
        if any("sparse_basis" in term for term in model.terms):
            raise SoapGprError(
                'found a term with sparse_basis = "derivatives" in the model, whose sparse points '
                "change with the weights, expected none: it has no variances"
            )
        self.model = TrainingModel(model.to_bytes())
        jitter = model.metadata["settings"].get("solver", {}).get("jitter", SolverSettings.jitter)
        U = prior_factor(self.model.kernel_matrix(), jitter)
        R = _triangle(np.concatenate([triangle[: len(U), : len(U)], U]))
        self._left, self._T = NotFollowed(self.model, U), inverse(R)

    def evaluate(self, structure: Any, *, forces: bool = True) -> Variances:
        """structure: numbers, positions, cell and pbc as attributes, such as ``ase.Atoms``. Forces
        take gradients of all features, many times the time of the others."""
        environments = self.model.environments(structure)
        rows = self.model.rows(environments, forces)
        of_atoms = self.model.atom_rows(environments)
        left, every = self._left, np.arange(len(environments))
        of_rows, posterior = norms(rows @ self._T), norms(of_atoms @ self._T)
        of_forces = None
        if forces:
            more = left.forces(environments, rows[FORCE.rows], every)
            of_forces = (of_rows[FORCE.rows] + more).reshape(-1, 3)
        return Variances(
            float(of_rows[0]) + left.energy(environments, rows[0]),
            left.atoms(environments, of_atoms) + posterior,
            of_forces,
            float(rigidity(of_rows[:1])[0]),
            rigidity(posterior),
        )


def rigidity(posterior: np.ndarray) -> np.ndarray:
    """Eq. (25k); inf where all kernels are zero."""
    with np.errstate(divide="ignore"):
        return 1.0 / posterior


class NotFollowed:
    """Prior variance that kernels have beyond what the sparse points follow: the brackets of
    eq. (25h), (25j), never below zero; none of pairs and triplets, whose points are everywhere.

    U (M, M): the triangle of the prior; None: that of the ``prior_arrays`` of the model.
    """

    def __init__(self, model: TrainingModel, U: np.ndarray | None = None):
        self._model = model
        self._sets: dict[int, list[tuple[slice, np.ndarray]]] = {}
        for own in sparse_sets(model):
            if isinstance(own.term, FeatureTerm):
                if U is None:
                    V = model.arrays[f"variance.prior.term{own.term.index}.{own.a}"].T
                else:
                    V = inverse(U[own.columns, own.columns])
                self._sets.setdefault(own.term.index, []).append((own.columns, V))

    def energy(self, environments: Environments, row: np.ndarray) -> float:
        """eV² of the total energy; row (M,) of the design matrix."""
        return float(self.of(row[None], lambda t: prior_energy(self._model, t, environments))[0])

    def atoms(self, environments: Environments, rows: np.ndarray) -> np.ndarray:
        """(N,) eV² of the energies of atoms; rows (N, M) of ``atom_rows``."""
        return self.of(rows, lambda t: prior_atoms(self._model, t, environments))

    def forces(self, environments: Environments, rows: np.ndarray, atoms: np.ndarray) -> np.ndarray:
        """(3 n,) eV²/Å² of the forces on these atoms (n,); rows (3 n, M) of the design matrix."""
        return self.of(rows, lambda t: prior_forces(self._model, t, environments, atoms).ravel())

    def of(self, rows: np.ndarray, prior: Callable[[int], Any]) -> np.ndarray:
        """Of any linear functionals with these rows (n, M) and prior variances (n,) by terms."""
        total = np.zeros(len(rows))
        for t, sets in self._sets.items():
            followed = sum(norms(rows[:, columns] @ V) for columns, V in sets)
            total += np.maximum(prior(t) - followed, 0.0)
        return total


def norms(rows: np.ndarray) -> np.ndarray:
    """Squared lengths."""
    return np.einsum("im,im->i", rows, rows)


def edges(
    model: TrainingModel,
    left: NotFollowed,
    arrays: Mapping[str, np.ndarray],
    structures: Sequence[Structure],
    progress: Progress = silent,
) -> np.ndarray:
    """Largest σ_i (n_species,) in eV of the environments of these structures, eq. (25h), with the
    ``variance_arrays`` of the model. Those of atoms without neighbours, whose kernels are zeros and
    of which nothing is learnt, do not count."""
    species = range(len(model.species))
    posteriors = [(columns_of_center(model, a), arrays[f"variance.posterior.{a}"]) for a in species]

    def largest(structure: Structure) -> np.ndarray:
        environments = model.environments(structure)
        rows = model.atom_rows(environments)
        variances, found = left.atoms(environments, rows), np.zeros(len(posteriors))
        for a in np.unique(environments.species):
            own = np.flatnonzero((environments.species == a) & rows.any(axis=1))
            columns, P = posteriors[a]
            variances[own] += norms(rows[np.ix_(own, columns)] @ P.T)
            found[a] = variances[own].max(initial=0.0)
        return found

    found = ordered_map(largest, progress(structures, "variances"))
    return np.sqrt(np.max([np.zeros(len(posteriors)), *found], axis=0))
