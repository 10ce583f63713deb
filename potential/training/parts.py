# SPDX-License-Identifier: BSD-3-Clause
"""The rows of a fit in parts: by labels that share a noise level to be found, and by block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from potential.training.regression import Triangle, compact, merge


@dataclass(frozen=True)
class Parts:
    """Triangles of [A y], first those of labels whose levels are given, then those of each group of
    labels, over the level that its search begins with.

    Those of all ranks are on the first; ``n_rows`` are so everywhere.
    """

    triangles: list[list[np.ndarray]]  # (1 + n_groups)(n_blocks), each (M + 1, M + 1)
    n_rows: list[int]  # (1 + n_groups,)
    by_block: bool = False
    warnings: list[str] = field(default_factory=list)

    def of(self, k: int) -> np.ndarray:
        """The factor (n, M + 1) of the rows of all blocks, without rows of zeros."""
        R, *others = self.triangles[k]
        if others:
            R = R.copy(order="F")
            for own in others:
                merge(R, own.copy(order="F"))
        return compact(R)

    def triangle(self, scales: Sequence[float] = (), delta: float = 1.0) -> Triangle:
        """The triangle of all rows, with each group's level times its scale, and those of the
        blocks, for a prior whose δ are times a factor (docs/theory.md eq. 28c). The parts are used
        up."""
        blocks = self.triangles[0]
        for of_group, scale in zip(self.triangles[1:], scales, strict=True):
            for R, own in zip(blocks, of_group, strict=True):
                own /= scale
                merge(R, own)
        if delta != 1.0:
            for R in blocks:
                R *= delta
        if self.by_block:
            whole = Triangle.of_blocks(blocks, sum(self.n_rows))
        else:
            whole = Triangle(blocks[0], sum(self.n_rows))
        return replace(whole, warnings=self.warnings)
