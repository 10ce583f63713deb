# SPDX-License-Identifier: BSD-3-Clause
"""Derivatives of vectors and tensors of structures (docs/theory.md eq. 26f)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from potential import _core
from potential.errors import SoapGprError
from potential.model.environments import Environments
from potential.model.targets import Target
from potential.schema import nearest


@dataclass(frozen=True)
class TargetGradients:
    """Derivatives of a vector or tensor T of a structure.

    positions (N, 3, *shape): ∂T/∂(x, y, z) of every atom, in the unit of T over Å, whose sum over
    atoms is zero; strain (3, 3, *shape): ∂T/∂ε_xy where all positions and cell vectors r become
    (1 + ε) r.
    """

    positions: np.ndarray
    strain: np.ndarray


def target_gradients(
    evaluator: _core.Evaluator,
    targets: Sequence[Target],
    name: str,
    environments: Environments,
) -> TargetGradients:
    """Those of the target of this name. Raises SoapGprError when it is no vector or tensor of
    structures."""
    able = [own.name for own in targets if own.rank and not own.per_atom]
    if name not in able:
        known = f"; those that have: {', '.join(able)}" if able else ""
        raise SoapGprError(
            f"the model has no vector or tensor of structures {name!r} to differentiate"
            f"{nearest(name, able) or known}"
        )
    h = next(k for k, own in enumerate(targets) if own.name == name)
    target = targets[h]
    w = target.atom_weights(environments.species, environments.columns)
    if not target.extensive:
        w = w / w.sum() if w.any() else np.full(len(w), np.nan)
    positions, strain = _core.tensor_gradients(evaluator, environments, h, w)
    return TargetGradients(
        np.moveaxis(positions, 0, -1).reshape(*positions.shape[1:], *target.shape),
        np.moveaxis(strain, 0, -1).reshape(3, 3, *target.shape),
    )
