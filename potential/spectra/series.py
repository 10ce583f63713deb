# SPDX-License-Identifier: BSD-3-Clause
"""A quantity over time at even steps, and what can be wrong with one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from potential.errors import SoapGprError

JUMP = 10.0  # medians of the lengths of steps


@dataclass(frozen=True)
class Series:
    """What one file has.

    values (n, n_components) float64 in the unit of the file; steps (n,) int64 as the file counts
    them, None where it does not; step_fs: fs of one step where the file says it; source: its name.
    """

    values: np.ndarray
    steps: np.ndarray | None
    step_fs: float | None
    source: str


def checked(series: Series) -> Series:
    """The series without records that are there twice, as where one run of LAMMPS follows another.

    Raises SoapGprError for numbers that are not finite, fewer than two records, and steps that are
    not even.
    """
    bad = np.flatnonzero(~np.isfinite(series.values).all(axis=1))
    if bad.size:
        raise SoapGprError(
            f"{_where(series, bad[0])}: found nan or infinite numbers there and in "
            f"{bad.size - 1} more records, expected finite ones"
        )
    if series.steps is not None:
        series = _once(series)
        _require_even(series)
    if len(series.values) < 2:
        raise SoapGprError(
            f"{series.source}: found {len(series.values)} records, expected a series over time"
        )
    return series


def _once(series: Series) -> Series:
    steps, values = series.steps, series.values
    assert steps is not None
    again = np.append(False, (np.diff(steps) == 0) & (values[1:] == values[:-1]).all(axis=1))
    return replace(series, values=values[~again], steps=steps[~again]) if again.any() else series


def _require_even(series: Series) -> None:
    assert series.steps is not None
    strides = np.diff(series.steps)
    odd = np.flatnonzero((strides != strides[0]) | (strides <= 0)) if strides.size else strides
    if odd.size:
        k = odd[0]
        raise SoapGprError(
            f"{series.source}: found step {series.steps[k + 1]} after step {series.steps[k]}, "
            f"expected steps that are all {max(int(strides[0]), 1)} apart"
        )


def interval(series: Series, timestep: float | None) -> float:
    """Time between two records in fs.

    timestep: fs of one step as the file counts them, or from record to record where it does not.
    Raises SoapGprError where it is neither given nor in the file, or differs from the file's.
    """
    if timestep is None and series.step_fs is None:
        raise SoapGprError(
            f"{series.source}: found no time step in the file, expected --timestep, the fs of one "
            + ("step as the file counts them" if series.steps is not None else "record")
        )
    step = series.step_fs if timestep is None else timestep
    assert step is not None
    if series.step_fs is not None and abs(step / series.step_fs - 1) > 1e-6:
        raise SoapGprError(
            f"{series.source}: found a time step of {series.step_fs:g} fs in the file and "
            f"--timestep {step:g}, expected the same"
        )
    return step if series.steps is None else step * int(series.steps[1] - series.steps[0])


def mean_of_beads(beads: Sequence[Series]) -> Series:
    """The mean over the beads of a path integral: the estimate at its centroid.

    Raises SoapGprError where they do not have the same records.
    """
    first = beads[0]
    for other in beads[1:]:
        same = other.values.shape == first.values.shape
        if not same or not np.array_equal(
            first.steps if first.steps is not None else 0,
            other.steps if other.steps is not None else 0,
        ):
            raise SoapGprError(
                f"{other.source}: found {len(other.values)} records, expected the same steps as "
                f"the {len(first.values)} of {first.source}, as both are beads of one trajectory"
            )
    if len(beads) == 1:
        return first
    source = f"{first.source} to {beads[-1].source}"
    values = np.mean([own.values for own in beads], axis=0)
    return Series(values, first.steps, first.step_fs, source)


def find_jump(series: Series) -> str | None:
    """Where the values jump, in words: a step far longer than most are.

    A dipole that follows from a polarization jumps by e times a vector of the cell where it is
    folded back.
    """
    lengths = np.linalg.norm(np.diff(series.values, axis=0), axis=1)
    usual = float(np.median(lengths))
    jumps = np.flatnonzero(lengths > JUMP * usual)
    if usual == 0.0 or not jumps.size:
        return None
    k = int(jumps[np.argmax(lengths[jumps])])
    return (
        f"{_where(series, k + 1)}: the values jump by {lengths[k]:.4g}, "
        f"{lengths[k] / usual:.3g} times as far as in most steps"
        + (f", and there are {jumps.size - 1} more jumps" if jumps.size > 1 else "")
    )


def _where(series: Series, record: int) -> str:
    """The file with the step or the record, counted from 0."""
    if series.steps is None:
        return f"{series.source}, record {record}"
    return f"{series.source}, step {series.steps[record]}"
