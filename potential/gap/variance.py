# SPDX-License-Identifier: BSD-3-Clause
"""QUIP's ``local_gap_variance``: predictive variances of a GAP potential (docs/gap.md).

Every instance of a descriptor (an environment, a pair, a triplet) has the variance
v = δ² + f_0² + σ² − kᵀ (K + σ² I)⁻¹ k of its Gaussian process, K and k the prior covariances with
the sparse points alone: neither weights nor data enter. Each of its atoms gets an equal share of
w² v, w the cutoff functions of the instance.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from scipy.linalg import LinAlgError, cholesky, solve_triangular
from scipy.special import erf

from potential import _core
from potential.basis.cutoff import COSINE, CutoffFunction
from potential.errors import SoapGprError
from potential.gap.entry import Entry
from potential.gap.functions.covariance import covariance
from potential.gap.functions.pairs import matches, pair_options
from potential.gap.functions.triplets import parts_of
from potential.gap.importing import read_entries, species_of
from potential.gap.read.gap_file import Coordinate, read_gap
from potential.gap.soap.term import soap_term, sparse_points
from potential.gap.soap_options import read_soap
from potential.runtime.text_table import text_table
from potential.structures.neighbors import NeighborList, in_order, neighbor_list, two_of
from potential.structures.structure import Structure, symbol
from potential.terms import build_model
from potential.terms.clusters import triplets

CHUNK = 2048  # instances at a time


class GapVariance:
    """Of one potential; warnings are those of its import.

    path: the XML file; species: atomic numbers, by default those that the file names; label: of
    one among several potentials; regularisation: σ in eV, QUIP's gap_variance_regularisation;
    literal_clusters: compact clusters of two species depend on the order of the atoms, as they do
    in QUIP.
    Raises SoapGprError for damaged files and what has no variance here.
    """

    def __init__(
        self,
        path: str | Path,
        species: Sequence[int] | None = None,
        label: str | None = None,
        regularisation: float = 1e-3,
        literal_clusters: bool = False,
    ):
        if not (np.isfinite(regularisation) and regularisation > 0):
            raise SoapGprError(f"regularisation: found {regularisation}, expected a number above 0")
        file = read_gap(path, label)
        entries, self.warnings = read_entries(file)
        if not entries:
            raise SoapGprError(f"{path}: found no sparse points, which a variance needs")
        self.species = species_of(file, entries, species)
        self._parts = list[_Soap | _Pairs | _Triplets]()
        form = "does so too" if literal_clusters else "is the mean over their orders"
        for entry in entries:
            if entry.kind == "soap":
                self._parts.append(_Soap(entry, self.species, file.version, regularisation))
                continue
            if entry.kind == "pair":
                self._parts.append(_Pairs(entry, regularisation))
                continue
            part = _Triplets(entry, self.species, regularisation, literal_clusters)
            self._parts.append(part)
            if part.ambiguous:
                self.warnings.append(
                    f"{entry.coordinate.where}: QUIP's variance of these compact clusters depends "
                    f"on the order of the atoms; this one {form}"
                )

    def local(self, structure: Structure) -> np.ndarray:
        """(N,) in eV². Raises SoapGprError for unknown species and impossible structures."""
        unknown = sorted({int(z) for z in structure.numbers} - set(self.species))
        if unknown:
            raise SoapGprError(f"the potential does not know {', '.join(map(symbol, unknown))}")
        total = np.zeros(len(structure))
        for part in self._parts:
            part.add(structure, total)
        return total


class _Process:
    """Variance of the instances of one coordinate, given their covariances k (n, M)."""

    def __init__(self, coordinate: Coordinate, K: np.ndarray, regularisation: float):
        noise = regularisation**2
        self._prior = coordinate.delta**2 + coordinate.f0**2 + noise
        try:
            K[np.diag_indices_from(K)] += noise
            self._factor = cholesky(K, lower=True, overwrite_a=True)
        except (LinAlgError, ValueError):
            raise SoapGprError(
                f"{coordinate.where}: the covariances of the sparse points cannot be factorised "
                "with this regularisation"
            ) from None

    def variance(self, k: np.ndarray) -> np.ndarray:
        """(n,) eV², never below zero."""
        known = solve_triangular(self._factor, k.T, lower=True)
        return np.maximum(self._prior - np.einsum("mn,mn->n", known, known), 0.0)


class _Soap:
    """Instances: the environments of the atoms that the descriptor takes as centres."""

    def __init__(self, entry: Entry, species, version: int, regularisation: float):
        coordinate = entry.coordinate
        self._options, self._centers = read_soap(entry, version)
        self._points = sparse_points(coordinate, self._options)
        self._cutoffs = coordinate.cutoffs
        term = soap_term(self._options, [(coordinate, self._centers)], species)
        self._model = build_model(species, np.zeros(len(species)), [term])
        K = self._kernel(self._points) + coordinate.f0**2
        self._process = _Process(coordinate, K, regularisation)

    def _kernel(self, p: np.ndarray) -> np.ndarray:
        """δ² (p · p_s + σ_0²)^ζ."""
        products = p @ self._points.T + self._options.offset
        if self._options.zeta != int(self._options.zeta):
            products = np.maximum(products, 0.0)
        return self._options.delta**2 * products**self._options.zeta

    def add(self, structure: Structure, total: np.ndarray) -> None:
        own = self._model.environments(structure)
        centers = np.flatnonzero(
            [0 in self._centers or z in self._centers for z in structure.numbers]
        )
        p = _core.features(self._model.core, 0, own)
        for begin in range(0, len(centers), CHUNK):
            chunk = centers[begin : begin + CHUNK]
            total[chunk] += self._process.variance(self._kernel(p[chunk]) * self._cutoffs)


class _Functions:
    """What pairs and triplets share: functions of a few numbers."""

    def __init__(self, entry: Entry, regularisation: float):
        self._entry, coordinate = entry, entry.coordinate
        self._f_c = CutoffFunction(*entry.cutoffs, COSINE)
        K = covariance(coordinate, coordinate.points) - coordinate.f0**2
        K *= coordinate.cutoffs * coordinate.cutoffs[:, None]
        self._process = _Process(coordinate, K + coordinate.f0**2, regularisation)

    def _variance(self, x: np.ndarray) -> np.ndarray:
        """(n,) of instances x (n, d)."""
        parts = [np.zeros(0)]
        for begin in range(0, len(x), CHUNK):
            k = covariance(self._entry.coordinate, x[begin : begin + CHUNK])
            parts.append(self._process.variance(k * self._entry.coordinate.cutoffs))
        return np.concatenate(parts)

    def _neighbors(self, structure: Structure) -> NeighborList:
        """Within the cutoff."""
        return neighbor_list(structure.positions, structure.cell, structure.pbc, self._f_c.cutoff)


class _Pairs(_Functions):
    """Instances: QUIP visits pairs in both directions, those of clusters that are not compact
    once. Half of each belongs to either atom."""

    def __init__(self, entry: Entry, regularisation: float):
        self._wanted, self._exponents, self._tail = pair_options(entry)
        self._share = 0.5 if entry.loose else 1.0  # of both directions for one of the atoms
        super().__init__(entry, regularisation)

    def add(self, structure: Structure, total: np.ndarray) -> None:
        neighbors = self._neighbors(structure)
        r = np.linalg.norm(neighbors.r_ij, axis=1)
        i = np.repeat(np.arange(len(structure)), neighbors.counts)
        z = structure.numbers[i], structure.numbers[neighbors.neighbor.astype(np.int64)]
        taken = np.array([matches(self._wanted, pair) for pair in zip(*z, strict=True)], dtype=bool)
        i, r = i[taken], r[taken]
        w = self._f_c(r)
        exponent, reach = self._tail
        if exponent:
            w = w * (erf(reach * r) / r) ** exponent
        x = r[:, None] ** np.array(self._exponents, dtype=float)
        np.add.at(total, i, self._share * w**2 * self._variance(x))


class _Triplets(_Functions):
    """Instances: angle_3b, whose atom is the centre, in both orders; clusters of distance_Nb share
    among three atoms, compact ones once for each centre, others once."""

    def __init__(self, entry: Entry, species, regularisation: float, literal: bool):
        self._parts, self.ambiguous = parts_of(entry, species)
        self._literal = literal  # the order of neighbours matters, docs/theory.md eq. (22f)
        self._index = {z: a for a, z in enumerate(species)}
        self._places = {own: p for p, own in enumerate(triplets(len(species)))}
        super().__init__(entry, regularisation)

    def add(self, structure: Structure, total: np.ndarray) -> None:
        for p, atoms, distances in self._clusters(structure):
            part = self._parts[p]
            several = part.mean() if p in self.ambiguous and not self._literal else [part]
            v = np.mean([self._variance(own.numbers(distances)) for own in several], axis=0)
            v *= self._weight(distances)
            if part.angle:
                np.add.at(total, atoms[0], 2 * v)
                continue
            for own in atoms:
                np.add.at(total, own, v / 3)

    def _clusters(self, structure: Structure) -> Iterator[tuple[int, list, list]]:
        """By species: place in ``clusters.triplets``, atoms (3 arrays, the centre first) and
        distances r_ij, r_ik, r_jk."""
        neighbors = self._neighbors(structure)
        if self._literal:
            neighbors = in_order(neighbors, structure.positions, structure.cell, structure.pbc)
        r = np.linalg.norm(neighbors.r_ij, axis=1)
        offset, j = neighbors.offset.astype(np.int64), neighbors.neighbor.astype(np.int64)
        species = np.array([self._index[int(z)] for z in structure.numbers])
        for i, center in enumerate(species.tolist()):
            span = np.arange(offset[i], offset[i + 1])
            span = span[np.argsort(species[j[span]], kind="stable")]
            for first, second in two_of(span):
                kinds = np.stack([species[j[first]], species[j[second]]], axis=1)
                for kind in np.unique(kinds, axis=0):
                    p = self._places[center, *kind.tolist()]
                    if p not in self._parts:
                        continue
                    own = (kinds == kind).all(axis=1)
                    a, b = first[own], second[own]
                    r_jk = np.linalg.norm(neighbors.r_ij[b] - neighbors.r_ij[a], axis=1)
                    yield p, [np.full(len(a), i), j[a], j[b]], [r[a], r[b], r_jk]

    def _weight(self, distances) -> np.ndarray:
        """w², over the number of centres from which a loose cluster is seen."""
        f, g, h = (self._f_c(r) for r in distances)
        if not self._entry.loose:
            return (f * g) ** 2
        w = f * g * (1 - h) + f * h * (1 - g) + g * h * (1 - f) + f * g * h
        return w**2 / np.where(distances[2] < self._f_c.cutoff, 3, 1)


def table(structures: Sequence[Structure], variances: Sequence[np.ndarray]) -> str:
    """Mean and largest square root by species, and where the largest is."""
    rows = []
    numbers = np.concatenate([structure.numbers for structure in structures])
    sigma = np.sqrt(np.concatenate(variances))
    where = [f"{own.source}, atom {k}" for own in structures for k in range(1, len(own) + 1)]
    for z in np.unique(numbers):
        own = np.flatnonzero(numbers == z)
        worst = own[np.argmax(sigma[own])]
        rows.append(
            [
                symbol(z),
                str(len(own)),
                f"{sigma[own].mean():.4g}",
                f"{sigma[worst]:.4g}",
                where[worst],
            ]
        )
    head = ["", "atoms", "mean, eV", "largest, eV", "at"]
    return text_table(head, rows, left={0, 4})
