# SPDX-License-Identifier: BSD-3-Clause
"""Kernels of environments and of structures (docs/theory.md eq. 7c)."""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_limits

from potential.descriptors.features import Features, require_pooling
from potential.errors import SoapGprError
from potential.runtime.parallel import ordered_map
from potential.selection.rows import power
from potential.settings import SoapTermSettings


def environment_kernel(
    A: Features, B: Features | None = None, *, zeta: float = SoapTermSettings.zeta
) -> np.ndarray:
    """k(i, j) = δ_{a_i a_j} (p̂_i·p̂_j)^ζ (n_A, n_B) of the environments of A and B, by default A.

    It is zero between centres of different species, as in the models (docs/theory.md eq. 7); of one
    species it is ``sklearn.metrics.pairwise.polynomial_kernel`` with degree=zeta, gamma=1, coef0=0.
    For a zeta that is not an integer the matrix may have negative eigenvalues. Raises SoapGprError
    for features that do not fit together and for a zeta below 1.
    """
    B = _checked(A, B, zeta)
    return _kernel(A.values, A.numbers, B, zeta)


def structure_kernel(
    A: Features,
    B: Features | None = None,
    *,
    zeta: float = SoapTermSettings.zeta,
    pooling: str = "mean",
) -> np.ndarray:
    """Average or sum kernel (n_A, n_B) of the structures of A and B, by default A.

    pooling "sum": K(A, B) = Σ_i∈A Σ_j∈B k(i, j), for properties that are sums over atoms; "mean":
    the same over N_A N_B, for properties per atom (docs/theory.md eq. 7c). Memory is that of the
    kernel between the environments of one structure of A and all those of B, for each thread.
    Raises SoapGprError as ``environment_kernel`` does.
    """
    require_pooling(pooling)
    B = _checked(A, B, zeta)

    def row(own: slice) -> np.ndarray:
        k = _kernel(A.values[own], A.numbers[own], B, zeta).sum(axis=0)
        return np.add.reduceat(k, B.offsets[:-1])

    bounds = zip(A.offsets[:-1], A.offsets[1:], strict=True)
    with threadpool_limits(limits=1, user_api="blas"):  # threads are spread over structures
        K = np.array(list(ordered_map(row, (slice(begin, end) for begin, end in bounds))))
    if pooling == "mean":
        K /= np.outer(np.diff(A.offsets), np.diff(B.offsets))
    return K


def _kernel(X: np.ndarray, numbers: np.ndarray, B: Features, zeta: float) -> np.ndarray:
    return np.where(numbers[:, None] == B.numbers, power(X @ B.values.T, zeta), 0.0)


def _checked(A: Features, B: Features | None, zeta: float) -> Features:
    """B, by default A."""
    for features in (A, B):
        if not isinstance(features, Features) and features is not None:
            raise SoapGprError(
                f"found {type(features).__name__}, expected Features, what "
                "SoapDescriptor.compute returns"
            )
    number = isinstance(zeta, (int, float, np.integer, np.floating))
    if not number or isinstance(zeta, bool) or not 1 <= zeta < np.inf:
        raise SoapGprError(f"zeta: found {zeta!r}, expected a number of at least 1")
    B = A if B is None else B
    if A.values.shape[1] != B.values.shape[1]:
        raise SoapGprError(
            f"found features of {A.values.shape[1]} and of {B.values.shape[1]} columns, expected "
            "those of one descriptor"
        )
    return B
