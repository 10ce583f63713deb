# SPDX-License-Identifier: BSD-3-Clause
"""Predictions as a file that any program reading extended XYZ understands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ase
import ase.io
import numpy as np
from ase.calculators.singlepoint import SinglePointCalculator
from ase.stress import full_3x3_to_voigt_6_stress

from potential.model import Evaluation
from potential.model.targets import Target
from potential.runtime.output import atomic_file
from potential.structures.structure import Structure, atoms_from_structure


def write_predictions(
    path: str | Path,
    structures: Sequence[Structure],
    predictions: Sequence[Evaluation],
    targets: Sequence[Target] = (),
) -> None:
    """Write energy, energies, forces and (where there is a volume) stress as ASE's results, of a
    model with a potential; targets as columns of atoms or info, under their names.

    Labels are kept as info reference_energy (eV) and reference_virial (eV, 3x3) and array
    reference_forces (eV/Å), nan where a component is no label; those of targets are reference_ and
    their names. Format: extended XYZ. Raises
    SoapGprError when it cannot be written.
    """
    pairs = zip(structures, predictions, strict=True)
    write_frames(path, [_frame(s, p, targets) for s, p in pairs])


def write_frames(path: str | Path, frames: Sequence[ase.Atoms]) -> None:
    """Extended XYZ in one step. Raises SoapGprError when it cannot be written."""
    with atomic_file(path) as temporary:
        ase.io.write(temporary, frames, format="extxyz")


def _frame(structure: Structure, prediction: Evaluation, targets: Sequence[Target]) -> ase.Atoms:
    atoms = atoms_from_structure(structure)
    if not np.isnan(prediction.energy):  # else there is no potential
        _add_potential(atoms, structure, prediction)
    for target in targets:
        place: dict[str, Any] = atoms.arrays if target.per_atom else atoms.info
        place[target.name] = _written(target, prediction.properties[target.name])
        if target.name in structure.targets:
            label = _written(target, structure.targets[target.name])
            place[f"reference_{target.name}"] = label
    return atoms


def _written(target: Target, value: Any) -> Any:
    """Columns of atoms have one axis for components, and so has rank 3, for the format's sake."""
    lead = np.shape(value)[: int(target.per_atom)]
    if target.rank == 0:
        return value if target.per_atom else float(value)
    flat = target.per_atom or target.rank == 3
    return np.reshape(value, (*lead, target.n_components) if flat else target.shape)


def _add_potential(atoms: ase.Atoms, structure: Structure, prediction: Evaluation) -> None:
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
