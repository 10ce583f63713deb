# SPDX-License-Identifier: BSD-3-Clause
"""SOAP terms whose functions are derivatives of the kernel (docs/theory.md eq. 13e to 13h)."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from potential.errors import SoapGprError
from potential.model import Environments, Model
from potential.runtime.parallel import thread_count
from potential.runtime.progress import Progress, silent
from potential.settings import KernelTermSettings, SoapTermSettings
from potential.structures.arrays import from_arrays, to_arrays
from potential.structures.neighbors import neighbors_of
from potential.structures.structure import Structure
from potential.terms.feature_term import TRIAL_SPARSE
from potential.terms.gradients import CHUNK_BYTES, DerivativeFunctions
from potential.terms.soap import SoapTerm
from potential.terms.sparse_structures import sparse_structures
from potential.terms.term import COMPRESSED, Draft, Entry


class SoapDerivativesTerm(SoapTerm):
    """Three weights for each atom of the sparse structures, ``sparse_basis = "derivatives"``.

    The evaluator sums kernels of sparse points that are compiled of the weights (eq. 13h). A draft
    has ``structures`` (``structures.arrays.to_arrays``) in the place of sparse points.
    """

    ARRAYS = (*SoapTerm.ARRAYS, "structures")

    def __init__(self, model: Model, index: int):
        super().__init__(model, index)
        self._functions: DerivativeFunctions | None = None
        self._locks: dict[int, threading.Lock] = {}

    @staticmethod
    def describes(entry: Entry) -> bool:
        return entry["kind"] == "soap" and entry.get("sparse_basis") == "derivatives"

    @staticmethod
    def takes(settings: Any) -> bool:
        return isinstance(settings, SoapTermSettings) and settings.sparse_basis == "derivatives"

    @classmethod
    def choose(
        cls,
        draft: Draft,
        settings: SoapTermSettings,
        tables: Callable[[], Model],
        index: int,
        structures: Sequence[Structure],
        progress: Progress = silent,
    ) -> tuple[Draft, list[str]]:
        chosen = sparse_structures(tables(), index, settings, structures, progress)
        return draft | {"structures": chosen}, []

    @classmethod
    def arrays_of(cls, draft: Draft, n_species: int) -> dict[str, np.ndarray]:
        structures = draft.get("structures") or to_arrays(())
        named = {f"structures.{name}": array for name, array in structures.items()}
        return super().arrays_of(draft, n_species) | named

    @property
    def n_weights(self) -> int:
        return self.array("structures.coefficients").size

    @property
    def functions(self) -> DerivativeFunctions:
        """The functions; kept once they are made."""
        # by process: in one made by fork nobody may be left to open the parent's lock
        with self._locks.setdefault(os.getpid(), threading.Lock()):
            if self._functions is None:
                self._functions = DerivativeFunctions(self.model, self.index)
        return self._functions

    def row_blocks(self, environments: Environments, gradients: bool) -> list[np.ndarray]:
        self._refuse_compressed()
        return [self.functions.rows(environments, gradients)]

    def fill_kernel(self, K: np.ndarray) -> None:
        K[:] = self.functions.kernel()

    def weight_arrays(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        self._refuse_compressed()
        arrays = {"structures.coefficients": weights.reshape(-1, 3).copy()}
        for a, (points, own) in enumerate(self.functions.compile(weights)):
            arrays |= {f"sparse_points.{a}": points, f"weights.{a}": own}
        return arrays

    def _refuse_compressed(self) -> None:
        """Its functions are of features that were not projected."""
        if self.model.compressed:
            raise SoapGprError(COMPRESSED)

    @property
    def training_bytes(self) -> int:
        """Gradients of the features of all sparse structures, and what threads work with."""
        n_pairs = 0
        for s in from_arrays(self.model.arrays, f"term{self.index}.structures."):
            neighbors = neighbors_of(s, self.entry["cutoff"])
            center = np.repeat(np.arange(len(s)), neighbors.counts)
            keys = center * len(s) + neighbors.neighbor.astype(np.int64)
            n_pairs += len(np.union1d(keys, np.arange(len(s)) * (len(s) + 1)))
        width = self.model.core.n_features(self.index)
        return 24 * width * n_pairs + 4 * thread_count() * CHUNK_BYTES

    @staticmethod
    def trial_settings(
        settings: KernelTermSettings, structures: Sequence[Structure]
    ) -> KernelTermSettings:
        """With the coordinates of one structure at least."""
        assert isinstance(settings.n_sparse, int)
        smallest = min((3 * len(s) for s in structures if len(s) > 1), default=1)
        n_sparse = min(settings.n_sparse, max(TRIAL_SPARSE, smallest))
        return replace(SoapTerm.trial_settings(settings, structures), n_sparse=n_sparse)

    def most_weights(self, settings: KernelTermSettings, structures: Sequence[Structure]) -> int:
        assert isinstance(settings.n_sparse, int)
        return min(settings.n_sparse, 3 * sum(len(s) for s in structures if len(s) > 1))

    @property
    def counts(self) -> dict[str, int]:
        return {"structures": self.array("structures.sizes").size, "coordinates": self.n_weights}
