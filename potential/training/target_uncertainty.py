# SPDX-License-Identifier: BSD-3-Clause
"""What [uncertainty] adds to [[targets]]: committees on the blocks of structures, variances, and
their calibration, each on labels of its own (docs/theory.md eq. 25n to 25p)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from potential.errors import SoapGprError
from potential.model.uncertainty import TargetScale, TargetVariance, Uncertainty
from potential.runtime.parallel import ordered_map
from potential.runtime.progress import Progress
from potential.runtime.ranks import Ranks
from potential.settings import FitSettings, UncertaintySettings
from potential.structures.structure import Structure
from potential.terms.prior import prior_factor
from potential.training.blocks import Blocks, in_fixed_order
from potential.training.regression import Triangle
from potential.training.residuals import MOST_TESTED, Found, joined
from potential.training.target_groups import Group
from potential.training.target_priors import Prior
from potential.training.target_problem import TargetProblem
from potential.training.target_process import TargetVariances
from potential.uncertainty.calibration import COMMITTEE, RIGIDITY, VARIANCE, Predicted, spread
from potential.uncertainty.committee import deviations, drawn
from potential.uncertainty.target_calibration import TargetCalibration, kinds_of
from potential.uncertainty.whitened import WhitenedBlocks


def require_measure(settings: FitSettings) -> None:
    """Raise SoapGprError for [uncertainty] that says nothing of a model that has no potential."""
    own = settings.uncertainty
    if own is not None and not has_measures(settings):
        raise SoapGprError(
            f"{settings.file}: [uncertainty]: found targets of kernels between structures and no "
            "energies, forces or virials to fit, expected targets of sums over sparse points, or "
            "such labels"
        )


def unmeasured_targets(settings: FitSettings) -> list[str]:
    """A warning of what [uncertainty] leaves out."""
    if settings.uncertainty is None:
        return []
    kernels = ", ".join(target.name for target in settings.targets if target.kernel is not None)
    return [f"[uncertainty]: kernels between structures have none: {kernels}"] * bool(kernels)


@dataclass(frozen=True)
class PartFits:
    """Fits of a group to some of the blocks: weights in units of the target."""

    members: np.ndarray  # (2 C, n_weights), as ``drawn`` has them
    without: np.ndarray  # (n_blocks, n_weights) of all blocks but one
    # With variances, by which |a T|² is that of the row a: of all blocks but one, and R of the
    # full fit, all in the scales of the weights.
    T: Sequence[np.ndarray] = ()
    R: np.ndarray | None = None


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
    scales: dict[str, TargetScale]  # of the committee
    variances: dict[str, TargetVariance]
    arrays: dict[str, np.ndarray]
    record: dict[str, Any]
    warnings: list[str]

    def added_to(self, measures: Uncertainty | None) -> Uncertainty:
        """Those of the potential, if there are any, and these."""
        own = measures or Uncertainty(self.n_members)
        return replace(own, targets=self.scales, target_variances=self.variances)


def has_measures(settings: FitSettings) -> bool:
    """Whether targets get a committee or variances."""
    own = settings.uncertainty
    return own is not None and any(t.kernel is None for t in settings.targets)


def part_fits(problem: TargetProblem, group: Group, triangle: Triangle, prior: Prior) -> PartFits:
    """triangle: that of the full problem with its prior, and those of the blocks, which are used
    up."""
    own, n_blocks, M = problem.settings.uncertainty, len(triangle.blocks), group.n_weights
    assert own is not None
    has = members_of(own, n_blocks)
    if M == 0:
        nothing = [np.zeros((0, 0))] * n_blocks
        return PartFits(np.zeros((len(has), 0)), np.zeros((n_blocks, 0)), nothing, nothing[0])
    U = prior_factor(group.kernel_matrix(problem.model), problem.settings.solver.jitter)
    whitened, s = WhitenedBlocks(triangle.R, U, triangle.blocks), group.scale(prior)
    members = whitened.committee([np.flatnonzero(row) for row in has]).reshape(-1, M)
    without = [whitened.without(b, inverse=own.variance) for b in range(n_blocks)]
    T = [s[:, None] * T for _, T in without if T is not None]
    R = triangle.R[:M, :M] if own.variance else None
    return PartFits(s * members, s * np.array([w for w, _ in without]), T, R)


def members_of(own: UncertaintySettings, n_blocks: int) -> np.ndarray:
    """As ``drawn``; none without a committee."""
    if own.committee == 0:
        return np.zeros((0, n_blocks), dtype=bool)
    return drawn(n_blocks, own.committee, own.seed)


@dataclass(frozen=True)
class _Fit:
    """A fit of a group that has not seen a structure, and members and T that have not either."""

    weights: np.ndarray
    members: np.ndarray
    T: np.ndarray | None


def measured_targets(
    fits: Fits,
    places: Sequence[int],
    blocks: Blocks,
    data: tuple[Sequence[Structure], Sequence[Structure]],
    ranks: Ranks,
    progress: Progress,
) -> MeasuredTargets:
    """The measures of all targets, which have these places among those of the model; data:
    training structures and test structures."""
    problem = fits.problem
    own = problem.settings.uncertainty
    assert own is not None
    C, has = own.committee, members_of(own, blocks.n_blocks)
    variances, of_full = None, list[np.ndarray]()
    if own.variance:
        with ranks.together():
            variances = TargetVariances(problem, fits.priors, [part.R for part in fits.parts])
            of_full = [variances.T(g) for g in range(len(problem.groups))]

    def left_out(structure: Structure, g: int) -> _Fit:
        b, part = blocks[structure], fits.parts[g]
        return _Fit(part.without[b], part.members[~has[:, b]], part.T[b] if part.T else None)

    def of_model(structure: Structure, g: int) -> _Fit:
        T = None if variances is None else of_full[g]
        return _Fit(fits.weights[g], fits.parts[g].members[:C], T)

    train, test = data
    found = [
        _found(fits, variances, structures, most, of, ranks, progress)
        for structures, most, of in (
            (train, own.calibration, left_out),
            (test, MOST_TESTED, of_model),
        )
    ]
    measures = [COMMITTEE] * bool(C) + [VARIANCE, RIGIDITY] * own.variance
    calibration = TargetCalibration(measures, problem.targets, problem.model.species, *found)
    arrays = dict[str, np.ndarray]()
    for h, place in enumerate(places if C else ()):
        members = {g: deviations(fits.parts[g].members[:C]) for g in problem.groups_of(h)}
        named = problem.weight_arrays(h, members, place)
        arrays |= {f"members.{name}": array for name, array in named.items()}
    of_variances = dict[str, TargetVariance]()
    if variances is not None:
        arrays |= variances.arrays(places)
        with ranks.together():
            mine = [s for s in train if s.targets][ranks.rank :: ranks.size]
            largest = variances.edges(mine, progress)
        edges = np.max(ranks.all_gather(largest), axis=0)
        for h, target in enumerate(problem.targets):
            scale, rigidity = (calibration.scales[m][target.name] for m in (VARIANCE, RIGIDITY))
            seen = tuple(edges[h].tolist()) if target.per_atom else ()
            of_variances[target.name] = TargetVariance(scale, rigidity, seen)
    record = {"blocks": blocks.n_blocks, "kind": blocks.kind, "targets": calibration.record}
    scales = calibration.scales.get(COMMITTEE, {})
    return MeasuredTargets(C, scales, of_variances, arrays, record, calibration.warnings)


def _found(
    fits: Fits,
    variances: TargetVariances | None,
    structures: Sequence[Structure],
    most: int,
    fit_of: Callable[[Structure, int], _Fit],
    ranks: Ranks,
    progress: Progress,
) -> Found:
    """Errors, and what each measure says of them, of the labels of each target on so many
    structures at most, on all ranks; fit_of: the fit that has not seen a structure, by its
    group."""
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
            fit = fit_of(structure, g)
            error = rows.y - rows.C @ fits.priors[h].mean - rows.K @ fit.weights
            sigmas = {COMMITTEE: spread(rows.K @ fit.members.T)} if len(fit.members) else {}
            if variances is not None and fit.T is not None:
                sigmas |= variances.deviations(g, structure, rows, fit.T)
            kinds = kinds_of(problem.targets[h], problem.model.species)
            for a in np.unique(rows.species).tolist():
                of = rows.species == a
                kind = kinds[a if group.target.per_atom else 0]
                for measure, sigma in sigmas.items():
                    n_members = len(fit.members) if measure == COMMITTEE else None
                    own[measure, kind] = Predicted.of_structure(
                        error[of], sigma[of], structure.config_type, n_members
                    )
        return own

    with ranks.together():
        return joined(ranks, list(ordered_map(found, progress(mine, "calibration of targets"))))
