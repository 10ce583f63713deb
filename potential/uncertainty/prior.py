# SPDX-License-Identifier: BSD-3-Clause
"""Prior variances of energies and of force components by the kernels of features themselves, which
sparse points follow in part alone (docs/theory.md eq. 25h, 25j)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from potential.model import Environments, Model
from potential.selection.rows import power
from potential.terms.columns import n_features
from potential.terms.features import factors_of, feature_gradients, features_of
from potential.terms.product import ProductKernel

CHUNK_BYTES = 32 * 2**20  # of gradients of features that one thread has in memory at a time


class Jet(NamedTuple):
    """Values (n, n) between environments i and j, and their derivatives by i, by j and by both."""

    value: np.ndarray
    by_i: np.ndarray
    by_j: np.ndarray
    by_both: np.ndarray

    def times(self, other: Jet) -> Jet:
        """The product of two kernels."""
        return Jet(
            self.value * other.value,
            self.by_i * other.value + self.value * other.by_i,
            self.by_j * other.value + self.value * other.by_j,
            self.by_both * other.value
            + self.value * other.by_both
            + self.by_i * other.by_j
            + self.by_j * other.by_i,
        )


class PriorKernel:
    """δ² Π_f (p̂_i·p̂_j + offset_f)^ζ_f of one term, with the coupling of species."""

    def __init__(self, model: Model, term: int):
        entry = model.terms[term]
        self._delta2 = entry["delta"] ** 2
        own: list[tuple[Any, slice]] = [(entry, slice(None))]
        if "factors" in entry:
            own = list(ProductKernel(factors_of(model, term)).columns())
        self._factors = [(columns, e.get("offset", 0.0), e["zeta"]) for e, columns in own]
        self._unit_length = [e["normalize"] for e, _ in own]
        self._coupling = model.arrays.get(f"term{term}.coupling")
        self.separate = "centers" not in entry
        sizes = [len(points) for points in model.sparse_points(term).values()]
        every = sizes if self.separate else sizes * len(model.species)
        # by species: the term leaves the energies of others alone
        self.has_points = np.array(every) > 0

    def between(self, X: np.ndarray, species: np.ndarray) -> np.ndarray:
        """(n, n) in eV² of features (n, n_features)."""
        K = self._scale(species)
        for columns, offset, zeta in self._factors:
            K = K * power(X[:, columns] @ X[:, columns].T + offset, zeta)
        np.fill_diagonal(K, self.diagonal(X, species))
        return K

    def diagonal(self, X: np.ndarray, species: np.ndarray) -> np.ndarray:
        """(n,) in eV²; of unit length also where there are no neighbours and features are zeros."""
        k = np.full(len(X), self._delta2)
        for (columns, offset, zeta), unit in zip(self._factors, self._unit_length, strict=True):
            square = 1.0 if unit else np.einsum("if,if->i", X[:, columns], X[:, columns])
            k *= power(square + offset, zeta)
        return k if self._coupling is None else k * np.diag(self._coupling)[species]

    def slope_variance(self, X: np.ndarray, G: np.ndarray, species: np.ndarray) -> float:
        """Σ_ij ∂_i ∂_j k(i, j) for derivatives G (n, n_features) of the features along one
        coordinate, eq. (25j)."""
        jet = None
        for columns, offset, zeta in self._factors:
            P, D = X[:, columns], G[:, columns]
            s, by_i = P @ P.T + offset, D @ P.T
            slope = zeta * power(s, zeta - 1)
            both = slope * (D @ D.T)
            if zeta != 1:
                both += zeta * (zeta - 1) * power(s, zeta - 2) * by_i * by_i.T
            own = Jet(power(s, zeta), slope * by_i, slope * by_i.T, both)
            jet = own if jet is None else jet.times(own)
        assert jet is not None
        return float(np.sum(self._scale(species) * jet.by_both))

    def _scale(self, species: np.ndarray) -> np.ndarray:
        n = len(species)
        if self._coupling is None:
            return np.full((n, n), self._delta2)
        return self._delta2 * self._coupling[np.ix_(species, species)]


def prior_energy(
    model: Model, term: int, environments: Environments, weights: np.ndarray | None = None
) -> float:
    """Prior variance in eV² of the total energy of a term, or of a sum over atoms with these
    weights (N,)."""
    kernel, X = PriorKernel(model, term), features_of(model, term, environments)
    species = environments.species
    groups = _groups(kernel, species)
    w = np.ones(len(species)) if weights is None else weights
    return sum(float(w[own] @ kernel.between(X[own], species[own]) @ w[own]) for own in groups)


def prior_atoms(model: Model, term: int, environments: Environments) -> np.ndarray:
    """Prior variances (N,) in eV² of the energies of atoms."""
    X, kernel = features_of(model, term, environments), PriorKernel(model, term)
    species = environments.species
    return np.where(kernel.has_points[species], kernel.diagonal(X, species), 0.0)


def prior_forces(
    model: Model, term: int, environments: Environments, atoms: np.ndarray
) -> np.ndarray:
    """Prior variances (n, 3) in eV²/Å² of the forces of a term on these atoms (n,)."""
    kernel, species = PriorKernel(model, term), environments.species
    parts = [(model, term)]
    if "factors" in model.terms[term]:
        factors = factor_model(model, term)
        parts = [(factors, f) for f in range(len(factors.terms))]
    variances = np.zeros((len(atoms), 3))
    for own in _groups(kernel, species):
        seen = [_seen(*part, environments, own, atoms) for part in parts]
        X = np.concatenate([part.X for part in seen], axis=1)
        for k, atom in enumerate(atoms.tolist()):
            at, G = _of_atom(seen, atom)
            for x in range(3):
                variances[k, x] += kernel.slope_variance(X[at], G[:, x], species[own][at])
    return variances


def factor_model(model: Model, term: int) -> Model:
    """The factors of a product as terms of a model without sparse points."""
    arrays = {name: model.arrays[name] for name in ("species", "e0")}
    for f, factor in enumerate(factors_of(model, term)):
        own = f"term{term}.factor{f}."
        for name, array in model.arrays.items():
            if name.startswith(own):
                arrays[name.replace(own, f"term{f}.", 1)] = array
        for a in range(len(model.species)):
            arrays[f"term{f}.sparse_points.{a}"] = np.zeros((0, n_features(factor)))
            arrays[f"term{f}.weights.{a}"] = np.zeros(0)
    metadata = {key: model.metadata[key] for key in ("format", "units")}
    return Model.from_arrays(metadata | {"terms": json.dumps(model.terms[term]["factors"])}, arrays)


def _groups(kernel: PriorKernel, species: np.ndarray) -> Iterator[np.ndarray]:
    """Centres whose kernels with each other are not zero by their species, of those with sparse
    points."""
    if not kernel.separate:
        yield np.arange(len(species))
        return
    for a in np.unique(species[kernel.has_points[species]]):
        yield np.flatnonzero(species == a)


class _Seen(NamedTuple):
    """Features of some centres, and each time that one of them sees one of some atoms."""

    X: np.ndarray  # (n_centers, n_features)
    center: np.ndarray  # (n,) its place among the centres
    atom: np.ndarray  # (n,)
    G: np.ndarray  # (n, 3, n_features) by the position of the atom


def _seen(
    model: Model, term: int, environments: Environments, own: np.ndarray, atoms: np.ndarray
) -> _Seen:
    """Of the centres ``own``; features of those that see none of the atoms are zeros."""
    width = model.core.n_features(term)
    per_center = 9 + 3 * environments.n_pairs // len(environments)
    size = max(1, CHUNK_BYTES // (8 * width * per_center))
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    features = np.zeros((len(own), width))
    seeing = np.flatnonzero(environments.seeing(atoms)[own])
    for begin in range(0, len(seeing), size):
        place = seeing[begin : begin + size]
        centers = own[place].astype(np.uint64)
        features[place], offset, atom, flat = feature_gradients(model, term, environments, centers)
        atom = atom.astype(np.int64)
        center = np.searchsorted(offset, np.arange(len(atom)), side="right") - 1
        kept = np.flatnonzero(np.isin(atom, atoms))
        rows = 3 * kept + 6 * center[kept]  # six rows of strain end each centre
        G = flat[rows[:, None] + np.arange(3)]
        parts.append((place[center[kept]], atom[kept], G))
    nothing = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros((0, 3, width))
    columns = zip(nothing, *parts, strict=True)
    return _Seen(features, *(np.concatenate(arrays) for arrays in columns))


def _of_atom(seen: Sequence[_Seen], atom: int) -> tuple[np.ndarray, np.ndarray]:
    """Places (m,) of centres that see the atom in any factor, and gradients (m, 3, n_features) of
    the features of all factors."""
    own = [part.atom == atom for part in seen]
    at = np.unique(
        np.concatenate([part.center[is_own] for part, is_own in zip(seen, own, strict=True)])
    )
    gradients = []
    for part, is_own in zip(seen, own, strict=True):
        G = np.zeros((len(at), 3, part.X.shape[1]))
        G[np.searchsorted(at, part.center[is_own])] = part.G[is_own]
        gradients.append(G)
    return at, np.concatenate(gradients, axis=2)
