# SPDX-License-Identifier: BSD-3-Clause
"""What an evaluation of a model returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from potential.model.uncertainty import MeasuredUncertainty


class CoreResult(NamedTuple):
    """What the core's evaluator returns, None where it was not asked for."""

    energies: np.ndarray  # (N,)
    forces: np.ndarray | None  # (N, 3)
    virials: np.ndarray | None  # (N, 3, 3)
    targets: np.ndarray  # (n_targets, N), nan of vectors and tensors
    members: np.ndarray | None  # (C, N)
    variances: np.ndarray | None  # (N,)
    rigidities: np.ndarray | None  # (N,)
    target_members: np.ndarray | None  # (n_targets, C, N)
    target_variances: np.ndarray | None  # (n_targets, N)
    target_rigidities: np.ndarray | None  # (n_targets, N)
    tensors: np.ndarray  # (n_rows, N) components of vectors and tensors, one after the other

    def without_potential(self) -> CoreResult:
        """The same with nan for energies, forces and virials."""
        forces, virials = (
            own if own is None else np.full_like(own, np.nan) for own in (self.forces, self.virials)
        )
        energies = np.full_like(self.energies, np.nan)
        return self._replace(energies=energies, forces=forces, virials=virials)


@dataclass(frozen=True)
class Evaluation:
    """What a model says of one structure; eV and Å. Without forces these are None; of a model
    without a potential, energies and forces are nan.

    properties: those beside the energy by the names of the targets, in their units; (N,) of atoms,
    nan for those that have none, or one number of the structure; of vectors and tensors with 3, 3 ×
    3 or 3 × 3 × 3 numbers in the place of one. uncertainty: what was asked for of
    it.
    """

    energies: np.ndarray  # (N,) per atom, e0 included
    forces: np.ndarray | None  # (N, 3)
    virials: np.ndarray | None  # (N, 3, 3) centroid: Σ_i f_ij ⊗ r_ij kept on the neighbour j
    properties: dict[str, Any] = field(default_factory=dict)
    uncertainty: MeasuredUncertainty | None = None

    @property
    def energy(self) -> float:
        return float(self.energies.sum())

    @property
    def virial(self) -> np.ndarray:
        """−dE/dε (3, 3), symmetric."""
        if self.virials is None:
            raise ValueError("the virial was not asked for: evaluate with forces=True")
        total = self.virials.sum(axis=0)
        return 0.5 * (total + total.T)
