# SPDX-License-Identifier: BSD-3-Clause
"""Errors of [[targets]] on a test set, of fits to subsets of the training structures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from potential.errors import SoapGprError
from potential.model import Evaluation
from potential.model.targets import Target
from potential.runtime.parallel import ordered_map
from potential.runtime.progress import Progress
from potential.scores.properties import TargetStatistics, property_errors
from potential.structures.digests import fingerprint
from potential.structures.structure import Structure
from potential.training.factor_store import factor_bytes
from potential.training.target_factors import TargetFactors
from potential.training.target_priors import Prior
from potential.training.target_problem import TargetProblem, solved_weights
from potential.training.targets import require_target_memory
from potential.validation.row_store import Prepared, RowStore
from potential.validation.subsets import Key, Subset, filled

_AT_ONCE = 100  # targets that one model may have


@dataclass(frozen=True)
class TargetCurves:
    """errors[name][of][statistic]: (n_sizes, repeats), of all and each species or config_type."""

    errors: dict[str, dict[str, dict[str, np.ndarray]]] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    kept: dict[str, int] = field(default_factory=dict)
    deviations: dict[str, dict[str, float]] = field(default_factory=dict)  # of vectors and tensors

    def add(
        self,
        target: Target,
        table: Mapping[str, Mapping[Key, TargetStatistics]],
        shape: Key,
        failures: Sequence[str],
        n_subsets: int,
    ) -> None:
        """A target; table: errors of each fit, by what they are of, which all have the deviations
        of the same test structures; failures: why subsets of so many have none."""
        self.errors[target.name] = {of: filled(shape, own) for of, own in table.items()}
        self.units[target.name] = target.unit
        if target.rank:
            self.deviations[target.name] = {
                of: next(iter(own.values())).deviation for of, own in table.items() if own
            }
        if failures:
            count = f"{len(failures)} of {n_subsets} subsets are"
            self.warnings.append(f"{count} left out of the curve of a target: {failures[0]}")
        if len(failures) < n_subsets and not table:
            self.warnings.append(f"target {target.name}: no test structure has a label of it")


@dataclass(frozen=True)
class _Fit:
    """One target fitted to one subset."""

    key: Key
    h: int  # its place in [[targets]]
    prior: Prior
    weights: dict[int, np.ndarray]  # by the place of the group


def target_curves(
    prepared: Prepared,
    parts: Iterable[Subset],
    shape: Key,
    room: tuple[int, int],
    progress: Progress,
) -> TargetCurves:
    """Fit the targets to subsets, each with means and scales of its own, and test them.

    room: bytes for kernels in memory and in a file. Subsets whose labels do not suffice for a
    target are left out of its curve, with a warning. Raises SoapGprError as a fit to the whole set.
    """
    problem = TargetProblem(prepared.model, prepared.settings)
    problem.priors(prepared.train)  # of the whole set: says what is wrong with it
    room_for_triangles = factor_bytes((), 0, 0, problem.groups)
    require_target_memory(problem.groups, prepared.train, 1, room_for_triangles)
    n_kernels = sum(len(p) for t in problem.terms for p in prepared.model.sparse_points(t).values())
    labelled = [s for s in prepared.train if s.targets]
    parts, failures = list(parts), {h: list[str]() for h in range(len(problem.targets))}
    with RowStore(problem.kernels, labelled, n_kernels - 1, *room, n_rows=len) as store:
        store.fill(progress)
        fits = list(_fits(problem, prepared.train, store, parts, failures))
    tables: dict[int, dict[str, dict[Key, TargetStatistics]]] = {h: {} for h in failures}
    for begin in range(0, len(fits), _AT_ONCE):
        some = fits[begin : begin + _AT_ONCE]
        for fit, errors in zip(some, _errors(problem, some, prepared.test, progress), strict=True):
            for of, own in errors.items():
                tables[fit.h].setdefault(of, {})[fit.key] = own
    found = TargetCurves(kept=store.places)
    for h, target in enumerate(problem.targets):
        found.add(target, tables[h], shape, failures[h], len(parts))
    return found


def _fits(
    problem: TargetProblem,
    train: list[Structure],
    store: RowStore,
    parts: Iterable[Subset],
    failures: dict[int, list[str]],
) -> Iterator[_Fit]:
    """Every target of every subset; why there is none goes into failures."""
    factors = TargetFactors(problem.groups)
    places = {k: n for n, k in enumerate(k for k, s in enumerate(train) if s.targets)}
    jitter = problem.settings.solver.jitter
    matrices = {own.sets: own.kernel_matrix(problem.model) for own in problem.groups}
    for subset in parts:
        if subset.is_first:
            factors = TargetFactors(problem.groups)
        added = [k for k in subset.added if k in places]
        for k, kernels in zip(added, store.rows([places[k] for k in added]), strict=True):
            factors.add(problem.rows(train[k], kernels))
        own = sorted((train[k] for k in subset.taken), key=fingerprint)
        for h, said in failures.items():
            try:
                prior = problem.prior(h, own)
            except SoapGprError as error:
                said.append(str(error))
                continue
            weights = {}
            for g in problem.groups_of(h):
                group, R = problem.groups[g], factors.triangle(g, prior)
                weights[g] = solved_weights(group, R, prior, matrices[group.sets], jitter)
            yield _Fit(subset.key, h, prior, weights)


def _errors(
    problem: TargetProblem, fits: list[_Fit], test: list[Structure], progress: Progress
) -> list[Mapping[str, TargetStatistics]]:
    """Those of each fit: each test structure is evaluated once, with all of them as targets."""
    targets, arrays = list[Target](), dict[str, np.ndarray]()
    for k, fit in enumerate(fits):
        targets.append(replace(problem.targets[fit.h], name=f"fit{k}"))
        arrays |= problem.arrays_of(fit.h, fit.prior, fit.weights, k)
    model = problem.model.with_targets(targets, arrays, potential=False)

    def evaluate(structure: Structure) -> Evaluation:
        return model.evaluate(structure, forces=False)

    found = list(ordered_map(evaluate, progress(test, "test errors of targets")))
    errors = list[Mapping[str, TargetStatistics]]()
    for k, fit in enumerate(fits):
        target = problem.targets[fit.h]
        own = [replace(e, properties={target.name: e.properties[f"fit{k}"]}) for e in found]
        errors.append(property_errors([target], test, own).get(target.name, {}))
    return errors
