# SPDX-License-Identifier: BSD-3-Clause
"""Errors of [[targets]] of kernels between structures on a test set, of fits to subsets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from potential.errors import SoapGprError
from potential.model.evaluation import evaluate_structures
from potential.model.structure_targets import KernelTarget
from potential.runtime.ranks import Ranks
from potential.scores.properties import TargetStatistics, property_errors
from potential.structures.digests import fingerprint
from potential.training.structure_targets import KernelFit, fit_kernel_target, kernel_target
from potential.training.target_priors import prior_of
from potential.validation.row_store import Prepared
from potential.validation.subsets import Key, Subset
from potential.validation.target_curves import TargetCurves


def add_kernel_curves(
    found: TargetCurves, prepared: Prepared, parts: Iterable[Subset], shape: Key
) -> None:
    """Fit these targets to subsets, each with sparse structures, mean and scale of its own.

    Subsets whose labels do not suffice are left out, with a warning, and what the first of the
    largest has to say is kept. Raises SoapGprError for labels of which no fit is possible.
    """
    parts, settings, model = list(parts), prepared.settings, prepared.model
    for h, own in enumerate(settings.targets):
        if own.kernel is None:
            continue
        prior_of(own, prepared.train, model.species)  # says what is wrong with the whole set
        target = kernel_target(own, settings, model.species)
        table, failures = dict[str, dict[Key, TargetStatistics]](), list[str]()
        for subset in parts:
            taken = sorted((prepared.train[k] for k in subset.taken), key=fingerprint)
            try:
                fit = fit_kernel_target(model, taken, settings, h, Ranks())
            except SoapGprError as error:
                failures.append(str(error))
                continue
            if subset.key == (shape[0] - 1, 0):
                found.warnings.extend(fit.warnings)
            for of, errors in _errors(prepared, fit, h).items():
                table.setdefault(of, {})[subset.key] = errors
        found.add(target, table, shape, failures, len(parts))


def _errors(prepared: Prepared, fit: KernelFit, h: int) -> Mapping[str, TargetStatistics]:
    arrays = KernelTarget.read(fit.target, fit.arrays, h).arrays(0)
    model = prepared.model.with_targets([fit.target], arrays, potential=False)
    found = evaluate_structures(model, prepared.test, labels_only=True)
    return property_errors([fit.target], prepared.test, found).get(fit.target.name, {})
