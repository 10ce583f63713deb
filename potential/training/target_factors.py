# SPDX-License-Identifier: BSD-3-Clause
"""Triangular factors of the rows of [[targets]] as the labels are: other means, scales and noise,
and other fits to some of the rows, need no rows again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from potential.training.regression import StreamingQR
from potential.training.target_groups import Group, Rows
from potential.training.target_priors import Prior

Key = tuple[int, int]  # the place of a group, and the species of atoms, which sets their noise


class TargetFactors:
    """One triangle R of [K C y] (``Rows``) for each group and, of atoms, each of its species."""

    def __init__(self, groups: Sequence[Group]):
        self.groups = groups
        self.streams: dict[Key, StreamingQR] = {}

    def add(self, found: Sequence[Rows]) -> None:
        """Take in the rows of one structure, those of each group."""
        for g, rows in enumerate(found):
            for a in np.unique(rows.species).tolist():
                own = rows.species == a
                if (g, a) not in self.streams:
                    self.streams[g, a] = StreamingQR(width(self.groups[g]))
                columns = np.concatenate([rows.K[own], rows.C[own]], axis=1)
                self.streams[g, a].add(columns, rows.y[own])

    def triangle(self, g: int, prior: Prior) -> np.ndarray:
        """R (M + 1, M + 1) of a group for this prior, as ``Group.weighted`` rows give it."""
        own = ((a, qr.triangle()) for (k, a), qr in sorted(self.streams.items()) if k == g)
        return collapsed(self.groups[g], own, prior)


def width(group: Group) -> int:
    """Columns of [K C]."""
    return group.n_weights + group.n_species


def collapsed(
    group: Group, triangles: Iterable[tuple[int, np.ndarray]], prior: Prior
) -> np.ndarray:
    """R (M + 1, M + 1) of the weighted rows of a group from triangles of [K C y] by species."""
    qr = StreamingQR(group.n_weights)
    for a, R in triangles:
        qr.add(*group.weighted(as_rows(group, a, R), prior))
    return qr.finish()


def as_rows(group: Group, a: int, R: np.ndarray) -> Rows:
    """A triangle of [K C y] stands for the rows that it is made of."""
    M = group.n_weights
    return Rows(R[:, :M], R[:, M:-1], R[:, -1], np.full(len(R), a))
