# SPDX-License-Identifier: BSD-3-Clause
"""A model as training sees it: a linear function of its weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise

import numpy as np

from potential.errors import SoapGprError
from potential.model import TRIANGLE, Environments, Model
from potential.terms.kinds import kind_of, terms_of
from potential.terms.term import COMPRESSED, Draft, FixedTerm, SparseTerm, Term, n_rows


class TrainingModel(Model):
    """A model with the rows of the design matrix that its weights multiply, and with K_MM.

    Weights (n_weights,) are ordered by term, sparse set and sparse point, or by coordinate of the
    sparse structures.
    """

    @cached_property
    def own_terms(self) -> list[Term]:
        """The terms of the model as objects, which keep what they need for their rows."""
        # of a copy that shares all arrays: terms of self would keep it in memory, in a circle
        return terms_of(self.with_record())

    @cached_property
    def fixed_part(self) -> Model | None:
        """The model of e0 and the terms without weights alone; None when it has no such terms."""
        fixed = [term.index for term in self.own_terms if isinstance(term, FixedTerm)]
        if not fixed:
            return None
        arrays = {name: self.arrays[name] for name in ("species", "e0")}
        for new, t in enumerate(fixed):
            for name, array in self.arrays.items():
                if name.startswith(f"term{t}."):
                    arrays[name.replace(f"term{t}.", f"term{new}.", 1)] = array
        metadata = {key: self._contents[0][key] for key in ("format", "units")}
        metadata["terms"] = json.dumps([self.terms[t] for t in fixed])
        return Model.from_arrays(metadata, arrays)

    def rows(self, environments: Environments, gradients: bool = True) -> np.ndarray:
        """Design-matrix rows (1 + 3N + 6, n_weights) of a structure: energy without e0 (eV), forces
        atom by atom (eV/Å), virial −dE/dε as xx, yy, zz, yz, xz, xy (eV). Without gradients only
        the energy row.

        environments: those that the model made of the structure. The product with the weights is
        what the evaluator returns, less what has no weights (docs/theory.md eq. 10-12), of
        compressed models too. Raises SoapGprError for those with weights on derivatives.
        """
        blocks = [b for term in self.own_terms for b in term.row_blocks(environments, gradients)]
        if len(blocks) == 1:
            return blocks[0]
        nothing = np.zeros((n_rows(environments, gradients), 0))
        return np.concatenate([nothing, *blocks], axis=1)

    def atom_rows(self, environments: Environments) -> np.ndarray:
        """Rows (N, n_weights) of the energies of atoms, without e0 (eV): their sum over the atoms
        is the first of ``rows``."""
        return np.concatenate([term.atom_rows(environments) for term in self.own_terms], axis=1)

    def kernel_matrix(self) -> np.ndarray:
        """K_MM (n_weights, n_weights) in eV²: the kernels of docs/theory.md eq. (7b) for soap
        terms, zero between sparse sets and terms; eV²/Å² of terms whose functions are derivatives.

        Raises SoapGprError for a compressed model, which no longer has the p̂_m.
        """
        if self.compressed:
            raise SoapGprError(COMPRESSED)
        K, begin = np.zeros((self.n_weights, self.n_weights)), 0
        for term in self.own_terms:
            end = begin + term.n_weights
            term.fill_kernel(K[begin:end, begin:end])
            begin = end
        return K

    @property
    def sparse_sets(self) -> list[slice]:
        """Which weights each sparse set has, of those with any, of terms with one weight for each
        sparse point."""
        found, begin = list[slice](), 0
        for term in self.own_terms:
            if isinstance(term, SparseTerm):
                ends = begin + np.cumsum([0, *map(len, term.sparse_points.values())])
                found += [slice(int(a), int(b)) for a, b in pairwise(ends) if a < b]
            begin += term.n_weights
        return found

    def with_points(self, keep: np.ndarray) -> TrainingModel:
        """The same model with the sparse points that a mask (n_weights,) keeps alone, and weights
        of zero: for terms with one weight for each sparse point."""
        arrays, begin = dict[str, np.ndarray](), 0
        for term in self.own_terms:
            end = begin + term.n_weights
            if isinstance(term, SparseTerm):
                own = term.point_arrays(keep[begin:end])
                arrays |= {f"term{term.index}.{name}": array for name, array in own.items()}
            begin = end
        return self.with_arrays(arrays)

    def with_weights(self, weights, triangle: np.ndarray | None = None) -> TrainingModel:
        """The same model with other weights (n_weights,), and with the triangle of the regression
        that found them, if the file is to keep it."""
        weights = np.asarray(weights, dtype=np.float64)
        if weights.shape != (self.n_weights,):
            raise ValueError(f"found weights of shape {weights.shape}, expected {self.n_weights}")
        arrays, begin = {} if triangle is None else {TRIANGLE: triangle}, 0
        for term in self.own_terms:
            end = begin + term.n_weights
            own = term.weight_arrays(weights[begin:end])
            arrays |= {f"term{term.index}.{name}": array for name, array in own.items()}
            begin = end
        return self.with_arrays(arrays)


def build_model(
    species: Sequence[int],
    e0: Sequence[float] | np.ndarray,
    terms: Sequence[Draft],
    settings: dict | None = None,
    provenance: dict | None = None,
) -> TrainingModel:
    """A model from its parts.

    species: ascending atomic numbers; e0: eV, one per species; terms: drafts, which the docstring
    of each kind of term describes. Raises SoapGprError when they do not make a model.
    """
    arrays = {
        "species": np.array(species, dtype=np.int64),
        "e0": np.array(e0, dtype=np.float64),
    }
    for t, draft in enumerate(terms):
        own = kind_of(draft).arrays_of(draft, len(species))
        arrays |= {f"term{t}.{name}": array for name, array in own.items()}
    metadata = {
        "format": "soap-gpr",
        "units": "eV,angstrom",
        "terms": json.dumps([kind_of(draft).entry_of(draft) for draft in terms]),
        "settings": json.dumps(settings or {}),
        "provenance": json.dumps(provenance or {}),
    }
    return TrainingModel.from_arrays(metadata, arrays)
