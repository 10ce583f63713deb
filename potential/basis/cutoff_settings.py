# SPDX-License-Identifier: BSD-3-Clause
"""Settings of a cutoff function, shared by all kinds of terms that have one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from potential.basis.cutoff import CUTOFF_FUNCTIONS, SMOOTH, CutoffFunction
from potential.schema import Choice, Number, Settings, setting
from potential.schema.limits import LEAST_WIDTH, MOST_CUTOFF


def cutoff_width(default: float | None) -> Any:
    return setting(
        default,
        Number(
            least=LEAST_WIDTH,
            unit="Å",
            limit="≤ `cutoff`",
            help="Δ: over this width neighbours fade out, eq. (1a)"
            + ("; none: half of `cutoff`" if default is None else ""),
        ),
    )


@dataclass(frozen=True)
class CutoffSettings(Settings):
    """Where and how neighbours fade out (docs/theory.md eq. 1a); lengths in Å."""

    cutoff: float = setting(
        6.0, Number(above=0, most=MOST_CUTOFF, unit="Å", help="$r_c$, eq. (1a)")
    )
    cutoff_width: float | None = cutoff_width(None)
    cutoff_function: str = setting(
        SMOOTH, Choice(CUTOFF_FUNCTIONS, help="how they fade out, eq. (1a)")
    )

    def f_c(self) -> CutoffFunction:
        """The cutoff function."""
        width = 0.5 * self.cutoff if self.cutoff_width is None else self.cutoff_width
        return CutoffFunction(self.cutoff, width, self.cutoff_function)

    def check(self) -> None:
        if self.f_c().width > self.cutoff:
            raise self.error("cutoff_width", f"at most cutoff = {self.cutoff:g} Å")
        if self.f_c().width < LEAST_WIDTH:
            raise self.error("cutoff", f"at least {2 * LEAST_WIDTH:g} Å")
