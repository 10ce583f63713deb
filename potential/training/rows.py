# SPDX-License-Identifier: BSD-3-Clause
"""Rows of one structure: of the design matrix with the targets, over their expected errors."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from potential.model.evaluation import naming
from potential.settings import FitSettings
from potential.structures.structure import Structure, composition
from potential.terms import TrainingModel
from potential.training.baseline import baseline_labels
from potential.training.noise import row_sigmas


def weighted_rows(
    model: TrainingModel, structure: Structure, settings: FitSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Rows (n_labels, n_weights) and targets (n_labels,) of one structure, both over sigma."""
    sigma = row_sigmas(settings.noise, structure)
    used = np.isfinite(sigma)
    with naming(structure):
        environments = model.environments(structure)
        rows = model.rows(environments, gradients=bool(used[1:].any()))
    baseline = baseline_labels(model, structure, environments)[: len(rows)]
    sigma, used = sigma[: len(rows)], used[: len(rows)]
    sigma, target = sigma[used], (structure.labels[: len(rows)] - baseline)[used]
    rows = rows[used]
    rows /= sigma[:, None]
    return rows, target / sigma


class KeptRows:
    """Rows of some structures, kept while they are few enough: they need not be made again."""

    def __init__(self, structures: Iterable[Structure], most_bytes: float):
        self._wanted = {id(structure) for structure in structures}
        self._found: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._left = most_bytes
        self._columns: slice | np.ndarray = slice(None)

    def offer(self, structure: Structure, rows: np.ndarray, targets: np.ndarray) -> None:
        """Keep ``weighted_rows`` if they are wanted and there is room."""
        if id(structure) in self._wanted and rows.nbytes <= self._left:
            self._left -= rows.nbytes
            self._found[id(structure)] = rows, targets

    def take(self, structure: Structure) -> tuple[np.ndarray, np.ndarray] | None:
        """What was kept, once, with the columns that are wanted."""
        found = self._found.pop(id(structure), None)
        return found and (found[0][:, self._columns], found[1])

    def want(self, columns: np.ndarray) -> None:
        """Of the rows only these columns from now on."""
        self._columns = columns


def extended_rows(model: TrainingModel, structure: Structure, settings: FitSettings) -> np.ndarray:
    """[A C y] / sigma (n_labels, n_weights + n_species + 1) of one structure.

    C is the composition, for the energy alone: y - C Δe0 are the targets for another e0.
    """
    rows, targets = weighted_rows(model, structure, settings)
    M = model.n_weights
    extended = np.zeros((len(rows), M + len(model.species) + 1))
    extended[:, :M], extended[:, -1] = rows, targets
    sigma = row_sigmas(settings.noise, structure)[0]
    if np.isfinite(sigma):
        extended[0, M:-1] = composition(structure, model.species) / sigma
    return extended


def row_cost(structure: Structure, cutoff: float) -> float:
    """Relative time of a structure's rows: atoms times their neighbours, where forces matter."""
    n = len(structure)
    if structure.forces is None and structure.virial is None:
        return float(n)
    neighbours = n - 1.0
    if structure.pbc.all():
        neighbours = 4.2 * cutoff**3 * n / abs(np.linalg.det(structure.cell))
    return n * (2.0 + neighbours)
