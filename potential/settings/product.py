# SPDX-License-Identifier: BSD-3-Clause
"""Settings of terms of products of kernels (docs/theory.md eq. 7g)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from potential.basis import SoapBasis
from potential.basis.optimise_settings import NEEDS_A_FIT
from potential.basis.settings import SCALING
from potential.schema import Choice, Integer, Number, Place, Tables, setting
from potential.schema.limits import MOST_SEED
from potential.schema.settings import REQUIRED, declared
from potential.schema.values import whole
from potential.settings.features import FeatureSelection, check_one_selection, kept_features
from potential.settings.terms import (
    RADIAL_SCALING,
    SPARSE_METHODS,
    SoapTermSettings,
    TermSettings,
    check_quotas,
    sparse_count,
    sparse_quotas,
    term_delta,
    term_kind,
)


@dataclass(frozen=True)
class FactorSettings(SoapBasis):
    """One [[terms.factors]] table of a product; lengths in Å."""

    source: ClassVar[str] = Place.source
    table: ClassVar[str] = "[terms.factors]"

    radial_scaling: Mapping[str, float] | None = setting(RADIAL_SCALING, SCALING)
    zeta: float = setting(
        2, Number(least=1, most=32, kept=whole, help="power ζ of this kernel, eq. (7g)")
    )
    offset: float = setting(
        0.0, Number(least=0, most=1e6, help="constant $\\sigma_0^2$ of this kernel, eq. (7g)")
    )
    feature_selection: FeatureSelection | None = kept_features()

    def check(self) -> None:
        super().check()
        for key in self.optimised:
            raise self.place().at(f"{key}.optimise").says(NEEDS_A_FIT)
        check_one_selection(self, "in a product")

    def as_soap(self, seed: int) -> SoapTermSettings:
        """The term that has this kernel alone, with δ = 1 eV."""
        own = {key: getattr(self, key) for key in declared(FactorSettings)}
        return SoapTermSettings(**own, seed=seed)


@dataclass(frozen=True)
class ProductTermSettings(TermSettings):
    """One [[terms]] entry of kind "product"; delta in eV."""

    kind: str = term_kind("product")
    factors: tuple[FactorSettings, ...] = setting(
        REQUIRED, Tables(FactorSettings, least=2, most=8, help="the kernels, `[[terms.factors]]`")
    )
    n_sparse: int | Mapping[str, int] = sparse_count()
    n_sparse_config_type: Mapping[str, int] = sparse_quotas()
    sparse_method: str = setting(
        "fps",
        Choice(
            tuple(method for method in SPARSE_METHODS if method != "file"),
            help='how they are chosen, eq. (17) to (19); `"fps"` and `"cur"` in the metric of the '
            "product",
        ),
    )
    delta: float = term_delta(1.0, "δ: size of the energies that the term is expected to describe")
    seed: int = setting(0, Integer(0, MOST_SEED, help="of the random choices"))

    def check(self) -> None:
        integers = all(isinstance(own.zeta, int) for own in self.factors)
        if self.sparse_method == "cur" and not integers:
            raise self.error("sparse_method", "another one, or integers for zeta of all factors")
        check_quotas(self)

    @property
    def cutoff(self) -> float:
        """The longest one, Å."""
        return max(own.cutoff for own in self.factors)

    @property
    def has_environments(self) -> bool:
        return True
