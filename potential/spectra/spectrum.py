# SPDX-License-Identifier: BSD-3-Clause
"""Infrared and Raman spectra (docs/theory.md eq. (27d) to (27g))."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase.units import Bohr
from scipy.constants import Boltzmann, c, e, epsilon_0

from potential.errors import SoapGprError
from potential.spectra.estimate import (
    CM_PER_FS,
    Plan,
    densities,
    derivative_densities,
    mean_and_error,
)
from potential.spectra.quantum import correction
from potential.tensors.units import DIPOLE, POLARIZABILITY, atomic_units_per, known_units

INFRARED, RAMAN, POWER = "infrared", "raman", "power"
QUANTITIES = {INFRARED: DIPOLE, RAMAN: POLARIZABILITY}
N_COMPONENTS = {INFRARED: 3, RAMAN: 9, POWER: None}
SYMMETRIC_TO = 1e-6  # of the largest component: below, the antisymmetric part is rounding
_POWER_OF_LENGTH = {DIPOLE: 1, POLARIZABILITY: 3}


@dataclass(frozen=True)
class Conditions:
    """What a spectrum depends on beside the series.

    temperature: K; factor: one of ``quantum.FACTORS``; volume: Å³, of an absorption coefficient;
    laser: nm, of a Raman cross section.
    """

    temperature: float | None = None
    factor: str = "harmonic"
    volume: float | None = None
    laser: float | None = None


@dataclass(frozen=True)
class Curve:
    """A spectrum (n,) and its standard error (n,), nan where there is one block."""

    name: str
    values: np.ndarray
    errors: np.ndarray


@dataclass(frozen=True)
class Spectrum:
    """Curves over wavenumbers (n,) in cm⁻¹, in a unit."""

    kind: str
    wavenumbers: np.ndarray
    curves: tuple[Curve, ...]
    quantity: str  # what the curves are, for people
    unit: str


def in_angstrom(quantity: str, unit: str) -> float:
    """How many e Å or Å³ the unit of a dipole or a polarizability is.

    Raises SoapGprError for one that is not known.
    """
    factor = atomic_units_per(quantity, unit, 1 / Bohr)
    if factor is None:
        raise SoapGprError(
            f"--unit: found {unit!r}, expected of a {quantity} one of {known_units(quantity)}"
        )
    return factor * Bohr ** _POWER_OF_LENGTH[quantity]


def power(
    trajectories: Sequence[np.ndarray], plan: Plan, most_wavenumber: float = np.inf
) -> Spectrum:
    """The plain spectral density of any series, eq. (27a)."""
    density = densities(trajectories, plan)
    return _spectrum(
        POWER, plan, most_wavenumber, {"density": density}, "spectral density", "unit^2 cm"
    )


def infrared(
    dipoles: Sequence[np.ndarray],
    plan: Plan,
    conditions: Conditions,
    most_wavenumber: float = np.inf,
) -> Spectrum:
    """Refractive index times absorption coefficient in cm⁻¹, eq. (27e), or without a volume the
    cross section in Å², of dipoles (n + 1, 3) in e Å, n the records of the plan."""
    temperature = required_temperature(conditions)
    ratio = _correction(conditions, plan, most_wavenumber) / correction(
        "harmonic", _shown(plan, most_wavenumber), temperature
    )
    to_si = e**2 * 1e-20 / 1e-15 / CM_PER_FS  # (e Å/fs)² cm to C² m²/s, a density over ω
    factor = to_si / (6 * Boltzmann * temperature * c * epsilon_0) * 1e20  # Å²
    quantity, unit = "absorption cross section", "Å^2"
    if conditions.volume is not None:
        factor *= 1e8 / conditions.volume
        quantity, unit = "n(ω) α(ω)", "cm^-1"
    found = factor * derivative_densities(dipoles, plan)[:, : len(ratio)] * ratio
    return _spectrum(INFRARED, plan, most_wavenumber, {"absorption": found}, quantity, unit)


def raman(
    polarizabilities: Sequence[np.ndarray],
    plan: Plan,
    conditions: Conditions,
    most_wavenumber: float = np.inf,
) -> Spectrum:
    """Isotropic and anisotropic spectra, and those that are measured with parallel and crossed
    polarizers, eq. (27f) and (27g), of polarizabilities (n, 9) in Å³."""
    factor = _correction(conditions, plan, most_wavenumber)
    quantity, unit = "Raman spectrum", "Å^6 cm"
    if conditions.laser is not None:
        scattered = 1e7 / conditions.laser - _shown(plan, most_wavenumber)  # cm⁻¹
        if scattered[-1] < 0:
            raise SoapGprError(
                f"found --laser {conditions.laser:g} nm, which is {1e7 / conditions.laser:.6g} "
                "cm^-1, expected more than the largest wavenumber of the spectrum"
            )
        factor = factor * (2e-8 * np.pi * scattered) ** 4
        quantity, unit = "Raman cross section per steradian", "Å^2 cm"
    isotropic, anisotropic = zip(*map(_parts, polarizabilities), strict=True)
    iso = densities(isotropic, plan)[:, : len(factor)] * factor
    aniso = densities(anisotropic, plan)[:, : len(factor)] * factor
    curves = {
        "isotropic": iso,
        "anisotropic": aniso,
        "VV": iso + 2 / 15 * aniso,
        "VH": aniso / 10,
    }
    return _spectrum(RAMAN, plan, most_wavenumber, curves, quantity, unit)


def antisymmetric_share(polarizabilities: Sequence[np.ndarray]) -> float:
    """The largest component of the antisymmetric parts by the largest one of all."""
    largest = max(float(np.abs(own).max()) for own in polarizabilities)
    parts = (own.reshape(-1, 3, 3) for own in polarizabilities)
    odd = max(float(np.abs(own - own.transpose(0, 2, 1)).max()) / 2 for own in parts)
    return odd / largest if largest else 0.0


def _parts(polarizabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A third of the trace (n, 1), and the symmetric rest without trace (n, 9), as deviations from
    their means over the trajectory, which are light of the laser's own colour."""
    alpha = polarizabilities.reshape(-1, 3, 3)
    alpha = alpha - alpha.mean(axis=0)
    mean = np.trace(alpha, axis1=1, axis2=2) / 3
    rest = (alpha + alpha.transpose(0, 2, 1)) / 2 - mean[:, None, None] * np.eye(3)
    return mean[:, None], rest.reshape(-1, 9)


