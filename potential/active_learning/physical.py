# SPDX-License-Identifier: BSD-3-Clause
"""What is no longer a structure to label."""

from __future__ import annotations

import ase
import numpy as np
from ase.neighborlist import neighbor_list

NOT_FINITE, TOO_CLOSE, TOO_UNCERTAIN = "not finite", "too close", "too uncertain"
STOPPED, HALTED = "stopped", "halted"  # runs that failed, and that a fix halt ended
EVENTS = (STOPPED, HALTED, NOT_FINITE, TOO_CLOSE, TOO_UNCERTAIN)


def fault(atoms: ase.Atoms, distance: float) -> str | None:
    """One of EVENTS, or None for a structure whose atoms are all farther than distance (Å) from
    each other, periodic images included."""
    if not np.isfinite(atoms.positions).all() or not np.isfinite(atoms.cell.array).all():
        return NOT_FINITE
    if not distance:
        return None
    flat = abs(np.linalg.det(atoms.cell.array)) < 1e-6
    if atoms.pbc.all() and flat:
        return TOO_CLOSE
    return TOO_CLOSE if len(neighbor_list("i", atoms, distance)) else None
