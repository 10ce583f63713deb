# SPDX-License-Identifier: BSD-3-Clause
"""Products of kernels of several representations (docs/theory.md eq. 7g to 7i)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from potential.model import Model
from potential.runtime.progress import Progress, silent
from potential.schema import SettingError
from potential.selection.rows import RowKernel, power
from potential.selection.select import select
from potential.settings import ProductTermSettings, SoapTermSettings
from potential.structures.structure import Structure
from potential.terms.columns import AnyColumn, n_features
from potential.terms.feature_term import TRIAL_SPARSE, FeatureTerm
from potential.terms.features import factors_of
from potential.terms.soap import SoapTerm
from potential.terms.soap_points import chosen_points, most_points
from potential.terms.term import RECORD, Draft, Entry


@dataclass(frozen=True)
class ProductKernel(RowKernel):
    """Π_f [(p̂_f·p̂'_f + offset_f) / (1 + offset_f)]^ζ_f of rows that hold the features of all
    factors side by side: 1 for equal environments."""

    factors: Sequence[Entry]  # with the ``features`` that they keep, if not all

    def between(self, A: np.ndarray, B: np.ndarray) -> np.ndarray:
        product = np.ones((len(A), len(B)))
        for entry, columns in self.columns():
            product *= self._power(A[:, columns] @ B[:, columns].T, entry)
        return product

    def of_rows(self, A: np.ndarray) -> np.ndarray:
        product = np.ones(len(A))
        for entry, columns in self.columns():
            own = A[:, columns]
            product *= self._power(np.einsum("ij,ij->i", own, own), entry)
        return product

    @property
    def largest(self) -> float:
        """Π_f (1 + offset_f)^ζ_f"""
        return float(np.prod([(1.0 + _offset(own)) ** own["zeta"] for own in self.factors]))

    def columns(self) -> Iterator[tuple[Entry, slice]]:
        """The factors with their columns."""
        begin = 0
        for entry in self.factors:
            end = begin + n_features(entry)
            yield entry, slice(begin, end)
            begin = end

    @staticmethod
    def _power(products: np.ndarray, entry: Entry) -> np.ndarray:
        return power((products + _offset(entry)) / (1.0 + _offset(entry)), entry["zeta"])


class ProductTerm(FeatureTerm):
    """One weight for each sparse environment; sparse sets are those of the centre species.

    A draft holds ``factors``, each the draft of a soap term without sparse points (with
    ``features`` where some are kept), ``delta``,
    ``cutoff``, ``sparse_points`` {a: (M_a, Σ_f n_features)} and ``weights`` {a: (M_a,)}.
    """

    @staticmethod
    def describes(entry: Entry) -> bool:
        return entry["kind"] == "product"

    @staticmethod
    def takes(settings: Any) -> bool:
        return isinstance(settings, ProductTermSettings)

    @classmethod
    def draft(
        cls,
        settings: ProductTermSettings,
        species: Sequence[int],
        structures: Sequence[Structure],
        progress: Progress = silent,
    ) -> tuple[Draft, list[str]]:
        factors, warnings = _of_factors(
            settings, lambda f, own: SoapTerm.draft(own, species, structures)
        )
        draft = {"kind": settings.kind, "cutoff": settings.cutoff, "delta": settings.delta}
        return draft | {"factors": factors}, warnings

    @classmethod
    def adapt(
        cls,
        draft: Draft,
        settings: ProductTermSettings,
        model_of: Callable[[Draft], Model],
        structures: Sequence[Structure],
        progress: Progress = silent,
    ) -> tuple[Draft, list[str]]:
        drafts = draft["factors"]
        factors, warnings = _of_factors(
            settings,
            lambda f, own: SoapTerm.adapt(drafts[f], own, model_of, structures, progress),
        )
        records = [factor.get(RECORD, {}) for factor in factors]
        record = {RECORD: {"factors": records}} if any(records) else {}
        return draft | {"factors": factors} | record, warnings

    @classmethod
    def choose(
        cls,
        draft: Draft,
        settings: ProductTermSettings,
        tables: Callable[[], Model],
        index: int,
        structures: Sequence[Structure],
        progress: Progress = silent,
    ) -> tuple[Draft, list[str]]:
        kernel = ProductKernel(draft["factors"])

        def choose(
            X: np.ndarray, species: np.ndarray, groups: np.ndarray, wanted: int
        ) -> np.ndarray:
            # with no neighbours in one factor the product vanishes
            seen = np.flatnonzero(kernel.of_rows(X) > 0)
            chosen = select(
                X[seen],
                wanted,
                settings.sparse_method,
                kernel=kernel,
                seed=settings.seed,
                progress=progress,
                groups=groups[seen],
                quotas=settings.n_sparse_config_type,
            )
            return seen[chosen]

        points, warnings = chosen_points(tables(), index, settings, structures, choose, progress)
        return draft | points, warnings

    @staticmethod
    def all_columns(entry: Entry, species: Sequence[int]) -> Iterator[AnyColumn]:
        return SoapTerm.all_columns(entry, species)  # of a factor

    def column_names(self) -> dict[str, list[str]]:
        names = list[str]()
        for f, factor in enumerate(self.entry["factors"]):
            own = self.names_at(f"term{self.index}.factor{f}.", factor)[""]
            names += [f"factor {f + 1} {name}" for name in own]
        return {"": names}

    @staticmethod
    def values_by_species(settings: ProductTermSettings) -> dict[str, Mapping[str, Any]]:
        own = FeatureTerm.values_by_species(settings)
        for f, factor in enumerate(settings.factors):
            if isinstance(factor.atom_sigma, Mapping):
                own[f"factor {f + 1}: atom_sigma"] = factor.atom_sigma
        return own

    @classmethod
    def entry_of(cls, draft: Draft) -> dict[str, Any]:
        factors = [SoapTerm.entry_of(factor) for factor in draft["factors"]]
        return super().entry_of(draft) | {"factors": factors}

    @classmethod
    def arrays_of(cls, draft: Draft, n_species: int) -> dict[str, np.ndarray]:
        arrays = {}
        for f, factor in enumerate(draft["factors"]):
            for name, array in SoapTerm.arrays_of(factor, n_species).items():
                if name.partition(".")[0] not in ("sparse_points", "weights"):
                    arrays[f"factor{f}.{name}"] = array
        width = sum(map(n_features, draft["factors"]))
        return arrays | cls.sparse_arrays(draft, n_species, width)

    def kernel(self, a: int, points: np.ndarray, out: np.ndarray) -> None:
        kernel = ProductKernel(factors_of(self.model, self.index))
        out[:] = kernel.between(points, points)
        out *= self.entry["delta"] ** 2 * kernel.largest

    @staticmethod
    def trial_settings(
        settings: ProductTermSettings, structures: Sequence[Structure]
    ) -> ProductTermSettings:
        return replace(
            settings, n_sparse=TRIAL_SPARSE, n_sparse_config_type={}, sparse_method="random"
        )

    def most_weights(self, settings: Any, structures: Sequence[Structure]) -> int:
        return most_points(settings, structures)

    @property
    def description(self) -> str:
        factors = " × ".join(
            f"soap {own['cutoff']:g} Å ^{own['zeta']}" for own in self.entry["factors"]
        )
        return f"product, {factors}, delta {self.entry['delta']:g} eV"


@contextmanager
def _placing(factor: int) -> Iterator[None]:
    """SettingErrors of a factor that are raised within name it."""
    try:
        yield
    except SettingError as error:
        place = replace(error.place, key=f"factor {factor + 1} {error.place.key}".strip())
        raise place.says(error.text) from None


def _of_factors(
    settings: ProductTermSettings,
    make: Callable[[int, SoapTermSettings], tuple[Draft, list[str]]],
) -> tuple[list[Draft], list[str]]:
    """What is made of each factor as a soap term, and the warnings; errors name the factor."""
    drafts, warnings = list[Draft](), list[str]()
    for f, factor in enumerate(settings.factors):
        with _placing(f):
            draft, found = make(f, factor.as_soap(settings.seed))
        drafts.append(draft)
        warnings += [f"factor {f + 1}: {text}" for text in found]
    return drafts, warnings


def _offset(entry: Entry) -> float:
    return entry.get("offset", 0.0)
