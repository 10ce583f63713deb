# SPDX-License-Identifier: BSD-3-Clause
"""What a model says of points: errors, uncertainties, rigidities, local energies."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from potential.errors import SoapGprError
from potential.maps.catalogue import Catalogue
from potential.maps.properties import Property
from potential.model import Model
from potential.model.evaluation import evaluate_structures
from potential.runtime.progress import Progress, silent
from potential.uncertainty.of_structures import (
    COMMITTEE,
    RANKED,
    RIGIDITY,
    measure_of,
    structure_uncertainties,
)

ERROR, UNCERTAINTY, LOCAL_ENERGY = "error", "uncertainty", "local_energy"


def errors_of(points: Catalogue, model: Model, progress: Progress = silent) -> Property:
    """How far the model is from the labels: of the energy of structures in meV/atom, of the forces
    of atoms in eV/Å, without their signs.

    Raises SoapGprError without such labels, and for a model that has no potential.
    """
    _require_potential(model, ERROR)
    what = "forces" if points.per_atom else "energy"
    if all(getattr(s, what) is None for s in points.structures):
        raise SoapGprError(f"{ERROR}: found no labels of the {what}, expected some")
    predicted = evaluate_structures(model, points.structures, progress, targets=False)
    pairs = zip(points.structures, predicted, strict=True)
    if not points.per_atom:
        each = [np.nan if s.energy is None else abs(p.energy - s.energy) / len(s) for s, p in pairs]
        return Property(ERROR, 1e3 * np.array(each, dtype=float), "meV/atom")
    lengths = [
        np.full(len(s), np.nan) if s.forces is None else np.linalg.norm(p.forces - s.forces, axis=1)
        for s, p in pairs
    ]
    return Property(ERROR, _of_atoms(points, lengths), "eV/Å")


def uncertainties_of(points: Catalogue, model: Model, progress: Progress = silent) -> Property:
    """By a committee where there is one, else by the variance: of atoms the length of the vector of
    force sigmas, eV/Å, or the sigma of the energy, eV; of structures the largest of their atoms.

    Raises SoapGprError for a model without measures of uncertainty.
    """
    by = measure_of(model, UNCERTAINTY)
    found = structure_uncertainties(model, points.structures, by, progress)
    unit = RANKED[by][1]
    if not points.per_atom:
        return Property(UNCERTAINTY, np.array([own.score for own in found]), unit)
    if by == COMMITTEE:
        each = [np.linalg.norm(own.arrays["forces_uncertainty"], axis=1) for own in found]
    else:
        each = [own.arrays["energies_uncertainty"] for own in found]
    return Property(UNCERTAINTY, _of_atoms(points, each), unit)


def rigidities_of(points: Catalogue, model: Model, progress: Progress = silent) -> Property:
    """Decadic logarithm of the local prediction rigidity of atoms in 1/eV²; of structures that of
    their least rigid atom. Raises SoapGprError for a model without."""
    measure_of(model, RIGIDITY, RIGIDITY)
    found = structure_uncertainties(model, points.structures, RIGIDITY, progress)
    each = [np.log10(own.arrays["rigidities"]) for own in found]
    values = _of_atoms(points, each) if points.per_atom else np.array([own.min() for own in each])
    return Property(RIGIDITY, values, "log10 of 1/eV²")


def local_energies_of(points: Catalogue, model: Model, progress: Progress = silent) -> Property:
    """Predicted energies of atoms above e0, eV; of structures their mean, eV/atom. Raises
    SoapGprError for a model that has no potential."""
    _require_potential(model, LOCAL_ENERGY)
    predicted = evaluate_structures(model, points.structures, progress, targets=False)
    each = [
        own.energies - np.array([model.e0[z] for z in s.numbers.tolist()])
        for s, own in zip(points.structures, predicted, strict=True)
    ]
    if points.per_atom:
        return Property(LOCAL_ENERGY, _of_atoms(points, each), "eV")
    return Property(LOCAL_ENERGY, np.array([own.mean() for own in each]), "eV/atom")


# By the name that is asked for.
OF_MODEL: dict[str, Callable[[Catalogue, Model, Progress], Property]] = {
    ERROR: errors_of,
    UNCERTAINTY: uncertainties_of,
    RIGIDITY: rigidities_of,
    LOCAL_ENERGY: local_energies_of,
}


def _require_potential(model: Model, name: str) -> None:
    if not model.has_potential:
        raise SoapGprError(f"{name}: the model has no potential, expected one")


def _of_atoms(points: Catalogue, values: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([own[at] for own, at in zip(values, points.chosen, strict=True)])
