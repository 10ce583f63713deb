# SPDX-License-Identifier: BSD-3-Clause
"""Errors of a model of a loop, and whether it knew of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from potential.measures import FORCES
from potential.model import Evaluation, Model
from potential.model.evaluation import evaluate_structures
from potential.runtime.progress import Progress, silent
from potential.scores import metrics
from potential.structures.structure import Structure
from potential.uncertainty.calibration import LEAST_COUNT, Predicted, quality


def errors_of(
    model: Model, structures: Sequence[Structure], progress: Progress = silent
) -> dict[str, Any]:
    """``errors`` by config_type as ``metrics.plain``; with a committee also ``calibration`` of
    forces. Empty without structures."""
    if not structures:
        return {}
    measures = model.uncertainty.measures if model.uncertainty else ()
    committee = {FORCES}.intersection(measures)
    found = evaluate_structures(
        model, structures, progress, "errors", targets=False, uncertainty=committee
    )
    said: dict[str, Any] = {"errors": metrics.plain(metrics.errors(structures, found))}
    if committee:
        said["calibration"] = _calibration(structures, found)
    return said


def _calibration(
    structures: Sequence[Structure], found: Sequence[Evaluation]
) -> dict[str, float] | None:
    """Quality of the sigmas of force components, and root mean squares of errors and sigmas (eV/Å);
    None with too few of them."""
    parts = []
    for structure, own in zip(structures, found, strict=True):
        sigma: Any = own.uncertainty and own.uncertainty.forces_uncertainty
        if structure.forces is not None and sigma is not None:
            known = np.isfinite(structure.forces)
            error = (own.forces - structure.forces)[known]
            parts.append(Predicted.of_structure(error, sigma[known], structure.config_type))
    if not parts:
        return None
    joined = Predicted.joined(parts)
    if len(joined.error) < LEAST_COUNT:
        return None
    return asdict(quality(joined, 1.0)) | {
        "force_rmse": float(np.sqrt((joined.error**2).mean())),
        "force_sigma": float(np.sqrt((joined.sigma**2).mean())),
    }
