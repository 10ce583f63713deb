# SPDX-License-Identifier: BSD-3-Clause
"""Covariances of GAP's functions of a few numbers, ard_se and pp (docs/gap.md)."""

from __future__ import annotations

import numpy as np

from potential.errors import SoapGprError
from potential.gap.read.gap_file import Coordinate


def covariance(coordinate: Coordinate, x: np.ndarray) -> np.ndarray:
    """δ² C(x_s, x) / √(C(x_s, x_s) C(x, x)) + f_0² in eV² of x (n, d) and the M sparse points,
    (n, M).

    C is the kernel summed over the permutations of x_s; with one permutation it is not divided.
    Cutoff functions are left to the caller.
    """
    shape, points = _SHAPES[coordinate.kernel], coordinate.points
    permutations, theta = coordinate.permutations, coordinate.theta
    total = np.sum([shape((points[:, p] - x[:, None]) / theta) for p in permutations], axis=0)
    if len(permutations) > 1:
        own = own_covariance(coordinate, points) * own_covariance(coordinate, x)[:, None]
        total = total / np.sqrt(own)
    return coordinate.delta**2 * total + coordinate.f0**2


def require_stationary(coordinate: Coordinate, n: int) -> None:
    """Raises SoapGprError unless ``covariance`` takes n numbers with this coordinate."""
    where, theta = coordinate.where, coordinate.theta
    if coordinate.kernel not in _SHAPES:
        raise SoapGprError(f"{where}: found the kernel {coordinate.kernel}, expected ard_se or pp")
    if coordinate.points.shape[1] != n or len(theta) != n or (theta <= 0).any():
        raise SoapGprError(
            f"{where}: found sparse points or theta that are not {n} numbers, theta above 0"
        )


def own_covariance(coordinate: Coordinate, x: np.ndarray) -> np.ndarray:
    """C(x, x) of x (n, d), (n,)."""
    shape = _SHAPES[coordinate.kernel]
    theta, permutations = coordinate.theta, coordinate.permutations
    return np.sum([shape((x[:, p] - x) / theta) for p in permutations], axis=0)


def _ard_se(u: np.ndarray) -> np.ndarray:
    """exp(−|u|²/2) of (..., d)."""
    return np.exp(-0.5 * np.einsum("...d,...d->...", u, u))


def _pp(u: np.ndarray) -> np.ndarray:
    """(1 − |u|)^(j+1) ((j + 1) |u| + 1), j = d/2 + 2, zero from |u| = 1 on."""
    n = u.shape[-1] // 2 + 3  # j + 1
    length = np.sqrt(np.einsum("...d,...d->...", u, u))
    return np.maximum(1 - length, 0.0) ** n * (n * length + 1)


_SHAPES = {"ard_se": _ard_se, "pp": _pp}
