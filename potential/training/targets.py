# SPDX-License-Identifier: BSD-3-Clause
"""The regression of [[targets]] on the sparse sets of a model (docs/theory.md eq. 23 to 23f)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

import numpy as np

from potential.errors import SoapGprError
from potential.runtime.parallel import ordered_map
from potential.runtime.progress import Progress, silent
from potential.runtime.ranks import Ranks
from potential.settings import FitSettings, TargetSettings
from potential.settings.target_tensors import SCALAR
from potential.structures.structure import Structure, symbol
from potential.terms import TrainingModel
from potential.training.accumulation import add_all, of_all_ranks, said_on
from potential.training.blocks import Blocks
from potential.training.checkpoint import Checkpoint
from potential.training.choice import Choice
from potential.training.factor_store import FactorStore
from potential.training.memory import require_free, target_bytes
from potential.training.part_fits import PartFits
from potential.training.regression import StreamingQR, Triangle
from potential.training.structure_targets import fit_kernel_target
from potential.training.target_groups import Group
from potential.training.target_priors import Prior, asked_species
from potential.training.target_problem import TargetProblem
from potential.training.target_uncertainty import Fits, has_measures, measured_targets, part_fits


@dataclass(frozen=True)
class TargetFit:
    """The model with its targets, what its record says of each and of their uncertainty, and
    warnings."""

    model: TrainingModel
    records: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    uncertainty: dict[str, Any] = field(default_factory=dict)


def fit_targets(
    model: TrainingModel,
    structures: Sequence[Structure],
    settings: FitSettings,
    ranks: Ranks,
    progress: Progress = silent,
    *,
    potential: bool = True,
    choice: Choice | None = None,
    checkpoint: Checkpoint | None = None,
    store: FactorStore | None = None,
    blocks: Blocks | None = None,
    test: Sequence[Structure] = (),
) -> TargetFit:
    """The model with the weights of all [[targets]]; its own stay as they are.

    potential: whether its own weights were fitted; choice: what a checkpoint, used as in
    ``accumulate``, keeps of it; store: has the rows of all structures; blocks of these, for the
    committee of [uncertainty], whose errors test structures show. Raises SoapGprError for anything
    a user can put right, and as ``accumulate``.
    """
    if not settings.targets:
        return TargetFit(model)
    blocks = blocks if has_measures(settings) else None
    kernels = {
        h: fit_kernel_target(model, structures, settings, h, ranks, progress, blocks)
        for h, own in enumerate(settings.targets)
        if own.kernel is not None
    }
    problem = TargetProblem(model, settings)
    places = [h for h in range(len(settings.targets)) if h not in kernels]  # of the others
    n_blocks = blocks.n_blocks if blocks else 1
    with ranks.together():
        priors = problem.priors(structures)
        if places:
            own = settings.uncertainty
            together = 2 * n_blocks if blocks and own and own.variance else n_blocks
            require_target_memory(problem.groups, structures, ranks.size, n_blocks=together)
    said = [text for own in kernels.values() for text in own.warnings]
    triangles = list[Triangle]()
    if store is None:
        triangles, more = _accumulate(
            problem,
            priors,
            structures,
            ranks,
            progress,
            choice or Choice(model),
            checkpoint if places else None,
            blocks,
        )
        said += more

    def solved() -> tuple[list[np.ndarray], list[int], list[PartFits]]:
        own = store.of_targets(problem, priors, blocks is not None) if store else triangles
        return _solved(problem, priors, own, blocks)

    weights, counts, parts = ranks.from_first(solved)
    arrays = problem.arrays(priors, weights, places)
    targets = dict(zip(places, problem.targets, strict=True))
    records = {
        h: _record(own, prior, model.species, problem.groups, counts)
        for h, own, prior in zip(places, problem.settings.targets, priors, strict=True)
    }
    for h, fitted in kernels.items():
        targets[h], records[h], arrays = fitted.target, fitted.record, arrays | fitted.arrays
    said += [_alone(own, model.species) for own in problem.groups if not own.n_weights]
    measures, record = model.uncertainty, dict[str, Any]()
    if blocks is not None:
        kinds = [own.kind == SCALAR for own in problem.settings.targets]
        of_scalars = [own.target.kind == SCALAR for own in problem.groups]
        full = Fits(
            problem.scalars,
            list(compress(priors, kinds)),
            list(compress(weights, of_scalars)),
            parts,
        )
        some, data = list(kernels.values()), (structures, test)
        own_places = list(compress(places, kinds))
        measured = measured_targets(full, own_places, some, blocks, data, ranks, progress)
        measures = measured.added_to(model.uncertainty)
        arrays, record, said = arrays | measured.arrays, measured.record, said + measured.warnings
    changed = model.with_targets(
        [targets[h] for h in sorted(targets)], arrays, potential=potential, uncertainty=measures
    )
    return TargetFit(changed, [records[h] for h in sorted(records)], said, record)


def _alone(group: Group, species: Sequence[int]) -> str:
    names = ", ".join(symbol(species[a]) for a in group.species)
    return f"target {group.name}: {names} has no sparse points, and the mean alone"


def _solved(
    problem: TargetProblem,
    priors: Sequence[Prior],
    triangles: Sequence[Triangle],
    blocks: Blocks | None,
) -> tuple[list[np.ndarray], list[int], list[PartFits]]:
    """Weights of each group, numbers of labels, and with blocks the fits of scalars to some of
    these; their triangles are used up."""
    weights, parts = [], []
    for group, own in zip(problem.groups, triangles, strict=True):
        prior = priors[problem.number(group)]
        weights.append(problem.weights(group, own.R, prior))
        if blocks is not None and group.target.kind == SCALAR:
            parts.append(part_fits(problem, group, own, prior))
    return weights, [own.n_rows for own in triangles], parts


def _accumulate(
    problem: TargetProblem,
    priors: Sequence[Prior],
    structures: Sequence[Structure],
    ranks: Ranks,
    progress: Progress,
    choice: Choice,
    checkpoint: Checkpoint | None,
    blocks: Blocks | None,
) -> tuple[list[Triangle], list[str]]:
    """The triangle of each group, and with blocks those of each of these, which are those of all
    ranks on the first; warnings."""
    structures = [s for s in structures if s.targets] if problem.groups else []
    mine = [structures[k] for k in ranks.share(structures, len)]
    n_blocks = blocks.n_blocks if blocks else 1
    qrs = [[StreamingQR(own.n_weights) for _ in range(n_blocks)] for own in problem.groups]
    everything = [qr for own in qrs for qr in own]

    def rows_of(structure: Structure):
        pairs = zip(problem.groups, problem.rows(structure), strict=True)
        found = [own.weighted(rows, priors[problem.number(own)]) for own, rows in pairs]
        return blocks[structure] if blocks else 0, found

    def added(done: int) -> Iterator[None]:
        for b, found in ordered_map(rows_of, progress(mine[done:], "targets")):
            for group, own, (rows, labels) in zip(problem.groups, qrs, found, strict=True):
                if group.n_weights:
                    own[b].add(rows, labels)
            yield

    with ranks.together():
        warning = add_all(everything, added, len(mine), choice, checkpoint)
    triangles = [of_all_ranks(own, ranks, blocks is not None) for own in qrs]
    return triangles, said_on(ranks, warning)


def require_target_memory(
    groups: Sequence[Group],
    structures: Sequence[Structure],
    n_ranks: int,
    more: int = 0,
    n_blocks: int = 1,
) -> None:
    """Raise SoapGprError when the triangles, of each of the blocks, which are there together, and
    as many bytes more do not fit, or when there are no sparse points at all."""
    sizes = [own.n_weights for own in groups]
    if not sum(sizes):
        raise SoapGprError("[[targets]]: found no sparse points in the terms, expected some")
    largest = max(map(len, structures))
    rows = [own.most_rows(largest) for own in groups]
    needed = target_bytes(list(zip(sizes, rows, strict=True)), n_blocks)
    require_free(max(sizes), needed + more, n_ranks)


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
