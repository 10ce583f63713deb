# SPDX-License-Identifier: BSD-3-Clause
"""A model: made of metadata and arrays or read from a file, evaluated on structures."""

from __future__ import annotations

import itertools
import json
import re
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from potential import _core
from potential.errors import SoapGprError
from potential.measures import FORCES, OF_ATOMS, of_members, require_measures
from potential.model.environments import Environments, geometry_of
from potential.model.record import read_record
from potential.model.result import Evaluation
from potential.model.structure_targets import KernelTarget
from potential.model.targets import (
    Target,
    member_properties,
    properties,
    targets_of,
    values_of_atoms,
)
from potential.model.uncertainty import MeasuredUncertainty, Uncertainty, uncertainty_of
from potential.runtime.output import atomic_file
from potential.runtime.parallel import thread_count
from potential.structures.neighbors import in_order, neighbor_list
from potential.structures.structure import symbol

FORMAT_VERSION = "3"
_TARGET = re.compile(r"((members|variance)\.)?target\d+\.")  # arrays of a target
_TARGET_AND_VARIANCE = re.compile(r"variance\.|(members\.)?target\d+\.")
_UNCERTAINTY = re.compile(r"(members|variance)\.")  # of the measures of errors
TRIANGLE = "triangle"  # of the regression, as an array of the file: [solver] keep_factor


class _Evaluators(threading.local):
    """One evaluator per calling thread and number of OpenMP threads."""

    def __init__(self):
        self.by_threads: dict[int, _core.Evaluator] = {}


