# SPDX-License-Identifier: BSD-3-Clause
"""Actual errors of fits on labelled structures, and what each measure predicts for them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from potential.runtime.parallel import ordered_map
from potential.runtime.ranks import Ranks
from potential.settings import FitSettings
from potential.structures.label_table import n_rows
from potential.structures.structure import Structure
from potential.terms import TrainingModel
from potential.training.noise import row_sigmas
from potential.training.rows import KeptRows, weighted_rows
from potential.uncertainty.calibration import (
    COMMITTEE,
    ENERGY,
    FORCE,
    RIGIDITY,
    VARIANCE,
    Predicted,
    spread,
)
from potential.uncertainty.projected_process import NotFollowed, norms

# Prior variances of forces need gradients of all features: of so many training structures, of half
# as many test structures, and of the forces on so many atoms of each.
MOST_GRADIENTS, MOST_ATOMS = 40, 4
MOST_TESTED = 50  # test structures on which measures are compared with errors
MOST_KEPT = 256 * 2**20  # bytes of rows that the regression keeps for it on each rank

Found = dict[tuple[str, str], Predicted]  # by measure and kind


@dataclass(frozen=True)
class Fit:
    """A fit that has not seen the structures: weights (M,), members (n, M) that have not seen them
    either, and T (M, M) by which |a T|² is its posterior variance; None without that measure."""

    weights: np.ndarray
    members: np.ndarray | None
    T: np.ndarray | None


def joined(ranks: Ranks, found: list[Found]) -> Found:
    """Of all structures of all ranks."""
    everything = [own for part in ranks.all_gather(found) for own in part]
    keys = sorted({key for own in everything for key in own})
    return {key: Predicted.joined([own[key] for own in everything if key in own]) for key in keys}


class Residuals:
    """Errors on structures with finite expected errors of some labels.

    left: what sparse points do not follow, None without variances; gradients: structures of which
    variances of forces are wanted; kept: rows that were made before.
    """

    def __init__(
        self,
        model: TrainingModel,
        settings: FitSettings,
        left: NotFollowed | None,
        gradients: Collection[Structure],
        kept: KeptRows | None = None,
    ):
        self._model, self._settings, self._left = model, settings, left
        self._gradients = {id(structure) for structure in gradients}
        self._kept = kept

    def of(self, structures: Sequence[Structure], fit: Fit) -> list[Found]:
        """Those of each structure."""
        return list(ordered_map(lambda structure: self._found(structure, fit), structures))

    def _found(self, structure: Structure, fit: Fit) -> Found:
        made = self._kept.take(structure) if self._kept else None
        rows, targets = made or weighted_rows(self._model, structure, self._settings)
        sigma = row_sigmas(self._settings.noise, structure)
        used = np.flatnonzero(np.isfinite(sigma))
        rows *= sigma[used, None]
        error = targets * sigma[used] - rows @ fit.weights
        found: Found = {}
        kinds = {ENERGY: used == 0, FORCE: (used > 0) & (used < n_rows(len(structure)) - 6)}

        def predicted(own: np.ndarray, sigma: np.ndarray, n: int | None = None) -> Predicted:
            return Predicted.of_structure(error[own], sigma, structure.config_type, n)

        for kind, is_kind in kinds.items():
            own = np.flatnonzero(is_kind)
            if fit.members is not None and len(own):
                sigma = spread(rows[own] @ fit.members.T)
                found[COMMITTEE, kind] = predicted(own, sigma, len(fit.members))
            if fit.T is None or self._left is None or not len(own):
                continue
            own, left = self._beyond(structure, kind, rows, used, own)
            if len(own):
                posterior = norms(rows[own] @ fit.T)
                found[VARIANCE, kind] = predicted(own, np.sqrt(left + posterior))
                found[RIGIDITY, kind] = predicted(own, np.sqrt(posterior))
        return found

    def _beyond(
        self,
        structure: Structure,
        kind: str,
        rows: np.ndarray,
        used: np.ndarray,
        own: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Which of these rows variances are found of, and their prior part."""
        assert self._left is not None
        if kind == FORCE:
            if id(structure) not in self._gradients:
                return own[:0], np.zeros(0)
            atoms, counts = np.unique((used[own] - 1) // 3, return_counts=True)
            atoms = atoms[counts == 3]  # not those of which some components are no labels
            atoms = atoms[:: -(-len(atoms) // MOST_ATOMS)] if len(atoms) else atoms
            own = own[np.isin((used[own] - 1) // 3, atoms)]
            if not len(own):
                return own, np.zeros(0)
            environments = self._model.environments(structure)
            return own, self._left.forces(environments, rows[own], atoms)
        energy = self._left.energy(self._model.environments(structure), rows[own[0]])
        return own, np.array([energy])
