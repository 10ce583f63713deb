# SPDX-License-Identifier: BSD-3-Clause
"""Learning curves: errors on a test set against the number of training structures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
from potential.training.label_groups import UNIT_NOISE
from potential.training.noise import row_sigmas
from potential.training.regression import StreamingQR
from potential.training.rows import extended_rows
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

STATISTICS = ("rmse", "mae")
HELD_OUT = 0.2


@dataclass(frozen=True)
class LearningCurve:
    """errors[label][statistic]: (n_sizes, repeats) in eV/atom, eV/Å, eV/atom, and eV for the
    total energies of molecules.

    At the size of the whole training set all subsets are the same: its other repeats are nan.
    """

    sizes: list[int]
    repeats: int
    seed: int
    n_test: int
    held_out: bool  # the test structures were taken out of [data] train
    errors: dict[str, dict[str, np.ndarray]]
    kept: dict[str, int]  # structures whose rows were kept in memory, in a file, computed again
    warnings: list[str]

    def mean(self, label: str, statistic: str) -> np.ndarray:
        """(n_sizes,) mean over the repeats."""
        return np.nanmean(self.errors[label][statistic], axis=1)

    def standard_error(self, label: str, statistic: str) -> np.ndarray:
        """(n_sizes,) standard error of that mean; 0 where there is one repeat."""
        values = self.errors[label][statistic]
        count = np.isfinite(values).sum(axis=1)
        squares = np.nansum((values - self.mean(label, statistic)[:, None]) ** 2, axis=1)
        return np.sqrt(squares / np.maximum(count - 1, 1) / count)

    def slope(self, label: str, statistic: str) -> float:
        """d log error / d log n by least squares over all sizes; nan with fewer than two."""
        return fitted_slope(self.sizes, self.mean(label, statistic))[0]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; what ``soap-gpr report --learning-curve`` reads."""
        return {
            "sizes": self.sizes,
            "repeats": self.repeats,
            "seed": self.seed,
            "n_test": self.n_test,
            "held_out": self.held_out,
            "units": {label: metrics.UNITS[label][0] for label in self.errors},
            "errors": {
                label: {
                    name: {
                        "mean": self.mean(label, name).tolist(),
                        "standard_error": self.standard_error(label, name).tolist(),
                        "slope": _number(self.slope(label, name)),
                        "values": [[_number(x) for x in row] for row in values.tolist()],
                    }
                    for name, values in of_label.items()
                }
                for label, of_label in self.errors.items()
            },
            "kept": self.kept,
            "warnings": self.warnings,
        }


def fitted_slope(sizes: Sequence[int], errors: np.ndarray) -> tuple[float, float]:
    """(slope, intercept) of log error against log n; nan with fewer than two sizes."""
    if len(sizes) < 2 or not np.all(np.asarray(errors) > 0):
        return float("nan"), float("nan")
    slope, intercept = np.polyfit(np.log(sizes), np.log(errors), 1)
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
        if not data.test:
            data = hold_out(data, held_out, seed)
        prepared = prepare(settings, data, progress)
        free = [k for k, s in enumerate(prepared.train) if not s.is_isolated_atom]
        sizes = _checked(sizes, len(free)) if sizes is not None else automatic_sizes(len(free))

        def make(structure: Structure) -> np.ndarray:
            return extended_rows(prepared.model, structure, settings)

        store = RowStore(make, prepared.train, prepared.width, memory_bytes, disk_bytes)
        with store:
            store.fill(progress)
            models = _models(prepared, store, sizes, repeats, seed, progress)
            kept = store.places
        table = _test_errors(prepared, models, progress)
    shape = (len(sizes), repeats)
    errors = {
        label: {
            name: _filled(shape, {key: getattr(e[label], name) for key, e in table.items()})
            for name in STATISTICS
        }
        for label in (*LABELS, metrics.TOTAL_ENERGY)
        if all(label in e for e in table.values())
    }
    return LearningCurve(
        sizes=list(sizes),
        repeats=repeats,
        seed=seed,
        n_test=len(prepared.test),
        held_out=not settings.data.test,
        errors=errors,
        kept=kept,
        warnings=prepared.warnings,
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


def _models(
    prepared: Prepared,
    store: RowStore,
    sizes: Sequence[int],
    repeats: int,
    seed: int,
    progress: Progress,
) -> dict[tuple[int, int], tuple[np.ndarray, np.ndarray]]:
    """(weights, e0) by (index of the size, repeat); one stream of rows per repeat."""
    isolated = [k for k, s in enumerate(prepared.train) if s.is_isolated_atom]
    free = [k for k, s in enumerate(prepared.train) if not s.is_isolated_atom]
    models = {}
    for repeat in progress(range(repeats), "fits"):
        order = np.random.default_rng([seed, repeat]).permutation(free).tolist()
        qr = StreamingQR(prepared.width)
        taken = list[int]()
        for s, size in enumerate(sizes):
            if repeat and size == len(free):
                continue
            added = order[len(taken) - len(isolated) : size] if taken else isolated + order[:size]
            for rows in store.rows(added):
                qr.add(rows[:, :-1], rows[:, -1])
            taken += added
            e0 = prepared.e0([prepared.train[k] for k in taken])
            models[s, repeat] = prepared.solve([qr.triangle()], e0).weights, e0
    return models


def _test_errors(
    prepared: Prepared,
    models: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]],
    progress: Progress,
) -> dict[tuple[int, int], dict[str, metrics.ErrorStatistics]]:
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


def _filled(shape: tuple[int, int], values: dict[tuple[int, int], float]) -> np.ndarray:
    array = np.full(shape, np.nan)
    for key, value in values.items():
        array[key] = value
    return array


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
