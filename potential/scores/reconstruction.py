# SPDX-License-Identifier: BSD-3-Clause
"""How much of one set of features another one knows (docs/theory.md eq. 24f to 24h)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from potential.descriptors.features import Features
from potential.descriptors.inputs import species_of
from potential.descriptors.kernels import environment_kernel
from potential.errors import SoapGprError
from potential.species import bead_names

# Singular values that a map may leave out, over the largest one; those of skmatter.
CUTOFFS = np.geomspace(1e-9, 0.9, 20)


@dataclass(frozen=True)
class Comparison:
    """Errors of reconstructing features B from A, and A from B: 0 for all, 1 for nothing known."""

    n_train: int  #: environments that maps are learnt from
    n_test: int  #: environments of other structures
    errors: dict[str, tuple[float, float]]  #: by "global", "local", "kernel": B from A, A from B


def compare_features(
    A: Features,
    B: Features,
    *,
    centers: Collection[str | int] | None = None,
    n_environments: int = 1000,
    n_local: int = 20,
    zeta: float | None = None,
    seed: int = 0,
) -> Comparison:
    """Reconstruction errors between two sets of features of the same structures, both ways.

    Half of the structures, a random choice, are to learn from and half to test on, and of each half
    a random choice of environments, together at most n_environments. centers: species of the
    environments, by default all; n_local: neighbours of the local error; zeta: the power of the
    kernels whose features are compared as well. Raises SoapGprError where the structures are not
    the same, or are too few.
    """
    same = np.array_equal(A.numbers, B.numbers) and np.array_equal(A.offsets, B.offsets)
    if not same:
        raise SoapGprError("found features of different structures, expected the same for both")
    train, test = _halves(A, centers, n_environments, seed)
    if min(len(train), len(test)) < max(2, n_local):
        raise SoapGprError(
            f"found {len(train)} and {len(test)} environments to learn from and to test on, "
            f"expected at least {max(2, n_local)} of each: give more structures"
        )
    X, Y = A.values, B.values
    both = (X, Y), (Y, X)
    errors = {
        "global": [global_reconstruction_error(*pair, train, test) for pair in both],
        "local": [local_reconstruction_error(*pair, train, test, n_local) for pair in both],
    }
    if zeta is not None:
        rows = np.concatenate([train, test])
        x, y = (kernel_features(_of_rows(own, rows), zeta) for own in (A, B))
        own = np.arange(len(train)), np.arange(len(train), len(rows))
        errors["kernel"] = [global_reconstruction_error(*pair, *own) for pair in ((x, y), (y, x))]
    found = {name: (float(to), float(back)) for name, (to, back) in errors.items()}
    return Comparison(len(train), len(test), found)


def global_reconstruction_error(
    X: np.ndarray, Y: np.ndarray, train: np.ndarray, test: np.ndarray
) -> float:
    """GFRE of features Y (n, n_Y) from X (n, n_X) by one linear map (docs/theory.md eq. 24f).

    train, test: rows. It is ``skmatter.metrics.global_reconstruction_error`` with every second row
    of train as a fold. Raises SoapGprError where features do not vary.
    """
    X, Y = (_scaled(own, train) for own in (X, Y))
    residual = Y[test] - _mapped(X[train], Y[train], X[test])
    return float(np.linalg.norm(residual) / np.sqrt(len(test)))


def local_reconstruction_error(
    X: np.ndarray, Y: np.ndarray, train: np.ndarray, test: np.ndarray, n_local: int = 20
) -> float:
    """LFRE (docs/theory.md eq. 24g): the same with a map of its own for each row of test, learnt
    from the n_local rows of train that are closest to it in X."""
    X, Y = (_scaled(own, train) for own in (X, Y))
    total = 0.0
    for x, y in zip(X[test], Y[test], strict=True):
        near = train[np.argsort(np.sum((X[train] - x) ** 2, axis=1), kind="stable")[:n_local]]
        x_mean, y_mean = X[near].mean(axis=0), Y[near].mean(axis=0)
        found = _mapped(X[near] - x_mean, Y[near] - y_mean, (x - x_mean)[None])
        total += np.sum((y - y_mean - found[0]) ** 2)
    return float(np.sqrt(total / len(test)))


def kernel_features(features: Features, zeta: float) -> np.ndarray:
    """Φ (n, at most n) whose products are the kernel (p̂·p̂')^ζ between environments (docs/theory.md
    eq. 24h). Directions below the rounding of the kernel are left out."""
    K = environment_kernel(features, zeta=zeta, centers="shared")
    values, vectors = np.linalg.eigh(K)
    kept = values > len(K) * np.finfo(float).eps * values[-1]
    return vectors[:, kept] * np.sqrt(values[kept])


def _mapped(X: np.ndarray, Y: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Rows of test (n, n_X) times the P (n_X, n_Y) of the least |Y - X P|, without the smallest
    singular values of X: those whose neglect serves the rows of one half best that were not fitted,
    and the other way round."""
    halves = [np.arange(len(X)) % 2 == k for k in (0, 1)]
    parts = [np.linalg.svd(X[half], full_matrices=False) for half in halves]
    least = max(X.shape) * np.finfo(float).eps
    largest = max(s.max(initial=0.0) for _, s, _ in parts)
    losses = np.zeros(len(CUTOFFS))
    for (U, s, Vt), own, other in zip(parts, halves, halves[::-1], strict=True):
        to_rows, from_rows = X[other] @ Vt.T, U.T @ Y[own]
        ranks = [np.count_nonzero(s > max(cutoff * largest, least)) for cutoff in CUTOFFS]
        of_rank = {n: _loss(Y[other], (to_rows[:, :n] / s[:n]) @ from_rows[:n]) for n in {*ranks}}
        losses += [of_rank[n] for n in ranks]
    U, s, Vt = np.linalg.svd(X, full_matrices=False)
    n = np.count_nonzero(s > max(CUTOFFS[np.argmin(losses)] * largest, least))
    return (test @ Vt[:n].T / s[:n]) @ (U[:, :n].T @ Y)


def _loss(Y: np.ndarray, found: np.ndarray) -> float:
    """Root mean square errors of the columns, their mean."""
    return float(np.sqrt(np.mean((Y - found) ** 2, axis=0)).mean())


def _scaled(X: np.ndarray, train: np.ndarray) -> np.ndarray:
    """X less the mean of the rows of train, over the root of the sum of their variances."""
    centered = X - X[train].mean(axis=0)
    size = np.sqrt(np.sum(centered[train] ** 2) / len(train))
    if not np.isfinite(size) or size <= 1e-12 * np.abs(X[train]).max(initial=0.0):
        raise SoapGprError("found features that are the same for all environments, or not finite")
    return centered / size


def _halves(
    features: Features, centers: Collection[str | int] | None, most: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from and rows of the other structures, in a random order."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(features.offsets) - 1)
    in_train = np.isin(features.structure, order[: len(order) // 2])
    wanted = np.ones(len(features.numbers), dtype=bool)
    if centers is not None:
        beads = bead_names(np.unique(features.numbers))
        wanted = np.isin(features.numbers, species_of(centers, beads))
    parts = (np.flatnonzero(wanted & half) for half in (in_train, ~in_train))
    train, test = (rng.permutation(rows)[: most // 2] for rows in parts)
    return train, test


def _of_rows(features: Features, rows: np.ndarray) -> Features:
    """Each a structure of its own."""
    own = features.values[rows], features.numbers[rows]
    return Features(*own, np.arange(len(rows) + 1))
