# SPDX-License-Identifier: BSD-3-Clause
"""The models of figure_1.py: kernels of structures with ζ = 1 and their processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
from figure_1_data import Data, subset
from scipy.sparse import csr_array

from potential.basis.alchemy import leading_map, properties, similarity
from potential.optimization import KernelOfStructures, Targets, interpolated, optimise_map
from potential.optimization.densities import blocks
from potential.optimization.features import power_spectra

CENTERS = ("separate", "alchemical", "shared")
DIMENSIONS = (1, 2, 4)
SIGMAS = (0.5, 0.5)  # of the start, as in fit.toml
STEPS, MOST_STRUCTURES = 60, 200
NOISE = np.exp(np.arange(-16.0, 3.0))  # variances relative to the mean diagonal of the kernel
WEIGHTS = (0.0, 0.01, 0.1, 1.0)  # of a further kernel of equal mean diagonal
FOLDS = 8


class Models:
    """Errors of processes that learn from some structures, at all others.

    Kernels of the average over atoms, so that energies are per atom and errors independent of size.
    """

    def __init__(self, data: Data):
        self.data = data
        self.y = data.y / data.n_atoms
        self.kappa = similarity(properties(data.species), SIGMAS)
        fractions = data.composition / data.n_atoms[:, None]
        self.composition = _scaled(fractions @ fractions.T)
        self.full = {c: _scaled(self._averaged(_full_kernel(data, c))) for c in CENTERS[::2]}
        self._starts = {d: leading_map(self.kappa, d) for d in DIMENSIONS}
        self._start_kernels = {
            (d, c): self.alchemical(self._starts[d], c) for d, c in product(DIMENSIONS, CENTERS)
        }
        self._maps: dict[tuple, np.ndarray] = {}

    def errors(
        self, train: np.ndarray, test: np.ndarray, everything: bool
    ) -> Iterator[tuple[str, dict]]:
        """Name and errors of every model; ``everything``: d_J = 4 with all couplings of centres."""

        def of(name: str, kernels: Sequence[np.ndarray]) -> tuple[str, dict]:
            K = self.mixture(kernels, train)
            return name, self._scores(self.predict(K, train, test) - self.y[test], train, test)

        for c, K in self.full.items():
            yield of(f"full SOAP, {c}", [K])
        full = self.full["shared"]
        yield of("full SOAP, shared + composition", [full, self.composition])
        for d, c in product(DIMENSIONS, CENTERS):
            if c != "alchemical" and not (d == 4 and everything):
                continue
            start = self._start_kernels[d, c]
            yield of(f"d_J = {d}, {c}", [start])
            found = self.alchemical(self.optimised(train, d, c), c)
            yield of(f"d_J = {d}, {c}, optimised", [found])
            if (d, c) == (4, "alchemical"):
                yield of("several kernels", [found, full, self.composition])

    def optimised(self, train: np.ndarray, d: int, centers: str) -> np.ndarray:
        """The map u (n_species, d) found on at most 200 of the training structures."""
        if len(train) > MOST_STRUCTURES:
            order = np.random.default_rng(0).permutation(train)
            train = np.sort(order[:MOST_STRUCTURES])
        key = (train.tobytes(), d, centers)
        if key not in self._maps:
            n_atoms = self.data.n_atoms[train]
            y = n_atoms * (self.y[train] - self.y[train].mean())
            found = optimise_map(
                subset(self.data.own, train),
                Targets(y, n_atoms, n_atoms),
                KernelOfStructures(centers=centers),
                self._starts[d],
                steps=STEPS,
            )
            known = self.data.composition[train].any(axis=0)
            self._maps[key] = interpolated(found.u, self._starts[d], known, self.kappa)
        return self._maps[key]

    def alchemical(self, u: np.ndarray, centers: str) -> np.ndarray:
        """K (N, N) of the average kernel of a map."""
        own = self.data.own
        p, _ = power_spectra(own, u)
        if centers == "separate":
            weights = np.eye(len(u))
        elif centers == "shared":
            weights = np.ones((len(u), 1))
        else:
            weights = u / np.linalg.norm(u, axis=1, keepdims=True)
        K = np.zeros((own.n_structures,) * 2)
        for column in weights.T:
            atoms = np.flatnonzero(column[own.center])
            there, group = np.unique(own.structure[atoms], return_inverse=True)
            sums = csr_array((column[own.center[atoms]], (group, np.arange(len(atoms)))))
            P = sums @ p[atoms]
            K[np.ix_(there, there)] += P @ P.T
        return _scaled(self._averaged(K))

    def mixture(self, kernels: Sequence[np.ndarray], train: np.ndarray) -> np.ndarray:
        """The first kernel and the others with the weights that make the energies most likely."""
        few = train[:: -(-len(train) // MOST_STRUCTURES)]
        choices = product(*[WEIGHTS] * (len(kernels) - 1))

        def sum_of(weights: Sequence[float]) -> np.ndarray:
            return sum((w * K for w, K in zip(weights, kernels[1:], strict=True)), kernels[0])

        if len(kernels) == 1:
            return kernels[0]
        return sum_of(min(choices, key=lambda w: self._noise(sum_of(w), few, NOISE[::3])[1]))

    def predict(self, K: np.ndarray, train: np.ndarray, test: np.ndarray) -> np.ndarray:
        """Energies per atom of the test structures."""
        mean = self.y[train].mean()
        C = K[np.ix_(train, train)] + self._noise(K, train, NOISE)[0] * np.eye(len(train))
        return mean + K[np.ix_(test, train)] @ np.linalg.solve(C, self.y[train] - mean)

    def _noise(self, K: np.ndarray, train: np.ndarray, levels: np.ndarray) -> tuple[float, float]:
        """The variance that makes the energies most likely, and −log p."""
        values, vectors = np.linalg.eigh(K[np.ix_(train, train)])
        along = (vectors.T @ (self.y[train] - self.y[train].mean())) ** 2
        spectra = np.maximum(values, 0.0) + levels[:, None]
        losses = np.log(np.sum(along / spectra, axis=1)) + np.mean(np.log(spectra), axis=1)
        best = int(np.argmin(losses))
        return float(levels[best]), float(losses[best])

    def _averaged(self, K: np.ndarray) -> np.ndarray:
        return K / np.outer(self.data.n_atoms, self.data.n_atoms)

    def _scores(self, errors: np.ndarray, train: np.ndarray, test: np.ndarray) -> dict:
        there = self.data.composition[train].any(axis=0)
        lacking = self.data.composition[test][:, ~there].any(axis=1)
        return {
            "mae": _mean(np.abs(errors)),
            "rmse": 1e3 * float(np.sqrt(np.mean(errors**2))),
            "mae_lacking": _mean(np.abs(errors[lacking])),
            "mae_known": _mean(np.abs(errors[~lacking])),
        }

    def left_out(self, seed: int) -> dict:
        """Errors (MAE) for the structures of each element by models that never saw it: map and
        process. Beside them those by full SOAP, and of the
        map with the element, each structure left out by itself; and that map."""
        n_species = len(self.data.species)
        counts = (self.data.composition > 0).sum(axis=0)
        gold = int(np.argmax(counts))  # in every structure
        elements = np.setdiff1d(np.arange(n_species), gold)
        found: dict[int, dict[str, float]] = {}
        for fold in np.array_split(np.random.default_rng(seed).permutation(elements), FOLDS):
            known = np.flatnonzero(~self.data.composition[:, fold].any(axis=1))
            K = self.alchemical(self.optimised(known, 4, "alchemical"), "alchemical")
            for a in fold:
                inside = self.data.composition[:, a] > 0
                test, train = np.flatnonzero(inside), np.flatnonzero(~inside)
                mixed = self.mixture([self.full["shared"], self.composition], train)
                found[a] = {
                    "without it, d_J = 4 optimised": self._mae(K, train, test),
                    "without it, full SOAP + composition": self._mae(mixed, train, test),
                }
        everything = np.arange(len(self.y))
        u = self.optimised(everything, 4, "alchemical")
        K = self.alchemical(u, "alchemical")
        with_it = np.abs(self._left_out_errors(K))
        for a, own in found.items():
            own["with it, d_J = 4 optimised"] = _mean(with_it[self.data.composition[:, a] > 0])
        names = next(iter(found.values()))
        return {
            "mean": {name: float(np.mean([own[name] for own in found.values()])) for name in names},
            "elements": {int(self.data.species[a]): own for a, own in sorted(found.items())},
            "map": dict(zip(self.data.species, u.tolist(), strict=True)),
        }

    def _mae(self, K: np.ndarray, train: np.ndarray, test: np.ndarray) -> float:
        return _mean(np.abs(self.predict(K, train, test) - self.y[test]))

    def _left_out_errors(self, K: np.ndarray) -> np.ndarray:
        everything = np.arange(len(self.y))
        C = K + self._noise(K, everything, NOISE)[0] * np.eye(len(K))
        A = np.linalg.inv(C)
        return A @ (self.y - self.y.mean()) / np.diag(A)


def mean_errors(errors: Sequence[dict]) -> dict:
    """Means over splits, and the spread of the first."""
    means = {key: float(np.nanmean([own[key] for own in errors])) for key in errors[0]}
    return means | {"mae_spread": float(np.std([own["mae"] for own in errors]))}


def _mean(values: np.ndarray) -> float:
    """In meV."""
    return 1e3 * float(np.mean(values)) if len(values) else float("nan")


def _scaled(K: np.ndarray) -> np.ndarray:
    return K / np.mean(np.diag(K))


def _full_kernel(data: Data, centers: str) -> np.ndarray:
    """K (N, N) of full SOAP, ζ = 1: features of the pairs of species that are there."""
    own, n = data.own, len(data.species)
    rows, columns, values = [], [], []
    size = sum(k * k for k in own.n_radial)
    for i in range(len(own)):
        c = own.values[own.offset[i] : own.offset[i + 1]]
        species = own.species[own.offset[i] : own.offset[i + 1]]
        parts = []
        for l, place in blocks(own.n_radial):
            c_l = c[:, place].reshape(len(c), 2 * l + 1, -1)
            p = np.einsum("amn,bmk->abnk", c_l, c_l) / np.sqrt(2 * l + 1)
            parts.append(p.reshape(len(c), len(c), -1))
        p = np.concatenate(parts, axis=2)
        pair = species[:, None] * n + species
        values.append((p / np.linalg.norm(p)).ravel())
        columns.append((pair[:, :, None] * size + np.arange(size)).ravel())
        rows.append(np.full(p.size, i))
    shape = (len(own), n * n * size)
    P = csr_array(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=shape
    )
    K = np.zeros((own.n_structures,) * 2)
    groups = own.center if centers == "separate" else np.zeros_like(own.center)
    for a in np.unique(groups):
        atoms = np.flatnonzero(groups == a)
        sums = csr_array(
            (np.ones(len(atoms)), (own.structure[atoms], np.arange(len(atoms)))),
            shape=(own.n_structures, len(atoms)),
        )
        total = sums @ P[atoms]
        K += (total @ total.T).toarray()
    return K
