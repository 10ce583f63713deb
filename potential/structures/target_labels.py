# SPDX-License-Identifier: BSD-3-Clause
"""Labels of targets: numbers of atoms or structures beside energies, forces and virials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ase
import numpy as np

from potential.errors import SoapGprError
from potential.species import symbol

LARGEST = 1e8  # in any unit
_FORMS = (
    "one number",
    "3 numbers (x, y, z)",
    "9 numbers (xx, xy, xz, yx, ...)",
    "27 numbers (xxx, xxy, xxz, xyx, ...)",
)


@dataclass(frozen=True)
class TargetLabel:
    """Where the frames have the label of a target."""

    name: str
    key: str
    column: int | None = None  # of a label with several
    per_atom: bool = True  # a row for each atom, else one for the structure
    species: tuple[int, ...] = ()  # atoms that are asked for, by their numbers; none: all
    weights: str | None = None  # the column that says how much each atom counts
    rank: int = 0  # 1 of a vector, 2 or 3 of a tensor
    symmetric: bool = True  # of a tensor


def read_targets(
    atoms: ase.Atoms, labels: Sequence[TargetLabel], numbers: np.ndarray, source: str
) -> dict[str, np.ndarray]:
    """Labels by the names of targets, of those that the frame has: (N,) for atoms, nan where there
    is none or it is not asked for, and () for the structure; of vectors and tensors with their
    Cartesian components, 3^rank, at the end.

    Raises SoapGprError for a label of another form, or that is infinite.
    """
    found = {label.name: _values(atoms, label, source) for label in labels}
    for label in labels:
        values = found[label.name]
        if values is not None and label.per_atom and label.species:
            values[~np.isin(numbers, label.species)] = np.nan
    return {name: values for name, values in found.items() if values is not None}


def _values(atoms: ase.Atoms, label: TargetLabel, source: str) -> np.ndarray | None:
    key, n = label.key, len(atoms)
    value = _find(atoms, label, source)
    if value is None:
        return None
    expected = _FORMS[label.rank]
    if label.per_atom:
        expected = f"{expected.replace('one number', 'a number')} for each atom"
    try:
        values = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise SoapGprError(f"{source}: {key}: found {value!r:.60}, expected {expected}") from None
    shape = (n,) if label.per_atom else ()
    if label.rank:
        values, shape = _components(values, len(shape)), (*shape, 3**label.rank)
    elif values.ndim == len(shape) + 1 and values.shape[:-1] == shape:
        values = _column(values, label, source)
    elif label.column is not None and values.shape == shape:
        raise SoapGprError(
            f"{source}: {key}: found no columns, expected them for column = {label.column} of "
            f"target {label.name}"
        )
    if values.shape != shape:
        raise SoapGprError(
            f"{source}: {key}: found shape {values.shape}, expected {expected}, {shape}"
        )
    if np.isinf(values).any() or np.abs(values[np.isfinite(values)]).max(initial=0) > LARGEST:
        raise SoapGprError(f"{source}: {key}: found a number beyond {LARGEST:g}, or infinite")
    if label.rank:  # what lacks a component is no label
        values[np.isnan(values).any(axis=-1)] = np.nan
    return values


def _components(values: np.ndarray, n_axes: int) -> np.ndarray:
    """Cartesian components in one row: 3 × 3 and 3 × 3 × 3 may come as they are."""
    if values.ndim > n_axes + 1 and set(values.shape[n_axes:]) == {3}:
        return values.reshape(*values.shape[:n_axes], -1)
    return values


def _column(values: np.ndarray, label: TargetLabel, source: str) -> np.ndarray:
    n_columns = values.shape[-1]
    if label.column is None:
        if n_columns == 1:
            return values[..., 0]
        raise SoapGprError(
            f"{source}: {label.key}: found {n_columns} columns, expected column = 0 to "
            f"{n_columns - 1} for target {label.name}"
        )
    if label.column >= n_columns:
        raise SoapGprError(
            f"{source}: {label.key}: found {n_columns} columns, expected one with the number "
            f"{label.column} (the first is 0) for target {label.name}"
        )
    return values[..., label.column]


def _find(atoms: ase.Atoms, label: TargetLabel, source: str) -> Any:
    """The value where it belongs, None without. Raises SoapGprError when it is elsewhere."""
    there: tuple[Mapping[str, Any], ...] = (atoms.arrays, atoms.info)
    if not label.per_atom:
        there = there[::-1]
    if label.key in there[0]:
        return there[0][label.key]
    if atoms.calc is not None and label.key in atoms.calc.results:
        return atoms.calc.results[label.key]
    if label.key in there[1]:
        found = "one value" if label.per_atom else "a column of atoms"
        expected = "a column of atoms" if label.per_atom else "a value of the frame"
        other = str(not label.per_atom).lower()
        raise SoapGprError(
            f"{source}: {label.key}: found {found}, expected {expected} for target {label.name}, "
            f"or per_atom = {other}"
        )
    return None


def require_targets(
    found: Sequence[Mapping[str, np.ndarray]],
    labels: Sequence[TargetLabel],
    origin: str,
    names: Sequence[str],
) -> None:
    """Raise SoapGprError for a target that no frame has a label of; names: those that are there."""
    for label in labels:
        of = f" on atoms of {', '.join(map(symbol, label.species))}" if label.species else ""
        own = [values[label.name] for values in found if label.name in values]
        if not own:
            raise SoapGprError(
                f"{origin}: no frame has {label.key!r}, the key of target {label.name}; names "
                f"found: {', '.join(names) or 'none'}"
            )
        if all(np.isnan(values).all() for values in own):
            raise SoapGprError(
                f"{origin}: {label.key}: found only nan for target {label.name}{of}, expected "
                "labels"
            )


def target_notes(
    found: Sequence[Mapping[str, np.ndarray]],
    numbers: Sequence[np.ndarray],
    labels: Sequence[TargetLabel],
) -> list[str]:
    """What is missing among the labels of targets; numbers: of the atoms of each structure."""
    notes = []
    for label in labels:
        without = sum(label.name not in values for values in found)
        missing = 0
        for values, own in zip(found, numbers, strict=True):
            if label.name in values:
                asked = np.isin(own, label.species) if label.per_atom and label.species else True
                unknown = np.isnan(values[label.name])
                unknown = unknown.any(axis=-1) if label.rank else unknown
                missing += int(np.count_nonzero(unknown & asked))
        if 0 < without < len(found):
            notes.append(
                f"target {label.name}: {without} of {len(found)} structures have no {label.key!r}"
            )
        if missing:
            notes.append(f"target {label.name}: {missing} labels are nan and were left out")
    return notes
