# SPDX-License-Identifier: BSD-3-Clause
"""The regressions of a target: atoms whose sparse sets are apart, such as those of two species, do
not meet in any row, and each such group has a triangle of its own (docs/theory.md eq. 23c to 23f).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from potential.errors import SoapGprError
from potential.model.targets import Weights, atom_weights
from potential.settings import TargetSettings
from potential.structures.label_table import n_rows
from potential.structures.structure import Structure, symbol
from potential.terms import TrainingModel
from potential.terms.term import SparseTerm
from potential.training.target_priors import Prior, asked_species, weights_of

MOST_FOR_SPREAD = 500  # sparse points, evenly spread


@dataclass(frozen=True)
class Rows:
    """Rows of a group as the labels are: without scales, means and expected errors."""

    K: np.ndarray  # (n, n_weights) kernels, eq. (23d)
    C: np.ndarray  # (n, n_species) what the mean of each species adds to the labels
    y: np.ndarray  # (n,) labels
    species: np.ndarray  # (n,) whose noise they have, places in the list of the model
    # (n,) places of the atoms of targets of atoms
    atoms: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=int))


@dataclass(frozen=True)
class Group:
    """The regression of some atoms, or of structures, on some sparse sets."""

    target: TargetSettings
    species: tuple[int, ...]  # of the atoms, places in the list of the model
    n_species: int  # of the model
    weights: Weights  # of atoms in a sum or mean
    sets: tuple[tuple[int, int], ...]  # term and sparse set
    columns: tuple[slice, ...]  # of each set in the kernels of all terms that targets use
    owners: np.ndarray  # (n_weights,) species whose scale a weight has, -1: of all together
    terms: tuple[int, ...]
    spreads: np.ndarray  # (n_terms, n_weights) what each of them adds to v of eq. (23c)

    @property
    def n_weights(self) -> int:
        return len(self.owners)

    @property
    def n_levels(self) -> int:
        """How many levels of noise its rows may have."""
        return len(self.species) if self.target.per_atom else 1

    @property
    def name(self) -> str:
        return self.target.name

    def most_rows(self, n_atoms: int) -> int:
        """Rows as long as the weights that a structure of so many atoms takes the room of."""
        return n_rows(n_atoms)

    def scale(self, prior: Prior) -> np.ndarray:
        """s (n_weights,) of eq. (23c)."""
        common = np.sqrt(np.mean(prior.scale[list(self.species)] ** 2))
        of_weights = np.where(self.owners < 0, common, prior.scale[self.owners])
        v = self.spreads.sum(axis=0)
        return np.divide(of_weights, np.sqrt(v), np.zeros(self.n_weights), where=v > 0)

    def rescaled(self, ratios: Mapping[int, float]) -> Group:
        """The group for kernels of terms that are larger by these ratios."""
        by_term = np.array([ratios[t] for t in self.terms])
        return replace(self, spreads=self.spreads * by_term[:, None])

    def by_weight(self, ratios: Mapping[int, float]) -> np.ndarray:
        """(n_weights,) a value of each term for each of its weights."""
        sizes = [own.stop - own.start for own in self.columns]
        return np.repeat([ratios[t] for t, _ in self.sets], sizes)

    def rows(self, structure: Structure, species: np.ndarray, kernels: np.ndarray) -> Rows:
        """The rows of a structure; species (N,): of its atoms; kernels: (N, n_kernels), of all
        terms that targets use."""
        y = np.atleast_1d(structure.targets.get(self.name, np.nan))
        if not np.isfinite(y).any():
            y, species, kernels = y[:0], species[:0], kernels[:0]
        K = np.concatenate([kernels[:, :0], *(kernels[:, own] for own in self.columns)], axis=1)
        C = np.eye(self.n_species)[species]
        if self.target.per_atom:
            used = np.isfinite(y) & np.isin(species, self.species)
            return Rows(K[used], C[used], y[used], species[used], np.flatnonzero(used))
        if len(y):
            w = atom_weights(self.weights, species, structure.arrays)  # eq. (23g)
            total = 1.0 if self.target.extensive else w.sum()
            K, C = (np.tensordot(w, own, axes=1)[None] / total for own in (K, C))
        return Rows(K, C, y, np.array(self.species[:1] * len(y), dtype=int))

    def weighted(self, rows: Rows, prior: Prior) -> tuple[np.ndarray, np.ndarray]:
        """Rows (n, n_weights) and residual labels (n,) of eq. (23f), over their expected errors."""
        sigma = prior.sigma[rows.species]
        y = (rows.y - rows.C @ prior.mean) / sigma
        return rows.K * (self.scale(prior) / sigma[:, None]), y

    def kernel_matrix(self, model: TrainingModel) -> np.ndarray:
        """K_MM (n_weights, n_weights) of the sets, eV²."""
        K, begin = np.zeros((self.n_weights, self.n_weights)), 0
        for t, a in self.sets:
            points = model.sparse_points(t)[a]
            own = slice(begin, begin + len(points))
            _write_kernel(model, t, a, points, K[own, own])
            begin = own.stop
        return K


def kernel_columns(model: TrainingModel, terms: Sequence[int]) -> dict[tuple[int, int], slice]:
    """Places of the sparse sets, by (term, set), among the kernels of these terms."""
    columns, begin = dict[tuple[int, int], slice](), 0
    for t in terms:
        for a, points in model.sparse_points(t).items():
            columns[t, a] = slice(begin, begin + len(points))
            begin += len(points)
    return columns


def groups_of(
    model: TrainingModel,
    target: TargetSettings,
    terms: Sequence[int],
    columns: Mapping[tuple[int, int], slice],
) -> list[Group]:
    """The regressions of a target with these terms."""
    asked = asked_species(target, model.species)
    shared = {t for t in terms if "centers" in model.terms[t]}
    apart = target.per_atom and not shared
    every = [(t, a) for t in terms for a in model.sparse_points(t)]
    spreads = {(t, a): kernel_spread(model, t, a) for t, a in every}
    found = []
    for species in [(a,) for a in asked] if apart else [tuple(asked)]:
        sets = [
            (t, a) for t in terms for a in model.sparse_points(t) if t in shared or a in species
        ]
        # of one species in all terms: a shared set is that of each
        spread = [[spreads[u, 0 if u in shared else a] for _, a in sets] for u in terms]
        sizes = [columns[own].stop - columns[own].start for own in sets]
        owners = [-1 if t in shared else a for t, a in sets]
        found.append(
            Group(
                target,
                species,
                len(model.species),
                weights_of(target, model.species),
                tuple(sets),
                tuple(columns[own] for own in sets),
                np.repeat(np.array(owners, dtype=int), sizes),
                tuple(terms),
                np.repeat(np.array(spread, dtype=float), sizes, axis=1),
            )
        )
    return found


def require_one_scale(model: TrainingModel, target: TargetSettings, terms: Sequence[int]) -> None:
    """Raise SoapGprError for scales by species where species share sparse sets."""
    given = target.scale if isinstance(target.scale, Mapping) else {}
    own = {given.get(symbol(model.species[a])) for a in asked_species(target, model.species)}
    if len(own) > 1 and any("centers" in model.terms[t] for t in terms):
        raise SoapGprError(
            f"target {target.name}: found a scale for each species, expected one number, as "
            "centers of different species share sparse points"
        )


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
