# SPDX-License-Identifier: BSD-3-Clause
"""Channels of QUIP's soap that are mixed at random, or by groups of elements (docs/gap.md).

The weights of a mixture are in no file: QUIP draws them anew from its own generator, whose seeds
follow from the elements. They are drawn here likewise.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from potential.errors import SoapGprError
from potential.gap.soap.channels import Channels

MODULUS, MULTIPLIER, DISCARDED = 2**31 - 1, 16807, 100


class _Normal:
    """Normal numbers by the polar method from the generator of Park and Miller (1988).

    Of each pair of numbers QUIP uses the first.
    """

    def __init__(self, seed: int):
        self.state = seed
        if seed % MODULUS == 0:
            raise SoapGprError(f"found a mixture with the seed {seed}, which gives no numbers")
        for _ in range(DISCARDED):
            self._uniform()

    def _uniform(self) -> float:
        self.state = self.state * MULTIPLIER % MODULUS
        return self.state / MODULUS

    def __call__(self) -> float:
        while True:
            first, second = 2 * self._uniform() - 1, 2 * self._uniform() - 1
            square = first**2 + second**2
            if 0 < square <= 1:
                return float(first * np.sqrt(-2 * np.log(square) / square))

    def array(self, *shape: int) -> np.ndarray:
        return np.array([self() for _ in range(int(np.prod(shape)))]).reshape(shape)


def mixed(
    species: Sequence[int],
    n_max: int,
    K: int,
    radial: bool,
    elements: bool,
    symmetric: bool,
    coupled: bool,
    shift: int,
) -> Channels:
    """For R_mix (radial), Z_mix (elements), sym_mix, coupling, mix_shift."""
    W = [
        _weights(species, n_max, K, radial, elements, shift + 200 * (j + 1))
        for j in range(1 if symmetric else 2)
    ]
    size = W[0].shape[2]
    if coupled:
        return _all_products(W)
    if radial and elements:
        blocks = [[k] for k in range(K)]
    elif elements:
        blocks = [list(range(k * n_max, (k + 1) * n_max)) for k in range(K)]
    else:
        blocks = [list(range(k, size, K)) for k in range(K)]
    pairs = [
        [
            (first, second)
            for i, first in enumerate(block)
            for second in (block[: i + 1] if symmetric else block)
        ]
        for block in blocks
    ]
    # of the pairs of species, QUIP's k runs faster
    by_block = radial != elements and radial
    ordered = zip(*pairs, strict=True) if by_block else pairs
    first, second = np.array([pair for part in ordered for pair in part]).T
    # QUIP's √2 is of single precision here, and absent where the contractions differ
    factor = np.where(first == second, 1.0, float(np.float32(np.sqrt(2.0))) / np.sqrt(2.0))
    if not symmetric:
        return Channels(
            np.concatenate(W, axis=2), first, second + size, np.full(len(first), np.sqrt(0.5))
        )
    return Channels(W[0], first, second, factor)


def _weights(species, n_max, K, radial, elements, shift) -> np.ndarray:
    """(n_species, n_max, Q) of one contraction."""
    if not elements:
        drawn = _Normal(n_max + shift).array(n_max, K)
        return np.einsum("nk,st->sntk", drawn, np.eye(len(species))).reshape(
            len(species), n_max, -1
        )
    if radial:
        return np.stack([_Normal(z + shift).array(n_max, K) for z in species])
    drawn = np.stack([_Normal(z + shift).array(K) for z in species])
    return np.einsum("sk,nm->snkm", drawn, np.eye(n_max)).reshape(len(species), n_max, -1)


def grouped(species: Sequence[int], n_max: int, text: str, where: str) -> Channels:
    """For Z_map: ``8, 23 41 42``, the elements of a group alike; a second map after a colon."""
    maps = text.split(":")
    if len(maps) > 2:
        raise SoapGprError(f"{where}: found more than two maps in Z_map={text}")
    W = []
    for own in maps:
        try:
            groups = [[int(z) for z in group.split()] for group in own.split(",")]
        except ValueError:
            raise SoapGprError(f"{where}: found Z_map={text}, expected atomic numbers") from None
        in_group = np.array([[float(z in group) for group in groups] for z in species])
        W.append(np.einsum("sg,nm->sngm", in_group, np.eye(n_max)).reshape(len(species), n_max, -1))
    return _all_products(W)


def _all_products(W: Sequence[np.ndarray]) -> Channels:
    """All pairs of two contractions, or each once of a single one."""
    if len(W) == 1:
        first, second = np.tril_indices(W[0].shape[2])
        return Channels(W[0], first, second, np.ones(len(first)))
    first, second = np.indices((W[0].shape[2], W[1].shape[2])).reshape(2, -1)
    return Channels(
        np.concatenate(W, axis=2),
        first,
        second + W[0].shape[2],
        np.full(len(first), np.sqrt(0.5)),  # different channels, so that eq. (5) has a √2
    )
