# SPDX-License-Identifier: BSD-3-Clause
"""Errors of a model of a loop, and whether it knew of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from potential.model import Evaluation, Model
from potential.model.evaluation import naming
from potential.runtime.parallel import ordered_map
from potential.runtime.progress import Progress, silent
from potential.scores import metrics
from potential.structures.structure import Structure


def errors_of(
    model: Model, structures: Sequence[Structure], progress: Progress = silent
) -> dict[str, Any]:
    """``errors`` by config_type as ``metrics.plain``; with a committee also ``calibration`` of
    forces. Empty without structures."""
    if not structures:
        return {}
    measures = model.uncertainty.measures if model.uncertainty else ()
    committee = [name for name in measures if name in ("energies", "forces")]

    def evaluate(structure: Structure) -> Evaluation:
        with naming(structure):
            return model.evaluate(structure, targets=False, uncertainty=committee)

    found = list(ordered_map(evaluate, progress(structures, "errors")))
    said: dict[str, Any] = {"errors": metrics.plain(metrics.errors(structures, found))}
    if committee:
        said["calibration"] = _calibration(structures, found)
    return said


def _calibration(
    structures: Sequence[Structure], found: Sequence[Evaluation]
) -> dict[str, float] | None:
    """Of force components: the fractions whose error is less than one and two sigma, and the root
    mean squares of errors and sigmas (eV/Å)."""
    errors, sigmas = [np.zeros(0)], [np.zeros(0)]
    for structure, own in zip(structures, found, strict=True):
        sigma: Any = own.uncertainty and own.uncertainty.forces_uncertainty
        if structure.forces is None or sigma is None:
            continue
        known = np.isfinite(structure.forces)
        errors.append((own.forces - structure.forces)[known])
        sigmas.append(sigma[known])
    error, sigma = np.abs(np.concatenate(errors)), np.concatenate(sigmas)
    if not len(error):
        return None
    return {
        "within_1_sigma": float((error <= sigma).mean()),
        "within_2_sigma": float((error <= 2 * sigma).mean()),
        "force_rmse": float(np.sqrt((error**2).mean())),
        "force_sigma": float(np.sqrt((sigma**2).mean())),
    }
