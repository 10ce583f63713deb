# SPDX-License-Identifier: BSD-3-Clause
"""Variances and rigidities of targets by the projected process of their own regressions
(docs/theory.md eq. 25p)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from potential.errors import SoapGprError
from potential.model import Environments, Model
from potential.model.targets import atom_weights
from potential.terms import TrainingModel
from potential.uncertainty.prior import prior_atoms, prior_energy
from potential.uncertainty.projected_process import (
    NotFollowed,
    columns_of_terms,
    norms,
    require_all_features,
    rigidity,
    sparse_sets,
)


class TargetPrior:
    """Variance of the values of a target beyond what the sparse points follow.

    scale (n_species, n_terms): s of eq. (25p) of the centres of a species in a term, 0 where they
    have none.
    """

    def __init__(self, model: TrainingModel, scale: np.ndarray, left: NotFollowed):
        self._model, self._scale, self._left = model, scale, left
        self._s = np.zeros(model.n_weights)
        for own in sparse_sets(model):
            served = [own.term.serves(own.a, a) for a in range(len(model.species))]
            self._s[own.columns] = scale[served, own.term.index].max(initial=0.0)

    def of_atoms(self, environments: Environments, rows: np.ndarray, at: np.ndarray) -> np.ndarray:
        """(n,) of these atoms (n,), whose kernels with all sparse points are the rows (n, M)."""
        scale = self._scale[environments.species[at]]
        return self._left.of(
            rows * self._s,
            lambda t: prior_atoms(self._model, t, environments)[at] * scale[:, t] ** 2,
        )

    def of_sum(self, environments: Environments, row: np.ndarray, weights: np.ndarray) -> float:
        """Of a sum over atoms with these weights (N,), with the row (M,)."""
        scale = self._scale[environments.species]
        found = self._left.of(
            (row * self._s)[None],
            lambda t: prior_energy(self._model, t, environments, weights * scale[:, t]),
        )
        return float(found[0])


@dataclass(frozen=True)
class TargetOfStructure:
    """What a model says of the error of one value."""

    uncertainty: float  # standard deviation, scaled, in units of the target
    variance: float  # not scaled
    rigidity: float  # 1/units²


class TargetProcess:
    """Variances of targets of structures, which a model does not evaluate in a run, of a model
    with ``[uncertainty] variance = true``.

    Raises SoapGprError for a model without them, and for a compressed one.
    """

    def __init__(self, model: Model):
        measured = model.uncertainty.target_variances if model.uncertainty else {}
        places = {h: own for h, own in enumerate(model.targets) if own.name in measured}
        self._targets = {h: own for h, own in places.items() if not own.per_atom}
        if not self._targets:
            raise SoapGprError(
                "found no variance of targets of structures in the model, expected some: fit with "
                "[uncertainty] variance = true"
            )
        require_all_features(model)
        self._measured = measured
        self._model = TrainingModel(model.to_bytes())
        left = NotFollowed(self._model)
        self._priors = {
            h: TargetPrior(self._model, model.arrays[f"variance.target{h}.scale"], left)
            for h in self._targets
        }

    def evaluate(self, structure: Any) -> dict[str, TargetOfStructure]:
        """By the names of the targets; structure: numbers, positions, cell and pbc as attributes,
        and ``arrays`` with the weights of atoms where a target has them, such as ``ase.Atoms``."""
        environments = self._model.environments(structure)
        of_atoms, found = self._model.atom_rows(environments), dict[str, TargetOfStructure]()
        for h, target in self._targets.items():
            w = atom_weights(target.weights, environments.species, environments.columns)
            w = w if target.extensive else w / w.sum()
            row = w @ of_atoms
            P = self._model.arrays[f"variance.target{h}.posterior"]
            of_row = norms((P @ row[self._columns(h)])[None])
            variance = float(of_row[0]) + self._priors[h].of_sum(environments, row, w)
            scale = self._measured[target.name].scale
            assert isinstance(scale, float)
            found[target.name] = TargetOfStructure(
                scale * variance**0.5, variance, float(rigidity(of_row)[0])
            )
        return found

    def _columns(self, h: int) -> np.ndarray:
        """Places among all weights of those of the terms that a target uses."""
        used = [
            own.index
            for own in self._model.own_terms
            if f"target{h}.term{own.index}.weights.0" in self._model.arrays
        ]
        return columns_of_terms(self._model, used)
