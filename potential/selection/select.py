# SPDX-License-Identifier: BSD-3-Clause
"""Choosing the sparse points of one species among its training environments.

Every method first drops duplicates and puts the environments into an order that depends on their
features alone, so that the choice is the same whatever the order of the training structures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from potential.errors import SoapGprError
from potential.runtime.progress import Progress, silent
from potential.selection.cur import cur_points
from potential.selection.farthest import farthest_points
from potential.selection.kmeans import kmeans_points
from potential.selection.leverage import leverage_points
from potential.selection.rows import DUPLICATE, Coupling, RowKernel, checked, distinct, power


def random_points(
    X: np.ndarray,
    n: int,
    *,
    n_taken: int = 0,
    seed: int | np.random.Generator = 0,
    progress: Progress = silent,
) -> np.ndarray:
    """Indices of n rows of X beside the first n_taken, all with equal probability."""
    X, rng = checked(X, n, n_taken, seed)
    return n_taken + rng.choice(len(X) - n_taken, size=n, replace=False)


METHODS: dict[str, Callable[..., np.ndarray]] = {
    "fps": farthest_points,
    "cur": cur_points,
    "leverage": leverage_points,
    "random": random_points,
    "kmeans": kmeans_points,
}


def select(
    X: np.ndarray,
    n_sparse: int,
    method: str = "fps",
    *,
    zeta: float = 1,
    offset: float = 0.0,
    normalized: bool = True,
    kernel: RowKernel | None = None,
    seed: int = 0,
    progress: Progress = silent,
    groups: np.ndarray | None = None,
    quotas: Mapping[str, int] | None = None,
    coupling: Coupling | None = None,
) -> np.ndarray:
    """Indices into X (n, n_features) of at most n_sparse distinct environments, as chosen.

    zeta, offset: of the kernel (p.p' + offset)^zeta (theory.md eq. 7b), on which "fps" and "cur"
    stand, the latter for integers; normalized: whether all features have unit length; kernel:
    another one in its place, between rows whose parts have unit length. quotas: how many of them
    come from a group at least, where it has so many; groups (n,): the group of every environment.
    coupling: factors of the kernel by species, for "fps" and "cur".

    X holds the features of environments of one species, or of any that share their sparse points.
    Fewer indices come back when there are fewer distinct environments; those whose features vanish
    are never chosen, as their kernels vanish too. theory.md section 5 [H 9-11].
    """
    if method not in METHODS:
        raise SoapGprError(f"sparse_method: found {method!r}, expected one of {list(METHODS)}")
    if not normalized:
        largest = _longest(X) ** 2
        X, offset = X / np.sqrt(largest), offset / largest
    unique = _distinct(X, coupling)
    if len(unique) <= n_sparse:
        return unique
    method_of = partial(METHODS[method], seed=np.random.default_rng(seed), progress=progress)
    coupled = coupling is not None and method in ("cur", "fps")
    # Of unit vectors whose products are not negative, farthest points are those of the linear
    # kernel for every zeta and offset.
    if method == "cur" or (method == "fps" and (kernel or coupled or not normalized)):
        method_of = partial(method_of, kernel=kernel or partial(_power, zeta, offset))

    def choose(rows: np.ndarray, count: int, n_taken: int) -> np.ndarray:
        more = {"coupling": coupling.of(rows)} if coupled and coupling is not None else {}
        return rows[method_of(X[rows], count, n_taken=n_taken, **more)]

    chosen = unique[:0]
    for group, quota in sorted((quotas or {}).items()):
        assert groups is not None
        others = np.setdiff1d(unique[groups[unique] == group], chosen)
        chosen = _more(chosen, _in_order(others, unique), quota, choose)
    others = _in_order(np.setdiff1d(unique, chosen), unique)
    return _more(chosen, others, n_sparse - len(chosen), choose)


def _distinct(X: np.ndarray, coupling: Coupling | None) -> np.ndarray:
    """As ``distinct_environments``; centres of species that a coupling tells apart differ."""
    if coupling is None:
        return distinct_environments(X)
    found = [np.zeros(0, dtype=np.int64)]
    for a in range(len(coupling.kappa)):
        own = np.flatnonzero(coupling.species == a)
        if len(own):
            found.append(own[distinct_environments(X[own])])
    return np.concatenate(found)


def distinct_environments(X: np.ndarray, normalized: bool = True) -> np.ndarray:
    """Indices of the rows that differ and do not vanish, in an order set by the rows."""
    X = X if normalized else X / _longest(X)
    unique = distinct(X)
    return unique[np.einsum("ij,ij->i", X, X)[unique] > DUPLICATE]


def _longest(X: np.ndarray) -> float:
    """The largest length of the rows; 1 where all vanish."""
    return float(np.sqrt(np.einsum("ij,ij->i", X, X).max(initial=0.0))) or 1.0


def _power(zeta: float, offset: float, products: np.ndarray) -> np.ndarray:
    """The kernel of products p.p', over that of unit vectors that are equal."""
    return power((products + offset) / (1.0 + offset), zeta)


def _in_order(rows, unique):
    """Some of the unique rows in the order of all of them, which does not depend on the input's."""
    return unique[np.isin(unique, rows)]


def _more(chosen, others, count, choose):
    """The chosen rows and at most count of the others."""
    if len(others) <= count:
        return np.concatenate([chosen, others])
    if count == 0:
        return chosen
    rows = np.concatenate([chosen, others])
    return np.concatenate([chosen, choose(rows, count, len(chosen))])