class Model:
    """An immutable soap-gpr model. Evaluation is thread-safe.

    species: atomic numbers, ascending; cutoff in Å.
    """

    def __init__(self, data: bytes, source: str = "model"):
        """Raises SoapGprError, which begins with source, when data is not an intact model file."""
        try:
            core = _core.Model.from_bytes(data)
        except SoapGprError as error:
            raise SoapGprError(f"{source}: {error}") from None
        self._data: bytes | None = data
        self._start(core, source)

    def _start(self, core: _core.Model, source: str) -> None:
        self.core, self._source = core, source
        self.species: tuple[int, ...] = tuple(core.species)
        self.cutoff: float = core.cutoff
        self._species_index = {z: a for a, z in enumerate(self.species)}
        self._evaluators = _Evaluators()

    @classmethod
    def from_bytes(cls, data: bytes, source: str = "model") -> Self:
        """Raises SoapGprError when the bytes are not an intact model file."""
        return cls(data, source)

    @classmethod
    def from_arrays(cls, metadata: Mapping[str, str], arrays: Mapping[str, np.ndarray]) -> Self:
        """The model of these metadata and arrays of docs/model_file.md, in the newest format.

        Raises SoapGprError when they are not those of a model.
        """
        return cls(_packed(metadata, arrays))

    @classmethod
    def load(cls, path) -> Self:
        """Raises SoapGprError when the file cannot be read or is not an intact model file."""
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise SoapGprError(f"{path}: cannot read the model file: {_reason(error)}") from None
        return cls(data, str(path))

    def save(self, path) -> None:
        """Writes the model in one step: a reader sees the old file or the new one."""
        with atomic_file(path) as temporary:
            temporary.write_bytes(self.to_bytes())

    def to_bytes(self) -> bytes:
        """The model file."""
        if self._data is None:
            self._data = _packed(*self._contents)
        return self._data

    def __repr__(self) -> str:
        elements = ", ".join(map(symbol, self.species))
        targets = ", ".join(target.name for target in self.targets)
        terms = ", ".join(
            f"{'fixed ' if term.get('fixed', False) else ''}{term['kind']} {term['cutoff']:g} Å"
            for term in self.terms
        )
        name = type(self).__name__
        return (
            f"<{name} of {elements}: terms {terms or 'none'}; {self.n_weights} weights"
            f"{'; targets ' * bool(targets)}{targets}>"
        )

    @cached_property
    def _contents(self) -> tuple[dict[str, str], dict[str, np.ndarray]]:
        return _core.unpack(self.to_bytes())

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
        own = {"targets": [target.entry() for target in self.targets]} if self.targets else {}
        return metadata | {"terms": self.terms} | own | records

    @cached_property
    def terms(self) -> list[dict[str, Any]]:
        """Entries of the terms, docs/model_file.md."""
        return json.loads(self._contents[0]["terms"])  # checked by the core

    @cached_property
    def targets(self) -> tuple[Target, ...]:
        """Properties beside the energy."""
        return targets_of(self._contents[0])

    @cached_property
    def _kernel_targets(self) -> list[KernelTarget]:
        """Those of kernels between structures, which the core does not evaluate."""
        return [
            KernelTarget.read(target, self.arrays, h)
            for h, target in enumerate(self.targets)
            if target.kernel is not None
        ]

    @cached_property
    def uncertainty(self) -> Uncertainty | None:
        """The measures of its own errors that the model has; None without any."""
        return uncertainty_of(self._contents[0])

    @property
    def weight_columns(self) -> list[str]:
        """Names of the columns of atoms that weigh them in targets."""
        names = dict.fromkeys(target.weight_column for target in self.targets)
        return [name for name in names if name]

    @property
    def has_potential(self) -> bool:
        """Whether there are energies and forces: else they are zeros, and there are targets."""
        return "potential" not in self._contents[0]

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
        """Numbers that a regression found: coefficients of sparse structures in terms that have
        them, weights of sparse points in others; all terms and sparse sets together."""
        total = 0
        for t in range(len(self.terms)):
            own = self.arrays.get(f"term{t}.structures.coefficients")
            total += sum(map(len, self.sparse_points(t).values())) if own is None else own.size
        return total

    def sparse_points(self, term: int) -> dict[int, np.ndarray]:
        """Sparse points of a term by sparse set, none of a fixed term.

        soap: (M, n_features) by species index, or of the one set 0 that serves all centres,
        compressed: (M, rank); pair: (M,) Å; triplet: (M, 3) Å.
        """
        names = (f"term{term}.sparse_points.{a}" for a in itertools.count())
        own = itertools.takewhile(lambda name: name in self.arrays, names)
        return {a: self.arrays[name] for a, name in enumerate(own)}

    def sparse_set_name(self, term: int, a: int) -> str:
        """What messages call a sparse set of a soap term: its species, or all."""
        return "all" if "centers" in self.terms[term] else symbol(self.species[a])

    def with_arrays(self, arrays: Mapping[str, np.ndarray]) -> Self:
        """The same model with these arrays added or replaced."""
        return type(self).from_arrays(self._contents[0], {**self.arrays, **arrays})

    def without_array(self, name: str) -> Self:
        """The same model without this array, which evaluation does not need."""
        if name not in self.arrays:
            return self
        kept = {own: array for own, array in self.arrays.items() if own != name}
        return type(self).from_arrays(self._contents[0], kept)

    def with_targets(
        self,
        targets: Sequence[Target],
        arrays: Mapping[str, np.ndarray],
        *,
        potential: bool = True,
        uncertainty: Uncertainty | None = None,
    ) -> Self:
        """The same model with these properties beside the energy and their arrays
        (docs/model_file.md) in the place of any before.

        potential: whether its energies are those of a fit and not zeros; uncertainty: its measures,
        of targets too, by default those that it has, without any of targets. Raises SoapGprError.
        """
        metadata, kept = self._contents
        others = ("potential", "uncertainty")
        metadata = {key: own for key, own in metadata.items() if key not in others}
        metadata["targets"] = json.dumps([target.entry() for target in targets])
        if not potential:
            metadata["potential"] = "none"
        before = self.uncertainty or Uncertainty()
        own = uncertainty or replace(before, targets={}, target_variances={})
        dropped = _TARGET if own.variance or own.target_variances else _TARGET_AND_VARIANCE
        if own.measures:
            metadata["uncertainty"] = json.dumps(own.entry())
        kept = {name: array for name, array in kept.items() if not dropped.match(name)}
        return type(self).from_arrays(metadata, {**kept, **arrays})

    def with_uncertainty(self, own: Uncertainty, arrays: Mapping[str, np.ndarray]) -> Self:
        """The same model with these measures and their arrays (docs/model_file.md) in the place of
        any before. Raises SoapGprError when they do not fit."""
        metadata, kept = self._contents
        metadata = {**metadata, "uncertainty": json.dumps(own.entry())}
        kept = {name: array for name, array in kept.items() if not _UNCERTAINTY.match(name)}
        return type(self).from_arrays(metadata, {**kept, **arrays})

    def without_uncertainty(self) -> Self:
        """The same model without any of these measures."""
        metadata, kept = self._contents
        metadata = {key: own for key, own in metadata.items() if key != "uncertainty"}
        kept = {name: array for name, array in kept.items() if not _UNCERTAINTY.match(name)}
        return type(self).from_arrays(metadata, kept)

    def with_record(self, settings: dict | None = None, provenance: dict | None = None) -> Self:
        """The same model with other settings or another provenance on record, where given."""
        given = {"settings": settings, "provenance": provenance}
        records = {key: json.dumps(own) for key, own in given.items() if own is not None}
        metadata, arrays = self._contents
        changed = type(self).__new__(type(self))
        changed._data, changed._contents = None, (metadata | records, arrays)
        changed._start(self.core, self._source)
        return changed

    def species_indices(self, numbers) -> np.ndarray:
        """(N,) index of each atom's species; SoapGprError names a species the model lacks."""
        numbers = np.asarray(numbers)
        unknown = sorted(set(numbers.tolist()) - set(self.species))
        if unknown:
            names = ", ".join(symbol(z) for z in unknown)
            known = ", ".join(symbol(z) for z in self.species)
            raise SoapGprError(f"the model does not know {names}, it was trained for {known}")
        return np.array([self._species_index[z] for z in numbers.tolist()], dtype=np.int32)

    def environments(self, atoms, positions=None, cell=None, pbc=None) -> Environments:
        """Species and neighbours of every atom; arguments and errors as of ``evaluate``."""
        arrays = {} if positions is not None else getattr(atoms, "arrays", {})
        numbers, positions, cell, pbc = geometry_of(atoms, positions, cell, pbc)
        species = self.species_indices(numbers)
        if len(species) == 0:
            raise SoapGprError("found a structure without atoms")
        neighbors = neighbor_list(positions, cell, pbc, self.cutoff)
        if self.core.ordered_neighbors:
            neighbors = in_order(neighbors, positions, cell, pbc)
        columns = {name: arrays[name] for name in self.weight_columns if name in arrays}
        return Environments(species, neighbors, columns)

    def evaluate(
        self,
        atoms,
        positions=None,
        cell=None,
        pbc=None,
        *,
        forces: bool = True,
        targets: bool = True,
        uncertainty: Collection[str] = (),
        n_threads: int = 1,
    ) -> Evaluation:
        """Energies, forces, virials and further properties of a structure, these by ``targets``.

        atoms: an ``ase.Atoms`` or anything else with numbers, positions, cell and pbc; or atomic
        numbers (N,), then with positions (N, 3) Å, cell (3, 3) Å with rows as cell vectors or None,
        pbc a bool or three, by default False. uncertainty: any of "energies" and "forces" of the
        members of a committee, "variance", of atoms, with their rigidity, "targets" of the members,
        which asks for targets as well, and "targets_variance", of targets of atoms with their
        rigidity. n_threads as ``parallel.thread_count`` takes it.
        Raises SoapGprError for a measure that the model lacks, an unknown species, coincident
        atoms, anything that is not finite, a column of weights that a target needs and the atoms
        lack, and as ``neighbor_list``.
        """
        environments = self.environments(atoms, positions, cell, pbc)
        return self.evaluate_environments(
            environments,
            forces=forces,
            targets=targets,
            uncertainty=uncertainty,
            n_threads=n_threads,
        )

    def evaluate_environments(
        self,
        environments: Environments,
        *,
        forces: bool = True,
        targets: bool = True,
        uncertainty: Collection[str] = (),
        n_threads: int = 1,
        term: int | None = None,
    ) -> Evaluation:
        """As ``evaluate``, of environments that this model made, or another with the same species,
        the same order of neighbours and no shorter cutoff; term: of this one alone, without e0."""
        evaluators = self._evaluators.by_threads
        if n_threads not in evaluators:
            evaluators[n_threads] = _core.Evaluator(self.core, thread_count(n_threads))
        require_measures(uncertainty)
        only = -1 if term is None else range(len(self.terms))[term]
        asked = of_members(uncertainty), *(own in uncertainty for own in OF_ATOMS)
        with_targets = (targets or asked[2]) and term is None and bool(self.targets)
        evaluator = evaluators[n_threads]
        made = evaluator.evaluate(environments, forces, only, with_targets, *asked)
        found, of_atoms, members, variances, rigidities, of_targets = list(made[:3]), *made[3:8]
        if not self.has_potential:  # zeros would be taken for energies and forces
            found = [x if x is None else np.full_like(x, np.nan) for x in found]
        energies, of_forces, virials = found
        about = environments.species, environments.columns
        values = properties(self.targets, of_atoms, *about) if with_targets else {}
        of_kernels = dict[str, np.ndarray]()  # members' deviations
        for own in self._kernel_targets if with_targets else ():
            values[own.target.name], members_own = own.value(self, environments)
            if members_own is not None:
                of_kernels[own.target.name] = members_own
        evaluation = Evaluation(energies, of_forces, virials, values)
        if not uncertainty or self.uncertainty is None:
            return evaluation
        of_forces, of_virials = None, None
        if of_targets is not None:
            of_targets = member_properties(self.targets, of_targets, *about) | of_kernels
        if FORCES in uncertainty:
            of_forces, of_virials = evaluator.member_forces(environments)
        measured = MeasuredUncertainty(
            self.uncertainty,
            environments.species,
            (energies, evaluation.forces, evaluation.virial if forces else None),
            members,
            of_forces,
            of_virials,
            variances,
            rigidities,
            values,
            of_targets,
            *(own if own is None else values_of_atoms(self.targets, own) for own in made[8:]),
        )
        return replace(evaluation, uncertainty=measured)

    def __reduce__(self):
        return type(self), (self.to_bytes(),)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _packed(metadata: Mapping[str, str], arrays: Mapping[str, np.ndarray]) -> bytes:
    """Written in the newest format, whatever format they were read from."""
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return _core.pack({**metadata, "format_version": FORMAT_VERSION}, contiguous)
