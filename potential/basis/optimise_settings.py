# SPDX-License-Identifier: BSD-3-Clause
"""Settings of the optimisation of an alchemical map or a contraction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from potential.schema import Choice, Flag, Integer, Number, Settings, setting
from potential.schema.limits import MOST_SEED
from potential.schema.values import whole

MARGINAL_LIKELIHOOD, LEAVE_ONE_OUT = "marginal_likelihood", "leave_one_out"
# Chosen on the alloys of benchmarks/papers/figure_1.py.
PENALTY = {MARGINAL_LIKELIHOOD: 50.0, LEAVE_ONE_OUT: 0.1}
# What is wrong with ``optimise`` where there are no energies.
NEEDS_A_FIT = "found a table that is fitted to energies, expected one only in a soap term of a fit"


@dataclass(frozen=True)
class OptimiseSettings(Settings):
    """How a map or a contraction is fitted to energies before the model is, docs/theory.md
    eq. (13m) to (13s)."""

    table: ClassVar[str] = "optimise"

    loss: str = setting(
        MARGINAL_LIKELIHOOD,
        Choice((MARGINAL_LIKELIHOOD, LEAVE_ONE_OUT), help="what is minimised, eq. (13o) or (13n)"),
    )
    n_structures: int = setting(
        200, Integer(3, 100_000, help="structures with energies that it is fitted to, at random")
    )
    apart: bool | None = setting(
        None,
        Flag(
            help="whether the model then learns from others alone; none: where the training set "
            "has five times as many",
        ),
    )
    penalty: float | None = setting(
        None,
        Number(
            least=0,
            most=1e12,
            help="λ of eq. (13p), (13s) on leaving the start; none: "
            + ", ".join(f"{value:g} with `{name}`" for name, value in PENALTY.items()),
        ),
    )
    steps: int = setting(100, Integer(1, 100_000, help="of L-BFGS, at most"))
    zeta: float | None = setting(
        None,
        Number(least=1, most=32, kept=whole, help="ζ of its kernel; none: that of the term"),
    )
    seed: int = setting(0, Integer(0, MOST_SEED, help="of the choice of structures"))
