# SPDX-License-Identifier: BSD-3-Clause
"""From files to trajectories: beads averaged, the beginning left out, units converted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from potential.errors import SoapGprError
from potential.spectra.read import read_series
from potential.spectra.series import Series, find_jump, interval, mean_of_beads
from potential.spectra.spectrum import (
    N_COMPONENTS,
    POWER,
    QUANTITIES,
    RAMAN,
    SYMMETRIC_TO,
    antisymmetric_share,
    in_angstrom,
)

_BEAD = re.compile(r"^(.*_)\d+(\.\w+)?$")  # as i-PI names the files of beads


@dataclass(frozen=True)
class Inputs:
    """Which files there are and how they are read.

    files: of one trajectory after another, ``beads`` of them for each; unit: of dipoles or
    polarizabilities; timestep: fs, see ``series.interval``; skip: ps at the beginning of each
    trajectory; columns, key: see ``read_series``; accept_jumps: of dipoles.
    """

    files: tuple[str, ...]
    unit: str | None = None
    timestep: float | None = None
    beads: int = 1
    skip: float = 0.0
    columns: tuple[str, ...] = ()
    key: str | None = None
    accept_jumps: bool = False


@dataclass(frozen=True)
class Trajectories:
    """Series of the same quantity, each (n, n_components) in e Å, Å³, or the unit of the file;
    time_step: fs between two records; notes: what there is to say of them."""

    values: list[np.ndarray]
    time_step: float
    notes: list[str]


def read_trajectories(kind: str, inputs: Inputs) -> Trajectories:
    """All trajectories for one of the kinds of spectra.

    Raises SoapGprError for files that do not fit together, dipoles that jump, and as
    ``read_series`` does.
    """
    unit = _unit_factor(kind, inputs.unit)
    if len(inputs.files) % inputs.beads:
        raise SoapGprError(
            f"found {len(inputs.files)} files, expected a multiple of --beads {inputs.beads}"
        )
    about = N_COMPONENTS[kind], inputs.columns, inputs.key, QUANTITIES.get(kind)
    read = [read_series(path, *about) for path in inputs.files]
    every = range(0, len(read), inputs.beads)
    series = [mean_of_beads(read[k : k + inputs.beads]) for k in every]
    notes = _bead_note(inputs)
    if not inputs.accept_jumps:
        _require_smooth(series)
    time_step = _time_step(series, inputs.timestep)
    values = [unit * _without_start(own, time_step, inputs.skip) for own in series]
    if len({own.shape[1] for own in values}) > 1:
        raise SoapGprError(
            f"{series[0].source} and others: found different numbers of columns, expected the same"
        )
    if kind == RAMAN and (share := antisymmetric_share(values)) > SYMMETRIC_TO:
        notes.append(
            f"the polarizabilities are not symmetric: up to {100 * share:.2g} % of the largest "
            "component are in the antisymmetric part, which is left out"
        )
    return Trajectories(values, time_step, notes)


def _unit_factor(kind: str, unit: str | None) -> float:
    if kind == POWER:
        if unit is not None:
            raise SoapGprError("found --unit, which a plain power spectrum has not, expected none")
        return 1.0
    quantity = QUANTITIES[kind]
    if unit is None:
        raise SoapGprError(
            f"found no unit of the {quantity}, expected --unit, such as "
            f"{'e*angstrom' if kind != RAMAN else 'angstrom^3'} or a.u., which i-PI's are in"
        )
    return in_angstrom(quantity, unit)


def _bead_note(inputs: Inputs) -> list[str]:
    """Where files of one folder differ in a number alone, as those of beads, and yet count as
    trajectories. Runs in folders of their own that have one such file each are trajectories."""
    names = [_BEAD.match(path) for path in inputs.files]
    beads = Counter(name[1] for name in names if name)
    n_beads = max(beads.values(), default=1)
    if inputs.beads > 1 or n_beads == 1 or set(beads.values()) != {n_beads} or None in names:
        return []
    return [
        f"{inputs.files[0]} and the others are taken for independent trajectories: for beads of "
        + ("one path integral" if len(beads) == 1 else f"{len(beads)} path integrals")
        + f" give --beads {n_beads}"
    ]


def _require_smooth(series: Sequence[Series]) -> None:
    for own in series:
        if found := find_jump(own):
            raise SoapGprError(
                f"{found}, expected a quantity that is continuous (a dipole of a periodic cell is "
                "one where no charge and no polarization is folded back), or --accept-jumps"
            )


def _time_step(series: Sequence[Series], timestep: float | None) -> float:
    first, *others = (interval(own, timestep) for own in series)
    for own, of in zip(others, series[1:], strict=True):
        if abs(own / first - 1) > 1e-9:
            raise SoapGprError(
                f"{of.source}: found records {own:g} fs apart, expected {first:g} fs as in "
                f"{series[0].source}"
            )
    return first


def _without_start(series: Series, time_step: float, skip: float) -> np.ndarray:
    first = round(1e3 * skip / time_step)
    if len(series.values) - first < 2:
        raise SoapGprError(
            f"{series.source}: found {1e-3 * time_step * (len(series.values) - 1):.4g} ps, "
            f"expected more than --skip {skip:g} ps"
        )
    return series.values[first:]
