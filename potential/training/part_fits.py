# SPDX-License-Identifier: BSD-3-Clause
"""Fits of targets to some of the blocks of structures, for their measures and for calibration
(docs/theory.md eq. 25n, 25p, 25q)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from potential.settings import UncertaintySettings
from potential.training.regression import Triangle
from potential.uncertainty.committee import drawn
from potential.uncertainty.whitened import WhitenedBlocks


@dataclass(frozen=True)
class PartFits:
    """Those of one regression."""

    members: np.ndarray  # (2 C, n_weights), as ``drawn`` has them
    without: np.ndarray  # (n_blocks, n_weights) of all blocks but one
    # With variances: T of all blocks but one, by which |a T|² is the posterior variance of the row
    # a, and R of the full fit, of which the weights are in their scales.
    T: Sequence[np.ndarray] = ()
    R: np.ndarray | None = None

    @classmethod
    def solved(
        cls,
        triangle: Triangle,
        U: np.ndarray,
        s: np.ndarray,
        own: UncertaintySettings,
        variance: bool,
    ) -> PartFits:
        """triangle: that of the full problem with its prior, and those of the blocks, which are
        used up; U (n_weights, n_weights): that of the prior; s (n_weights,) scales of the weights.
        Raises SoapGprError where one of the fits is singular."""
        n_blocks, M = len(triangle.blocks), len(U)
        has = members_of(own, n_blocks)
        if M == 0:
            nothing = [np.zeros((0, 0))] * n_blocks
            return cls(np.zeros((len(has), 0)), np.zeros((n_blocks, 0)), nothing, nothing[0])
        whitened = WhitenedBlocks(triangle.R, U, triangle.blocks)
        members = whitened.committee([np.flatnonzero(row) for row in has]).reshape(-1, M)
        without = [whitened.without(b, inverse=variance) for b in range(n_blocks)]
        T = [s[:, None] * T for _, T in without if T is not None]
        R = triangle.R[:M, :M] if variance else None
        return cls(s * members, s * np.array([w for w, _ in without]), T, R)


def members_of(own: UncertaintySettings, n_blocks: int) -> np.ndarray:
    """As ``drawn``; none without a committee."""
    if own.committee == 0:
        return np.zeros((0, n_blocks), dtype=bool)
    return drawn(n_blocks, own.committee, own.seed)
