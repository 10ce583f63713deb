# SPDX-License-Identifier: BSD-3-Clause
"""Weighted linear least squares over more rows than the memory holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import ase
import numpy as np

ENERGY_WEIGHT = 100.0  # of eV per atom beside eV/Å: that of LAMMPS' examples for fitpod
BLOCKS = 4  # rows for each column that are kept until they are made a triangle


def weighted(frame: ase.Atoms, features: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """(1 + 3N, columns + 1): the energy per atom and the forces of a frame, labels last.

    features: (columns,) sums over its atoms; slopes: minus their derivatives (3N, columns).
    """
    labels = frame.get_potential_energy(), frame.get_forces().ravel()
    energy = ENERGY_WEIGHT / len(frame) * np.append(features, labels[0])
    return np.vstack([energy, np.column_stack([slopes, labels[1]])])


def solve(rows: Iterable[np.ndarray], smallest: float) -> np.ndarray:
    """Coefficients (columns,) from arrays (n, columns + 1) that have the labels last.

    Columns are scaled to one length; directions whose singular value is below smallest × the
    largest one are left out.
    """
    R = np.zeros((0, 0))
    pending: list[np.ndarray] = []
    for own in rows:
        pending.append(own)
        if sum(map(len, pending)) >= BLOCKS * own.shape[1]:
            R, pending = _triangle(R, pending), []
    R = _triangle(R, pending)
    A, b = R[:, :-1], R[:, -1]
    scale = np.linalg.norm(A, axis=0)
    scale[scale == 0] = 1.0
    return np.linalg.lstsq(A / scale, b, rcond=smallest)[0] / scale


def _triangle(R: np.ndarray, rows: Sequence[np.ndarray]) -> np.ndarray:
    """The triangle of the QR factors of R and more rows: the same problem in fewer rows."""
    stacked = [part for part in (R, *rows) if part.size]
    return np.linalg.qr(np.vstack(stacked), mode="r") if rows else R
