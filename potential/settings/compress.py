# SPDX-License-Identifier: BSD-3-Clause
"""[compress] of fit.toml: a fit whose model takes fewer dimensions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from potential.schema import Flag, Integer, Number, Settings, setting

# Of a target, over its spread about the means of species.
TARGET_TOLERANCE = 1e-4


@dataclass(frozen=True)
class CompressSettings(Settings):
    """[compress]: by how much the predictions of a fitted model may change, in eV/Å and over the
    spread of targets, and the number of structures on which that is measured."""

    table: ClassVar[str] = "compress"

    force: float = setting(
        5e-4,
        Number(
            least=1e-15,
            most=1e6,
            unit="eV/Å",
            help="largest change of a force component on the structures",
        ),
    )
    targets: float | None = setting(
        None,
        Number(
            least=1e-15,
            most=1e6,
            help="with `[[targets]]`: largest change of a value over the spread of the values "
            f"about the means of species; none: {TARGET_TOLERANCE:g}",
        ),
    )
    structures: int = setting(
        50,
        Integer(
            1,
            10**6,
            help="training structures, at most, on which changes are measured, spread over their "
            "config_types",
        ),
    )
    refit: bool = setting(
        False,
        Flag(
            help="whether the weights of the potential are then fitted again in the fewer "
            "dimensions, by a second pass over the training structures"
        ),
    )

    @property
    def target_tolerance(self) -> float:
        """Of every target, over its spread."""
        return TARGET_TOLERANCE if self.targets is None else self.targets
