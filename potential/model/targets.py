# SPDX-License-Identifier: BSD-3-Clause
"""Properties of atoms and structures that a model has beside the energy (docs/theory.md eq. 23)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from potential.errors import SoapGprError
from potential.structures.atom_weights import weight_column

Weights = tuple[float, ...] | str | None  # by places in a list of species, of a column; None: 1


@dataclass(frozen=True)
class TargetKernel:
    """The kernel between structures of a target, as its entry has it (docs/theory.md eq. 23k)."""

    term: int  # whose features it is of, from 0
    pooling: str
    zeta: float
    centers: str
    normalize: bool
    gamma: float | None = None  # of REMatch

    def entry(self) -> dict[str, Any]:
        """What the model file has of it."""
        return {key: value for key, value in asdict(self).items() if value is not None}

    def __str__(self) -> str:
        words = "normalised " * self.normalize + f"kernel {self.pooling!r}, zeta {self.zeta:g}"
        words += "" if self.gamma is None else f", gamma {self.gamma:g}"
        return words + (", shared centers" if self.centers == "shared" else "")


@dataclass(frozen=True)
class Target:
    """One entry of ``targets`` in the metadata of a model file."""

    name: str
    unit: str
    per_atom: bool  # a value of each atom, or one of the structure
    extensive: bool = True  # the structure's is the sum over its atoms, or else their mean
    species: tuple[int, ...] | None = None  # atoms that have a value; None: all
    weights: Weights = None  # of atoms in the sum or mean
    kernel: TargetKernel | None = None  # between structures; None: atoms have parts of it
    rank: int = 0  # 1 of a vector, 2 or 3 of a tensor
    symmetric: bool = True  # of a tensor
    basis: int | None = None  # of a vector or tensor: which of the model's tensor bases

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one value: () of a scalar, else 3 as often as there are indices."""
        return (3,) * self.rank

    @property
    def form(self) -> str:
        """What it is called: a scalar, a vector or a tensor."""
        if self.rank < 2:
            return ("scalar", "vector")[self.rank]
        return f"{'symmetric ' * self.symmetric}tensor of rank {self.rank}"

    @property
    def n_components(self) -> int:
        """Cartesian ones."""
        return 3**self.rank

    def value(
        self, of_atoms: np.ndarray, species: np.ndarray, columns: Mapping[str, np.ndarray]
    ) -> Any:
        """The property (N, *shape), nan for atoms without a value, or that of the structure, a
        number or an array of this shape, nan for a mean over atoms that all weigh 0, from what
        each atom has of it (N, *shape).

        species (N,): places in the list of the model; columns (N,): those of the atoms. Raises
        SoapGprError when it takes one that is not there or no weight.
        """
        if self.per_atom:
            return of_atoms
        w = self.atom_weights(species, columns)
        total = np.tensordot(w, of_atoms, axes=1)
        if not self.extensive:
            total = total / w.sum() if w.any() else np.full(self.shape, np.nan)
        return total if self.rank else float(total)

    def atom_weights(self, species: np.ndarray, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """How much each atom counts (N,); arguments and errors as of ``value``."""
        try:
            return atom_weights(self.weights, species, columns)
        except SoapGprError as error:
            raise SoapGprError(f"target {self.name}: {error}") from None

    @property
    def weight_column(self) -> str | None:
        """The name of the column of atoms that weighs them; None where none does."""
        return self.weights if isinstance(self.weights, str) else None

    def entry(self) -> dict[str, Any]:
        """What the model file has of it."""
        own = {"name": self.name, "unit": self.unit, "per_atom": self.per_atom}
        if not self.per_atom:
            own["extensive"] = self.extensive
            if self.weights is not None:
                own["weights"] = self.weight_column or list(self.weights)
        if self.species is not None:
            own["species"] = list(self.species)
        if self.rank:
            own |= {"rank": self.rank, "basis": self.basis}
        if self.rank > 1:
            own["symmetric"] = self.symmetric
        if self.kernel is not None:
            own["kernel"] = self.kernel.entry()
        return own


def targets_of(metadata: Mapping[str, str]) -> tuple[Target, ...]:
    """The targets of a model file, which the core has checked."""
    entries = json.loads(metadata.get("targets", "[]"))
    return tuple(map(_target, entries))


def _target(entry: dict[str, Any]) -> Target:
    read: dict[str, Any] = {key: tuple(own) for key, own in entry.items() if isinstance(own, list)}
    if "kernel" in entry:
        read["kernel"] = TargetKernel(**entry["kernel"])
    return Target(**entry | read)


def atom_weights(
    weights: Weights, species: np.ndarray, columns: Mapping[str, np.ndarray]
) -> np.ndarray:
    """How much each atom counts (N,), docs/theory.md eq. (23g); arguments as of ``Target.value``.
    Raises SoapGprError as ``weight_column``."""
    if isinstance(weights, str):
        return weight_column(columns, weights, len(species))
    return np.ones(len(species)) if weights is None else np.array(weights)[species]


def member_properties(
    targets: Sequence[Target],
    of_atoms: np.ndarray,
    species: np.ndarray,
    columns: Mapping[str, np.ndarray],
) -> dict[str, np.ndarray]:
    """What members of a committee deviate by, (C, N) or (C,), by the names of targets that are no
    kernels between structures; of_atoms (n_targets, C, N), the rest as of ``Target.value``."""
    return {
        target.name: np.array([target.value(own, species, columns) for own in members])
        for target, members in zip(targets, of_atoms, strict=True)
        if target.kernel is None and target.rank == 0
    }


def values_of_atoms(targets: Sequence[Target], of_atoms: np.ndarray) -> dict[str, np.ndarray]:
    """(N,) by the names of those targets of atoms that the core has; of_atoms (n_targets, N)."""
    return {
        target.name: own
        for target, own in zip(targets, of_atoms, strict=True)
        if target.per_atom and target.kernel is None and target.rank == 0
    }


def of_targets_of_atoms(
    targets: Sequence[Target], scalars: np.ndarray, tensors: np.ndarray
) -> list[np.ndarray]:
    """What atoms have of each target (N, *shape), from the core's rows (n_targets, N) of scalars
    and (n_rows, N) of components of vectors and tensors."""
    found, row = list(scalars), 0
    for h, target in enumerate(targets):
        if target.rank:
            own = tensors[row : row + target.n_components]
            found[h] = own.T.reshape(own.shape[1], *target.shape)
            row += target.n_components
    return found


def properties(
    targets: Sequence[Target],
    of_atoms: Sequence[np.ndarray],
    species: np.ndarray,
    columns: Mapping[str, np.ndarray],
) -> dict[str, Any]:
    """Values by the names of the targets; of_atoms: (N, *shape) of each, the rest as of
    ``Target.value``."""
    pairs = zip(targets, of_atoms, strict=True)
    return {target.name: target.value(own, species, columns) for target, own in pairs}
