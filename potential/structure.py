# SPDX-License-Identifier: BSD-3-Clause
"""A labelled structure, and how its labels are found in an ASE Atoms object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import ase
import numpy as np
from ase.data import chemical_symbols

from potential.errors import SoapGprError
from potential.settings import LabelKeys

ISOLATED_ATOM = "isolated_atom"
VOIGT = (0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1)  # ASE: xx, yy, zz, yz, xz, xy


@dataclass(frozen=True, eq=False)
class Structure:
    """Atoms with the labels that are known; eV and Å throughout.

    virial is −dE/dε (= −stress·V), symmetric. The sigma_* are absolute: eV for the total energy,
    eV/Å for a force component, eV for a virial component; None leaves them to the settings.
    """

    numbers: np.ndarray  # (N,) int
    positions: np.ndarray  # (N, 3)
    cell: np.ndarray  # (3, 3), rows are the cell vectors
    pbc: np.ndarray  # (3,) bool
    energy: float | None = None
    forces: np.ndarray | None = None  # (N, 3)
    virial: np.ndarray | None = None  # (3, 3)
    config_type: str = "default"
    source: str = ""  # "file#index"
    sigma_energy: float | None = None
    sigma_force: float | None = None
    sigma_virial: float | None = None
    info: Mapping[str, Any] = field(default_factory=dict)  # what else the frame says of itself

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def has_labels(self) -> bool:
        return not (self.energy is None and self.forces is None and self.virial is None)

    @property
    def is_isolated_atom(self) -> bool:
        """One atom alone, marked as such: the source of an isolated-atom energy."""
        marked = self.config_type.lower().replace("_", "") == "isolatedatom"
        return len(self) == 1 and (marked or not self.pbc.any())

    @property
    def volume(self) -> float:
        """Å^3; 0 unless periodic in all three directions."""
        return abs(float(np.linalg.det(self.cell))) if self.pbc.all() else 0.0


def structure_from_atoms(
    atoms: ase.Atoms, keys: LabelKeys | None = None, source: str = "atoms"
) -> Structure:
    """Take atoms and labels out of an ASE object.

    Keys that are None mean ``energy``, ``forces``, ``virial`` and ``stress``, wherever ASE has put
    them: its extended-XYZ reader moves the standard names into a calculator and leaves others in
    ``info`` and ``arrays``. Stress is eV/Å^3 in ASE's sign, and needs a fully periodic cell.
    Raises SoapGprError for non-finite or contradictory labels.
    """
    keys = keys or LabelKeys()
    positions = np.array(atoms.get_positions(), dtype=np.float64)
    cell = np.array(atoms.cell.array, dtype=np.float64)
    pbc = np.array(atoms.pbc, dtype=bool)
    if len(atoms) == 0:
        raise SoapGprError(f"{source}: found no atoms, expected at least one")
    _require_finite(positions, source, "positions")
    _require_finite(cell, source, "cell")
    if any(pbc) and np.linalg.matrix_rank(cell[pbc]) < pbc.sum():
        raise SoapGprError(f"{source}: found a periodic direction without a proper cell vector")
    numbers = np.array(atoms.numbers, dtype=np.int64)
    if not numbers.all():
        raise SoapGprError(f"{source}: found an atom of species X, expected chemical elements only")
    return Structure(
        numbers=numbers,
        positions=positions,
        cell=cell,
        pbc=pbc,
        energy=_energy(atoms, keys, source),
        forces=_forces(atoms, keys, source),
        virial=_virial(atoms, keys, source),
        config_type=str(atoms.info.get("config_type", "default")),
        source=source,
        sigma_energy=_sigma(atoms, "energy_sigma", source),
        sigma_force=_sigma(atoms, "force_sigma", source),
        sigma_virial=_sigma(atoms, "virial_sigma", source),
        info=_other_info(atoms, keys),
    )


def _other_info(atoms: ase.Atoms, keys: LabelKeys) -> dict[str, Any]:
    """``info`` without the labels."""
    labels = {"energy", "free_energy", "virial", "stress", "config_type"}
    labels |= {keys.energy_key or "", keys.virial_key or "", keys.stress_key or ""}
    return {key: value for key, value in atoms.info.items() if key not in labels}


def atoms_from_structure(structure: Structure) -> ase.Atoms:
    """The ASE Atoms without labels; ``info`` as it was."""
    atoms = ase.Atoms(
        structure.numbers, structure.positions, cell=structure.cell, pbc=structure.pbc
    )
    atoms.info.update(structure.info)
    if structure.config_type != "default":
        atoms.info["config_type"] = structure.config_type
    return atoms


def label_names(atoms: ase.Atoms) -> list[str]:
    """Every name under which this frame carries data that could be a label."""
    results = list(atoms.calc.results) if atoms.calc is not None else []
    arrays = [name for name in atoms.arrays if name not in ("numbers", "positions")]
    return results + list(atoms.info) + arrays


def find_label(atoms: ase.Atoms, key: str) -> Any:
    """The value called ``key`` in info, arrays or the results of a finished calculation."""
    if key in atoms.info:
        return atoms.info[key]
    if key in atoms.arrays:
        return atoms.arrays[key]
    return atoms.calc.results.get(key) if atoms.calc is not None else None


def _energy(atoms: ase.Atoms, keys: LabelKeys, source: str) -> float | None:
    key = keys.energy_key or "energy"
    value = find_label(atoms, key)
    if value is None and keys.energy_key is None:
        value = find_label(atoms, "free_energy")
    if value is None:
        return None
    return float(_numbers(value, (), source, key, "one number in eV"))


def _forces(atoms: ase.Atoms, keys: LabelKeys, source: str) -> np.ndarray | None:
    key = keys.forces_key or "forces"
    value = find_label(atoms, key)
    if value is None:
        return None
    return _numbers(value, (len(atoms), 3), source, key, "three numbers per atom in eV/Å")


def _virial(atoms: ase.Atoms, keys: LabelKeys, source: str) -> np.ndarray | None:
    """The virial from ``virial`` (eV), from ``stress`` (eV/Å^3), or from both if they agree.

    Naming only one of the two keys in the settings means that the other is not looked at.
    """
    only_one = (keys.virial_key is None) != (keys.stress_key is None)
    virial = stress = None
    if not (only_one and keys.virial_key is None):
        virial = _tensor(atoms, keys.virial_key or "virial", source)
    if not (only_one and keys.stress_key is None) and atoms.pbc.all():
        stress = _tensor(atoms, keys.stress_key or "stress", source)
    if stress is None:
        return virial
    from_stress = -stress * atoms.get_volume()
    if virial is None:
        return from_stress
    tolerance = 1e-3 * (np.abs(virial).max() + 1.0)
    if np.abs(virial - from_stress).max() > tolerance:
        raise SoapGprError(
            f"{source}: found a virial and a stress that contradict each other (virial xx = "
            f"{virial[0, 0]:.6g} eV, -stress*V xx = {from_stress[0, 0]:.6g} eV), expected "
            "virial = -stress*V with stress in ASE's sign; set only one of virial_key, stress_key"
        )
    return virial


def _tensor(atoms: ase.Atoms, key: str, source: str) -> np.ndarray | None:
    """A symmetric (3, 3) tensor from 3x3, 9 or 6 (ASE's Voigt order) numbers."""
    value = find_label(atoms, key)
    if value is None:
        return None
    expected = "3x3, 9 or 6 (xx yy zz yz xz xy) numbers"
    flat = _numbers(value, None, source, key, expected).ravel()
    if flat.size == 6:
        tensor = np.zeros((3, 3))
        tensor[VOIGT] = flat
        tensor[VOIGT[::-1]] = flat
        return tensor
    if flat.size != 9:
        raise SoapGprError(f"{source}: {key}: found {flat.size} numbers, expected {expected}")
    tensor = flat.reshape(3, 3)
    if np.abs(tensor - tensor.T).max() > 0.05 * np.abs(tensor).max():
        raise SoapGprError(f"{source}: {key}: found an asymmetric tensor, expected a symmetric one")
    return 0.5 * (tensor + tensor.T)


def _sigma(atoms: ase.Atoms, key: str, source: str) -> float | None:
    """A per-frame override of an expected error; inf leaves the label out."""
    value = atoms.info.get(key)
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    if not number > 0:
        raise SoapGprError(f"{source}: {key}: found {value}, expected a number > 0")
    return number


def _numbers(
    value: Any, shape: tuple[int, ...] | None, source: str, key: str, expected: str
) -> np.ndarray:
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise SoapGprError(f"{source}: {key}: found {value!r:.60}, expected {expected}") from None
    if shape is not None and array.shape != shape:
        raise SoapGprError(f"{source}: {key}: found shape {array.shape}, expected {expected}")
    _require_finite(array, source, key)
    return array


def _require_finite(array: np.ndarray, source: str, key: str) -> None:
    if not np.isfinite(array).all():
        raise SoapGprError(f"{source}: {key}: found a value that is not finite")


def symbol(number: int) -> str:
    """The chemical symbol of an atomic number."""
    return chemical_symbols[number]
