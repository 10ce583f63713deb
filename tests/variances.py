# SPDX-License-Identifier: BSD-3-Clause
"""Models with variances from a random regression, and the slow twin of those variances."""

import numpy as np

from potential.model import Model
from potential.model.uncertainty import Scales, Uncertainty
from potential.terms import TrainingModel
from potential.terms.feature_term import FeatureTerm
from potential.terms.features import features
from potential.uncertainty.projected_process import variance_arrays


def variance_model(model, seed=0, n_rows=25, jitter=1e-2) -> tuple[Model, np.ndarray, np.ndarray]:
    """The model with the arrays of its variances, K_MM and K̃ = K_MM + AᵀA of random rows A."""
    rng = np.random.default_rng(seed)
    K = model.kernel_matrix()
    K[np.diag_indices_from(K)] *= 1 + jitter
    A = rng.normal(size=(n_rows, len(K))) / np.sqrt(np.diag(K))
    K_tilde = K + A.T @ A
    R, U = (np.linalg.cholesky(own).T for own in (K_tilde, K))
    own = Uncertainty(
        variance=Scales(1.5, 2.5),
        rigidity=Scales(0.5, 0.7),
        edges=tuple(0.1 + 0.1 * a for a in range(len(model.species))),
    )
    return model.with_uncertainty(own, variance_arrays(model, R, U)), K, K_tilde


def kernel_rows(model: TrainingModel, atoms) -> np.ndarray:
    """k(i, m) (N, n_weights): what each weight alone makes of the energies."""
    rows = []
    for m in range(model.n_weights):
        weights = np.zeros(model.n_weights)
        weights[m] = 1.0
        own = model.with_weights(weights)
        rows.append(own.evaluate(atoms, forces=False, targets=False).energies)
    nothing = model.with_weights(np.zeros(model.n_weights))
    return np.array(rows).T - nothing.evaluate(atoms, forces=False).energies[:, None]


def slow_variances(
    model: TrainingModel, K, K_tilde, atoms, k, only=None
) -> tuple[np.ndarray, np.ndarray]:
    """Variances and rigidities of the energies of atoms (N,), or of the part of one term in them,
    from dense matrices; k: their kernel_rows."""
    if only is not None:
        sizes = [term.n_weights for term in model.own_terms]
        k = np.where(np.repeat(np.arange(len(sizes)), sizes) == only, k, 0.0)
    posterior = np.einsum("im,mi->i", k, np.linalg.solve(K_tilde, k.T))
    prior = np.zeros(len(atoms))
    species = model.species_indices(atoms.numbers)
    for t, a, own in _sets(model):
        if only not in (None, t):
            continue
        mine = np.ones(len(atoms), bool) if "centers" in model.terms[t] else species == a
        known = np.einsum("im,mi->i", k[:, own], np.linalg.solve(K[np.ix_(own, own)], k[:, own].T))
        left = np.maximum(_own_kernels(model, t, atoms) - known, 0.0)
        prior += np.where(mine & (len(own) > 0), left, 0.0)
    with np.errstate(divide="ignore"):
        return prior + posterior, 1 / posterior


def _own_kernels(model, t, atoms) -> np.ndarray:
    """k(i, i) (N,) of one term of features."""
    entry = model.terms[t]
    if entry["kind"] == "product":
        sizes = [(1 + own.get("offset", 0)) ** own["zeta"] for own in entry["factors"]]
        return np.full(len(atoms), entry["delta"] ** 2 * np.prod(sizes))
    X = features(model, t, atoms)
    square = np.ones(len(atoms)) if entry["normalize"] else np.einsum("if,if->i", X, X)
    k = entry["delta"] ** 2 * (square + entry.get("offset", 0)) ** entry["zeta"]
    if f"term{t}.coupling" in model.arrays:
        k *= np.diag(model.arrays[f"term{t}.coupling"])[model.species_indices(atoms.numbers)]
    return k


def _sets(model):
    """(term, sparse set, columns) of the terms of features."""
    begin = 0
    for term in model.own_terms:
        for a, points in model.sparse_points(term.index).items() if term.n_weights else ():
            if isinstance(term, FeatureTerm):
                yield term.index, a, np.arange(begin, begin + len(points))
            begin += len(points)
