# SPDX-License-Identifier: BSD-3-Clause
"""The regressions of a target: atoms whose sparse sets are apart, such as those of two species, do
not meet in any row, and each such group has a triangle of its own (docs/theory.md eq. 23c to 23f).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from potential.errors import SoapGprError
from potential.settings import TargetSettings
from potential.structures.structure import Structure
from potential.terms import TrainingModel
from potential.terms.term import SparseTerm
from potential.training.target_priors import Prior, asked_species

MOST_FOR_SPREAD = 500  # sparse points, evenly spread


@dataclass(frozen=True)
class Group:
    """The regression of some atoms, or of structures, on some sparse sets."""

    target: TargetSettings
    prior: Prior
    species: tuple[int, ...]  # of the atoms, places in the list of the model
    sets: tuple[tuple[int, int], ...]  # term and sparse set
    columns: Mapping[tuple[int, int], slice]  # of each set among the weights of its term
    scale: np.ndarray  # (n_weights,) s of eq. (23c) for each weight

    @property
    def n_weights(self) -> int:
        return len(self.scale)

    @property
    def name(self) -> str:
        return self.target.name

    def rows(
        self, structure: Structure, species: np.ndarray, kernels: Mapping[int, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows (n, n_weights) and residual labels (n,) of a structure, over their expected errors.

        species (N,): of its atoms; kernels: (N, n_weights of the term) by term, eq. (23d).
        """
        labels = structure.targets.get(self.name, np.array(np.nan))
        if not self.n_weights or not np.isfinite(labels).any():
            return np.zeros((0, self.n_weights)), np.zeros(0)
        y = np.atleast_1d(self.prior.residual(self.target, structure, species))
        K = np.concatenate([kernels[t][:, self.columns[t, a]] for t, a in self.sets], axis=1)
        if self.target.per_atom:
            used = np.isfinite(y) & np.isin(species, self.species)
            K, y, sigma = K[used], y[used], self.prior.sigma[species[used]]
        else:
            K = self.prior.total(self.target, structure, species, K)[None]
            sigma = self.prior.sigma[list(self.species[:1])]
        return K * (self.scale / sigma[:, None]), y / sigma

    def kernel_matrix(self, model: TrainingModel) -> np.ndarray:
        """K_MM (n_weights, n_weights) of the sets, eV²."""
        K, begin = np.zeros((self.n_weights, self.n_weights)), 0
        for t, a in self.sets:
            points = model.sparse_points(t)[a]
            own = slice(begin, begin + len(points))
            _write_kernel(model, t, a, points, K[own, own])
            begin = own.stop
        return K


def groups_of(
    model: TrainingModel, target: TargetSettings, prior: Prior, terms: Sequence[int]
) -> list[Group]:
    """The regressions of a target with these terms. Raises SoapGprError for scales by species where
    species share sparse sets."""
    asked = asked_species(target, model.species)
    shared = {t for t in terms if "centers" in model.terms[t]}
    if shared and np.ptp(prior.scale[asked]) > 0 and isinstance(target.scale, Mapping):
        raise SoapGprError(
            f"target {target.name}: found a scale for each species, expected one number, as "
            "centers of different species share sparse points"
        )
    apart = target.per_atom and not shared
    common = float(np.sqrt(np.mean(prior.scale[asked] ** 2)))
    spreads = {(t, a): kernel_spread(model, t, a) for t in terms for a in model.sparse_points(t)}
    found = []
    for species in [(a,) for a in asked] if apart else [tuple(asked)]:
        columns, sets, scales = dict[tuple[int, int], slice](), [], [np.zeros(0)]
        for t in terms:
            begin = 0
            for a, points in model.sparse_points(t).items():
                columns[t, a] = slice(begin, begin + len(points))
                begin += len(points)
                if t in shared or a in species:
                    sets.append((t, a))
                    # of one species in all terms: a shared set is that of each
                    own = sum(spreads[u, 0 if u in shared else a] for u in terms)
                    scale = common if t in shared else prior.scale[a]
                    scales.append(np.full(len(points), scale / np.sqrt(own) if own else 0.0))
        found.append(Group(target, prior, species, tuple(sets), columns, np.concatenate(scales)))
    return found


def kernel_spread(model: TrainingModel, t: int, a: int) -> float:
    """v of eq. (23c), eV²: the variance about their mean that functions of the kernel have over the
    sparse points of a set; of one point alone, its kernel."""
    points = model.sparse_points(t)[a]
    if "centers" not in model.terms[t]:  # else the kernel is that of the whole set
        points = points[:: max(1, len(points) // MOST_FOR_SPREAD)]
    if not len(points):
        return 0.0
    K = np.zeros((len(points), len(points)))
    _write_kernel(model, t, a, points, K)
    own = float(np.mean(np.diag(K)))
    return own if len(points) == 1 else max(own - float(K.mean()), 1e-12 * own)


def _write_kernel(
    model: TrainingModel, t: int, a: int, points: np.ndarray, out: np.ndarray
) -> None:
    term = model.own_terms[t]
    assert isinstance(term, SparseTerm)
    term.kernel(a, points, out)
