# SPDX-License-Identifier: BSD-3-Clause
"""A labelled structure, and how it is made of an ASE Atoms object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import ase
import numpy as np

from potential.errors import SoapGprError
from potential.species import symbol as symbol
from potential.structures.atom_weights import read_columns
from potential.structures.beads import COLUMN, atoms_of, species_of
from potential.structures.geometry import check_geometry
from potential.structures.label_names import STANDARD, LabelKeys, LabelNames, choose_names
from potential.structures.label_table import to_rows
from potential.structures.labels import (
    read_energy,
    read_forces,
    read_sigmas,
    read_virial,
    read_weights,
    volume_of,
)
from potential.structures.target_labels import read_targets


@dataclass(frozen=True, eq=False)
class Structure:
    """Atoms with the labels that are known; eV and Å throughout.

    virial is −dE/dε (= −stress·V), symmetric. A force or virial component that is nan is no label.
    The sigma_* are absolute: eV for the total energy, eV/Å for a force component, eV for a virial
    component, each one number or one for every component; None leaves them to the settings. A
    weight divides the expected error by its root.
    """

    numbers: np.ndarray  # (N,) int, atomic numbers and those of beads (potential.species)
    positions: np.ndarray  # (N, 3)
    cell: np.ndarray  # (3, 3), rows are the cell vectors
    pbc: np.ndarray  # (3,) bool
    energy: float | None = None
    forces: np.ndarray | None = None  # (N, 3)
    virial: np.ndarray | None = None  # (3, 3)
    config_type: str = "default"
    source: str = ""  # "file#index"
    sigma_energy: float | None = None
    sigma_force: float | np.ndarray | None = None  # (N, 3)
    sigma_virial: float | np.ndarray | None = None  # (3, 3)
    weight_energy: float = 1.0
    weight_force: float = 1.0
    weight_virial: float = 1.0
    targets: Mapping[str, np.ndarray] = field(default_factory=dict)  # by name, see read_targets
    info: Mapping[str, Any] = field(default_factory=dict)  # what else the frame says of itself
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)  # (N,) columns of weights

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def has_labels(self) -> bool:
        return self.has_potential_labels or bool(self.targets)

    @property
    def has_potential_labels(self) -> bool:
        """Whether it has an energy, forces or a virial."""
        return not (self.energy is None and self.forces is None and self.virial is None)

    @property
    def is_isolated_atom(self) -> bool:
        """One atom alone, marked as such: the source of an isolated-atom energy."""
        marked = self.config_type.lower().replace("_", "") == "isolatedatom"
        return len(self) == 1 and (marked or not self.pbc.any())

    @property
    def volume(self) -> float:
        """Å^3; 0 in a cell of fewer than three vectors, or that is periodic in no direction."""
        return volume_of(self.cell, self.pbc)

    @property
    def labels(self) -> np.ndarray:
        """(1 + 3N + 6,) energy, forces and virial (Voigt order), nan where there is no label."""
        return to_rows(len(self), self.energy, self.forces, self.virial)


def structure_from_atoms(
    atoms: ase.Atoms, names: LabelNames | LabelKeys | None = None, source: str = "atoms"
) -> Structure:
    """Take atoms and labels out of an ASE object.

    names: those of the labels; with keys, or without, those that ``choose_names`` finds, wherever
    ASE has put them: its extended-XYZ reader moves the standard names into a calculator and leaves
    others in ``info`` and ``arrays``. Stress is eV/Å^3 in ASE's sign, and needs a volume.
    Raises SoapGprError for labels that are not finite, absurdly large or contradictory,
    and as ``check_geometry`` does.
    """
    if not isinstance(names, LabelNames):
        names = choose_names([atoms], names or LabelKeys())
    positions = np.array(atoms.get_positions(), dtype=np.float64)
    cell = np.array(atoms.cell.array, dtype=np.float64)
    pbc = np.array(atoms.pbc, dtype=bool)
    if len(atoms) == 0:
        raise SoapGprError(f"{source}: found no atoms, expected at least one")
    try:
        check_geometry(positions, cell, pbc)
    except SoapGprError as error:
        raise SoapGprError(f"{source}: {error}") from None
    numbers = species_of(atoms)
    if not numbers.all():
        raise SoapGprError(
            f"{source}: found an atom of species X, expected chemical elements only, or the name "
            f"of a bead in a column {COLUMN!r}"
        )
    forces = read_forces(atoms, names, source)
    structure = Structure(
        numbers=numbers,
        positions=positions,
        cell=cell,
        pbc=pbc,
        energy=read_energy(atoms, names, source),
        forces=forces,
        virial=read_virial(atoms, names, source),
        config_type=str(atoms.info.get("config_type", "default")),
        source=source,
        targets=read_targets(atoms, names.targets, numbers, source),
        info=_other_info(atoms, names),
        arrays=read_columns(atoms, (label.weights for label in names.targets), source),
        **read_sigmas(atoms, names, forces, source),
        **read_weights(atoms, names, source),
    )
    return _without_weightless(structure)


def _without_weightless(structure: Structure) -> Structure:
    """Labels of weight 0 are none; an isolated atom keeps its energy, for e0 alone."""
    s = structure
    if s.weight_energy > 0 and s.weight_force > 0 and s.weight_virial > 0:
        return s
    keeps_energy = s.weight_energy > 0 or s.is_isolated_atom
    return replace(
        s,
        energy=s.energy if keeps_energy else None,
        forces=s.forces if s.weight_force > 0 else None,
        virial=s.virial if s.weight_virial > 0 else None,
    )


def _other_info(atoms: ase.Atoms, names: LabelNames) -> dict[str, Any]:
    """``info`` without the labels."""
    labels = {"config_type", *STANDARD.energy, *STANDARD.virial, *STANDARD.stress}
    labels |= {*names.energy, *names.virial, *names.stress}
    labels |= {label.key for label in names.targets}
    return {key: value for key, value in atoms.info.items() if key not in labels}


def atoms_from_structure(structure: Structure) -> ase.Atoms:
    """The ASE Atoms without labels; ``info`` as it was."""
    atoms = atoms_of(structure.numbers, structure.positions, cell=structure.cell, pbc=structure.pbc)
    atoms.info.update(structure.info)
    for name, column in structure.arrays.items():
        atoms.set_array(name, column)
    if structure.config_type != "default":
        atoms.info["config_type"] = structure.config_type
    return atoms


def is_complete(label: np.ndarray | None) -> bool:
    """Whether forces or a virial are there with all components."""
    return label is not None and bool(np.isfinite(label).all())


def composition(structure: Structure, species: Sequence[int]) -> np.ndarray:
    """Number of atoms of each species (n_species,)."""
    return np.array([np.count_nonzero(structure.numbers == z) for z in species], dtype=float)
