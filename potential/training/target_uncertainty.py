# SPDX-License-Identifier: BSD-3-Clause
"""What [uncertainty] adds to [[targets]]: committees on the blocks of structures, variances, and
their calibration, each on labels of its own (docs/theory.md eq. 25n to 25q)."""

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
from potential.settings import FitSettings
from potential.settings.target_tensors import SCALAR
from potential.structures.structure import Structure
from potential.terms.prior import prior_factor
from potential.training.blocks import Blocks, in_fixed_order
from potential.training.part_fits import PartFits, members_of
from potential.training.regression import Triangle
from potential.training.residuals import MOST_TESTED, Found, joined
from potential.training.structure_targets import KernelFit
from potential.training.target_groups import Group
from potential.training.target_priors import Prior
from potential.training.target_problem import TargetProblem
from potential.training.target_process import TargetVariances
from potential.uncertainty.calibration import COMMITTEE, RIGIDITY, VARIANCE, Predicted, spread
from potential.uncertainty.committee import deviations
from potential.uncertainty.target_calibration import TargetCalibration, kinds_of


def require_measure(settings: FitSettings) -> None:
    """Raise SoapGprError for [uncertainty] that says nothing of a model that has no potential."""
    own = settings.uncertainty
    if own is not None and not has_measures(settings):
        raise SoapGprError(
            f"{settings.file}: [uncertainty]: found targets of kernels between structures and no "
            "energies, forces or virials to fit, expected a committee of these, targets of sums "
            "over sparse points, or such labels"
        )


def unmeasured_targets(settings: FitSettings) -> list[str]:
    """A warning of what [uncertainty] leaves out."""
    own = settings.uncertainty
    if own is None:
        return []
    what = "the committee alone" if own.committee else "none"
    kernels = ", ".join(target.name for target in settings.targets if target.kernel is not None)
    tensors = ", ".join(target.name for target in settings.targets if target.kind != SCALAR)
    said = [f"[uncertainty]: kernels between structures have {what}: {kernels}"]
    said = said * bool(kernels and (own.variance or not own.committee))
    return said + [f"[uncertainty]: vectors and tensors have none: {tensors}"] * bool(tensors)


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
    scalars = [own for own in settings.targets if own.kind == SCALAR]
    return own is not None and any(t.kernel is None or own.committee for t in scalars)


def part_fits(problem: TargetProblem, group: Group, triangle: Triangle, prior: Prior) -> PartFits:
    """Of a group; triangle as of ``PartFits.solved``."""
    own = problem.settings.uncertainty
    assert own is not None
    K_MM = group.kernel_matrix(problem.model)
    U = prior_factor(K_MM, problem.settings.solver.jitter) if group.n_weights else K_MM
    return PartFits.solved(triangle, U, group.scale(prior), own, own.variance)


@dataclass(frozen=True)
class SomeFit:
    """A fit that has not seen a structure, and members and T that have not either."""

    weights: np.ndarray
    members: np.ndarray
    T: np.ndarray | None


FitOf = Callable[[Structure, SomeFit, PartFits], SomeFit]  # from the full fit and those to parts


