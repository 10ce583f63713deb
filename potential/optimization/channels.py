# SPDX-License-Identifier: BSD-3-Clause
"""Densities of environments whose channels of each l a contraction mixes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from potential.model import Model
from potential.optimization.mixing import Mixing, Room
from potential.optimization.reverse import PullBack
from potential.runtime.progress import Progress, silent
from potential.structures.structure import Structure
from potential.terms.features import density_coefficients


@dataclass(frozen=True, eq=False)
class ChannelDensities(Mixing):
    """Coefficients c^l_qm of environments, docs/theory.md eq. (3).

    The table (Σ_l K_l, max_l Q_l) has the rows of V^l of eq. (2i), one l after the other, and zeros
    beyond Q_l: ``as_table`` and ``matrices``.

    values     (n_environments, 2l + 1, Q_l), list over l
    n_kept     K_l, list over l
    kappa      κ_c (n_species, n_species) of alchemical centres, which the table does not change
    """

    KEY: ClassVar[str] = "contraction"
    NAME: ClassVar[str] = "contraction"

    values: list[np.ndarray]
    n_kept: list[int]
    center: np.ndarray
    structure: np.ndarray
    n_species: int
    kappa: np.ndarray

    def mixed(self, table: np.ndarray) -> list[np.ndarray]:
        return [c @ V.T for c, V in zip(self.values, self.matrices(table), strict=True)]

    def pull_back(self, dc: Sequence[np.ndarray]) -> np.ndarray:
        own = zip(dc, self.values, strict=True)
        return as_table([np.tensordot(d, c, axes=((0, 1), (0, 1))) for d, c in own])

    def coupling(self, table: np.ndarray) -> tuple[np.ndarray, PullBack]:
        return self.kappa, lambda d: np.zeros_like(table)

    def matrices(self, table: np.ndarray) -> list[np.ndarray]:
        """V^l (K_l, Q_l), list over l."""
        rows = np.split(table, np.cumsum(self.n_kept)[:-1])
        return [own[:, : c.shape[2]] for own, c in zip(rows, self.values, strict=True)]


def as_table(matrices: Sequence[np.ndarray]) -> np.ndarray:
    """The table of ``ChannelDensities`` that holds V^l (K_l, Q_l), list over l."""
    width = max(V.shape[1] for V in matrices)
    return np.concatenate([np.pad(V, ((0, 0), (0, width - V.shape[1]))) for V in matrices])


def channel_densities_of(
    model: Model,
    term: int,
    structures: Sequence[Structure],
    n_kept: Sequence[int],
    kappa: np.ndarray | None = None,
    progress: Progress = silent,
) -> ChannelDensities:
    """Those of all atoms of the structures, by a soap term; K_l = n_kept.

    kappa: κ_c of ``centers`` that are alchemical. Raises SoapGprError when there is not the memory.
    """
    sizes = model.terms[term]["n_channels"]
    room, values = Room(len(structures)), []
    for structure in progress(structures, "densities"):
        values.append(density_coefficients(model, term, structure))
        room.take(values[-1])
    ends = np.cumsum([(2 * l + 1) * Q for l, Q in enumerate(sizes)])[:-1]
    of_l = np.split(np.concatenate(values), ends, axis=1)
    numbers = np.concatenate([s.numbers for s in structures])
    return ChannelDensities(
        values=[c.reshape(len(c), -1, Q) for c, Q in zip(of_l, sizes, strict=True)],
        n_kept=list(n_kept),
        center=np.searchsorted(model.species, numbers),
        structure=np.repeat(np.arange(len(structures)), [len(s) for s in structures]),
        n_species=len(model.species),
        kappa=np.eye(len(model.species)) if kappa is None else kappa,
    )
