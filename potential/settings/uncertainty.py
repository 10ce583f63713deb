# SPDX-License-Identifier: BSD-3-Clause
"""[uncertainty] of fit.toml: which measures of uncertainty a model has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from potential.schema import Choice, Flag, Integer, Settings, setting
from potential.schema.limits import MOST_SEED

LEAST_MEMBERS = 4  # of a committee, of which half must still have a spread
BLOCKS = ("structure", "config_type")
BY_CONFIG_TYPE = "config_type"
USUAL_BLOCKS = 16
FOLDS = 5  # blocks that the number of sparse points is found with


@dataclass(frozen=True)
class Dealing:
    """How structures are dealt to blocks, and the key that asks for it."""

    key: str
    blocks: str = BLOCKS[0]
    n_blocks: int | None = None  # or by the number of structures, at most ``usual``
    usual: int = USUAL_BLOCKS

    @property
    def most_blocks(self) -> int:
        return self.n_blocks or self.usual


@dataclass(frozen=True)
class UncertaintySettings(Settings):
    """[uncertainty]: a committee, the variance of the Gaussian process, or both; blocks of
    structures that members and calibration leave out together."""

    table: ClassVar[str] = "uncertainty"

    committee: int = setting(
        0,
        Integer(
            0,
            256,
            limit="0, or from 4 on",
            help="members, each fitted to half of the blocks, of energies and forces and of "
            "`[[targets]]`; 0: no committee",
        ),
    )
    variance: bool = setting(
        True,
        Flag(
            help="whether the model and its `[[targets]]` have variances and rigidities; the file "
            "then holds matrices of (sparse points)², and R as with `keep_factor`"
        ),
    )
    blocks: str = setting(
        "structure",
        Choice(
            BLOCKS,
            help="what stays together in a block: structures go one by one, or those of a "
            "config_type all together",
        ),
    )
    n_blocks: int | None = setting(
        None,
        Integer(
            4,
            256,
            limit="≤ structures (or config_types)",
            help="blocks; none: 16, or as many as there are structures (config_types) if these are "
            "fewer",
        ),
    )
    calibration: int = setting(
        200,
        Integer(
            4,
            10**6,
            help="training structures, at most, on which scales are found, each by the fit without "
            "its block; as many test structures are compared",
        ),
    )
    seed: int = setting(0, Integer(0, MOST_SEED, help="of the halves of the members"))

    @property
    def dealing(self) -> Dealing:
        return Dealing("[uncertainty] n_blocks", self.blocks, self.n_blocks)

    def check(self) -> None:
        if 0 < self.committee < LEAST_MEMBERS:
            raise self.error("committee", f"0, or {LEAST_MEMBERS} members at least")
        if not self.committee and not self.variance:
            raise self.place().says(
                "found neither a committee nor variance = true, expected one of them, or no table"
            )
