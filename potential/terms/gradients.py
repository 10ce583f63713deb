# SPDX-License-Identifier: BSD-3-Clause
"""Weights on derivatives of the kernel with respect to the coordinates of sparse structures.

Functions of docs/theory.md eq. (13e), their rows of the design matrix and their K_MM; and what
makes an ordinary model of them, so that nothing else needs to know (eq. 13h).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from potential.model import Environments, Model
from potential.runtime.parallel import ordered_map
from potential.structures.arrays import from_arrays
from potential.structures.label_table import FORCE
from potential.terms.features import feature_gradients, features_of
from potential.terms.term import n_rows

# Gradients of features, and slopes of the functions, that one thread has in memory at a time.
CHUNK_BYTES = 32 * 2**20


@dataclass(frozen=True)
class _SparseGradients:
    """The environments of one species in one sparse structure, with gradients sorted by atom."""

    first: int  # atom 0 of the structure among those of all sparse structures
    p_hat: np.ndarray  # (n, n_features)
    environment: np.ndarray  # (n_pairs,) that sees the atom
    offset: np.ndarray  # (n_atoms + 1,) pairs of each atom of the structure
    gradients: np.ndarray  # (n_pairs, 3, n_features) ∂p̂/∂(position of the atom)

    def of_atom(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Environments (m,) that see the atom and their gradients (m, 3, n_features)."""
        own = slice(self.offset[k], self.offset[k + 1])
        return self.environment[own], self.gradients[own]

    def directions(self, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """p̂_m and u_m = Σ_b w_b ∂p̂_m/∂x_b (m, n_features) where that is not zero; w (atoms of all
        sparse structures, 3)."""
        u = np.zeros_like(self.p_hat)
        for k in range(len(self.offset) - 1):
            environments, gradients = self.of_atom(k)
            u[environments] += np.einsum("x,mxf->mf", w[self.first + k], gradients)
        used = np.any(u, axis=1)
        return self.p_hat[used], u[used]


class DerivativeFunctions:
    """The functions f_b(i) = ∂/∂x_b Σ_m k(i, m) of one soap term (docs/theory.md eq. 13e).

    b runs over the atoms of all sparse structures and then over x, y, z; n_functions of them.
    """

    def __init__(self, model: Model, term: int):
        self._model, self._term = model, term
        self._entry: dict[str, Any] = model.terms[term]
        structures = from_arrays(model.arrays, f"term{term}.structures.")
        self._sparse = list(ordered_map(model.environments, structures))
        firsts = np.cumsum([0, *map(len, self._sparse)])
        self.n_functions = 3 * int(firsts[-1])
        self._parts: dict[int, list[_SparseGradients]] = {a: [] for a in range(len(model.species))}
        parts = ordered_map(self._gradients, zip(self._sparse, firsts[:-1], strict=True))
        for of_structure in parts:
            for a, part in of_structure.items():
                self._parts[a].append(part)

    def rows(self, environments: Environments, gradients: bool = True) -> np.ndarray:
        """Rows (1 + 3N + 6, n_functions) of energy, forces and virial, or the first alone.

        docs/theory.md eq. (13e), (13f); units and order as in ``TrainingModel.rows``.
        """
        n_atoms = len(environments)
        rows = np.zeros((n_rows(environments, gradients), self.n_functions))
        for a, chunk in self._chunks(environments, gradients):
            for part in self._parts[a]:
                self._add_rows(rows, part, chunk, n_atoms)
        return rows

    def kernel(self) -> np.ndarray:
        """K_MM (n_functions, n_functions) in eV²/Å², ∂²/∂x_b∂x_b' Σ_m Σ_m' k (eq. 13g)."""
        K, begin = np.zeros((self.n_functions, self.n_functions)), 0
        for rows in ordered_map(self.rows, self._sparse):
            forces = rows[FORCE.rows]
            end = begin + len(forces)
            K[begin:end] = -forces
            begin = end
        return 0.5 * (K + K.T)

    def compile(self, coefficients: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Sparse points (M_a, n_features) and weights (M_a,) of each species: Σ_b w_b f_b as an
        ordinary kernel sum (docs/theory.md eq. 13h). coefficients (n_functions,)."""
        w = coefficients.reshape(-1, 3)
        nodes, c, last = polarisation(self._entry["zeta"])
        compiled = []
        for parts in self._parts.values():
            points = [np.zeros((0, self._model.core.n_features(self._term)))]
            weights = [np.zeros(0)]
            for part in parts:
                p_hat, u = part.directions(w)
                length = np.linalg.norm(u, axis=1)
                u /= length[:, None]
                points += [p_hat + h * u for h in nodes]
                weights += [c_k * length for c_k in c]
                if last:
                    points.append(u)
                    weights.append(last * length)
            compiled.append((np.concatenate(points), np.concatenate(weights)))
        return compiled

    def _gradients(self, item: tuple[Environments, int]) -> dict[int, _SparseGradients]:
        environments, first = item
        parts: dict[int, list[_Chunk]] = {}
        for a, chunk in self._chunks(environments, True):
            parts.setdefault(a, []).append(chunk)
        return {a: _by_atom(chunks, first, len(environments)) for a, chunks in parts.items()}

    def _chunks(self, environments: Environments, gradients: bool) -> Iterator[tuple[int, _Chunk]]:
        """The environments of a structure by species, as many as CHUNK_BYTES of gradients allow."""
        width = self._model.core.n_features(self._term)
        species = environments.species
        mean_rows = 9 + 3 * environments.n_pairs // len(species)
        size = max(1, CHUNK_BYTES // (8 * width * mean_rows))
        X = None if gradients else features_of(self._model, self._term, environments)
        for a in np.unique(species):
            centers = np.flatnonzero(species == a).astype(np.uint64)
            for begin in range(0, len(centers), size):
                own = centers[begin : begin + size]
                if X is not None:
                    yield int(a), _Chunk(X[own.astype(np.int64)])
                    continue
                p_hat, offset, atoms, flat = feature_gradients(
                    self._model, self._term, environments, own
                )
                yield int(a), _Chunk(p_hat, offset.astype(int), atoms.astype(int), flat)

    def _add_rows(
        self, rows: np.ndarray, part: _SparseGradients, chunk: _Chunk, n_atoms: int
    ) -> None:
        delta2, zeta = self._entry["delta"] ** 2, self._entry["zeta"]
        n, width = chunk.p_hat.shape
        block = max(1, CHUNK_BYTES // (24 * n * width))
        n_sparse_atoms = len(part.offset) - 1
        dot = chunk.p_hat @ part.p_hat.T
        for begin in range(0, n_sparse_atoms, block):
            atoms = range(begin, min(begin + block, n_sparse_atoms))
            columns = slice(3 * (part.first + atoms.start), 3 * (part.first + atoms.stop))
            values, slopes = _functions(part, atoms, chunk.p_hat, dot, zeta, chunk.has_gradients)
            rows[0, columns] += delta2 * zeta * values.sum(axis=0)
            for i in range(n if chunk.has_gradients else 0):
                targets, dp = chunk.of_center(i, n_atoms)
                rows[targets, columns] -= dp @ (delta2 * zeta * slopes[i].T)


@dataclass(frozen=True)
class _Chunk:
    """Environments of one species with their gradients, as the core's FeatureRows."""

    p_hat: np.ndarray
    offset: np.ndarray | None = None
    atoms: np.ndarray | None = None
    flat: np.ndarray | None = None

    @property
    def has_gradients(self) -> bool:
        return self.flat is not None

    def of_center(self, i: int, n_atoms: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows of a design matrix that an environment adds to, and its gradients, strain last."""
        assert self.offset is not None and self.atoms is not None and self.flat is not None
        begin, end = self.offset[i], self.offset[i + 1]
        forces = 1 + 3 * self.atoms[begin:end, None] + np.arange(3)
        virial = 1 + 3 * n_atoms + np.arange(6)
        flat = self.flat[3 * begin + 6 * i : 3 * end + 6 * (i + 1)]
        return np.concatenate([forces.ravel(), virial]), flat


def _by_atom(chunks: list[_Chunk], first: int, n_atoms: int) -> _SparseGradients:
    """The chunks of one species, with gradients sorted by the atom they belong to."""
    atom, environment, gradients, n = [], [], [], 0
    for chunk in chunks:
        for i in range(len(chunk.p_hat)):
            rows, flat = chunk.of_center(i, n_atoms)
            atom.append((rows[:-6:3] - 1) // 3)
            environment.append(np.full(len(atom[-1]), n))
            gradients.append(flat[:-6].reshape(len(atom[-1]), 3, -1))
            n += 1
    order = np.argsort(np.concatenate(atom), kind="stable")
    counts = np.bincount(np.concatenate(atom), minlength=n_atoms)
    return _SparseGradients(
        first,
        np.concatenate([chunk.p_hat for chunk in chunks]),
        np.concatenate(environment)[order],
        np.concatenate([[0], np.cumsum(counts)]),
        np.concatenate(gradients)[order],
    )


def _functions(
    part: _SparseGradients,
    atoms: range,
    p_hat: np.ndarray,
    dot: np.ndarray,
    zeta: int,
    gradients: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """f (n, 3 atoms) of environments p_hat (n, n_features) and ∂f/∂p̂ (n, 3 atoms, n_features),
    both over δ² ζ (docs/theory.md eq. 13e, 13f). dot (n, m): with the environments of part."""
    n, width = p_hat.shape
    values = np.empty((n, len(atoms), 3))
    slopes = np.empty((n, len(atoms), 3, width) if gradients else 0)
    power = dot ** (zeta - 1)
    second = (zeta - 1) * dot ** (zeta - 2) if zeta > 1 and gradients else None
    for at, k in enumerate(atoms):
        own, D = part.of_atom(k)
        along = (p_hat @ D.reshape(-1, width).T).reshape(n, -1, 3)  # p̂·∂p̂_m
        values[:, at] = np.einsum("im,imx->ix", power[:, own], along)
        if not gradients:
            continue
        slopes[:, at] = (power[:, own] @ D.reshape(-1, 3 * width)).reshape(n, 3, width)
        if second is not None:
            weighted = (second[:, own, None] * along).transpose(0, 2, 1)
            slopes[:, at] += (weighted.reshape(3 * n, -1) @ part.p_hat[own]).reshape(n, 3, width)
    return values.reshape(n, -1), slopes.reshape(n, -1, width) if gradients else slopes


def polarisation(zeta: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Nodes h, coefficients c and a last one c' with, for |û| = 1 and û·p̂_m = 0,

    ζ (p̂·p̂_m)^(ζ-1) p̂·û = Σ_k c_k (p̂·(p̂_m + h_k û))^ζ + c' (p̂·û)^ζ   (docs/theory.md eq. 13h)

    ζ terms in all. The left side is the slope at h = 0 of a polynomial in h; nodes are Chebyshev's,
    up to ζ^(-1/2), where the powers on the right stay below e^(1/2): no digits are lost.
    """
    n = zeta // 2
    h = np.cos((2 * np.arange(n) + 1) * np.pi / (4 * max(n, 1))) / np.sqrt(zeta)
    c = np.array([0.5 / x * np.prod([y * y / (y * y - x * x) for y in h if y != x]) for x in h])
    # The pairs ±h are exact up to the odd degree 2n - 1; an odd ζ leaves the degree ζ itself.
    last = float(zeta == 1) - 2 * float(c @ h**zeta) if zeta % 2 else 0.0
    return np.concatenate([h, -h]), np.concatenate([c, -c]), last