def required_temperature(conditions: Conditions) -> float:
    """In K. Raises SoapGprError without."""
    if conditions.temperature is None:
        raise SoapGprError("found no temperature, expected --temperature in K")
    return conditions.temperature


def _shown(plan: Plan, most_wavenumber: float) -> np.ndarray:
    wavenumbers = plan.wavenumbers
    return wavenumbers[wavenumbers <= most_wavenumber]


def _correction(conditions: Conditions, plan: Plan, most_wavenumber: float) -> np.ndarray:
    shown = _shown(plan, most_wavenumber)
    if conditions.factor == "none":
        return np.ones_like(shown)
    found = correction(conditions.factor, shown, required_temperature(conditions))
    if not np.isfinite(found).all():
        raise SoapGprError(
            f"--quantum {conditions.factor}: found a factor beyond all numbers at "
            f"{shown[-1]:.0f} cm^-1 and {conditions.temperature:g} K, expected a lower "
            "--max-wavenumber or another factor"
        )
    return found


def _spectrum(
    kind: str,
    plan: Plan,
    most_wavenumber: float,
    of_blocks: dict[str, np.ndarray],
    quantity: str,
    unit: str,
) -> Spectrum:
    shown = _shown(plan, most_wavenumber)
    curves = tuple(
        Curve(name, *(own[: len(shown)] for own in mean_and_error(values)))
        for name, values in of_blocks.items()
    )
    return Spectrum(kind, shown, curves, quantity, unit)
