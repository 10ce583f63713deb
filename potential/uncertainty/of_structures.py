# SPDX-License-Identifier: BSD-3-Clause
"""How uncertain a model is of a structure: one number that ranks it, and what can be written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from potential.errors import SoapGprError
from potential.measures import ENERGIES, FORCES
from potential.measures import VARIANCE as VARIANCES
from potential.model import Environments, Model
from potential.model.evaluation import naming
from potential.runtime.parallel import ordered_map
from potential.runtime.progress import Progress, silent
from potential.structures.structure import Structure
from potential.uncertainty.calibration import COMMITTEE, RIGIDITY, VARIANCE

MEASURES = (COMMITTEE, VARIANCE, RIGIDITY)
# What ranks structures: name, unit.
RANKED = {
    COMMITTEE: ("largest force sigma", "eV/Å"),
    VARIANCE: ("largest atomic energy sigma", "eV"),
    RIGIDITY: ("largest atomic error by rigidity", "eV"),
}


@dataclass(frozen=True)
class Measured:
    """What a model says of its error on one structure; calibrated, eV and Å.

    score: what ranks it, see ``structure_uncertainty``; info and arrays: columns of the frame and
    of its atoms, under ASE's names.
    """

    score: float
    info: dict[str, float] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


def measure_of(model: Model, name: str, asked: str | None = None) -> str:
    """The measure that is asked for, or what the model has, a committee first.

    name: what messages call the model. Raises SoapGprError for one that it has not.
    """
    has = measures_in(model)
    if asked is None and has:
        return has[0]
    if asked not in has:
        found = f"{' and '.join(has)} alone" if has else "no measure of uncertainty"
        wanted = repr(asked) if asked else "one"
        raise SoapGprError(
            f"{name}: found {found} in the model, expected {wanted}: fit with [uncertainty]"
        )
    return asked


def measures_in(model: Model) -> list[str]:
    """Those of ``MEASURES`` that the model has."""
    own = model.uncertainty
    if own is None:
        return []
    return [name for name in MEASURES if getattr(own, name) is not None]


def structure_uncertainty(model: Model, structure: Structure, by: str) -> Measured:
    """The measure of one structure.

    Its score is, by committee, the largest over the atoms of the length of the vector of force
    sigmas (eV/Å); by variance the largest sigma of an atom's energy (eV); by rigidity the largest
    error estimate of an atom's energy, scale/√LPR (eV). Raises SoapGprError as ``Model.evaluate``.
    """
    wanted = (ENERGIES, FORCES) if by == COMMITTEE else (VARIANCES,)
    with naming(structure):
        environments = model.environments(structure)
        found = _found(model, environments, wanted)
    if by == COMMITTEE:
        info = {"energy_uncertainty": found.energy_uncertainty}
        names = ("energies_uncertainty", "forces_uncertainty")
        score = np.linalg.norm(found.forces_uncertainty, axis=1).max()
        return Measured(float(score), info, {name: getattr(found, name) for name in names})
    arrays = {name: getattr(found, name) for name in ("rigidities", "grades")}
    arrays["energies_uncertainty"] = found.deviations
    if by == RIGIDITY:
        scales: Any = model.uncertainty
        arrays["energies_uncertainty"] = scales.rigidity.energy / np.sqrt(found.rigidities)
        arrays |= _rigidities_of_terms(model, environments)
    return Measured(float(arrays["energies_uncertainty"].max()), {}, arrays)


def _found(
    model: Model, environments: Environments, wanted: Sequence[str], term: int | None = None
) -> Any:
    """Measures without the forces of the model itself."""
    return model.evaluate_environments(
        environments, forces=False, targets=False, uncertainty=wanted, term=term
    ).uncertainty


def _rigidities_of_terms(model: Model, environments: Environments) -> dict[str, np.ndarray]:
    """LPR (N,) of what each term says, the others taken for known; empty for one term alone."""
    fitted = [t for t in range(len(model.terms)) if model.sparse_points(t)]
    if len(fitted) < 2:
        return {}
    return {
        f"rigidities_{t + 1}": _found(model, environments, (VARIANCES,), t).rigidities
        for t in fitted
    }


def structure_uncertainties(
    model: Model, structures: Sequence[Structure], by: str, progress: Progress = silent
) -> list[Measured]:
    """``structure_uncertainty`` of each."""

    def measured(structure: Structure) -> Measured:
        return structure_uncertainty(model, structure, by)

    return list(ordered_map(measured, progress(structures, "uncertainties")))
