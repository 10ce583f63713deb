# SPDX-License-Identifier: BSD-3-Clause
"""Trajectories and labels for the reference data.

Trajectories: classical SPC/Fw, our LAMMPS pair style, our i-PI client. Each function runs in its
own folder, leaves its logs there and returns frames (O, H, H order, unwrapped positions in Å, cell
of the start frame); they raise runs.DemoError, which names the log, when a program fails.

Labels: GFN2-xTB through tblite. Energies are in eV, forces in eV/Å, stresses in eV/Å³ with the sign
of ASE (positive when the sample is under tension; stress = -virial / volume).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import CalculationFailed
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import iread, write
from runs import read_dump, read_pimd, run_lammps, run_pimd

MASSES = {"O": 15.999, "H": 1.008}
TYPES = {"O": 1, "H": 2}
DECIMALS = 6  # of the labelled positions
# ground-state multiplicities of the isolated atoms; molecules here are closed shells
MULTIPLICITY = {"H": 2, "O": 3}


def write_data(path: Path, atoms: Atoms) -> None:
    """LAMMPS data file of atom_style atomic."""
    write(path, atoms, format="lammps-data", specorder=list(TYPES), masses=True)


def write_bonded_data(path: Path, atoms: Atoms, charges: dict[str, float]) -> None:
    """LAMMPS data file of a cubic box with the bonds and angles of the molecules."""
    n = len(atoms) // 3
    lines = [f"water\n\n{3 * n} atoms\n{2 * n} bonds\n{n} angles"]
    lines += ["2 atom types\n1 bond types\n1 angle types"]
    for axis, length in zip("xyz", atoms.cell.lengths(), strict=True):
        lines.append(f"0 {length:.8f} {axis}lo {axis}hi")
    lines += ["\nMasses\n", *(f"{TYPES[s]} {m}  # {s}" for s, m in MASSES.items())]
    lines.append("\nAtoms # full\n")
    # molecules stay whole: image flags would be wrong for bonds, LAMMPS wraps positions itself
    for i, (symbol, r) in enumerate(zip(atoms.symbols, atoms.positions, strict=True)):
        place = f"{r[0]:.8f} {r[1]:.8f} {r[2]:.8f}"
        lines.append(f"{i + 1} {i // 3 + 1} {TYPES[symbol]} {charges[symbol]} {place}")
    first = range(1, 3 * n, 3)  # the oxygens
    bonds = [(o, o + k) for o in first for k in (1, 2)]
    lines += ["\nBonds\n", *(f"{k} 1 {i} {j}" for k, (i, j) in enumerate(bonds, 1))]
    lines += ["\nAngles\n", *(f"{k} 1 {o + 1} {o} {o + 2}" for k, o in enumerate(first, 1))]
    path.write_text("\n".join(lines) + "\n")


def whole(atoms: Atoms) -> Atoms:
    """The frame with each hydrogen at the image nearest to its molecule's oxygen."""
    copy, length = atoms.copy(), atoms.cell.lengths()
    x = copy.positions.reshape(-1, 3, 3)  # a view
    x[:, 1:] -= length * np.round((x[:, 1:] - x[:, :1]) / length)
    return copy


def classical_water(folder: Path, start: Atoms, **variables) -> list[Atoms]:
    """SPC/Fw NVT with LAMMPS (0.5 fs steps after 5 ps of equilibration); variables: temperature,
    seed, steps, every."""
    write_bonded_data(folder / "start.data", start, {"O": -0.82, "H": 0.41})
    return _lammps("spcfw.in", folder, start, variables)


def lammps_nvt(folder: Path, start: Atoms, model: Path, **variables) -> list[Atoms]:
    """NVT with `pair_style soap/gpr` through nvt.in, the script the demo uses."""
    write_data(folder / "start.data", start)
    return _lammps("nvt.in", folder, start, variables | {"model": model.resolve()})


def _lammps(script: str, folder: Path, start: Atoms, variables: dict) -> list[Atoms]:
    files = {"data": "start.data", "dump": "frames.dump"}
    run_lammps(script, folder, "lammps.log", **files, **variables)
    return [_like(start, frame) for frame in read_dump(folder / "frames.dump")]


def ipi_pimd(folder: Path, start: Atoms, model: Path, **values) -> list[Atoms]:
    """Beads from path-integral MD; values: temperature, seed, steps, every, beads.

    Consecutive output times give different beads (0, 1, 2, ...), one frame per output time.
    """
    write(folder / "start.xyz", start, format="extxyz")
    run_pimd(folder, str(model.resolve()), "start.xyz", **values)
    _, frames = read_pimd(folder, seconds=0.0)
    return [_like(start, beads[k % len(beads)]) for k, beads in enumerate(frames)][1:]


def _like(start: Atoms, frame: Atoms) -> Atoms:
    return Atoms(start.symbols, frame.positions, cell=start.cell, pbc=True)


def label(atoms: Atoms) -> Atoms:
    """The frame with its GFN2-xTB energy, forces and, if it is periodic, stress.

    Positions are rounded, so that labels belong to what the file will hold. Accuracy 0.1 tightens
    tblite's self-consistency until forces are converged to 1e-5 eV/Å at no measurable cost. Raises
    ase's CalculationFailed when the SCF does not converge.
    """
    from tblite.ase import TBLite

    frame = atoms.copy()
    frame.positions = np.round(frame.positions, DECIMALS)
    frame.cell = np.round(frame.cell.array, DECIMALS)
    multiplicity = MULTIPLICITY[atoms.symbols[0]] if len(atoms) == 1 else 1
    frame.calc = TBLite(
        method="GFN2-xTB", accuracy=0.1, multiplicity=multiplicity, charge=0, verbosity=0
    )
    results = {"energy": frame.get_potential_energy(), "forces": frame.get_forces()}
    if atoms.pbc.all():
        results["stress"] = frame.get_stress()
    frame.calc = SinglePointCalculator(frame, **results)
    return frame


def label_file(
    candidates: Path, labelled: Path, *, labeller=label, progress=lambda text: None
) -> int:
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
        try:
            write(labelled, labeller(atoms), format="extxyz", append=True)
            progress(f"{candidates.name} frame {index} labelled")
        except CalculationFailed as error:
            progress(f"{candidates.name} frame {index} left out: {error}")
        counter.write_text(str(index + 1))
        done += 1
    return done
