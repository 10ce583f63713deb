# SPDX-License-Identifier: BSD-3-Clause
"""Power spectra of alchemical densities, and derivatives by the map in reverse mode."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from potential.optimization.densities import Densities, blocks

# From derivatives of a number by what a function returned to those by its argument.
PullBack = Callable[[np.ndarray], np.ndarray]


def alchemical_features(
    own: Densities, u: np.ndarray, normalize: bool = True
) -> tuple[np.ndarray, PullBack]:
    """p (n_environments, n_features) of the densities contracted by u (n_species, d_J), and how
    derivatives by p become those by u.

    docs/theory.md eq. (5) with channels q = (J, n), n within J; of unit length, eq. (6), if wanted.
    """
    c = own.contract(u)
    parts = [_power_spectrum(c[:, :, place], l) for l, place in blocks(own.n_radial)]
    p = np.concatenate([part for part, _ in parts], axis=1)
    ends = np.cumsum([part.shape[1] for part, _ in parts])[:-1]

    def to_map(dp: np.ndarray) -> np.ndarray:
        of_l = np.split(dp, ends, axis=1)
        dc = [pull(d) for (_, pull), d in zip(parts, of_l, strict=True)]
        return own.pull_back(np.concatenate(dc, axis=2))

    if not normalize:
        return p, to_map
    p_hat, to_p = unit(p)
    return p_hat, lambda d: to_map(to_p(d))


def _power_spectrum(c: np.ndarray, l: int) -> tuple[np.ndarray, PullBack]:
    """p^l_qq' (N, n_pairs) of coefficients (N, d_J, (2l + 1) n)."""
    N, d = c.shape[:2]
    split = c.reshape(N, d, 2 * l + 1, -1).transpose(0, 2, 1, 3)
    c_mq = split.reshape(N, 2 * l + 1, -1)
    q, other = np.triu_indices(c_mq.shape[2])
    scale = np.where(q == other, 1.0, np.sqrt(2.0)) / np.sqrt(2 * l + 1)
    p = (c_mq.transpose(0, 2, 1) @ c_mq)[:, q, other] * scale

    def pull_back(dp: np.ndarray) -> np.ndarray:
        products = np.zeros((N, c_mq.shape[2], c_mq.shape[2]))
        products[:, q, other] = dp * scale
        products += products.transpose(0, 2, 1)
        return (c_mq @ products).reshape(split.shape).transpose(0, 2, 1, 3).reshape(c.shape)

    return p, pull_back


def unit(p: np.ndarray) -> tuple[np.ndarray, PullBack]:
    """p̂ = p / |p|; 0 stays 0."""
    length = np.linalg.norm(p, axis=1, keepdims=True)
    inverse = np.divide(1.0, length, out=np.zeros_like(length), where=length > 0)
    p_hat = p * inverse

    def pull_back(d: np.ndarray) -> np.ndarray:
        return (d - p_hat * np.sum(p_hat * d, axis=1, keepdims=True)) * inverse

    return p_hat, pull_back
