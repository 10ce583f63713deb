# SPDX-License-Identifier: BSD-3-Clause
"""What fits find of the variances and rigidities of targets (docs/theory.md eq. 25p)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from potential.model import Environments
from potential.model.targets import atom_weights
from potential.runtime.parallel import ordered_map
from potential.runtime.progress import Progress
from potential.structures.structure import Structure
from potential.terms import TrainingModel
from potential.terms.prior import prior_factor
from potential.training.target_groups import Group, Rows
from potential.training.target_priors import Prior
from potential.training.target_problem import TargetProblem
from potential.uncertainty.calibration import RIGIDITY, VARIANCE
from potential.uncertainty.projected_process import (
    NotFollowed,
    SparseSet,
    columns_of_center,
    columns_of_terms,
    inverse,
    norms,
    posterior,
    prior_arrays,
    sparse_sets,
)
from potential.uncertainty.target_process import TargetPrior


class GroupProcess:
    """The prior of a group of atoms or of structures, and how its columns lie among all weights.

    s (n_weights,): scales of eq. (23c).
    """

    def __init__(self, model: TrainingModel, group: Group, s: np.ndarray, left: NotFollowed):
        self._model, self._group, self._s = model, group, s
        self._prior = TargetPrior(model, self.scale, left)

    @cached_property
    def _sets(self) -> list[SparseSet]:
        """Those of the group, in the order of its weights."""
        found = {(own.term.index, own.a): own for own in sparse_sets(self._model)}
        return [found[own] for own in self._group.sets]

    @cached_property
    def columns(self) -> np.ndarray:
        """(n_weights,) places among the weights of all sparse sets."""
        found = [np.arange(own.columns.start, own.columns.stop) for own in self._sets]
        return np.concatenate([np.zeros(0, dtype=np.int64), *found])

    @cached_property
    def scale(self) -> np.ndarray:
        """(n_species, n_terms) s of the centres of a species in a term, 0 where they have none."""
        found, begin = np.zeros((len(self._model.species), len(self._model.terms))), 0
        for own in self._sets:
            end = begin + own.columns.stop - own.columns.start
            served = [a for a in self._group.species if own.term.serves(own.a, a)]
            found[served, own.term.index] = self._s[begin:end].max(initial=0.0)  # all the same
            begin = end
        return found

    def prior(self, structure: Structure, environments: Environments, rows: Rows) -> np.ndarray:
        """(n,) variances of the values that these rows are of beyond what the sparse points
        follow."""
        kernels = np.zeros((len(rows.K), self._model.n_weights))
        kernels[:, self.columns] = rows.K
        if self._group.target.per_atom:
            return self._prior.of_atoms(environments, kernels, rows.atoms)
        w = atom_weights(self._group.weights, environments.species, structure.arrays)  # eq. (23g)
        w = w if self._group.target.extensive else w / w.sum()
        return np.array([self._prior.of_sum(environments, row, w) for row in kernels])

    def posterior_of(self, a: int, R: np.ndarray) -> np.ndarray:
        """P (n, n) of the centres of a species for the columns of all weights that they have, with
        |P k|² the posterior variance; R (n_weights, n_weights): triangle of the regression."""
        every = columns_of_center(self._model, a)
        own = np.flatnonzero(np.isin(self.columns, every))
        return _spread_out(posterior(R, own) * self._s[own], self.columns[own], every)

    def posterior_of_structures(self, T: np.ndarray) -> np.ndarray:
        """The same for all columns of the terms of the group; T as of ``TargetVariances.T``."""
        every = columns_of_terms(self._model, self._group.terms)
        return _spread_out(T.T, self.columns, every)


def _spread_out(P: np.ndarray, columns: np.ndarray, every: np.ndarray) -> np.ndarray:
    """The matrix P of these columns as one of every column, with zeros for the others; both in
    ascending order."""
    found = np.zeros((len(every), len(every)))
    at = np.searchsorted(every, columns)
    found[np.ix_(at, at)] = P
    return found


class TargetVariances:
    """Those of all groups of a problem.

    triangles: of the groups, R (n_weights, n_weights) of their full fits. T: of each of these,
    (n_weights, n_weights), by which |row T|² is the posterior variance.
    """

    def __init__(
        self,
        problem: TargetProblem,
        priors: Sequence[Prior],
        triangles: Sequence[np.ndarray | None],
    ):
        model, jitter = problem.model, problem.settings.solver.jitter
        found = [own for own in triangles if own is not None]
        self._problem, self._triangles = problem, found
        self._added = dict[str, np.ndarray]()
        U = None
        if model.uncertainty is None or model.uncertainty.variance is None:
            U = prior_factor(model.kernel_matrix(), jitter)
            self._added = prior_arrays(model, U)
        left = NotFollowed(model, U)
        scales = [own.scale(priors[problem.number(own)]) for own in problem.groups]
        self._groups = [
            GroupProcess(model, own, s, left) for own, s in zip(problem.groups, scales, strict=True)
        ]
        self.T = [s[:, None] * inverse(R) for s, R in zip(scales, found, strict=True)]

    def deviations(
        self,
        g: int,
        structure: Structure,
        environments: Environments,
        rows: Rows,
        T: np.ndarray,
    ) -> dict[str, np.ndarray]:
        """(n,) standard deviations, by measure, of the values that these rows of a structure are
        of; T as above, of a fit that has not seen it or of the full one."""
        of_rows = norms(rows.K @ T)
        prior = self._groups[g].prior(structure, environments, rows)
        return {VARIANCE: np.sqrt(of_rows + prior), RIGIDITY: np.sqrt(of_rows)}

    def arrays(self, places: Sequence[int]) -> dict[str, np.ndarray]:
        """Arrays of the model file for targets with these places among those of the model."""
        arrays, problem = dict(self._added), self._problem
        for h, place in enumerate(places):
            name = f"variance.target{place}"
            own = problem.groups_of(h)
            arrays[f"{name}.scale"] = np.max([self._groups[g].scale for g in own], axis=0)
            for g in own:
                if not problem.targets[h].per_atom:
                    P = self._groups[g].posterior_of_structures(self.T[g])
                    arrays[f"{name}.posterior"] = P
                    continue
                for a in problem.groups[g].species:
                    P = self._groups[g].posterior_of(a, self._triangles[g])
                    arrays[f"{name}.posterior.{a}"] = P
        return arrays

    def edges(self, structures: Sequence[Structure], progress: Progress) -> np.ndarray:
        """(n_targets, n_species) largest deviations, not scaled, of the labelled atoms of these
        structures by targets of atoms. Those without neighbours do not count, as in ``edges`` of
        energies."""
        problem = self._problem
        shape = len(problem.targets), len(problem.model.species)

        def largest(structure: Structure) -> np.ndarray:
            found, environments = np.zeros(shape), problem.model.environments(structure)
            for g, rows in enumerate(problem.rows(structure)):
                h = problem.number(problem.groups[g])
                if not problem.targets[h].per_atom or not len(rows.y):
                    continue
                own = self.deviations(g, structure, environments, rows, self.T[g])[VARIANCE]
                np.maximum.at(found[h], rows.species, np.where(rows.K.any(axis=1), own, 0.0))
            return found

        every = ordered_map(largest, progress(structures, "variances of targets"))
        return np.max([np.zeros(shape), *every], axis=0)
