# SPDX-License-Identifier: BSD-3-Clause
"""Models with variances from a random regression, and the slow twin of those variances."""

import numpy as np

from potential.model import Model
from potential.model.uncertainty import Scales, Uncertainty
from potential.terms import TrainingModel, clusters, pair, triplet
from potential.terms.feature_term import FeatureTerm
from potential.terms.features import features


def variance_model(model, seed=0, n_rows=25, jitter=1e-2) -> tuple[Model, np.ndarray, np.ndarray]:
    """The model with the arrays of its variances, K_MM and K̃ = K_MM + AᵀA of random rows A."""
    rng = np.random.default_rng(seed)
    K = model.kernel_matrix()
    K[np.diag_indices_from(K)] *= 1 + jitter
    scale = np.sqrt(np.diag(K))
    A = rng.normal(size=(n_rows, len(K))) / scale
    K_tilde = K + A.T @ A
    arrays = _point_tables(model)
    for t, a, own in _sets(model):
        arrays[f"variance.prior.term{t}.{a}"] = _inverse_root(K[np.ix_(own, own)])
    for a in range(len(model.species)):
        own = columns_of(model, a)
        others = np.setdiff1d(np.arange(len(K)), own)
        last = np.concatenate([others, own])
        triangle = _inverse_root(K_tilde[np.ix_(last, last)])
        arrays[f"variance.posterior.{a}"] = triangle[len(others) :, len(others) :]
    own = Uncertainty(
        variance=Scales(1.5, 2.5),
        rigidity=Scales(0.5, 0.7),
        edges=tuple(0.1 + 0.1 * a for a in range(len(model.species))),
    )
    return model.with_uncertainty(own, arrays), K, K_tilde


def columns_of(model, a) -> np.ndarray:
    """Columns of the sparse points that centres of species a have kernels with."""
    n = len(model.species)
    columns, begin = [], 0
    for term in model.own_terms:
        for p, points in model.sparse_points(term.index).items() if term.n_weights else ():
            if isinstance(term, FeatureTerm):
                mine = p == a or "centers" in term.entry
            elif isinstance(term, pair.PairTerm):
                mine = a in clusters.pairs(n)[p]
            else:
                mine = a == clusters.triplets(n)[p][0]
            columns += range(begin, begin + len(points)) if mine else ()
            begin += len(points)
    return np.array(columns, dtype=int)


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
        left = np.maximum(own_kernels(model, t, atoms) - known, 0.0)
        prior += np.where(mine & (len(own) > 0), left, 0.0)
    with np.errstate(divide="ignore"):
        return prior + posterior, 1 / posterior


def own_kernels(model, t, atoms) -> np.ndarray:
    """k(i, i) (N,) of one term of features, for atoms with neighbours."""
    entry = model.terms[t]
    if entry["kind"] == "product":
        sizes = [(1 + own.get("offset", 0)) ** own["zeta"] for own in entry["factors"]]
        return np.full(len(atoms), entry["delta"] ** 2 * np.prod(sizes))
    X = features(model, t, atoms)
    square = np.ones(len(atoms)) if entry["normalize"] else np.einsum("if,if->i", X, X)
    k = entry["delta"] ** 2 * (square + entry.get("offset", 0)) ** entry["zeta"]
    if "centers" in entry and f"term{t}.coupling" in model.arrays:
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


def _point_tables(model) -> dict[str, np.ndarray]:
    arrays = {}
    for term in model.own_terms:
        t = term.index
        for p, points in model.sparse_points(t).items() if term.n_weights else ():
            if isinstance(term, pair.PairTerm):
                knots = pair._knots(term.entry, p, points)
                arrays[f"variance.table.term{t}.{p}"] = knots.T.reshape(len(points), -1, 3)
            elif isinstance(term, triplet.TripletTerm):
                axes = triplet._axes(term.entry, points)
                for name, own in zip(("first", "second", "third"), axes, strict=True):
                    arrays[f"variance.{name}.term{t}.{p}"] = own
    return arrays


def _inverse_root(C) -> np.ndarray:
    """The lower triangle P with PᵀP = C⁻¹."""
    return np.tril(np.linalg.inv(np.linalg.cholesky(C)))
