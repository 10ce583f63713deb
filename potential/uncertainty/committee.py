# SPDX-License-Identifier: BSD-3-Clause
"""Committees: fits to halves of the blocks of structures, as deviations from the full fit
(docs/theory.md eq. 25, 25a, 25c)."""

from __future__ import annotations

import numpy as np

from potential.terms import TrainingModel

_SWAPS = 20  # tried for each member and block


def halves(n_blocks: int, n_members: int, seed: int | np.random.SeedSequence) -> np.ndarray:
    """(n_members, n_blocks) whether a member has a block: each has half of them and each is in half
    of the members, as far as numbers allow, at random beyond that (docs/theory.md eq. 25a)."""
    rng = np.random.default_rng(seed)
    # a chessboard, and swaps that keep the sums of rows and columns
    has = (np.arange(n_members)[:, None] + np.arange(n_blocks)) % 2 == 0
    n = _SWAPS * has.size
    members, blocks = rng.integers(n_members, size=(n, 2)), rng.integers(n_blocks, size=(n, 2))
    for (c, d), (a, b) in zip(members.tolist(), blocks.tolist(), strict=True):
        if has[c, a] and has[d, b] and not has[c, b] and not has[d, a]:
            has[c, a] = has[d, b] = False
            has[c, b] = has[d, a] = True
    return has


def drawn(n_blocks: int, n_members: int, seed: int) -> np.ndarray:
    """(2 n_members, n_blocks) the halves of the members, and of as many more: half of them all have
    not seen a block, so that scales are found on spreads over as many members as the model has."""
    seeds = np.random.SeedSequence(seed).spawn(2)
    return np.concatenate([halves(n_blocks, n_members, own) for own in seeds])


def deviations(weights: np.ndarray) -> np.ndarray:
    """d_c (n_members, M) of members' weights: the mean of the members is then the full fit."""
    return weights - weights.mean(axis=0)


def member_arrays(model: TrainingModel, deviations: np.ndarray) -> dict[str, np.ndarray]:
    """Arrays of the model file (docs/model_file.md): weights of sparse environments, and the tables
    of functions of pairs and triplets, of each member."""
    arrays, begin = dict[str, np.ndarray](), 0
    for term in model.own_terms:
        own = deviations[:, begin : begin + term.n_weights]
        begin += term.n_weights
        made = [term.evaluated_arrays(row) for row in own]
        for name in made[0]:
            arrays[f"members.term{term.index}.{name}"] = np.stack([one[name] for one in made])
    return arrays
