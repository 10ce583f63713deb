# SPDX-License-Identifier: BSD-3-Clause
"""The labels of one frame: values, expected errors and weights, checked one by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ase
import numpy as np

from potential.errors import SoapGprError
from potential.structures.label_names import LabelNames, find_first
from potential.structures.label_table import VOIGT

# eV per atom and eV/Å. All electrons of uranium have 8e5 eV, nuclei at 0.001 Å 1e8 eV/Å.
LARGEST = 1e8
SMALLEST_SIGMA = 1e-10  # below it the label leaves no digits to the others


def read_energy(atoms: ase.Atoms, names: LabelNames, source: str) -> float | None:
    """eV. Raises SoapGprError when it is no number, not finite or absurd."""
    key, value = find_first(atoms, names.energy)
    if value is None:
        return None
    energy = names.ev * _numbers(value, (), source, key, f"one number in {names.energy_unit}")
    _require_sane(energy / len(atoms), source, key, "eV/atom")
    return float(energy)


def read_forces(atoms: ase.Atoms, names: LabelNames, source: str) -> np.ndarray | None:
    """(N, 3) eV/Å, nan for atoms that are masked; None when all are. Raises as read_energy."""
    key, value = find_first(atoms, names.forces)
    if value is None:
        return None
    mask = _mask(atoms, names.force_mask, source)
    expected = f"three numbers per atom in {names.energy_unit}/Å"
    forces = names.ev * _array(value, (len(atoms), 3), source, key, expected)
    if mask.all():
        return None
    _require_sane(forces[~mask], source, key, "eV/Å")
    forces[mask] = np.nan
    return forces


def _mask(atoms: ase.Atoms, key: str, source: str) -> np.ndarray:
    """(N,) bool, true for atoms whose forces are no labels, as in gap_fit."""
    value = _in_place(atoms.arrays, atoms.info, key, source, "a column")
    if value is None:
        return np.zeros(len(atoms), dtype=bool)
    if value.dtype != bool or value.shape != (len(atoms),):
        raise SoapGprError(
            f"{source}: {key}: found {value.ravel()[0]!s:.60}, expected T (no label) or F for each "
            f"atom, a column {key}:L:1"
        )
    return value


def read_virial(atoms: ase.Atoms, names: LabelNames, source: str) -> np.ndarray | None:
    """(3, 3) eV from the virial, from the stress (eV/Å^3), or from both if they agree.

    nan for components that are no labels. Raises as read_energy, and when both contradict.
    """
    virial_key, virial = _tensor(atoms, "virial", names, source)
    stress_key, stress = _tensor(atoms, "stress", names, source)
    volume = volume_of(atoms.cell.array, atoms.pbc)
    if stress is None or not volume:
        found, key = virial, virial_key
    else:
        if not atoms.pbc.all():
            _drop_uncomputed(stress, atoms)
        with np.errstate(over="ignore"):  # refused below
            from_stress = -stress * volume
        if virial is not None:
            _require_agreement(virial, from_stress, source)
        found, key = (from_stress, stress_key) if virial is None else (virial, virial_key)
    if found is None or np.isnan(found).all():
        return None
    _require_sane(found[~np.isnan(found)] / len(atoms), source, key, "eV/atom")
    return found


def volume_of(cell: np.ndarray, pbc: np.ndarray) -> float:
    """Å^3; 0 in a cell of fewer than three vectors, or that is not periodic in any direction."""
    if not np.any(pbc) or (not np.all(pbc) and np.linalg.matrix_rank(cell) < 3):
        return 0.0
    return abs(float(np.linalg.det(cell)))


def has_unusable_stress(atoms: ase.Atoms, names: LabelNames) -> bool:
    """Whether there is a stress but no volume that would make it a virial."""
    _, stress = find_first(atoms, names.stress)
    _, virial = find_first(atoms, names.virial)
    return stress is not None and virial is None and not volume_of(atoms.cell.array, atoms.pbc)


def _drop_uncomputed(stress: np.ndarray, atoms: ase.Atoms) -> None:
    """Programs without a stress along a vacuum write zeros there: nan, if all of these are zero."""
    open_axes = ~np.any(np.abs(atoms.cell.array[atoms.pbc]) > 1e-8, axis=0)
    along = open_axes[:, None] | open_axes[None, :]
    if not stress[along].any():
        stress[along] = np.nan


def _require_agreement(virial: np.ndarray, from_stress: np.ndarray, source: str) -> None:
    tolerance = 1e-3 * (np.abs(virial).max() + 1.0)
    if (np.abs(virial - from_stress) > tolerance).any():
        raise SoapGprError(
            f"{source}: found a virial and a stress that contradict each other (virial xx = "
            f"{virial[0, 0]:.6g} eV, -stress*V xx = {from_stress[0, 0]:.6g} eV), expected "
            "virial = -stress*V with stress in ASE's sign; set only one of virial_key, stress_key"
        )


def _tensor(
    atoms: ase.Atoms, kind: str, names: LabelNames, source: str
) -> tuple[str, np.ndarray | None]:
    """Name and value of a symmetric (3, 3) tensor; kind: a field of the names."""
    key, value = find_first(atoms, getattr(names, kind))
    if value is None:
        return key, None
    tensor = _three_by_three(value, source, key)
    if np.abs(0.5 * tensor - 0.5 * tensor.T).max() > 0.025 * np.abs(tensor).max():
        raise SoapGprError(f"{source}: {key}: found an asymmetric tensor, expected a symmetric one")
    return key, names.ev * (0.5 * tensor + 0.5 * tensor.T)


def _three_by_three(value: Any, source: str, key: str, finite: bool = True) -> np.ndarray:
    """(3, 3) from 3x3, 9 or 6 (ASE's Voigt order) numbers."""
    expected = "3x3, 9 or 6 (xx yy zz yz xz xy) numbers"
    flat = (_numbers if finite else _array)(value, None, source, key, expected).ravel()
    if flat.size == 6:
        tensor = np.zeros((3, 3))
        tensor[VOIGT] = flat
        tensor[VOIGT[::-1]] = flat
        return tensor
    if flat.size != 9:
        raise SoapGprError(f"{source}: {key}: found {flat.size} numbers, expected {expected}")
    return flat.reshape(3, 3)


def read_sigmas(
    atoms: ase.Atoms, names: LabelNames, forces: np.ndarray | None, source: str
) -> dict[str, Any]:
    """The fields sigma_* of a Structure: per frame, atom or component; inf leaves labels out.

    Of several, that per component goes before that per atom, and that before the one of the frame,
    as in gap_fit. forces: as read, whose nan need no sigma. Raises SoapGprError when not above 0.
    """
    return {
        "sigma_energy": _frame_sigma(atoms, "energy", names, source),
        "sigma_force": _force_sigma(atoms, names, forces, source),
        "sigma_virial": _virial_sigma(atoms, names, source),
    }


def _frame_sigma(atoms: ase.Atoms, what: str, names: LabelNames, source: str) -> float | None:
    key = names.sigma_of(what)
    value = _in_place(atoms.info, atoms.arrays, key, source, "one number in the comment line")
    return None if value is None else names.ev * float(_sigmas(value, (), source, key))


def _force_sigma(
    atoms: ase.Atoms, names: LabelNames, forces: np.ndarray | None, source: str
) -> float | np.ndarray | None:
    n = len(atoms)
    for what, shape in (("force_component", (n, 3)), ("force_atom", (n,))):
        key = names.sigma_of(what)
        value = _in_place(atoms.arrays, atoms.info, key, source, "a column")
        if value is not None:
            known = np.ones((n, 3), dtype=bool) if forces is None else np.isfinite(forces)
            used = known if len(shape) == 2 else known[:, 0]
            sigmas = names.ev * _sigmas(value, shape, source, key, used)
            return np.broadcast_to(sigmas.reshape(n, -1), (n, 3)).copy()
    return _frame_sigma(atoms, "force", names, source)


def _virial_sigma(atoms: ase.Atoms, names: LabelNames, source: str) -> float | np.ndarray | None:
    key = names.sigma_of("virial_component")
    value = _in_place(atoms.info, atoms.arrays, key, source, "9 numbers in the comment line")
    if value is None:
        return _frame_sigma(atoms, "virial", names, source)
    tensor = _three_by_three(value, source, key, finite=False)
    return names.ev * _sigmas(0.5 * (tensor + tensor.T), (3, 3), source, key)


def _sigmas(
    value: Any,
    shape: tuple[int, ...],
    source: str,
    key: str,
    used: np.ndarray | bool = True,
) -> np.ndarray:
    expected = f"a number > 0 and not below {SMALLEST_SIGMA:g}"
    sigmas = _array(value, shape, source, key, expected)
    bad = used & ~(sigmas >= SMALLEST_SIGMA)
    if bad.any():
        raise SoapGprError(f"{source}: {key}: found {float(sigmas[bad][0])}, expected {expected}")
    return sigmas


def read_weights(atoms: ase.Atoms, names: LabelNames, source: str) -> dict[str, float]:
    """The fields weight_* of a Structure, 1 without. Raises SoapGprError below 0."""
    from_virial = find_first(atoms, names.virial)[1] is not None
    return {
        "weight_energy": _weight(atoms, names, "energy", source),
        "weight_force": _weight(atoms, names, "forces", source),
        "weight_virial": _weight(atoms, names, "virials" if from_virial else "stress", source),
    }


def _weight(atoms: ase.Atoms, names: LabelNames, what: str, source: str) -> float:
    product = 1.0
    for key in names.weights_of(what):
        value = _in_place(atoms.info, atoms.arrays, key, source, "one number in the comment line")
        if value is None:
            continue
        expected = "0 or a number from 1e-10 to 1e10"
        weight = float(_array(value, (), source, key, expected))
        if weight != 0 and not 1e-10 <= weight <= 1e10:
            raise SoapGprError(f"{source}: {key}: found {weight}, expected {expected}")
        product *= weight
    return product


def _in_place(
    there: Mapping[str, Any], elsewhere: Mapping[str, Any], key: str, source: str, expected: str
) -> Any:
    """The value where it belongs, None without. Raises SoapGprError when it is elsewhere."""
    if key in elsewhere:
        raise SoapGprError(
            f"{source}: {key}: found {'one value' if expected == 'a column' else 'a column'}, "
            f"expected {expected}"
        )
    return there.get(key)


def _array(
    value: Any, shape: tuple[int, ...] | None, source: str, key: str, expected: str
) -> np.ndarray:
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise SoapGprError(f"{source}: {key}: found {value!r:.60}, expected {expected}") from None
    if shape is not None and array.shape != shape:
        raise SoapGprError(f"{source}: {key}: found shape {array.shape}, expected {expected}")
    return array


def _numbers(
    value: Any, shape: tuple[int, ...] | None, source: str, key: str, expected: str
) -> np.ndarray:
    array = _array(value, shape, source, key, expected)
    require_finite(array, source, key)
    return array


def require_finite(array: np.ndarray, source: str, key: str) -> None:
    """Raise SoapGprError when a number is not finite."""
    if not np.isfinite(array).all():
        raise SoapGprError(f"{source}: {key}: found a value that is not finite")


def _require_sane(array: np.ndarray, source: str, key: str, unit: str) -> None:
    largest = float(np.abs(array).max())
    if not largest <= LARGEST:
        require_finite(array, source, key)
        raise SoapGprError(
            f"{source}: {key}: found {largest:.3g} {unit}, expected at most {LARGEST:g} {unit}"
        )
