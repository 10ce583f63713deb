# SPDX-License-Identifier: BSD-3-Clause
"""Predictions as a file that any program reading extended XYZ understands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import ase
import ase.io
from ase.calculators.singlepoint import SinglePointCalculator
from ase.stress import full_3x3_to_voigt_6_stress

from potential.model import Evaluation
from potential.runtime.output import atomic_file
from potential.structures.structure import Structure, atoms_from_structure


def write_predictions(
    path: str | Path, structures: Sequence[Structure], predictions: Sequence[Evaluation]
) -> None:
    """Write energy, energies, forces and (where there is a volume) stress as ASE's results.

    Labels are kept as info reference_energy (eV) and reference_virial (eV, 3x3) and array
    reference_forces (eV/Å), nan where a component is no label. Format: extended XYZ. Raises
    SoapGprError when it cannot be written.
    """
    write_frames(path, [_frame(s, p) for s, p in zip(structures, predictions, strict=True)])


def write_frames(path: str | Path, frames: Sequence[ase.Atoms]) -> None:
    """Extended XYZ in one step. Raises SoapGprError when it cannot be written."""
    with atomic_file(path) as temporary:
        ase.io.write(temporary, frames, format="extxyz")


def _frame(structure: Structure, prediction: Evaluation) -> ase.Atoms:
    atoms = atoms_from_structure(structure)
    results = {
        "energy": prediction.energy,
        "energies": prediction.energies,
        "forces": prediction.forces,
    }
    if structure.volume > 0:
        results["stress"] = full_3x3_to_voigt_6_stress(-prediction.virial / structure.volume)
    atoms.calc = SinglePointCalculator(atoms, **results)
    if structure.energy is not None:
        atoms.info["reference_energy"] = structure.energy
    if structure.virial is not None:
        atoms.info["reference_virial"] = structure.virial
    if structure.forces is not None:
        atoms.arrays["reference_forces"] = structure.forces
    return atoms
