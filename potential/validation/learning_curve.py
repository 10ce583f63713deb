# SPDX-License-Identifier: BSD-3-Clause
"""Learning curves: errors on a test set against the number of training structures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from potential.errors import SoapGprError
from potential.runtime.parallel import ordered_map
from potential.runtime.progress import Progress, silent
from potential.schema import Integer, Place
from potential.schema.limits import MOST_REPEATS, MOST_SEED
from potential.scores import metrics
from potential.settings import FitSettings
from potential.settings.file import as_settings
from potential.structures.label_table import LABELS, from_rows
from potential.structures.structure import Structure
from potential.training.auto_noise import level_groups
from potential.training.label_groups import UNIT_NOISE
from potential.training.noise import row_sigmas
from potential.training.rows import extended_rows
from potential.validation.kernel_curves import add_kernel_curves
from potential.validation.row_store import (
    DISK_BYTES,
    MEMORY_BYTES,
    Prepared,
    RowStore,
    hold_out,
    prepare,
    read_data,
    without_sigmas,
)
from potential.validation.subset_fits import SubsetFits
from potential.validation.subsets import Key, Subset, filled, subsets
from potential.validation.target_curves import TargetCurves, target_curves

HELD_OUT = 0.2


@dataclass(frozen=True)
class LearningCurve:
    """errors[label][statistic]: (n_sizes, repeats) in eV/atom, eV/Å, eV/atom, and eV for the
    total energies of molecules. target_errors[name][of][statistic]: the same of each target, of all
    and of each species or config_type, in its unit.

    At the size of the whole training set all subsets are the same: its other repeats are nan, and
    so are errors of targets of subsets with too few labels of them.
    """

    sizes: list[int]
    repeats: int
    seed: int
    n_test: int
    held_out: bool  # the test structures were taken out of [data] train
    errors: dict[str, dict[str, np.ndarray]]
    kept: dict[str, int]  # structures whose rows were kept in memory, in a file, computed again
    warnings: list[str]
    target_errors: dict[str, dict[str, dict[str, np.ndarray]]] = field(default_factory=dict)
    target_units: dict[str, str] = field(default_factory=dict)
    target_deviations: dict[str, dict[str, float]] = field(default_factory=dict)
    noise: dict[str, np.ndarray] = field(default_factory=dict)  # levels that were found

    def mean(self, label: str, statistic: str) -> np.ndarray:
        """(n_sizes,) mean over the repeats."""
        return mean_of(self.errors[label][statistic])

    def standard_error(self, label: str, statistic: str) -> np.ndarray:
        """(n_sizes,) standard error of that mean; 0 where there is one repeat."""
        return standard_error_of(self.errors[label][statistic])

    def slope(self, label: str, statistic: str) -> float:
        """d log error / d log n by least squares over all sizes; nan with fewer than two."""
        return fitted_slope(self.sizes, self.mean(label, statistic))[0]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; what ``soap-gpr report --learning-curve`` reads."""
        found = {
            "sizes": self.sizes,
            "repeats": self.repeats,
            "seed": self.seed,
            "n_test": self.n_test,
            "held_out": self.held_out,
            "units": {label: metrics.UNITS[label][0] for label in self.errors},
            "errors": {label: self._plain(own) for label, own in self.errors.items()},
            "kept": self.kept,
            "warnings": self.warnings,
        }
        if self.noise:
            found["noise"] = {k: [_numbers(row) for row in own] for k, own in self.noise.items()}
        if not self.target_units:
            return found
        of_targets = {
            name: {of: self._plain(own) for of, own in groups.items()}
            for name, groups in self.target_errors.items()
        }
        found |= {"target_units": self.target_units, "target_errors": of_targets}
        if not self.target_deviations:
            return found
        return found | {"target_deviations": self.target_deviations}

    def _plain(self, of_label: dict[str, np.ndarray]) -> dict[str, Any]:
        return {
            name: {
                "mean": _numbers(mean_of(values)),
                "standard_error": _numbers(standard_error_of(values)),
                "slope": _number(fitted_slope(self.sizes, mean_of(values))[0]),
                "values": [_numbers(row) for row in values],
            }
            for name, values in of_label.items()
        }


def mean_of(values: np.ndarray) -> np.ndarray:
    """(n_sizes,) mean over the repeats (n_sizes, repeats) that there are, nan without any."""
    count = np.isfinite(values).sum(axis=1)
    return np.where(count, np.nansum(values, axis=1), np.nan) / np.maximum(count, 1)


def standard_error_of(values: np.ndarray) -> np.ndarray:
    """(n_sizes,) standard error of that mean; 0 where there is one repeat, nan without any."""
    count = np.isfinite(values).sum(axis=1)
    squares = np.nansum((values - mean_of(values)[:, None]) ** 2, axis=1)
    found = np.sqrt(squares / np.maximum(count - 1, 1) / np.maximum(count, 1))
    return np.where(count, found, np.nan)


def fitted_slope(sizes: Sequence[int], errors: np.ndarray) -> tuple[float, float]:
    """(slope, intercept) of log error against log n, where there are errors; nan with fewer than
    two sizes."""
    errors = np.asarray(errors, dtype=float)
    known = np.isfinite(errors)
    if np.count_nonzero(known) < 2 or not np.all(errors[known] > 0):
        return float("nan"), float("nan")
    slope, intercept = np.polyfit(np.log(np.asarray(sizes)[known]), np.log(errors[known]), 1)
    return float(slope), float(intercept)


