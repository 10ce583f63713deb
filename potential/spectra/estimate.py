# SPDX-License-Identifier: BSD-3-Clause
"""Spectral densities of trajectories in blocks: how long these are, and what comes out of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.constants import c

from potential.errors import SoapGprError
from potential.spectra.correlation import (
    autocorrelation,
    cosine_transform,
    derivative_factor,
    line_width,
    window,
)

CM_PER_FS = 100 * c * 1e-15  # the wavenumber of one oscillation per fs is 1 / CM_PER_FS
N_BLOCKS = 10  # about so many, where the trajectories are long enough


@dataclass(frozen=True)
class EstimateOptions:
    """How spectral densities are estimated.

    resolution: cm⁻¹, full width at half maximum of a line; lag: ps, the longest lag, in its place;
    block: ps, None for about ``N_BLOCKS`` blocks; padding: frequencies for each that is
    independent; circular: see ``autocorrelation``.
    """

    resolution: float | None = 10.0
    lag: float | None = None
    block: float | None = None
    window: str = "hann"
    padding: int = 4
    circular: bool = False


@dataclass(frozen=True)
class Plan:
    """What becomes of the options for trajectories of given lengths, in records."""

    time_step: float  # fs
    n_lags: int
    block: int
    n_blocks: int
    n_records: int  # in blocks
    n_left_out: int  # at the ends of trajectories
    options: EstimateOptions

    @property
    def resolution(self) -> float:
        """Full width at half maximum of a line, cm⁻¹."""
        lag = self.n_lags * self.time_step
        return line_width(self.options.window) / (lag * CM_PER_FS)

    @property
    def n_frequencies(self) -> int:
        """Steps of frequency from 0 to the highest one."""
        return self.options.padding * self.n_lags

    @property
    def wavenumbers(self) -> np.ndarray:
        """(n_frequencies + 1,) cm⁻¹, from 0 to the highest one."""
        return np.linspace(0.0, 0.5 / (self.time_step * CM_PER_FS), self.n_frequencies + 1)


def make_plan(lengths: Sequence[int], time_step: float, options: EstimateOptions) -> Plan:
    """The plan for trajectories of so many records, time_step fs apart.

    Raises SoapGprError where they are too short: a block is at least two longest lags.
    """
    n_lags = _lags(time_step, options)
    least, shortest = 2 * n_lags, min(lengths)
    ps = 1e-3 * time_step
    if shortest < least:
        coarsest = line_width(options.window) / (shortest // 2 * time_step * CM_PER_FS)
        raise SoapGprError(
            f"found a trajectory of {shortest * ps:.4g} ps, expected at least {least * ps:.4g} ps, "
            f"two longest lags, or --resolution {_rounded_up(coarsest):g} cm^-1 or coarser"
        )
    if options.block is None:
        of_each = -(-N_BLOCKS // len(lengths))
        block = shortest // max(1, min(of_each, shortest // least))
    else:
        block = round(options.block / ps)
        if not least <= block <= shortest:
            raise SoapGprError(
                f"found --block {options.block:g} ps, expected {least * ps:.4g} ps, two longest "
                f"lags, to {shortest * ps:.4g} ps, the shortest trajectory"
            )
    n_blocks = sum(n // block for n in lengths)
    used = n_blocks * block
    return Plan(time_step, n_lags, block, n_blocks, used, sum(lengths) - used, options)


def _lags(time_step: float, options: EstimateOptions) -> int:
    if options.lag is not None:
        n_lags = round(1e3 * options.lag / time_step)
        asked = f"--lag {options.lag:g} ps"
    else:
        assert options.resolution is not None
        n_lags = round(line_width(options.window) / (options.resolution * CM_PER_FS * time_step))
        asked = f"--resolution {options.resolution:g} cm^-1"
    if n_lags < 2:
        raise SoapGprError(
            f"found {asked} and records {time_step:g} fs apart, expected a longest lag of two "
            "records or more"
        )
    return n_lags


def _rounded_up(value: float) -> float:
    """Three digits, not below the value."""
    unit = 10.0 ** (np.floor(np.log10(value)) - 2)
    return float(f"{np.ceil(value / unit) * unit:.4g}")


def densities(trajectories: Sequence[np.ndarray], plan: Plan) -> np.ndarray:
    """(n_blocks, n_frequencies + 1) densities, unit² cm, of series (n, n_components), whose
    columns are added up; over positive and negative wavenumbers each integrates to c(0)."""
    own_window = window(plan.options.window, plan.n_lags)
    found = []
    for values in trajectories:
        for start in range(0, len(values) - plan.block + 1, plan.block):
            block = values[start : start + plan.block]
            correlation = autocorrelation(block, plan.n_lags, circular=plan.options.circular)
            found.append(cosine_transform(own_window * correlation, 1.0, plan.n_frequencies))
    return np.array(found) * plan.time_step * CM_PER_FS


def derivative_densities(trajectories: Sequence[np.ndarray], plan: Plan) -> np.ndarray:
    """The same of derivatives over time, (unit/fs)² cm, of series with one record more."""
    rates = [np.diff(values, axis=0) / plan.time_step for values in trajectories]
    return densities(rates, plan) * derivative_factor(plan.n_frequencies)


def mean_and_error(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Over blocks (n_blocks, n): the mean and its standard error, nan for one block."""
    n = len(values)
    error = values.std(axis=0, ddof=1) / np.sqrt(n) if n > 1 else np.full(values.shape[1:], np.nan)
    return values.mean(axis=0), error
