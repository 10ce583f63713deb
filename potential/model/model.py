# SPDX-License-Identifier: BSD-3-Clause
"""A model: made from arrays or read from a file, evaluated on structures."""

import json
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from potential import _core
from potential.errors import SoapGprError
from potential.model.record import read_record
from potential.model.terms import arrays_of, entry_of, function_table, is_fixed, set_names
from potential.runtime.output import atomic_file
from potential.runtime.parallel import thread_count
from potential.structures.neighbors import NeighborList, in_order, neighbor_list
from potential.structures.structure import symbol
from potential.terms.derivatives import DerivativeBasis, has_derivatives

FORMAT_VERSION = "2"
COMPRESSED = "the model is compressed for its own weights, which cannot be refitted"


@dataclass(frozen=True)
class Evaluation:
    """What a model says of one structure; eV and Å. Without forces the last three are None."""

    energies: np.ndarray  # (N,) per atom, e0 included
    forces: np.ndarray | None  # (N, 3)
    virials: np.ndarray | None  # (N, 3, 3) centroid: Σ_i f_ij ⊗ r_ij kept on the neighbour j

    @property
    def energy(self) -> float:
        return float(self.energies.sum())

    @property
    def virial(self) -> np.ndarray:
        """−dE/dε (3, 3), symmetric."""
        if self.virials is None:
            raise ValueError("the virial was not asked for: evaluate with forces=True")
        total = self.virials.sum(axis=0)
        return 0.5 * (total + total.T)


class _Evaluators(threading.local):
    """One evaluator per calling thread and number of OpenMP threads."""

    def __init__(self):
        self.by_threads: dict[int, _core.Evaluator] = {}