def measured_targets(
    fits: Fits,
    places: Sequence[int],
    kernels: Sequence[KernelFit],
    blocks: Blocks,
    data: tuple[Sequence[Structure], Sequence[Structure]],
    ranks: Ranks,
    progress: Progress,
) -> MeasuredTargets:
    """The measures of all targets, those of ``fits`` with these places among those of the model,
    and with a committee those of kernels; data: training structures and test structures."""
    problem = fits.problem
    own = problem.settings.uncertainty
    assert own is not None
    C, has = own.committee, members_of(own, blocks.n_blocks)
    variances = None
    if own.variance and places:
        with ranks.together():
            variances = TargetVariances(problem, fits.priors, [part.R for part in fits.parts])
    full = [
        SomeFit(weights, part.members, None if variances is None else variances.T[g])
        for g, (weights, part) in enumerate(zip(fits.weights, fits.parts, strict=True))
    ]

    def left_out(structure: Structure, full: SomeFit, part: PartFits) -> SomeFit:
        b = blocks[structure]
        return SomeFit(part.without[b], part.members[~has[:, b]], part.T[b] if part.T else None)

    def of_model(structure: Structure, full: SomeFit, part: PartFits) -> SomeFit:
        return SomeFit(full.weights, part.members[:C], full.T)

    train, test = data
    found = []
    for structures, most, of in (train, own.calibration, left_out), (test, MOST_TESTED, of_model):
        one = dict(_found(fits, full, variances, structures, most, of, ranks, progress))
        for kernel in kernels if C else ():
            one |= _found_of_kernel(kernel, structures, most, of, ranks, progress)
        found.append(one)
    measures = {VARIANCE: problem.targets, RIGIDITY: problem.targets} if own.variance else {}
    if C:
        measures |= {COMMITTEE: [*problem.targets, *(kernel.target for kernel in kernels)]}
    calibration = TargetCalibration(measures, problem.model.species, *found)
    arrays = dict[str, np.ndarray]()
    for kernel in kernels if C else ():
        arrays |= kernel.member_arrays(C)
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
    full: Sequence[SomeFit],
    variances: TargetVariances | None,
    structures: Sequence[Structure],
    most: int,
    fit_of: FitOf,
    ranks: Ranks,
    progress: Progress,
) -> Found:
    """Errors, and what each measure says of them, of the labels of each target on so many
    structures at most, on all ranks."""
    problem, ordered = fits.problem, in_fixed_order(s for s in structures if s.targets)
    chosen = [set(map(id, _labelled(ordered, own.name, most))) for own in problem.targets]
    mine = [s for s in ordered if any(id(s) in own for own in chosen)][ranks.rank :: ranks.size]

    def found(structure: Structure) -> Found:
        own: Found = {}
        environments = problem.model.environments(structure) if variances else None
        for g, (group, rows) in enumerate(
            zip(problem.groups, problem.rows(structure), strict=True)
        ):
            h = problem.number(group)
            if id(structure) not in chosen[h]:
                continue
            fit = fit_of(structure, full[g], fits.parts[g])
            error = rows.y - rows.C @ fits.priors[h].mean - rows.K @ fit.weights
            sigmas = {COMMITTEE: spread(rows.K @ fit.members.T)} if len(fit.members) else {}
            if variances is not None and fit.T is not None:
                assert environments is not None
                sigmas |= variances.deviations(g, structure, environments, rows, fit.T)
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


def _found_of_kernel(
    kernel: KernelFit,
    structures: Sequence[Structure],
    most: int,
    fit_of: FitOf,
    ranks: Ranks,
    progress: Progress,
) -> Found:
    """As ``_found``, of a target of kernels between structures."""
    name, part = kernel.target.name, kernel.parts
    assert part is not None
    full = SomeFit(kernel.weights, part.members, None)
    labelled = _labelled(in_fixed_order(structures), name, most)

    def found(structure: Structure) -> Found:
        fit, row = fit_of(structure, full, part), kernel.problem.row(structure)
        error = np.array([kernel.problem.left(structure) - row @ fit.weights])
        n, sigma = len(fit.members), spread(row[None] @ fit.members.T)
        own = Predicted.of_structure(error, sigma, structure.config_type, n)
        return {(COMMITTEE, name): own}

    with ranks.together():
        mine = progress(labelled[ranks.rank :: ranks.size], f"calibration of {name}")
        return joined(ranks, list(ordered_map(found, mine)))


def _labelled(ordered: Sequence[Structure], name: str, most: int) -> list[Structure]:
    """The first of them that have labels of the target."""
    own = [s for s in ordered if np.isfinite(s.targets.get(name, np.nan)).any()]
    return own[:most]
