# SPDX-License-Identifier: BSD-3-Clause
"""Pairs of density channels that couple to λ (docs/theory.md eq. 26)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from potential.tensors.spherical import Part


def products(n_channels: Sequence[int], part: Part) -> np.ndarray:
    """All (l, q, l', q') with (l, q) <= (l', q') (n, 4) that couple to a part; n_channels: Q_l of
    each l. In ascending order."""
    found = [
        _of_pair(first, second, n_channels, part)
        for first in range(len(n_channels))
        for second in range(first, min(first + part.lam, len(n_channels) - 1) + 1)
        if part.lam <= first + second and (-1) ** (first + second + part.lam) == part.sigma
    ]
    return np.concatenate([np.zeros((0, 4), dtype=np.int64), *found])


def _of_pair(first: int, second: int, n_channels: Sequence[int], part: Part) -> np.ndarray:
    q1, q2 = np.divmod(np.arange(n_channels[first] * n_channels[second]), n_channels[second])
    if first == second:  # where q = q' a pseudo-tensor is zero
        kept = q1 <= q2 if part.sigma > 0 else q1 < q2
        q1, q2 = q1[kept], q2[kept]
    constant = np.ones_like(q1)
    return np.stack([first * constant, q1, second * constant, q2], axis=1).astype(np.int64)