class Model:
    """An immutable soap-gpr model. Evaluation is thread-safe.

    species: atomic numbers, ascending; cutoff in Å; n_weights of all terms and species together.
    """

    def __init__(self, data: bytes, source: str = "model"):
        try:
            self.core = _core.Model.from_bytes(data)
        except SoapGprError as error:
            raise SoapGprError(f"{source}: {error}") from None
        self._bytes, self._source = data, source
        self.species: tuple[int, ...] = tuple(self.core.species)
        self.cutoff: float = self.core.cutoff
        self._derivative_bases: dict[int, DerivativeBasis] = {}
        self._locks: dict[int, threading.Lock] = {}
        self._species_index = {z: a for a, z in enumerate(self.species)}
        self._evaluators = _Evaluators()

    @classmethod
    def from_bytes(cls, data: bytes, source: str = "model") -> "Model":
        """Raises SoapGprError when the bytes are not an intact model file."""
        return cls(data, source)

    @classmethod
    def load(cls, path) -> "Model":
        """Raises SoapGprError when the file cannot be read or is not an intact model file."""
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise SoapGprError(f"{path}: cannot read the model file: {_reason(error)}") from None
        return cls(data, str(path))

    def save(self, path) -> None:
        """Writes the model in one step: a reader sees the old file or the new one."""
        with atomic_file(path) as temporary:
            temporary.write_bytes(self._bytes)

    def to_bytes(self) -> bytes:
        return self._bytes

    @cached_property
    def _contents(self):
        return _core.unpack(self._bytes)

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """All arrays of the file by name."""
        return self._contents[1]

    @cached_property
    def metadata(self) -> dict:
        """The file's metadata with ``terms``, ``settings`` and ``provenance`` parsed.

        The last two, which evaluation does not need, may be absent. Raises SoapGprError when they
        are unreadable, or hold values of another type where ours are read.
        """
        metadata = self._contents[0]
        records = {
            key: read_record(key, metadata.get(key, "{}"), self._source)
            for key in ("settings", "provenance")
        }
        return metadata | {"terms": json.loads(metadata["terms"])} | records  # terms: the core's

    @property
    def terms(self) -> list[dict]:
        return self.metadata["terms"]

    @property
    def e0(self) -> dict[int, float]:
        """Baseline energy per atom by atomic number, eV (docs/theory.md eq. 8)."""
        return dict(zip(self.species, self.arrays["e0"].tolist(), strict=True))

    @cached_property
    def compressed(self) -> bool:
        """Whether a projection was made for these weights (``soap-gpr compress``)."""
        return any(".projection." in name for name in self.arrays)

    @cached_property
    def n_weights(self) -> int:
        """Of the regression: of all terms and sparse sets together."""
        return sum(self.n_term_weights(t) for t in range(len(self.terms)))

    def n_term_weights(self, term: int) -> int:
        """Of one term: its sparse points, or three for each atom of its sparse structures."""
        if has_derivatives(self.terms[term]):
            return self.arrays[f"term{term}.structures.coefficients"].size
        return sum(map(len, self.sparse_points(term).values()))

    def derivative_basis(self, term: int) -> DerivativeBasis:
        """Functions of a term with ``sparse_basis = "derivatives"``; kept once they are made."""
        # by process: in one made by fork nobody may be left to open the parent's lock
        with self._locks.setdefault(os.getpid(), threading.Lock()):
            if term not in self._derivative_bases:
                self._derivative_bases[term] = DerivativeBasis(self, term)
        return self._derivative_bases[term]

    def set_names(self, term: int) -> list[str]:
        """What the sparse sets of a term are for: centre species (Si), pairs of species (Si-O)."""
        return set_names(self.terms[term], self.species)

    def sparse_points(self, term: int) -> dict[int, np.ndarray]:
        """Sparse points of a term by sparse set, none of a fixed term.

        soap: (M, n_features) by species index, compressed: (M, rank); pair: (M,) Å;
        triplet: (M, 3) Å.
        """
        n_sets = len(self.set_names(term))
        return {a: self.arrays[f"term{term}.sparse_points.{a}"] for a in range(n_sets)}

    @cached_property
    def soap_terms(self) -> list[tuple[int, dict]]:
        """(index, entry) of the terms of kind soap."""
        return [(t, term) for t, term in enumerate(self.terms) if term["kind"] == "soap"]

    @cached_property
    def fixed_part(self) -> "Model | None":
        """The model of e0 and the terms without weights alone; None when it has no such terms."""
        fixed = [t for t, term in enumerate(self.terms) if is_fixed(term)]
        if not fixed:
            return None
        arrays = {name: self.arrays[name] for name in ("species", "e0")}
        for new, t in enumerate(fixed):
            for name, array in self.arrays.items():
                if name.startswith(f"term{t}."):
                    arrays[name.replace(f"term{t}.", f"term{new}.", 1)] = array
        metadata = self._contents[0] | {"terms": json.dumps([self.terms[t] for t in fixed])}
        return _packed(metadata, arrays)

    def with_weights(self, weights, provenance: dict | None = None) -> "Model":
        """The same model with other weights (n_weights,), ordered by term, sparse set, point, or
        by coordinate of the sparse structures."""
        weights = np.asarray(weights, dtype=np.float64)
        if weights.shape != (self.n_weights,):
            raise ValueError(f"found weights of shape {weights.shape}, expected {self.n_weights}")
        arrays, begin = dict[str, np.ndarray](), 0
        for t in range(len(self.terms)):
            end = begin + self.n_term_weights(t)
            arrays |= self._weight_arrays(t, weights[begin:end])
            begin = end
        return self.with_arrays(arrays, provenance)

    def _weight_arrays(self, t: int, weights: np.ndarray) -> dict[str, np.ndarray]:
        """What the weights of one term change in the file."""
        term, arrays, begin = self.terms[t], dict[str, np.ndarray](), 0
        if has_derivatives(term):
            if self.compressed:
                raise SoapGprError(COMPRESSED)
            arrays[f"term{t}.structures.coefficients"] = weights.reshape(-1, 3).copy()
            for a, (points, own) in enumerate(self.derivative_basis(t).compile(weights)):
                arrays |= {f"term{t}.sparse_points.{a}": points, f"term{t}.weights.{a}": own}
            return arrays
        for a, points in self.sparse_points(t).items():
            own = weights[begin : begin + len(points)].copy()
            arrays[f"term{t}.weights.{a}"] = own
            begin += len(points)
            if term["kind"] != "soap":
                arrays[f"term{t}.table.{a}"] = function_table(
                    term, len(self.species), a, points, own
                )
        return arrays

    def with_arrays(
        self, arrays: Mapping[str, np.ndarray], provenance: dict | None = None
    ) -> "Model":
        """The same model with these arrays added or replaced, and with another provenance."""
        metadata = dict(self._contents[0])
        if provenance is not None:
            metadata["provenance"] = json.dumps(provenance)
        return _packed(metadata, {**self.arrays, **arrays})

    def with_settings(self, settings: dict, e0) -> "Model":
        """The same model with other settings on record and e0 (n_species,) in eV."""
        metadata = self._contents[0] | {"settings": json.dumps(settings)}
        arrays = self.arrays | {"e0": np.array(e0, dtype=np.float64)}
        return _packed(metadata, arrays)

    def species_indices(self, numbers) -> np.ndarray:
        """(N,) index of each atom's species; SoapGprError names a species the model lacks."""
        numbers = np.asarray(numbers)
        unknown = sorted(set(numbers.tolist()) - set(self.species))
        if unknown:
            names = ", ".join(symbol(z) for z in unknown)
            known = ", ".join(symbol(z) for z in self.species)
            raise SoapGprError(f"the model does not know {names}, it was trained for {known}")
        return np.array([self._species_index[z] for z in numbers.tolist()], dtype=np.int32)

    def environments(self, numbers, positions, cell=None, pbc=False) -> _core.Environments:
        """The core's view of a structure: species and neighbours."""
        species = self.species_indices(numbers)
        if len(species) == 0:
            raise SoapGprError("found a structure without atoms")
        neighbors = neighbor_list(positions, cell, pbc, self.cutoff)
        if self.core.ordered_neighbors:
            neighbors = in_order(neighbors, positions, cell, pbc)
        return core_environments(species, neighbors)

    def evaluate(
        self, numbers, positions, cell=None, pbc=False, *, forces=True, n_threads: int = 1
    ) -> Evaluation:
        """Energies, forces and virials of a structure.

        numbers (N,), positions (N, 3) Å, cell (3, 3) Å with rows as cell vectors or None, pbc a
        bool or three; n_threads as ``parallel.thread_count`` takes it. Raises SoapGprError for an
        unknown species, coincident atoms, anything that is not finite, and as ``neighbor_list``.
        """
        environments = self.environments(numbers, positions, cell, pbc)
        evaluators = self._evaluators.by_threads
        if n_threads not in evaluators:
            evaluators[n_threads] = _core.Evaluator(self.core, thread_count(n_threads))
        return Evaluation(*evaluators[n_threads].evaluate(environments, forces))

    def __reduce__(self):
        return Model, (self._bytes,)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def core_environments(species: np.ndarray, neighbors: NeighborList) -> _core.Environments:
    """species (N,) int32 species indices."""
    neighbor_species = species[neighbors.neighbor.astype(np.int64)]
    return _core.Environments(
        species, neighbors.offset, neighbors.neighbor, neighbor_species, neighbors.r_ij
    )


