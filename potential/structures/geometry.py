# SPDX-License-Identifier: BSD-3-Clause
"""What positions and cells must be for neighbours to mean anything."""

import numpy as np

from potential.errors import SoapGprError

# Å: up to there doubles resolve 1e-7 Å and better.
FARTHEST = 1e8


def check_geometry(positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray) -> None:
    """Raise SoapGprError for a value that is not finite, a position or a periodic cell vector
    beyond ``FARTHEST``, and a periodic direction without a vector of its own.

    positions (N, 3) Å, cell (3, 3) Å with the cell vectors as rows, pbc (3,) bool. Vectors of
    directions that are not periodic may have any length.
    """
    if not np.abs(positions).max(initial=0.0) <= FARTHEST:
        _require_finite(positions, "positions")
        atom, axis = np.unravel_index(np.abs(positions).argmax(), positions.shape)
        raise SoapGprError(
            f"positions: found {positions[atom, axis]:.3g} Å for atom {atom + 1}, "
            f"expected {FARTHEST:g} Å at most"
        )
    _require_finite(cell, "cell")
    vectors = cell[pbc]
    if np.abs(vectors).max(initial=0.0) > FARTHEST:
        raise SoapGprError(
            f"cell: found a periodic vector of {np.abs(vectors).max():.3g} Å, "
            f"expected {FARTHEST:g} Å at most"
        )
    if len(vectors) and np.linalg.matrix_rank(vectors) < len(vectors):
        raise SoapGprError("found a periodic direction without a proper cell vector")


def _require_finite(values: np.ndarray, name: str) -> None:
    if not np.isfinite(values).all():
        raise SoapGprError(f"{name}: found a value that is not finite")
