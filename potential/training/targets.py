# SPDX-License-Identifier: BSD-3-Clause
"""The regression of [[targets]] on the sparse sets of a model (docs/theory.md eq. 23 to 23f)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from potential import _core
from potential.errors import SoapGprError
from potential.model.evaluation import naming
from potential.model.targets import Target
from potential.runtime.parallel import ordered_map
from potential.runtime.progress import Progress, silent
from potential.runtime.ranks import Ranks
from potential.settings import FitSettings, TargetSettings
from potential.settings.targets import terms_used
from potential.structures.structure import Structure, symbol
from potential.terms import TrainingModel
from potential.training.memory import require_memory
from potential.training.regression import BUFFER_ROWS, StreamingQR, merge, solve
from potential.training.target_groups import Group, groups_of
from potential.training.target_priors import Prior, asked_species, prior_of


@dataclass(frozen=True)
class TargetFit:
    """The model with its targets, what its record says of each, and warnings."""

    model: TrainingModel
    records: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def fit_targets(
    model: TrainingModel,
    structures: Sequence[Structure],
    settings: FitSettings,
    ranks: Ranks,
    progress: Progress = silent,
    *,
    potential: bool = True,
) -> TargetFit:
    """The model with the weights of all [[targets]]; its own stay as they are.

    potential: whether its own weights were fitted. Raises SoapGprError for anything a user can put
    right.
    """
    if not settings.targets:
        return TargetFit(model)
    with ranks.together():
        priors = [prior_of(own, structures, model.species) for own in settings.targets]
        groups = [
            group
            for own, prior in zip(settings.targets, priors, strict=True)
            for group in groups_of(model, own, prior, terms_used(own, settings.terms))
        ]
        _require_memory(groups, structures, ranks)
    triangles, counts = _accumulate(model, groups, structures, ranks, progress)
    solutions = ranks.from_first(
        lambda: [
            _weights(model, own, R, settings.solver.jitter)
            for own, R in zip(groups, triangles, strict=True)
        ]
    )
    arrays = _mean_arrays(model, settings, priors)
    for own, weights in zip(groups, solutions, strict=True):
        arrays |= _weight_arrays(model, settings.targets.index(own.target), own, weights)
    targets = [
        _target(own, prior, model.species)
        for own, prior in zip(settings.targets, priors, strict=True)
    ]
    fitted = model.with_targets(targets, arrays, potential=potential)
    records = [
        _record(own, prior, model.species, groups, counts)
        for own, prior in zip(settings.targets, priors, strict=True)
    ]
    return TargetFit(
        fitted, records, [_alone(own, model.species) for own in groups if not own.n_weights]
    )


def _mean_arrays(
    model: TrainingModel, settings: FitSettings, priors: Sequence[Prior]
) -> dict[str, np.ndarray]:
    """Means of all targets, and weights of zero for all sparse sets of their terms."""
    arrays = {f"target{h}.mean": prior.mean for h, prior in enumerate(priors)}
    for h, own in enumerate(settings.targets):
        for t in terms_used(own, settings.terms):
            for a, points in model.sparse_points(t).items():
                arrays[f"target{h}.term{t}.weights.{a}"] = np.zeros(len(points))
    return arrays


def _weight_arrays(
    model: TrainingModel, h: int, group: Group, weights: np.ndarray
) -> dict[str, np.ndarray]:
    arrays, begin = dict[str, np.ndarray](), 0
    for t, a in group.sets:
        end = begin + len(model.sparse_points(t)[a])
        arrays[f"target{h}.term{t}.weights.{a}"] = weights[begin:end].copy()
        begin = end
    return arrays


def _alone(group: Group, species: Sequence[int]) -> str:
    names = ", ".join(symbol(species[a]) for a in group.species)
    return f"target {group.name}: {names} has no sparse points, and the mean alone"


def _accumulate(
    model: TrainingModel,
    groups: Sequence[Group],
    structures: Sequence[Structure],
    ranks: Ranks,
    progress: Progress,
) -> tuple[list[np.ndarray], list[int]]:
    """Triangles, those of all ranks on the first, and numbers of labels."""
    structures = [s for s in structures if s.targets]
    mine = [structures[k] for k in ranks.share(structures, len)]
    used = sorted({t for own in groups for t, _ in own.sets})
    qrs = [StreamingQR(own.n_weights) for own in groups]

    def rows_of(structure: Structure):
        with naming(structure):
            environments = model.environments(structure)
            kernels = {t: _core.kernel_rows(model.core, t, environments) for t in used}
        species = np.asarray(environments.species)
        return [own.rows(structure, species, kernels) for own in groups]

    with ranks.together():
        for found in ordered_map(rows_of, progress(mine, "targets")):
            for qr, (rows, labels) in zip(qrs, found, strict=True):
                qr.add(rows, labels)
    triangles = [qr.finish() for qr in qrs]
    for R in triangles:
        ranks.combine(R, partial(merge, R))
    return triangles, [sum(ranks.all_gather(qr.n_rows)) for qr in qrs]


def _weights(model: TrainingModel, group: Group, triangle: np.ndarray, jitter: float) -> np.ndarray:
    if group.n_weights == 0:
        return np.zeros(0)
    solution = solve(triangle, group.kernel_matrix(model), jitter, overwrite=True)
    return group.scale * solution.weights


def _require_memory(groups: Sequence[Group], structures: Sequence[Structure], ranks: Ranks) -> None:
    """Raise SoapGprError when the triangles, which are there together, do not fit."""
    sizes = [own.n_weights for own in groups]
    if not sum(sizes):
        raise SoapGprError("[[targets]]: found no sparse points in the terms, expected some")
    triangles = 8 * sum(n**2 + BUFFER_ROWS * n for n in sizes)
    require_memory(max(sizes), max(map(len, structures)), triangles, ranks.size)


def _target(own: TargetSettings, prior: Prior, species: Sequence[int]) -> Target:
    asked = tuple(species[a] for a in asked_species(own, species)) if own.species else None
    return Target(own.name, own.unit or "", own.per_atom, own.extensive, asked, prior.weights)


def _record(
    target: TargetSettings,
    prior: Prior,
    species: Sequence[int],
    groups: Sequence[Group],
    counts: Sequence[int],
) -> dict[str, Any]:
    asked = asked_species(target, species)
    own = [(group, n) for group, n in zip(groups, counts, strict=True) if group.target is target]
    values = {
        key: {symbol(species[a]): float(getattr(prior, key)[a]) for a in asked}
        for key in ("mean", "scale", "sigma")
    }
    labels, weights = sum(n for _, n in own), sum(group.n_weights for group, _ in own)
    return {"name": target.name, "labels": labels, "weights": weights, **values}