def build_model(
    species: Sequence[int],
    e0: Sequence[float] | np.ndarray,
    terms: Sequence[Mapping],
    settings: dict | None = None,
    provenance: dict | None = None,
) -> Model:
    """A model from its parts.

    species: ascending atomic numbers; e0: eV, one per species. Each soap term holds kind, cutoff,
    l_max, zeta, delta, normalize, everything that ``basis.tabulate`` returns, and ``sparse_points``
    {a: (M_a, n_features)} and ``weights`` {a: (M_a,)}; both default to none, weights to zeros. It
    may hold ``offset``, and ``features`` with ``feature_scale`` (docs/theory.md eq. 5a, 7b). A term
    of ``sparse_basis = "derivatives"`` has ``structures`` instead (``structure_arrays.to_arrays``).
    A pair or triplet term is what ``pair.pair_term``, ``repulsion.fixed_terms``,
    ``triplet.triplet_term`` or ``fixed_triplet.fixed_term`` return.
    """
    arrays = {
        "species": np.array(species, dtype=np.int64),
        "e0": np.array(e0, dtype=np.float64),
    }
    for t, term in enumerate(terms):
        own = arrays_of(term, len(species))
        arrays |= {f"term{t}.{name}": array for name, array in own.items()}
    metadata = {
        "format": "soap-gpr",
        "units": "eV,angstrom",
        "terms": json.dumps([entry_of(term) for term in terms]),
        "settings": json.dumps(settings or {}),
        "provenance": json.dumps(provenance or {}),
    }
    return _packed(metadata, arrays)


def _packed(metadata: Mapping[str, str], arrays: Mapping[str, np.ndarray]) -> Model:
    """Written in the newest format, whatever format they were read from."""
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return Model(_core.pack({**metadata, "format_version": FORMAT_VERSION}, contiguous))
