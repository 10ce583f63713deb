# SPDX-License-Identifier: BSD-3-Clause
"""Power spectra of mixed densities, and derivatives by the table that mixes in reverse mode."""

from __future__ import annotations

import numpy as np

from potential.optimization.mixing import Mixing
from potential.optimization.reverse import PullBack, unit


def power_spectra(
    own: Mixing, table: np.ndarray, normalize: bool = True
) -> tuple[np.ndarray, PullBack]:
    """p (n_environments, n_features) of the densities mixed by a table, and how derivatives by p
    become those by the table.

    docs/theory.md eq. (5); of unit length, eq. (6), if wanted.
    """
    parts = [_power_spectrum(c, l) for l, c in enumerate(own.mixed(table))]
    p = np.concatenate([part for part, _ in parts], axis=1)
    ends = np.cumsum([part.shape[1] for part, _ in parts])[:-1]

    def to_table(dp: np.ndarray) -> np.ndarray:
        of_l = np.split(dp, ends, axis=1)
        return own.pull_back([pull(d) for (_, pull), d in zip(parts, of_l, strict=True)])

    if not normalize:
        return p, to_table
    p_hat, to_p = unit(p)
    return p_hat, lambda d: to_table(to_p(d))


def _power_spectrum(c: np.ndarray, l: int) -> tuple[np.ndarray, PullBack]:
    """p^l_qq' (N, n_pairs) of coefficients (N, 2l + 1, Q)."""
    N, _, Q = c.shape
    q, other = np.triu_indices(Q)
    scale = np.where(q == other, 1.0, np.sqrt(2.0)) / np.sqrt(2 * l + 1)
    p = (c.transpose(0, 2, 1) @ c)[:, q, other] * scale

    def pull_back(dp: np.ndarray) -> np.ndarray:
        products = np.zeros((N, Q, Q))
        products[:, q, other] = dp * scale
        products += products.transpose(0, 2, 1)
        return c @ products

    return p, pull_back
