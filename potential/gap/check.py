# SPDX-License-Identifier: BSD-3-Clause
"""An imported model beside QUIP itself, which quippy-ase runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import ase
import numpy as np

from potential.errors import SoapGprError
from potential.model import Evaluation, Model
from potential.model.deviations import Deviation, deviation
from potential.model.evaluation import evaluate_structures
from potential.runtime.progress import Progress, silent
from potential.structures.structure import Structure

VACUUM = 100.0  # Å of cell for what is not periodic: QUIP always has a cell


def compare(
    model: Model,
    xml: str | Path,
    structures: Sequence[Structure],
    label: str | None = None,
    progress: Progress = silent,
) -> Deviation:
    """Largest differences of the model and QUIP. Raises SoapGprError without quippy-ase."""
    found = evaluate_structures(model, structures, progress, "soap-gpr")
    potential = _potential(xml, label)
    reference = [_evaluate(potential, structure) for structure in structures]
    return deviation(structures, reference, found)


def _potential(xml, label):
    try:
        from quippy.potential import Potential
    except ImportError:
        raise SoapGprError("--check needs QUIP: pip install quippy-ase") from None
    arguments = f"xml_label={label}" if label else ""
    return Potential(arguments, param_filename=str(xml))


def _evaluate(potential, structure: Structure) -> Evaluation:
    cell = np.array(structure.cell, dtype=float)
    atoms = ase.Atoms(structure.numbers, structure.positions, cell=cell, pbc=structure.pbc)
    if not np.all(atoms.pbc):
        for axis in np.flatnonzero(~atoms.pbc):
            if np.linalg.norm(cell[axis]) == 0:
                atoms.cell[axis] = VACUUM * np.eye(3)[axis]
    potential.calculate(atoms, ["energy", "forces", "stress", "energies"])
    results = potential.results
    virial = -results["stress"][[0, 5, 4, 5, 1, 3, 4, 3, 2]].reshape(1, 3, 3) * atoms.get_volume()
    return Evaluation(results["energies"].copy(), results["forces"].copy(), virial)
