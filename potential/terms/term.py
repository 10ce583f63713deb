# SPDX-License-Identifier: BSD-3-Clause
"""The outline that every kind of term follows: one kind per file, all of them in ``kinds.py``.

A *draft* is a term before it is part of a model: a dictionary of its entry in the metadata of the
model file and of arrays under the keys that the kind names (``ARRAYS``). ``build_model`` makes a
model of drafts.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from potential.model import Environments, Model
from potential.runtime.printable import printable
from potential.runtime.progress import Progress, silent
from potential.structures import label_table
from potential.structures.structure import Structure

Draft = dict[str, Any]
Entry = Mapping[str, Any]  # of a term in the metadata of a model file

RECORD = "record"  # of a draft: what the provenance of the model says of the term
COMPRESSED = "the model is compressed for its own weights, which cannot be refitted"


def n_rows(environments: Environments, gradients: bool) -> int:
    """Rows of a structure in the design matrix: energy, and with gradients forces and virial."""
    return label_table.n_rows(len(environments)) if gradients else 1


class Term(ABC):
    """One term of a model, as training and people see it.

    The class knows how a term is made of settings; an object is the term number ``index`` of a
    model: a linear function of n_weights weights.
    """

    ARRAYS: ClassVar[tuple[str, ...]]  # keys of a draft that are not in its entry

    def __init__(self, model: Model, index: int):
        self.model, self.index = model, index
        self.entry: Entry = model.terms[index]

    # What is of this kind.

    @staticmethod
    @abstractmethod
    def describes(entry: Entry) -> bool:
        """Whether the entry (or the draft) is one of this kind."""

    @staticmethod
    def takes(settings: Any) -> bool:
        """Whether a [[terms]] entry asks for this kind; none does for fixed terms."""
        return False

    # From settings and structures to a draft, and to what is in the file.

    @classmethod
    def draft(
        cls,
        settings: Any,
        species: Sequence[int],
        structures: Sequence[Structure],
        progress: Progress = silent,
    ) -> tuple[Draft, list[str]]:
        """The draft with its tables, and with its sparse points where they need no model; warnings.

        species: atomic numbers, ascending. Raises SoapGprError.
        """
        raise NotImplementedError(f"{cls.__name__} is not made of [[terms]]")

    @classmethod
    def adapt(
        cls,
        draft: Draft,
        settings: Any,
        model_of: Callable[[Draft], Model],
        structures: Sequence[Structure],
        progress: Progress = silent,
    ) -> tuple[Draft, list[str]]:
        """The draft with what its representation takes from the structures, and warnings.

        model_of: makes the model of a draft alone. What there is to record of it is under
        ``record``. It does not depend on the order of the structures. Raises SoapGprError.
        """
        return draft, []

    @classmethod
    def choose(
        cls,
        draft: Draft,
        settings: Any,
        tables: Callable[[], Model],
        index: int,
        structures: Sequence[Structure],
        progress: Progress = silent,
    ) -> tuple[Draft, list[str]]:
        """The draft with its sparse points, and warnings.

        tables: makes the model of all drafts, in which this one is the term number ``index``. The
        choice does not depend on the order of the structures. Raises SoapGprError.
        """
        return draft, []

    @staticmethod
    def values_by_species(settings: Any) -> dict[str, Mapping[str, Any]]:
        """Settings that have a value for each chemical symbol, by their keys."""
        return {}

    @classmethod
    def entry_of(cls, draft: Draft) -> dict[str, Any]:
        """What of a draft goes into the metadata of the model file."""
        left_out = (*cls.ARRAYS, RECORD)
        return {key: value for key, value in draft.items() if key not in left_out}

    @classmethod
    @abstractmethod
    def arrays_of(cls, draft: Draft, n_species: int) -> dict[str, np.ndarray]:
        """Arrays of the model file by their names after ``term{t}.``; weights default to zero."""

    # The regression.

    @property
    @abstractmethod
    def n_weights(self) -> int:
        """Numbers that the regression finds."""

    @abstractmethod
    def row_blocks(self, environments: Environments, gradients: bool) -> list[np.ndarray]:
        """Columns (n_rows, n_weights) of the design matrix, in blocks; ``TrainingModel.rows``."""

    @abstractmethod
    def fill_kernel(self, K: np.ndarray) -> None:
        """Write this term's block (n_weights, n_weights) of K_MM, eV², into K, which is zero."""

    @abstractmethod
    def weight_arrays(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Arrays of the file, by their names after ``term{t}.``, that the weights change."""

    def evaluated_arrays(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Those of ``weight_arrays`` that an evaluation reads."""
        return self.weight_arrays(weights)

    def atom_rows(self, environments: Environments) -> np.ndarray:
        """Rows (N, n_weights) whose product with the weights is the energy of each atom, eV."""
        return np.zeros((len(environments), 0))

    @property
    def training_bytes(self) -> int:
        """Memory that is kept while rows are made, beside the rows."""
        return 0

    # The estimate of ``fit --dry-run``.

    @staticmethod
    def trial_settings(settings: Any, structures: Sequence[Structure]) -> Any:
        """The same with so few sparse points that their choice takes little time."""
        return settings

    def most_weights(self, settings: Any, structures: Sequence[Structure]) -> int:
        """Weights of a fit to these structures if all sparse points asked for are found.

        The term is that of a trial with ``trial_settings``.
        """
        return self.n_weights

    # For people.

    @property
    @abstractmethod
    def counts(self) -> dict[str, int]:
        """Of what the weights belong to: sparse points by the name of their sparse set."""

    @property
    @abstractmethod
    def description(self) -> str:
        """The settings that matter most, on a line."""

    @property
    def title(self) -> str:
        """What ``contents`` is."""
        return "Sparse points"

    @property
    def contents(self) -> str:
        """What the term consists of, on a line."""
        return ", ".join(f"{name} {count}" for name, count in self.counts.items())

    @property
    def given_functions(self) -> list[str]:
        """Names of functions that are not fitted."""
        return []

    def array(self, name: str) -> np.ndarray:
        """An array of the file by its name after ``term{t}.``."""
        return self.model.arrays[f"term{self.index}.{name}"]


class SparseTerm(Term):
    """A term of kernels with sparse points: one weight for each, one sparse set after the other.

    Sparse sets are those of centre species, or of pairs or triplets of species.
    """

    @staticmethod
    @abstractmethod
    def names(species: Sequence[int]) -> list[str]:
        """Names of the sparse sets, such as Si or Si-O, in the order of the file."""

    @abstractmethod
    def serves(self, a: int, center: int) -> bool:
        """Whether energies of atoms of the species ``center`` depend on the sparse set a."""

    @abstractmethod
    def kernel(self, a: int, points: np.ndarray, out: np.ndarray) -> None:
        """Write the kernels (M, M) in eV² between the points of the sparse set a into ``out``."""

    @abstractmethod
    def tables(self, a: int, points: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Other arrays of the file that the points and weights (M,) of sparse set a decide."""

    @property
    def sparse_points(self) -> dict[int, np.ndarray]:
        return self.model.sparse_points(self.index)

    @property
    def n_weights(self) -> int:
        return sum(map(len, self.sparse_points.values()))

    def fill_kernel(self, K: np.ndarray) -> None:
        begin = 0
        for a, points in self.sparse_points.items():
            end = begin + len(points)
            self.kernel(a, points, K[begin:end, begin:end])
            begin = end

    def weight_arrays(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        arrays, begin = dict[str, np.ndarray](), 0
        for a, points in self.sparse_points.items():
            own = weights[begin : begin + len(points)].copy()
            arrays |= {f"weights.{a}": own} | self.tables(a, points, own)
            begin += len(points)
        return arrays

    def point_arrays(self, keep: np.ndarray) -> dict[str, np.ndarray]:
        """Arrays of the file, by their names after ``term{t}.``, with the sparse points that a mask
        (n_weights,) keeps alone, and weights of zero."""
        arrays, begin = dict[str, np.ndarray](), 0
        for a, points in self.sparse_points.items():
            own = points[keep[begin : begin + len(points)]]
            weights = np.zeros(len(own))
            arrays |= {f"sparse_points.{a}": own, f"weights.{a}": weights}
            arrays |= self.tables(a, own, weights)
            begin += len(points)
        return arrays

    @property
    def counts(self) -> dict[str, int]:
        names = self.names(self.model.species)
        return {name: len(self.sparse_points[a]) for a, name in enumerate(names)}


class FixedTerm(Term):
    """A term of given functions, without weights: taken off the labels, added at run time."""

    @staticmethod
    @abstractmethod
    def names(species: Sequence[int]) -> list[str]:
        """Names of the functions, such as Si-O, in the order of the file."""

    @property
    def n_weights(self) -> int:
        return 0

    def row_blocks(self, environments: Environments, gradients: bool) -> list[np.ndarray]:
        return []

    def fill_kernel(self, K: np.ndarray) -> None:
        pass

    def weight_arrays(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        return {}

    @property
    def counts(self) -> dict[str, int]:
        return {}

    @property
    def given_functions(self) -> list[str]:
        names = self.names(self.model.species)
        return [name for p, name in enumerate(names) if self.is_given(p)]

    def is_given(self, p: int) -> bool:
        """Whether function p is not zero."""
        return bool(self.array(f"table.{p}").any())

    @property
    def title(self) -> str:
        return "Fixed term"

    @property
    def contents(self) -> str:
        return f"{printable(self.entry.get('name', ''))} {', '.join(self.given_functions)}"

    @property
    def description(self) -> str:
        return f"{self.entry['kind']}, cutoff {self.entry['cutoff']:g} Å"
