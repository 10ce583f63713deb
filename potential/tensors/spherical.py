# SPDX-License-Identifier: BSD-3-Clause
"""Cartesian tensors as real spherical components (docs/theory.md eq. 26d, 26e).

Components of λ are in the order μ = −λ..λ, so that those of a vector are y, z, x. Cartesian
components are row-major: xx, xy, xz, yx, ...
"""

from __future__ import annotations

from functools import cache
from itertools import permutations
from typing import NamedTuple

import numpy as np

from potential import _core

_AXES = [1, 2, 0]  # y, z, x
_INDEPENDENT = 1e-8  # of a length of 1


class Part(NamedTuple):
    """Components that rotations mix with each other and with no others."""

    lam: int  # λ
    sigma: int  # 1: inversion multiplies by (−1)^λ; −1: by (−1)^(λ + 1), a pseudo-tensor

    @property
    def size(self) -> int:
        return 2 * self.lam + 1

    def __str__(self) -> str:
        return f"λ = {self.lam}{' pseudo' * (self.sigma < 0)}"


@cache
def parts_of(rank: int, symmetric: bool = True) -> tuple[Part, ...]:
    """What a Cartesian tensor of rank 1, 2 or 3 consists of; of rank 3 it is symmetric."""
    if rank == 1:
        return (Part(1, 1),)
    if rank == 2:
        return (Part(0, 1), Part(2, 1)) if symmetric else (Part(0, 1), Part(1, -1), Part(2, 1))
    return Part(1, 1), Part(3, 1)


@cache
def cartesian(rank: int, symmetric: bool = True) -> np.ndarray:
    """B (3^rank, n_spherical) of T = B t, eq. (26d): its columns are orthonormal."""
    columns = [_columns(part, rank, symmetric) for part in parts_of(rank, symmetric)]
    B = np.concatenate(columns, axis=1)
    B.flags.writeable = False
    return B


def to_spherical(T: np.ndarray, rank: int, symmetric: bool = True) -> np.ndarray:
    """t = Bᵀ T (..., n_spherical) of Cartesian components (..., 3^rank), eq. (26e)."""
    return T @ cartesian(rank, symmetric)


def places(rank: int, symmetric: bool = True) -> dict[Part, slice]:
    """Where each part is among the spherical components."""
    found, begin = dict[Part, slice](), 0
    for part in parts_of(rank, symmetric):
        found[part] = slice(begin, begin + part.size)
        begin += part.size
    return found


def _columns(part: Part, rank: int, symmetric: bool) -> np.ndarray:
    """(3^rank, 2λ + 1): vectors coupled one after the other, made symmetric."""
    if rank == 1:
        out = np.eye(3)
    elif rank == 2:
        out = _coupled(1, 1, part.lam)
    else:  # of the ways to couple three vectors to λ, all give the same symmetric tensor
        first = _coupled(1, 1, 2)
        out = np.einsum("abm,mcn->abcn", first, _coupled(2, 1, part.lam))
    own = out.reshape((3,) * rank + (part.size,))
    for axis in range(rank):
        own = np.take(own, np.argsort(_AXES), axis=axis)
    if symmetric and rank > 1:
        orders = list(permutations(range(rank)))
        own = np.mean([own.transpose(*order, rank) for order in orders], axis=0)
    own = own.reshape(3**rank, part.size)
    lengths = np.linalg.norm(own, axis=0)
    assert (lengths > _INDEPENDENT).all()
    own = own / lengths
    return -own if part.lam == 0 and own.sum() < 0 else own


def _coupled(l1: int, l2: int, l3: int) -> np.ndarray:
    return np.asarray(_core.clebsch_gordan(l1, l2, l3))
