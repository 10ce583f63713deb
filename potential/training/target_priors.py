# SPDX-License-Identifier: BSD-3-Clause
"""What is assumed of a target before its regression: means, scales, expected errors
(docs/theory.md eq. 23c, 23e)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from potential.errors import SoapGprError
from potential.model.targets import Weights, atom_weights
from potential.settings import TargetSettings
from potential.structures.structure import Structure, symbol
from potential.training.baseline import by_composition

_CONSTANT = 1e-10  # of the size of the labels: what rounding leaves of equal ones


@dataclass(frozen=True)
class Prior:
    """Of each species (n_species,), in the unit of the target; 0 for those that have no values."""

    mean: np.ndarray
    scale: np.ndarray  # of what an atom has, less the mean
    sigma: np.ndarray  # of a label


def asked_species(target: TargetSettings, species: Sequence[int]) -> list[int]:
    """Places in the list of species of those whose atoms have values, or count in one."""
    names = list(map(symbol, species))
    weights = target.weights if isinstance(target.weights, Mapping) else {}
    return [
        a
        for a, name in enumerate(names)
        if (not target.species or name in target.species) and weights.get(name, 1) > 0
    ]


def weights_of(target: TargetSettings, species: Sequence[int]) -> Weights:
    """Those of the settings, for the species of a model. Raises SoapGprError for a species that it
    lacks, and when all are 0."""
    if not isinstance(target.weights, Mapping):
        return target.weights
    names = list(map(symbol, species))
    absent = [name for name in target.weights if name not in names]
    if absent:
        raise SoapGprError(
            f"target {target.name}: found {', '.join(absent)} in weights, expected species of the "
            "training structures"
        )
    found = tuple(float(target.weights.get(name, 1)) for name in names)
    if not any(found):
        raise SoapGprError(
            f"target {target.name}: found weights that are all 0, expected one above"
        )
    return found


def prior_of(
    target: TargetSettings,
    structures: Sequence[Structure],
    species: Sequence[int],
    parts: Mapping[int, np.ndarray] | None = None,
    largest: float | None = None,
) -> Prior:
    """From the settings and the labels. Raises SoapGprError when these do not vary, or lack a
    species.

    parts: of a vector or tensor, some of its spherical components in the place of the labels, (...)
    of λ = 0 and else (..., 2λ + 1), by the ids of structures; largest: of all its components. One
    of its parts need not vary: a tensor may have no trace.
    """
    labels = {id(s): s.targets.get(target.name, np.nan) for s in structures}
    labels = labels if parts is None else {id(s): parts.get(id(s), np.nan) for s in structures}
    labelled = [s for s in structures if np.isfinite(labels[id(s)]).any()]
    if not labelled:
        raise SoapGprError(f"target {target.name}: found no label, expected some")
    asked = asked_species(target, species)
    absent = [name for name in target.species if name not in map(symbol, species)]
    if absent:
        raise SoapGprError(
            f"target {target.name}: found {', '.join(absent)} in species, expected species of the "
            "training structures"
        )
    of = _of_atoms if target.per_atom else _of_structures
    found = of(target, labelled, [labels[id(s)] for s in labelled], species, asked, largest)
    scale = found.scale
    if target.scale is not None:
        scale = _by_species(target, "scale", target.scale, species, asked)
    sigma = _by_species(target, "noise", target.noise, species, asked)
    return replace(found, scale=scale, sigma=sigma)


def _of_atoms(target, structures, found, species, asked, largest) -> Prior:
    numbers = np.concatenate([s.numbers for s in structures])
    labels = np.concatenate(found)
    mean, scale = np.zeros(len(species)), np.zeros(len(species))
    given = _given_mean(target, species, asked)
    for a in asked:
        own = labels[numbers == species[a]]
        own = own[np.isfinite(own)]
        if not own.size:
            raise SoapGprError(
                f"target {target.name}: found no label of an atom of {symbol(species[a])}, "
                "expected some, or species that do not name it"
            )
        varies = _varies(target, own - own.mean(), own, f" of {symbol(species[a])}", largest)
        mean[a] = own.mean() if given is None else given[a]
        scale[a] = np.sqrt(np.mean((own - mean[a]) ** 2)) if varies else 0
    return Prior(mean, scale, scale)


def _of_structures(target, structures, found, species, asked, largest) -> Prior:
    """Atoms count as independent: a sum over N of them varies by scale √N, eq. (23h)."""
    weights = weights_of(target, species)
    labels = np.array(found, dtype=float)  # (n,) or (n, 2λ + 1)
    counts = np.zeros((len(structures), len(species)))
    variances = np.zeros(len(structures))
    for k, s in enumerate(structures):
        places = np.searchsorted(species, s.numbers)
        w = atom_weights(weights, places, s.arrays)
        if not w.any():
            raise SoapGprError(
                f"{s.source}: target {target.name}: found weights that are all 0, expected one "
                "above"
            )
        counts[k] = np.bincount(places, w, len(species))
        variances[k] = w @ w
    totals = counts.sum(axis=1)
    mean = _given_mean(target, species, asked)
    if mean is None:
        sums = labels if target.extensive else labels * totals  # of a number each
        average = float(np.mean(sums / totals))
        isolated = np.array([s.is_isolated_atom for s in structures])
        mean = by_composition(counts, sums, variances, isolated, average)
    left = (labels.T - counts @ mean / (1 if target.extensive else totals)).T
    varies = _varies(target, left - left.mean(), labels, "", largest)
    of_atom = (left.T if target.extensive else left.T * totals) / np.sqrt(variances)
    scale = np.full(len(species), np.sqrt(np.mean(of_atom**2)) if varies else 0.0)
    return Prior(mean, scale, scale)


def _varies(
    target: TargetSettings, left: np.ndarray, labels: np.ndarray, of: str, largest: float | None
) -> bool:
    """Whether labels do. Raises SoapGprError where they do not; largest: as of ``prior_of``, and
    then it is said of all parts alone."""
    if largest is not None and np.isfinite(largest):
        return bool(np.abs(left).max() > _CONSTANT * largest)
    if np.abs(left).max() <= _CONSTANT * np.abs(labels).max():
        what = f"all {labels.size} labels{of} are" if labels.size > 1 else f"the only label{of} is"
        less = "," if target.per_atom else ", or differ by composition alone,"
        raise SoapGprError(
            f"target {target.name}: {what} {labels.flat[0]:g}{less} expected labels that vary"
        )
    return True


def _given_mean(target, species, asked) -> np.ndarray | None:
    if target.mean == "zero":
        return np.zeros(len(species))
    if isinstance(target.mean, str):
        return None
    return _by_species(target, "mean", target.mean, species, asked)


def _by_species(
    target: TargetSettings,
    key: str,
    values: float | Mapping[str, float],
    species: Sequence[int],
    asked: Sequence[int],
) -> np.ndarray:
    """(n_species,), 0 where nothing is asked. Raises SoapGprError when a species is missing."""
    out = np.zeros(len(species))
    missing = []
    for a in asked:
        name = symbol(species[a])
        if isinstance(values, Mapping) and name not in values:
            missing.append(name)
        else:
            out[a] = values[name] if isinstance(values, Mapping) else values
    if isinstance(values, Mapping) and missing:
        raise SoapGprError(
            f"target {target.name}: found {key} for {', '.join(values)}, expected "
            f"{', '.join(missing)} as well, which the training structures contain"
        )
    return out
