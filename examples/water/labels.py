# SPDX-License-Identifier: BSD-3-Clause
"""GFN2-xTB labels through tblite, and a compact extended-XYZ writer.

Energies are in eV, forces in eV/Å, stresses in eV/Å³ with the sign of ASE (positive when the
sample is under tension; stress = -virial / volume).
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import CalculationFailed
from ase.io import iread
from tblite.ase import TBLite

POSITION_DECIMALS = 6
FORCE_DECIMALS = 5
# ground-state multiplicities of the isolated atoms; molecules here are closed shells
MULTIPLICITY = {"H": 2, "O": 3}


def rounded(atoms: Atoms) -> Atoms:
    """The frame as the file will hold it, so that labels belong to the rounded positions."""
    copy = Atoms(
        atoms.symbols,
        np.round(atoms.positions, POSITION_DECIMALS),
        cell=np.round(atoms.cell.array, POSITION_DECIMALS),
        pbc=atoms.pbc,
    )
    copy.info = dict(atoms.info)
    return copy


def label(atoms: Atoms) -> dict:
    """GFN2-xTB energy, forces and, for a periodic frame, stress (3, 3).

    Accuracy 0.1 tightens tblite's self-consistency until forces are converged to 1e-5 eV/Å at
    no measurable cost. Raises ase's CalculationFailed when the SCF does not converge.
    """
    multiplicity = MULTIPLICITY[atoms.symbols[0]] if len(atoms) == 1 else 1
    work = atoms.copy()
    work.calc = TBLite(
        method="GFN2-xTB", accuracy=0.1, multiplicity=multiplicity, charge=0, verbosity=0
    )
    results = {"energy": work.get_potential_energy(), "forces": work.get_forces()}
    if atoms.pbc.all():
        results["stress"] = work.get_stress(voigt=False)
    return results


def _value(value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def format_frame(atoms: Atoms, results: dict) -> str:
    """One frame as extended XYZ text; ase.io.read gives the results back as a calculator."""
    fields = []
    if atoms.pbc.all():
        cell = " ".join(f"{x:.{POSITION_DECIMALS}f}" for x in atoms.cell.array.ravel())
        stress = " ".join(f"{x:.9f}" for x in results["stress"].ravel())
        fields += [f'Lattice="{cell}"', f'stress="{stress}"', 'pbc="T T T"']
    else:
        fields.append('pbc="F F F"')
    fields.insert(0, "Properties=species:S:1:pos:R:3:forces:R:3")
    fields.append(f"energy={results['energy']:.8f}")
    fields += [f"{key}={_value(value)}" for key, value in atoms.info.items()]
    lines = [str(len(atoms)), " ".join(fields)]
    for symbol, r, f in zip(atoms.symbols, atoms.positions, results["forces"], strict=True):
        numbers = [f"{x:.{POSITION_DECIMALS}f}" for x in r] + [f"{x:.{FORCE_DECIMALS}f}" for x in f]
        lines.append(" ".join([symbol, *numbers]))
    return "\n".join(lines) + "\n"


def stored_results(atoms: Atoms) -> dict:
    """The labels that ase.io.read found in a labelled frame, as `label` returns them."""
    results = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces()}
    if atoms.pbc.all():
        results["stress"] = atoms.get_stress(voigt=False)
    return results


def label_file(candidates: Path, labelled: Path, *, progress=lambda text: None) -> int:
    """Label every frame of `candidates` that `labelled` does not hold yet; returns how many.

    Frames are appended one by one and a `.done` file counts those tried, so an interrupted run
    continues where it stopped. Frames whose SCF fails are left out.
    """
    counter = labelled.with_suffix(".done")
    tried = int(counter.read_text()) if counter.exists() else 0
    done = 0
    for index, atoms in enumerate(iread(candidates, index=":")):
        if index < tried:
            continue
        frame = rounded(atoms)
        try:
            text = format_frame(frame, label(frame))
        except CalculationFailed as error:
            progress(f"{candidates.name} frame {index} left out: {error}")
            text = ""
        with open(labelled, "a") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        counter.write_text(str(index + 1))
        done += 1
        progress(f"{candidates.name} frame {index} labelled")
    return done
