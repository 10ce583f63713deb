# SPDX-License-Identifier: BSD-3-Clause
"""Kernels of environments (docs/theory.md eq. 7c), and what those of structures share with them."""

from __future__ import annotations

import numpy as np

from potential.descriptors.features import Features
from potential.errors import SoapGprError
from potential.kernels.environments import kernel_of
from potential.settings import SoapTermSettings
from potential.settings.terms import SEPARATE, SHARED
from potential.species import symbol


def environment_kernel(
    A: Features,
    B: Features | None = None,
    *,
    zeta: float = SoapTermSettings.zeta,
    centers: str = SEPARATE,
) -> np.ndarray:
    """k(i, j) = δ_{a_i a_j} (p̂_i·p̂_j)^ζ (n_A, n_B) of the environments of A and B, by default A.

    It is zero between centres of different species, as in the models (docs/theory.md eq. 7), unless
    centers are "shared" (eq. 7d); of one species it is
    ``sklearn.metrics.pairwise.polynomial_kernel`` with degree=zeta, gamma=1, coef0=0.
    For a zeta that is not an integer the matrix may have negative eigenvalues. Raises SoapGprError
    for features that do not fit together or are not finite, and for a zeta below 1.
    """
    B = checked(A, B, zeta, centers)
    return kernel_of(A.values, A.numbers, B.values, B.numbers, zeta, centers)


def checked(A: Features, B: Features | None, zeta: float, centers: str) -> Features:
    """B, by default A. Raises SoapGprError as ``environment_kernel`` does."""
    for features in (A, B):
        if features is not None:
            _require_features(features)
    if not is_number(zeta) or not 1 <= zeta < np.inf:
        raise SoapGprError(f"zeta: found {zeta!r}, expected a number of at least 1")
    if centers not in (SEPARATE, SHARED):
        raise SoapGprError(f"centers: found {centers!r}, expected {SEPARATE!r} or {SHARED!r}")
    B = A if B is None else B
    if A.values.shape[1] != B.values.shape[1]:
        raise SoapGprError(
            f"found features of {A.values.shape[1]} and of {B.values.shape[1]} columns, expected "
            "those of one descriptor"
        )
    return B


def is_number(value: object) -> bool:
    """Whether it is a real number, and no bool."""
    kinds = (int, float, np.integer, np.floating)
    return isinstance(value, kinds) and not isinstance(value, bool)


def _require_features(found: object) -> None:
    if not isinstance(found, Features):
        raise SoapGprError(
            f"found {type(found).__name__}, expected Features, what SoapDescriptor.compute returns"
        )
    empty = np.flatnonzero(np.diff(found.offsets) <= 0)
    if len(empty) or len(found.offsets) < 2:
        which = f"structure {empty[0]} without" if len(empty) else "features without structures or"
        raise SoapGprError(f"found {which} atoms, expected at least one")
    bad = ~np.isfinite(found.values).all(axis=1)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise SoapGprError(
            f"structure {found.structure[row]}: found features of {symbol(found.numbers[row])} "
            "that are not finite"
        )
