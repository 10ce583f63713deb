# SPDX-License-Identifier: BSD-3-Clause
"""How much the predictions of two models differ."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from potential.measures import FORCES, TARGETS
from potential.model.evaluation import evaluate_structures, naming
from potential.model.model import Model
from potential.model.result import Evaluation
from potential.runtime.progress import Progress
from potential.structures.structure import Structure

_WEIGHTS = re.compile(r"target\d+\.(term\d+\.weights\.|weights$)")


@dataclass(frozen=True)
class Deviation:
    """Largest absolute differences between two models, and the RMS of the forces; eV and Å."""

    force: float  # of any component
    force_rms: float
    energy_per_atom: float
    virial_per_atom: float


@dataclass(frozen=True)
class TargetDeviation:
    """Absolute differences of the values of a target between two models, in its unit."""

    largest: float
    rms: float
    relative: float  # the largest over the RMS of the values less the means of species


@dataclass(frozen=True)
class SpreadDeviation:
    """Absolute differences of the predicted errors of components of forces, eV/Å, or of values of a
    target, by the committees of two models, and the RMS of the first one's."""

    largest: float
    rms: float
    predicted_rms: float


class Measure:
    """Deviations from a model on some structures."""

    def __init__(self, model: Model, structures: Sequence[Structure], progress: Progress):
        self._model, self._structures, self._progress = model, structures, progress
        self._reference = self._evaluated(model, "reference")
        self._spreads = {}
        if model.targets:
            zero = {n: np.zeros_like(w) for n, w in model.arrays.items() if _WEIGHTS.match(n)}
            flat = model.without_uncertainty().with_arrays(zero)  # no deviations from zeros
            means = self._evaluated(flat, "means of targets")
            self._spreads = {k: _rms(d) for k, d in self._differences(means).items()}

    def __call__(
        self, model: Model, what: str
    ) -> tuple[Deviation | None, dict[str, TargetDeviation]]:
        """(Deviation, None without a potential; those of targets by their names)."""
        found = self._evaluated(model, what)
        of_targets = {}
        for name, change in self._differences(found).items():
            largest = float(np.abs(change).max(initial=0))
            relative = largest / self._spreads[name] if largest else 0.0
            of_targets[name] = TargetDeviation(largest, _rms(change), relative)
        if not model.has_potential:
            return None, of_targets
        return deviation(self._structures, self._reference, found), of_targets

    def _evaluated(self, model: Model, what: str) -> list[Evaluation]:
        alone = not model.has_potential  # then forces are nan
        return evaluate_structures(model, self._structures, self._progress, what, labels_only=alone)

    def _differences(self, found: Sequence[Evaluation]) -> dict[str, np.ndarray]:
        """Of all values of each target, without atoms that have none."""
        differences = {}
        for name in (target.name for target in self._model.targets):
            pairs = zip(found, self._reference, strict=True)
            own = [np.ravel(a.properties[name] - b.properties[name]) for a, b in pairs]
            change = np.concatenate(own) if own else np.zeros(0)
            differences[name] = change[np.isfinite(change)]
        return differences


def deviation(
    structures: Sequence[Structure], reference: Sequence[Evaluation], found: Sequence[Evaluation]
) -> Deviation:
    """Differences of two lists of evaluations of the same structures."""
    force, energy, virial = [np.zeros(0)], [0.0], [0.0]
    for structure, a, b in zip(structures, reference, found, strict=True):
        assert a.forces is not None and b.forces is not None
        force.append(np.ravel(b.forces - a.forces))
        energy.append(abs(b.energy - a.energy) / len(structure))
        virial.append(float(np.abs(b.virial - a.virial).max()) / len(structure))
    forces = np.concatenate(force)
    return Deviation(
        float(np.abs(forces).max()), float(np.sqrt(np.mean(forces**2))), max(energy), max(virial)
    )


def spread_deviations(
    model: Model, other: Model, structures: Sequence[Structure], progress: Progress
) -> tuple[SpreadDeviation | None, dict[str, SpreadDeviation]]:
    """Of forces, None without a committee of the potential, and of targets that have one, by their
    names; models with the same measures on the structures."""
    before, after = (
        _predicted_errors(own, structures, progress, what)
        for own, what in ((model, "spread, reference"), (other, "spread"))
    )
    found = {}
    for name, values in before.items():
        change = np.abs(after[name] - values)
        found[name] = SpreadDeviation(float(change.max(initial=0)), _rms(change), _rms(values))
    return found.pop("", None), found


def _predicted_errors(
    model: Model, structures: Sequence[Structure], progress: Progress, what: str
) -> dict[str, np.ndarray]:
    """By the committee, of all components of forces, eV/Å, under "", and of all values of targets
    by their names."""
    measures = model.uncertainty.measures if model.uncertainty else ()
    asked = [measure for measure in (FORCES, TARGETS) if measure in measures]
    found: dict[str, list[np.ndarray]] = {}
    for structure in progress(structures, what) if asked else ():
        with naming(structure):
            own = model.evaluate(structure, targets=False, uncertainty=asked).uncertainty
        assert own is not None
        values = dict(own.properties_uncertainty or {})
        if own.forces_uncertainty is not None:
            values[""] = own.forces_uncertainty
        for name, each in values.items():
            found.setdefault(name, []).append(np.ravel(each))
    joined = {name: np.concatenate(parts) for name, parts in found.items()}
    return {name: own[np.isfinite(own)] for name, own in joined.items()}


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2))) if len(values) else 0.0
