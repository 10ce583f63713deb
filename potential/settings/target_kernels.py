# SPDX-License-Identifier: BSD-3-Clause
"""kernel of a [[targets]] entry: a regression with a kernel between structures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from potential.schema import Choice, Flag, Integer, Number, Place, Settings, setting
from potential.schema.limits import MOST_SPARSE
from potential.schema.values import whole

MEAN, SUM, FEATURES, REMATCH = "mean", "sum", "features", "rematch"
POOLINGS = (MEAN, SUM, FEATURES, REMATCH)  # of structure_kernel
DENSITY, SPECTRA = "density", ("power_spectrum", "radial_spectrum")  # and what it is made of
GAMMA = 0.1
N_STRUCTURES = 1000


@dataclass(frozen=True)
class TargetKernelSettings(Settings):
    """kernel of one [[targets]] entry, with the names of ``structure_kernel``."""

    table: ClassVar[str] = "kernel"
    source: ClassVar[str] = Place.source

    pooling: str = setting(
        MEAN,
        Choice(
            (*POOLINGS, DENSITY),
            help="how the kernels of environments make one of structures, eq. (7c), (24), (24c), "
            '(24a); `"sum"` is for what is extensive',
        ),
    )
    gamma: float | None = setting(
        None,
        Number(
            least=1e-6,
            most=1e6,
            help=f'how much `"rematch"` smooths, eq. (24c); none: {GAMMA:g}',
        ),
    )
    normalize: bool = setting(
        False, Flag(help="whether the kernel of a structure with itself is 1, eq. (24e)")
    )
    zeta: float | None = setting(
        None,
        Number(
            least=1,
            most=32,
            kept=whole,
            help="power ζ of the kernel of environments; none: that of the term",
        ),
    )
    n_structures: int | None = setting(
        None,
        Integer(
            1,
            MOST_SPARSE,
            help="sparse structures, the farthest from each other in the kernel; none: all, and at "
            f"most {N_STRUCTURES}",
        ),
    )

    def check(self) -> None:
        if self.gamma is not None and self.pooling != REMATCH:
            raise self.error("gamma", f'nothing without pooling = "{REMATCH}"')

    @property
    def smoothing(self) -> float:
        """γ of eq. (24c)."""
        return GAMMA if self.gamma is None else self.gamma
