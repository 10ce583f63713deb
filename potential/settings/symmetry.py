# SPDX-License-Identifier: BSD-3-Clause
"""Settings of terms of Behler-Parrinello symmetry functions (docs/theory.md eq. 5k to 5n)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from potential.schema import Choice, Flag, Items, Number, Row, setting
from potential.schema.limits import MOST_CUTOFF
from potential.schema.values import whole
from potential.settings.terms import KernelTermSettings, TermSettings, term_cutoff, term_kind

SCALINGS = ("std", "none")
MOST_ETA = 1e4

_ETA = Number(least=0, most=MOST_ETA, noun="η in 1/Å²")
_ANGULAR = Row(
    {
        "η": _ETA,
        "ζ": Number(least=1, most=1024, kept=whole, noun="ζ"),
        "λ": Number(least=-1, most=1, noun="λ"),
    }
)
_STANDARD = "; where no list is given, those of eq. (5o)"


@dataclass(frozen=True)
class SymmetryTermSettings(KernelTermSettings, TermSettings):
    """One [[terms]] entry of kind "acsf"; lengths in Å, η in 1/Å², delta in eV."""

    decisive: ClassVar[str] = "cutoff, functions, feature_scaling, feature_selection"

    kind: str = term_kind("acsf")
    cutoff: float = term_cutoff(5.0, "$r_c$ of the cutoff function, a cosine over all of it")
    g1: bool = setting(False, Flag(help="the sum of the cutoff function, eq. (5k)"))
    g2: tuple[tuple[float, float], ...] = setting(
        (),
        Items(
            Row({"η": _ETA, "r_s": Number(least=0, most=MOST_CUTOFF, noun="r_s in Å")}),
            unit="1/Å², Å",
            help="radial functions, eq. (5k)" + _STANDARD,
        ),
    )
    g3: tuple[float, ...] = setting(
        (),
        Items(
            Number(least=0, most=1e3, noun="κ in 1/Å"),
            unit="1/Å",
            help="κ of damped cosines, eq. (5l)",
        ),
    )
    g4: tuple[tuple[float, float, float], ...] = setting(
        (), Items(_ANGULAR, unit="1/Å²", help="angular functions with $r_{jk}$, eq. (5n)")
    )
    g5: tuple[tuple[float, float, float], ...] = setting(
        (),
        Items(
            _ANGULAR, unit="1/Å²", help="angular functions without $r_{jk}$, eq. (5m)" + _STANDARD
        ),
    )
    feature_scaling: str = setting(
        "none",
        Choice(
            SCALINGS,
            help='`"none"`: functions count as they are; `"std"`: divided by their standard '
            "deviations in the training structures",
        ),
    )

    def functions(self) -> dict[str, Any]:
        """g1 to g5 as they are used: where no list is given, those of eq. (5o)."""
        own = {"g1": self.g1, "g2": self.g2, "g3": self.g3, "g4": self.g4, "g5": self.g5}
        return own if any(own.values()) else own | standard_functions(self.cutoff)


def standard_functions(cutoff: float) -> dict[str, tuple[tuple[float, ...], ...]]:
    """g2 and g5 for a cutoff in Å (docs/theory.md eq. 5o)."""
    n = 10
    spacing = cutoff / (n + 1)
    g2 = tuple((0.5 / spacing**2, k * spacing) for k in range(2, n + 1))
    etas = [x / cutoff**2 for x in (1.0, 4.0, 16.0)]
    g5 = tuple(
        (eta, zeta, lambda_) for eta in etas for zeta in (1, 4, 16) for lambda_ in (-1.0, 1.0)
    )
    return {"g2": g2, "g5": g5}
