# SPDX-License-Identifier: BSD-3-Clause
"""What is in a model file, read, written and changed; evaluation is that of ``Model``."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from potential import _core
from potential.errors import SoapGprError
from potential.model.record import read_record
from potential.model.structure_targets import KernelTarget
from potential.model.targets import Target, targets_of
from potential.model.uncertainty import Uncertainty, uncertainty_of
from potential.runtime.output import atomic_file
from potential.structures.structure import symbol

FORMAT_VERSION = "3"
_TARGET = re.compile(r"((members|variance)\.)?target\d+\.")  # arrays of a target
_TARGET_AND_VARIANCE = re.compile(r"variance\.|(members\.)?target\d+\.")
_UNCERTAINTY = re.compile(r"(members|variance)\.")  # of the measures of errors
TRIANGLE = "triangle"  # of the regression, as an array of the file: [solver] keep_factor


class ModelContents:
    """The contents of a model file, immutable.

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
    def tensor_bases(self) -> list[dict[str, Any]]:
        """Entries of what vectors and tensors stand on, docs/model_file.md."""
        return json.loads(self._contents[0].get("tensor_bases", "[]"))

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

    def with_tensor_bases(
        self, bases: Sequence[Mapping[str, Any]], arrays: Mapping[str, np.ndarray]
    ) -> Self:
        """The same model with these entries of ``tensor_bases`` and their arrays
        (docs/model_file.md), on which vectors and tensors can stand. Raises SoapGprError."""
        metadata, kept = self._contents
        metadata = {**metadata, "tensor_bases": json.dumps(list(bases))}
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


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _packed(metadata: Mapping[str, str], arrays: Mapping[str, np.ndarray]) -> bytes:
    """Written in the newest format, whatever format they were read from."""
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return _core.pack({**metadata, "format_version": FORMAT_VERSION}, contiguous)
