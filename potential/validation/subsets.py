# SPDX-License-Identifier: BSD-3-Clause
"""Random nested subsets of the training structures, and the errors of fits to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from potential.runtime.progress import Progress
from potential.scores.metrics import ErrorStatistics
from potential.validation.row_store import Prepared

STATISTICS = ("rmse", "mae")
Key = tuple[int, int]  # place of the size, repeat


@dataclass(frozen=True)
class Subset:
    """Training structures by their places; within a repeat each subset holds the smaller ones."""

    key: Key
    added: list[int]  # those that the smaller one has not
    taken: list[int]  # all

    @property
    def is_first(self) -> bool:
        """Whether no smaller one comes before."""
        return self.key[0] == 0


def subsets(
    prepared: Prepared, sizes: Sequence[int], repeats: int, seed: int, progress: Progress
) -> Iterator[Subset]:
    """Those of every size and repeat, all with the isolated atoms; the whole set once."""
    isolated = [k for k, s in enumerate(prepared.train) if s.is_isolated_atom]
    free = [k for k, s in enumerate(prepared.train) if not s.is_isolated_atom]
    for repeat in progress(range(repeats), "fits"):
        order = np.random.default_rng([seed, repeat]).permutation(free).tolist()
        taken = list[int]()
        for s, size in enumerate(sizes):
            if repeat and size == len(free):
                continue
            added = order[len(taken) - len(isolated) : size] if taken else isolated + order[:size]
            taken = taken + added
            yield Subset((s, repeat), added, taken)


def filled(shape: Key, found: Mapping[Key, ErrorStatistics]) -> dict[str, np.ndarray]:
    """STATISTICS of fits as arrays (n_sizes, repeats), nan where there is none."""
    arrays = {name: np.full(shape, np.nan) for name in STATISTICS}
    for key, own in found.items():
        for name, array in arrays.items():
            array[key] = getattr(own, name)
    return arrays
