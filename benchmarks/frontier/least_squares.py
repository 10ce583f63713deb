# SPDX-License-Identifier: BSD-3-Clause
"""Weighted linear least squares over more rows than the memory holds."""

from __future__ import annotations

from collections.abc import Iterable

import ase
import numpy as np

ENERGY_WEIGHT = 100.0  # of eV per atom beside eV/Å: that of LAMMPS' examples for fitpod
BLOCKS = 4  # rows for each column that are kept until they are made a triangle
HELD_OUT = 6
SHARES = (1e-13, 1e-11, 1e-9, 1e-7, 1e-6, 1e-5, 1e-4)  # the first is that of FitSNAP


def weighted(frame: ase.Atoms, features: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """(1 + 3N, columns + 1): the energy per atom and the forces of a frame, labels last.

    features: (columns,) sums over its atoms; slopes: minus their derivatives (3N, columns).
    """
    labels = frame.get_potential_energy(), frame.get_forces().ravel()
    energy = ENERGY_WEIGHT / len(frame) * np.append(features, labels[0])
    return np.vstack([energy, np.column_stack([slopes, labels[1]])])


def solve(rows: Iterable[np.ndarray]) -> np.ndarray:
    """Coefficients (columns,) from one array (n, columns + 1) for each frame, labels last.

    Columns are scaled to one length, and directions whose singular value is below a share of the
    largest one are left out: the share of SHARES that fits every HELD_OUTth frame best when it is
    left out of the fit. So no code's own regularisation has to be guessed, and none overfits.
    """
    fitted, held_out = _Triangle(), _Triangle()
    for k, own in enumerate(rows):
        (held_out if k % HELD_OUT == HELD_OUT - 1 else fitted).add(own)
    if not held_out:
        return _truncated(fitted.R, SHARES[0])
    together = _Triangle()
    for part in (fitted, held_out):
        together.add(part.R)
    tried = [_truncated(fitted.R, share) for share in SHARES]
    errors = [np.linalg.norm(held_out.R @ np.append(own, -1.0)) for own in tried]
    return _truncated(together.R, SHARES[int(np.argmin(errors))])


class _Triangle:
    """Of the QR factors of many rows: the same least-squares problem in few rows."""

    def __init__(self) -> None:
        self._rows: list[np.ndarray] = []

    def add(self, rows: np.ndarray) -> None:
        """Take rows (n, columns + 1)."""
        self._rows.append(rows)
        if sum(map(len, self._rows)) >= BLOCKS * rows.shape[1]:
            self._rows = [self.R]

    def __bool__(self) -> bool:
        return bool(self._rows)

    @property
    def R(self) -> np.ndarray:
        """The triangle of all rows so far."""
        return np.linalg.qr(np.vstack(self._rows), mode="r")


def _truncated(R: np.ndarray, share: float) -> np.ndarray:
    A, b = R[:, :-1], R[:, -1]
    scale = np.linalg.norm(A, axis=0)
    scale[scale == 0] = 1.0
    return np.linalg.lstsq(A / scale, b, rcond=share)[0] / scale
