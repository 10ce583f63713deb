# SPDX-License-Identifier: BSD-3-Clause
"""What [uncertainty] adds to [[targets]]: committees on the blocks of structures, and their
calibration, each on labels of its own (docs/theory.md eq. 25n, 25o)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from potential.errors import SoapGprError
from potential.model.uncertainty import Uncertainty
from potential.runtime.parallel import ordered_map
from potential.runtime.progress import Progress
from potential.runtime.ranks import Ranks
from potential.settings import FitSettings
from potential.structures.structure import Structure
from potential.terms.prior import prior_factor
from potential.training.blocks import Blocks, in_fixed_order
from potential.training.regression import Triangle
from potential.training.residuals import MOST_TESTED, Found, joined
from potential.training.target_groups import Group
from potential.training.target_priors import Prior
from potential.training.target_problem import TargetProblem
from potential.uncertainty.calibration import COMMITTEE, Predicted, spread
from potential.uncertainty.committee import deviations, drawn
from potential.uncertainty.target_calibration import TargetCalibration, kinds_of
from potential.uncertainty.whitened import WhitenedBlocks


def require_committee(settings: FitSettings) -> None:
    """Raise SoapGprError for [uncertainty] without members of a model that has no potential."""
    own = settings.uncertainty
    if own is not None and not has_members(settings):
        found = "no committee" if not own.committee else "targets of kernels between structures"
        raise SoapGprError(
            f"{settings.file}: [uncertainty]: found {found} and no energies, forces or virials to "
            "fit, expected a committee of targets of sums over sparse points, or such labels"
        )


def unmeasured_targets(settings: FitSettings) -> list[str]:
    """A warning of what [uncertainty] leaves out."""
    own = settings.uncertainty
    if own is None or not settings.targets:
        return []
    if not own.committee:
        return ["[uncertainty]: [[targets]] have no measure: theirs is the committee alone"]
    said = ["[uncertainty]: variances are of energies, [[targets]] have the committee alone"]
    kernels = ", ".join(target.name for target in settings.targets if target.kernel is not None)
    more = [f"[uncertainty]: kernels between structures have no committee: {kernels}"]
    return said * own.variance + more * bool(kernels)


@dataclass(frozen=True)
class PartFits:
    """Fits of a group to some of the blocks: weights in units of the target."""

    members: np.ndarray  # (2 C, n_weights), as ``drawn`` has them
    without: np.ndarray  # (n_blocks, n_weights) of all blocks but one


@dataclass(frozen=True)
class Fits:
    """The full fits of all groups, and those to some of the blocks."""

    problem: TargetProblem
    priors: Sequence[Prior]
    weights: Sequence[np.ndarray]
    parts: Sequence[PartFits]


@dataclass(frozen=True)
class MeasuredTargets:
    """What a model gets of the committees of its targets, and what there is to record and say."""

    n_members: int
    scales: dict[str, float | tuple[float, ...]]
    arrays: dict[str, np.ndarray]
    record: dict[str, Any]
    warnings: list[str]

    def added_to(self, measures: Uncertainty | None) -> Uncertainty:
        """Those of the potential, if there are any, and these."""
        own = measures or Uncertainty(self.n_members)
        return replace(own, targets=self.scales)


def has_members(settings: FitSettings) -> bool:
    """Whether targets get a committee."""
    own = settings.uncertainty
    return own is not None and own.committee > 0 and any(t.kernel is None for t in settings.targets)


def part_fits(problem: TargetProblem, group: Group, triangle: Triangle, prior: Prior) -> PartFits:
    """triangle: that of the full problem with its prior, and those of the blocks, which are used
    up."""
    own, n_blocks = problem.settings.uncertainty, len(triangle.blocks)
    assert own is not None
    has = drawn(n_blocks, own.committee, own.seed)
    if group.n_weights == 0:
        return PartFits(np.zeros((len(has), 0)), np.zeros((n_blocks, 0)))
    U = prior_factor(group.kernel_matrix(problem.model), problem.settings.solver.jitter)
    whitened, scale = WhitenedBlocks(triangle.R, U, triangle.blocks), group.scale(prior)
    members = whitened.committee([np.flatnonzero(row) for row in has])
    without = [whitened.without(b, inverse=False)[0] for b in range(n_blocks)]
    return PartFits(scale * members, scale * np.array(without))


def measured_targets(
    fits: Fits,
    places: Sequence[int],
    blocks: Blocks,
    data: tuple[Sequence[Structure], Sequence[Structure]],
    ranks: Ranks,
    progress: Progress,
) -> MeasuredTargets:
    """The committees of all targets, which have these places among those of the model; data:
    training structures and test structures."""
    problem = fits.problem
    own = problem.settings.uncertainty
    assert own is not None
    C, has = own.committee, drawn(blocks.n_blocks, own.committee, own.seed)

    def left_out(structure: Structure, g: int) -> tuple[np.ndarray, np.ndarray]:
        b, part = blocks[structure], fits.parts[g]
        return part.without[b], part.members[~has[:, b]]

    def of_model(structure: Structure, g: int) -> tuple[np.ndarray, np.ndarray]:
        return fits.weights[g], fits.parts[g].members[:C]

    train, test = data
    found = [
        _found(fits, structures, most, of, ranks, progress)
        for structures, most, of in (
            (train, own.calibration, left_out),
            (test, MOST_TESTED, of_model),
        )
    ]
    calibration = TargetCalibration(problem.targets, problem.model.species, *found)
    arrays = dict[str, np.ndarray]()
    for h, place in enumerate(places):
        members = {g: deviations(fits.parts[g].members[:C]) for g in problem.groups_of(h)}
        named = problem.weight_arrays(h, members, place)
        arrays |= {f"members.{name}": array for name, array in named.items()}
    record = {"blocks": blocks.n_blocks, "kind": blocks.kind, "targets": calibration.record}
    return MeasuredTargets(C, calibration.scales, arrays, record, calibration.warnings)


def _found(
    fits: Fits,
    structures: Sequence[Structure],
    most: int,
    fit_of: Callable[[Structure, int], tuple[np.ndarray, np.ndarray]],
    ranks: Ranks,
    progress: Progress,
) -> Found:
    """Errors, and spreads over members, of the labels of each target on so many structures at most,
    on all ranks; fit_of: weights and members that have not seen a structure, by its group."""
    problem, ordered = fits.problem, in_fixed_order(s for s in structures if s.targets)
    chosen = []
    for target in problem.targets:
        labelled = [s for s in ordered if np.isfinite(s.targets.get(target.name, np.nan)).any()]
        chosen.append(set(map(id, labelled[:most])))
    mine = [s for s in ordered if any(id(s) in own for own in chosen)][ranks.rank :: ranks.size]

    def found(structure: Structure) -> Found:
        own: Found = {}
        for g, (group, rows) in enumerate(
            zip(problem.groups, problem.rows(structure), strict=True)
        ):
            h = problem.number(group)
            if id(structure) not in chosen[h]:
                continue
            weights, members = fit_of(structure, g)
            error = rows.y - rows.C @ fits.priors[h].mean - rows.K @ weights
            sigma = spread(rows.K @ members.T)
            kinds = kinds_of(problem.targets[h], problem.model.species)
            for a in np.unique(rows.species).tolist():
                of = rows.species == a
                kind = kinds[a if group.target.per_atom else 0]
                own[COMMITTEE, kind] = Predicted.of_structure(
                    error[of], sigma[of], structure.config_type, len(members)
                )
        return own

    with ranks.together():
        return joined(ranks, list(ordered_map(found, progress(mine, "calibration of targets"))))
