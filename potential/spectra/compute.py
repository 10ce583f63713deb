# SPDX-License-Identifier: BSD-3-Clause
"""From trajectories to a spectrum with all that it was made of."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from potential.errors import SoapGprError
from potential.spectra.estimate import EstimateOptions, Plan, make_plan
from potential.spectra.spectrum import (
    INFRARED,
    POWER,
    RAMAN,
    Conditions,
    Spectrum,
    infrared,
    power,
    raman,
    required_temperature,
)
from potential.spectra.trajectories import Inputs, Trajectories, read_trajectories
from potential.structures.read import file_hashes
from potential.version import package_version

FEW_BLOCKS = 5


@dataclass(frozen=True)
class Result:
    """A spectrum, its record for JSON, and what there is to say of it."""

    spectrum: Spectrum
    plan: Plan
    conditions: Conditions
    inputs: Inputs
    notes: list[str]

    def summary(self) -> list[str]:
        """Lines of text: what was done."""
        plan, options, conditions = self.plan, self.plan.options, self.conditions
        records = f"{plan.n_records} records {plan.time_step:g} fs apart"
        beads = f", means over {self.inputs.beads} beads" if self.inputs.beads > 1 else ""
        lines = [
            f"trajectories: {len(self.inputs.files) // self.inputs.beads}, {records} in "
            f"{plan.n_blocks} blocks of {1e-3 * plan.block * plan.time_step:.4g} ps{beads}; "
            f"{plan.n_left_out} records at the ends are left out",
            f"resolution {plan.resolution:.3g} cm^-1 (full width at half maximum): window "
            f"{options.window}, longest lag {1e-3 * plan.n_lags * plan.time_step:.4g} ps"
            + (", circular correlations" if options.circular else ""),
            f"what is beyond {plan.wavenumbers[-1]:.0f} cm^-1 is folded back below it",
        ]
        if self.spectrum.kind != POWER:
            at = "" if conditions.temperature is None else f", {conditions.temperature:g} K"
            lines.append(f"quantum correction {conditions.factor}{at}")
        return lines

    def to_dict(self) -> dict[str, Any]:
        """All of it, for JSON: numbers that are not known are None."""
        spectrum, plan = self.spectrum, self.plan
        numbers = {
            curve.name: {
                "values": curve.values.tolist(),
                "errors": None if plan.n_blocks == 1 else curve.errors.tolist(),
            }
            for curve in spectrum.curves
        }
        return {
            "kind": spectrum.kind,
            "quantity": spectrum.quantity,
            "unit": spectrum.unit,
            "wavenumbers": spectrum.wavenumbers.tolist(),
            "curves": numbers,
            "resolution": plan.resolution,
            "time_step": plan.time_step,
            "n_lags": plan.n_lags,
            "block": plan.block,
            "n_blocks": plan.n_blocks,
            "n_records": plan.n_records,
            "estimate": asdict(plan.options),
            "conditions": asdict(self.conditions),
            "inputs": asdict(self.inputs),
            "files": file_hashes(self.inputs.files),
            "notes": self.notes,
            "version": package_version(),
        }


def compute(
    kind: str,
    inputs: Inputs,
    options: EstimateOptions,
    conditions: Conditions,
    most_wavenumber: float,
) -> Result:
    """Read the files and make the spectrum of one of the kinds.

    Raises SoapGprError for conditions that do nothing for the kind, and for all that is wrong with
    the files.
    """
    _require_used(kind, inputs, conditions)
    found = read_trajectories(kind, inputs)
    # differences over time have one record less
    lengths = [len(own) - (kind == INFRARED) for own in found.values]
    plan = make_plan(lengths, found.time_step, options)
    spectrum = _spectrum(kind, found, plan, conditions, most_wavenumber)
    notes = list(found.notes)
    if plan.n_blocks == 1:
        notes.append("there is one block: nothing says how large the errors are")
    elif plan.n_blocks < FEW_BLOCKS:
        notes.append(f"errors come from {plan.n_blocks} blocks, and are rough themselves")
    if inputs.beads > 1 and kind != POWER and conditions.factor != "harmonic":
        notes.append(
            "means over beads estimate Kubo-transformed correlation functions, for which "
            f"'harmonic' is exact, not {conditions.factor!r}"
        )
    return Result(spectrum, plan, conditions, inputs, notes)


def _spectrum(
    kind: str, found: Trajectories, plan: Plan, conditions: Conditions, most_wavenumber: float
) -> Spectrum:
    if kind == POWER:
        return power(found.values, plan, most_wavenumber)
    make = infrared if kind == INFRARED else raman
    return make(found.values, plan, conditions, most_wavenumber)


def _require_used(kind: str, inputs: Inputs, conditions: Conditions) -> None:
    used = {
        "volume": kind == INFRARED,
        "laser": kind == RAMAN,
        "temperature": kind == INFRARED or (kind == RAMAN and conditions.factor != "none"),
    }
    for name, is_used in used.items():
        if getattr(conditions, name) is not None and not is_used:
            of = f"{kind} spectra"
            if name == "temperature" and kind == RAMAN:
                of += " without a quantum correction"
            raise SoapGprError(f"found --{name}, on which {of} do not depend, expected none")
    if used["temperature"]:
        required_temperature(conditions)  # before long work
    if kind == POWER and conditions.factor != Conditions.factor:
        raise SoapGprError("found --quantum, which a power spectrum has not, expected none")
