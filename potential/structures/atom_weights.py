# SPDX-License-Identifier: BSD-3-Clause
"""Columns of atoms that say how much each counts in a target of structures (docs/theory.md eq.
23g)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import ase
import numpy as np

from potential.errors import SoapGprError
from potential.structures.target_labels import LARGEST


def weight_column(arrays: Mapping[str, Any], name: str, n: int) -> np.ndarray:
    """The column (n,) of this name. Raises SoapGprError when it is not there, or holds anything
    but finite numbers that are not negative."""
    if name not in arrays:
        raise SoapGprError(
            f"found no column {name!r} of atoms, expected how much each atom counts in a target"
        )
    try:
        column = np.array(arrays[name], dtype=np.float64)
    except (TypeError, ValueError):
        raise SoapGprError(f"{name}: found a column of words, expected numbers") from None
    if column.shape != (n,):
        raise SoapGprError(
            f"{name}: found shape {column.shape}, expected ({n},), one for each atom"
        )
    if not (np.isfinite(column) & (column >= 0) & (column <= LARGEST)).all():
        raise SoapGprError(
            f"{name}: found a weight that is negative, not finite or beyond {LARGEST:g}, expected "
            "numbers from 0"
        )
    return column


def read_columns(
    atoms: ase.Atoms, names: Iterable[str | None], source: str
) -> dict[str, np.ndarray]:
    """Those of these names. Raises SoapGprError as ``weight_column``."""
    try:
        return {name: weight_column(atoms.arrays, name, len(atoms)) for name in names if name}
    except SoapGprError as error:
        raise SoapGprError(f"{source}: {error}") from None
