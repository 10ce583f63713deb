# SPDX-License-Identifier: BSD-3-Clause
"""Kernels of structures: sums and averages over pairs of environments, averaged features, REMatch
(docs/theory.md eq. 7c, 24 to 24e)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from threadpoolctl import threadpool_limits

from potential.descriptors.features import Features, require_pooling
from potential.descriptors.kernels import checked, is_number
from potential.descriptors.weights import Weights, weights_of
from potential.errors import SoapGprError
from potential.kernels.structures import StructureKernel, Structures, normalized
from potential.settings import SoapTermSettings
from potential.settings.target_kernels import GAMMA, POOLINGS, REMATCH
from potential.settings.terms import SEPARATE


def structure_kernel(
    A: Features,
    B: Features | None = None,
    *,
    zeta: float = SoapTermSettings.zeta,
    pooling: str = "mean",
    centers: str = SEPARATE,
    weights: Weights | Sequence[np.ndarray] | None = None,
    normalize: bool = False,
    gamma: float | None = None,
) -> np.ndarray:
    """Kernel (n_A, n_B) of the structures of A and B, by default A, of k(i, j) of
    ``environment_kernel``.

    - pooling "sum": K(A, B) = Σ_i∈A Σ_j∈B k(i, j), for properties that are sums over atoms; "mean":
      the same over N_A N_B, for properties per atom (docs/theory.md eq. 7c); "features": the power
      ζ of the products of mean features (eq. 24); "rematch": Σ_ij P_ij k(i, j) with P that matches
      similar environments (eq. 24c);
    - centers: "separate" for k(i, j) = 0 between centres of different species, or "shared";
    - weights: how much each environment counts (eq. 24b), numbers that are not negative: by species
      as in {"H": 0.5}, where all others count 1, or an array (n_environments,) of A, with B a pair
      of them;
    - normalize: K(A, B) over the root of K(A, A) K(B, B) (eq. 24e);
    - gamma: how much "rematch" smooths, by default 0.1: the best match of environments at 0, their
      average at infinity.

    Memory is that of the result and, for each thread, of a block of the kernel of environments.
    Raises SoapGprError as ``environment_kernel`` does, for other values of these parameters, and
    where a match is not found as gamma is too small.
    """
    kernel = kernel_called(zeta, pooling, centers, gamma)
    if not isinstance(normalize, bool):
        raise SoapGprError(f"normalize: found {normalize!r}, expected True or False")
    other = checked(A, B, zeta, centers)
    own_weights, other_weights = _weights(weights, A, B)
    X = weighted(A, own_weights, pooling)
    Y = X if B is None else weighted(other, other_weights, pooling)
    with threadpool_limits(limits=1, user_api="blas"):  # threads are spread over blocks
        K = kernel.between(X, Y)
        if not normalize:
            return K
        of_A = np.diag(K) if B is None else kernel.of_each(X)
        return normalized(K, of_A, of_A if B is None else kernel.of_each(Y))


def kernel_called(zeta: float, pooling: str, centers: str, gamma: float | None) -> StructureKernel:
    """By the parameters of ``structure_kernel``; raises SoapGprError for a pooling or gamma that
    there is not."""
    require_pooling(pooling, POOLINGS)
    return StructureKernel(zeta, pooling, centers, _gamma(gamma, pooling))


def _gamma(gamma: object, pooling: str) -> float:
    if gamma is None:
        return GAMMA
    if not is_number(gamma) or not 0 < gamma < np.inf:  # type: ignore[operator]
        raise SoapGprError(f"gamma: found {gamma!r}, expected a number above 0")
    if pooling != REMATCH:
        raise SoapGprError(f"gamma: found with pooling {pooling!r}, expected it with {REMATCH!r}")
    return float(gamma)  # type: ignore[arg-type]


def _weights(
    weights: Weights | Sequence[np.ndarray] | None, A: Features, B: Features | None
) -> tuple[np.ndarray, np.ndarray]:
    """(n_environments,) of A and of B."""
    if B is None or weights is None or isinstance(weights, Mapping):
        both = weights, weights
    elif isinstance(weights, (tuple, list)) and len(weights) == 2:
        both = tuple(weights)
    else:
        raise SoapGprError("weights: expected a number by species or a pair of arrays, for A and B")
    own = weights_of(both[0], A.numbers, A.offsets)
    return own, own if B is None else weights_of(both[1], B.numbers, B.offsets)


def weighted(features: Features, weights: np.ndarray, pooling: str) -> Structures:
    """What a kernel takes of them, without the environments of weight 0."""
    there = weights > 0
    counts = np.add.reduceat(there.astype(np.int64), features.offsets[:-1])
    offsets = np.concatenate([[0], np.cumsum(counts)])
    kept = weights[there]
    if pooling != "sum":
        kept = kept / np.repeat(np.add.reduceat(kept, offsets[:-1]), counts)
    values = features.values if there.all() else features.values[there]
    return Structures(values, features.numbers[there], kept, offsets)
