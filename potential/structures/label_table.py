# SPDX-License-Identifier: BSD-3-Clause
"""The table of labels: what a structure may carry, in the order of its rows (docs/theory.md eq. 10
to 12).

A structure of N atoms has 1 + 3N + 6 rows: its energy, the forces atom by atom, and the virial as
xx, yy, zz, yz, xz, xy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Label:
    """One kind of label."""

    name: str  # in settings, files and tables of errors
    rows: slice  # among those of a structure
    sigma_key: str  # in [noise]
    per_atom: bool  # errors are given over the number of atoms
    unit: str  # of errors, inside and in files
    shown_unit: str  # of errors for people: ``shown_factor`` of them are one ``unit``
    shown_factor: float


ENERGY = Label("energy", slice(0, 1), "energy_per_atom", True, "eV/atom", "meV/atom", 1e3)
FORCE = Label("force", slice(1, -6), "force", False, "eV/Å", "meV/Å", 1e3)
VIRIAL = Label("virial", slice(-6, None), "virial_per_atom", True, "eV/atom", "meV/atom", 1e3)
LABELS = {label.name: label for label in (ENERGY, FORCE, VIRIAL)}

VOIGT = (0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1)  # ASE: xx, yy, zz, yz, xz, xy


def n_rows(n_atoms: int) -> int:
    """1 + 3N + 6."""
    return 7 + 3 * n_atoms


def to_rows(n_atoms: int, energy: Any, forces: Any, virial: Any) -> np.ndarray:
    """(1 + 3N + 6,) numbers in the order of the rows; nan for what is None.

    energy: a number; forces (N, 3) and virial (3, 3), or one number for all components.
    """
    rows = np.full(n_rows(n_atoms), np.nan)
    if energy is not None:
        rows[ENERGY.rows] = energy
    if forces is not None:
        rows[FORCE.rows] = np.broadcast_to(forces, (n_atoms, 3)).ravel()
    if virial is not None:
        rows[VIRIAL.rows] = np.broadcast_to(virial, (3, 3))[VOIGT]
    return rows


def from_rows(rows: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Energy, forces (N, 3) and symmetric virial (3, 3) of (1 + 3N + 6,) numbers."""
    virial = np.zeros((3, 3))
    virial[VOIGT] = virial[VOIGT[::-1]] = rows[VIRIAL.rows]
    return float(rows[0]), rows[FORCE.rows].reshape(-1, 3), virial
