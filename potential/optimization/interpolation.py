# SPDX-License-Identifier: BSD-3-Clause
"""Elements that no structure of an optimisation has (docs/theory.md eq. 13q)."""

from __future__ import annotations

import numpy as np

# Variance of a move that likeness says nothing of, relative to that of the moves.
OWN = 0.1


def interpolated(
    u: np.ndarray, start: np.ndarray, known: np.ndarray, likeness: np.ndarray
) -> np.ndarray:
    """The map u (n_species, d_J) with all that are not known moved from their start as those like
    them were.

    known: bool (n_species,); likeness: κ (n_species, n_species) of eq. (3f).
    """
    moves = u[known] - start[known]
    C = likeness[np.ix_(known, known)] + OWN * np.eye(len(moves))
    moved = u.copy()
    moved[~known] = start[~known] + likeness[np.ix_(~known, known)] @ np.linalg.solve(C, moves)
    return moved