def learning_curve(
    settings: FitSettings,
    sizes: Sequence[int] | None = None,
    repeats: int = 5,
    seed: int = 0,
    *,
    held_out: float = HELD_OUT,
    memory_bytes: int = MEMORY_BYTES,
    disk_bytes: int = DISK_BYTES,
    progress: Progress = silent,
) -> LearningCurve:
    """Fit random nested subsets of the training structures and test each.

    sizes: numbers of training structures, isolated atoms not counted (they are in every subset);
    default: powers of 2 and the whole set. Sparse points are those of the whole training set; e0
    is that of the subset. Raises SoapGprError for anything a user can put right.
    """
    settings = as_settings(settings)
    place = Place("learning curve")
    Integer(1, MOST_REPEATS).checked(repeats, place.at("repeats"))
    Integer(0, MOST_SEED).checked(seed, place.at("seed"))
    with threadpool_limits(limits=1, user_api="blas"):
        data = read_data(settings)
        asked = data.settings
        settings = replace(asked, noise=asked.noise.start)
        if not data.test:
            data = hold_out(data, held_out, seed)
        prepared = prepare(settings, data, progress)
        n_free = sum(not s.is_isolated_atom for s in prepared.train)
        sizes = _checked(sizes, n_free) if sizes is not None else automatic_sizes(n_free)
        shape, room = (len(sizes), repeats), (memory_bytes, disk_bytes)
        errors, kept = dict[str, dict[str, np.ndarray]](), dict[str, int]()
        fits = SubsetFits(prepared, level_groups(asked, prepared.train))
        if prepared.has_potential:
            of = subsets(prepared, sizes, repeats, seed, progress)
            table, kept, room = _of_potential(fits, of, room, progress)
            errors = {
                label: filled(shape, {key: e[label] for key, e in table.items()})
                for label in (*LABELS, metrics.TOTAL_ENERGY)
                if all(label in e for e in table.values())
            }
        of_targets = TargetCurves()
        if settings.targets:
            parts = list(subsets(prepared, sizes, repeats, seed, progress))
            if any(own.kernel is None for own in settings.targets):
                of_targets = target_curves(prepared, parts, shape, room, progress)
            add_kernel_curves(of_targets, prepared, parts, shape)
    if not errors and not any(of_targets.errors.values()):
        raise SoapGprError("found no label that was fitted in any test structure, expected some")
    return LearningCurve(
        sizes=list(sizes),
        repeats=repeats,
        seed=seed,
        n_test=len(prepared.test),
        held_out=not settings.data.test,
        errors=errors,
        kept=kept or of_targets.kept,
        warnings=prepared.warnings + fits.warnings + of_targets.warnings,
        noise=fits.levels(shape),
        target_errors={own.name: of_targets.errors[own.name] for own in settings.targets},
        target_units=of_targets.units,
        target_deviations=of_targets.deviations,
    )


def automatic_sizes(n: int) -> list[int]:
    """Powers of 2 below n, from 8 where n is 32 or more and else from 2, and n."""
    first = 3 if n >= 32 else 1
    return [2**k for k in range(first, 64) if 2**k < n] + [n]


def _checked(sizes: Sequence[int], n: int) -> list[int]:
    found = sorted(set(sizes))
    if not found or found[0] < 1 or found[-1] > n:
        raise SoapGprError(
            f"sizes: found {', '.join(map(str, found)) or 'none'}, expected integers from 1 to "
            f"{n}, the number of training structures"
        )
    return found


def _of_potential(
    fits: SubsetFits, parts: Iterable[Subset], room: tuple[int, int], progress: Progress
) -> tuple[dict[Key, dict[str, metrics.ErrorStatistics]], dict[str, int], tuple[int, int]]:
    """Errors of every fit, where rows were kept, and the bytes left in memory and on disk."""
    prepared = fits.prepared

    def make(structure: Structure) -> np.ndarray:
        return extended_rows(prepared.model, structure, prepared.settings)

    with RowStore(make, prepared.train, prepared.width, *room) as store:
        store.fill(progress)
        models = fits.models(store, parts)
    return _test_errors(prepared, models, progress), store.places, store.left


def _test_errors(
    prepared: Prepared,
    models: dict[Key, tuple[np.ndarray, np.ndarray]],
    progress: Progress,
) -> dict[Key, dict[str, metrics.ErrorStatistics]]:
    """Errors of all models: each test structure's rows are computed once for all of them."""
    W = np.stack([weights for weights, _ in models.values()], axis=1)
    E0 = np.stack([e0 for _, e0 in models.values()], axis=1)
    structures = [without_sigmas(structure) for structure in prepared.test]
    unit = replace(prepared.settings, noise=UNIT_NOISE)

    def of_structure(structure: Structure) -> np.ndarray:
        return prepared.residuals(extended_rows(prepared.model, structure, unit), W, E0)

    errors = list(ordered_map(of_structure, progress(structures, "test errors")))
    return {
        key: metrics.errors(
            structures,
            [_Reproduced(s, e[:, k]) for s, e in zip(structures, errors, strict=True)],
        )[metrics.ALL]
        for k, key in enumerate(models)
    }


class _Reproduced:
    """A prediction as label plus error; error (n_labels,) over the sigmas of unit noise."""

    def __init__(self, structure: Structure, error: np.ndarray):
        values = structure.labels
        sigma = row_sigmas(UNIT_NOISE, structure)
        values[np.isfinite(sigma)] += sigma[np.isfinite(sigma)] * error
        self.energy, self.forces, self.virial = from_rows(values)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _numbers(values: Iterable[float]) -> list[float | None]:
    return [_number(x) for x in values]
