# SPDX-License-Identifier: BSD-3-Clause
"""Terms of kernels of features with sparse environments (docs/theory.md eq. 6 to 7d)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from potential import _core
from potential.model import Environments, Model
from potential.runtime.progress import Progress, silent
from potential.selection.rows import power
from potential.settings import KernelTermSettings
from potential.settings.terms import ALCHEMICAL, SEPARATE
from potential.structures.structure import Structure, symbol
from potential.terms.columns import kept_names
from potential.terms.points_file import count_in_file
from potential.terms.soap_points import most_points, sparse_points
from potential.terms.term import Draft, Entry, SparseTerm

# What says which features are kept.
SELECTION = ("features", "feature_scale", "recoupling")
# Sparse points per species of a trial, at most.
TRIAL_SPARSE = 200


class FeatureTerm(SparseTerm):
    """One weight for each sparse environment; sparse sets are those of the centre species, or one
    for all of them.

    A draft holds the entry, ``sparse_points`` {a: (M_a, n_features)} and ``weights`` {a: (M_a,)};
    it may hold ``offset``, and ``features`` with ``feature_scale`` and perhaps
    ``recoupling`` (docs/theory.md eq. 5a, 5i, 7b), those of all centres or {a: those of a species}
    (eq. 5p).
    With ``centers`` (eq. 7d) there is the set 0 alone, with ``sparse_species`` (M_0,).
    """

    ARRAYS: ClassVar[tuple[str, ...]] = (
        *SELECTION,
        "sparse_points",
        "sparse_species",
        "weights",
    )

    @staticmethod
    def kernel_entry(settings: KernelTermSettings) -> dict[str, Any]:
        """What of the entry is about the kernel."""
        return {
            "zeta": settings.zeta,
            "delta": settings.delta,
            "normalize": settings.normalize,
            **({"offset": settings.offset} if settings.offset else {}),
            **({"centers": settings.centers} if settings.centers != SEPARATE else {}),
        }

    @staticmethod
    @abstractmethod
    def all_columns(entry: Entry, species: Sequence[int]) -> Iterator[Any]:
        """What each feature stands for before a selection; ``alchemy`` of an entry with a map of
        the elements is that map."""

    def column_names(self) -> dict[str, list[str]]:
        """What each feature stands for in words, by the species of the centre; under "" where it is
        the same for all centres."""
        return self.names_at(f"term{self.index}.", self.entry)

    def names_at(self, at: str, entry: Entry) -> dict[str, list[str]]:
        """The same of an entry, here this term's; at: what its arrays have before their names."""
        arrays, species = self.model.arrays, self.model.species
        own = self.all_columns({**entry, "alchemy": arrays.get(f"{at}alchemy")}, species)
        return kept_names([str(column) for column in own], arrays, at, species)

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
        chosen, warnings = sparse_points(tables(), index, settings, structures, progress)
        return draft | chosen, warnings

    @staticmethod
    def values_by_species(settings: Any) -> dict[str, Mapping[str, Any]]:
        return {"n_sparse": settings.n_sparse} if isinstance(settings.n_sparse, Mapping) else {}

    @staticmethod
    def sparse_arrays(draft: Draft, n_species: int, n_columns: int) -> dict[str, np.ndarray]:
        """The selection of so many features, sparse points and weights, as ``arrays_of`` has
        them."""
        arrays = dict[str, np.ndarray]()
        for name in SELECTION:
            own, number = draft.get(name, {}), np.int64 if name == "features" else np.float64
            by_species = own if isinstance(own, Mapping) else {None: own}
            for a, values in by_species.items():
                at = name if a is None else f"{name}.{a}"
                arrays[at] = np.asarray(values, dtype=number)
        points, weights = draft.get("sparse_points", {}), draft.get("weights", {})
        for a in range(1 if "centers" in draft else n_species):
            kept = arrays.get(f"features.{a}", arrays.get("features"))
            n_features = n_columns if kept is None else len(kept)
            # rows of features are as long as the longest selection, with zeros at the end
            own = points.get(a, np.zeros((0, n_features)))[:, :n_features]
            arrays[f"sparse_points.{a}"] = own
            arrays[f"weights.{a}"] = weights.get(a, np.zeros(len(own)))
        if "centers" in draft:
            of_points = np.asarray(draft.get("sparse_species", ()), dtype=np.int64)
            arrays["sparse_species"] = of_points
        return arrays

    def point_arrays(self, keep: np.ndarray) -> dict[str, np.ndarray]:
        arrays = super().point_arrays(keep)
        if "centers" in self.entry:
            arrays["sparse_species"] = self.array("sparse_species")[keep]
        return arrays

    @staticmethod
    def names(species: Sequence[int]) -> list[str]:
        return [symbol(z) for z in species]

    def row_blocks(self, environments: Environments, gradients: bool) -> list[np.ndarray]:
        return [_core.soap_rows(self.model.core, self.index, environments, gradients)]

    def serves(self, a: int, center: int) -> bool:
        return a == center or "centers" in self.entry

    def atom_rows(self, environments: Environments) -> np.ndarray:
        return _core.kernel_rows(self.model.core, self.index, environments)

    def kernel(self, a: int, points: np.ndarray, out: np.ndarray) -> None:
        """δ² (p̂_m·p̂_m' + offset)^ζ, where a real ζ takes what is not positive for 0
        (docs/theory.md eq. 7b); in place: K_MM may take a good part of the memory."""
        np.matmul(points, points.T, out=out)
        out += self.entry.get("offset", 0.0)
        power(out, self.entry["zeta"], out=out)
        out *= self.entry["delta"] ** 2
        if self.entry.get("centers") == ALCHEMICAL:
            species = self.array("sparse_species")
            out *= self.array("coupling")[np.ix_(species, species)]

    def tables(self, a: int, points: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
        return {}

    @staticmethod
    def trial_settings(settings: Any, structures: Sequence[Structure]) -> Any:
        return replace(
            settings,
            n_sparse=TRIAL_SPARSE,
            n_sparse_config_type={},
            sparse_method="random",
            sparse_file=None,
        )

    def most_weights(self, settings: Any, structures: Sequence[Structure]) -> int:
        if settings.sparse_method == "file":
            return count_in_file(self.model, self.index, settings)
        if isinstance(settings.n_sparse, int) and settings.centers != SEPARATE:
            return min(settings.n_sparse, sum(map(len, structures)))
        return most_points(settings, structures)

    @property
    def counts(self) -> dict[str, int]:
        if "centers" not in self.entry:
            return super().counts
        names = self.names(self.model.species)
        counts = np.bincount(self.array("sparse_species"), minlength=len(names)).tolist()
        return {name: count for name, count in zip(names, counts, strict=True) if count}

    @property
    def kernel_words(self) -> str:
        """The end of a description."""
        entry = self.entry
        words = f", {entry['centers']} centers" if "centers" in entry else ""
        words += "" if entry["normalize"] else ", not normalised"
        if entry.get("offset", 0.0):
            words += f", offset {entry['offset']:g}"
        return f"{words}, zeta {entry['zeta']}, delta {entry['delta']:g} eV"
