# SPDX-License-Identifier: BSD-3-Clause
"""feature_selection of a [[terms]] entry: which of its features a term keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from potential.schema import Choice, Flag, Integer, Nested, Number, Place, Settings, setting
from potential.schema.limits import MOST_FEATURES
from potential.selection.columns import COLUMN_METHODS


@dataclass(frozen=True)
class FeatureSelection(Settings):
    """feature_selection of one [[terms]] entry."""

    table: ClassVar[str] = "feature_selection"
    source: ClassVar[str] = Place.source

    method: str = setting(
        "cur",
        Choice(
            COLUMN_METHODS, help="how they are chosen among the training environments, eq. (5g)"
        ),
    )
    n_features: int | None = setting(
        None, Integer(1, MOST_FEATURES, help="how many are kept; or else `tolerance`")
    )
    tolerance: float | None = setting(
        None,
        Number(
            least=1e-5,
            most=0.9,
            help="as few are kept as leave no more than this residual, eq. (5h)",
        ),
    )
    recouple: bool = setting(
        False,
        Flag(help="whether a matrix makes the kernel of the kept features that of all, eq. (5i)"),
    )
    per_species: bool = setting(
        False,
        Flag(
            help="whether each species of the centre has a selection of its own, eq. (5p), or all "
            "have one"
        ),
    )

    def check(self) -> None:
        if (self.n_features is None) == (self.tolerance is None):
            raise self.place().says("expected either n_features or tolerance")


def kept_features() -> Any:
    """The setting of terms and factors that asks for it."""
    return setting(
        None, Nested(FeatureSelection, help="which features are kept, eq. (5g); all without it")
    )


def check_one_selection(settings: Any, why: str) -> None:
    """Raise SettingError when the settings, with a feature_selection, ask for one per species."""
    if settings.feature_selection is not None and settings.feature_selection.per_species:
        place = settings.place().at("feature_selection")
        raise place.says(f"found per_species = true, expected false {why}")
