# SPDX-License-Identifier: BSD-3-Clause
"""Densities of environments by the species of the neighbours, without those that are not there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.sparse import csr_array

from potential.model import Model
from potential.optimization.mixing import Mixing, Room
from potential.optimization.reverse import PullBack, unit
from potential.runtime.progress import Progress, silent
from potential.structures.structure import Structure
from potential.terms.features import density_coefficients

BLOCK = 4096  # rows of values in flight


@dataclass(frozen=True, eq=False)
class Densities(Mixing):
    """Coefficients c^a_nlm of environments, docs/theory.md eq. (1c): a row of ``values`` for each
    environment and each species that is in it, few of all where structures are of few species.
    The table is an alchemical map u (n_species, d_J), eq. (3d).

    values     (n_rows, Σ_l (2l + 1) n_l): one l after the other, then m, then n
    species    (n_rows,) index a of each row
    offset     (n_environments + 1,): the rows of an environment are offset[i] to offset[i + 1]
    center     (n_environments,) index of the species of the centre
    structure  (n_environments,) index of the structure, ascending
    n_radial   radial functions of each l
    n_species  species of the map
    """

    KEY: ClassVar[str] = "alchemy"
    NAME: ClassVar[str] = "alchemical map"

    values: np.ndarray
    species: np.ndarray
    offset: np.ndarray
    center: np.ndarray
    structure: np.ndarray
    n_radial: tuple[int, ...]
    n_species: int

    def mixed(self, table: np.ndarray) -> list[np.ndarray]:
        """c^J_nlm = Σ_a u_Ja c^a_nlm, channels q = (J, n), n within J."""
        columns = np.arange(len(self.species))
        shape = (len(self), len(self.species))
        weights = (
            csr_array((own[self.species], columns, self.offset), shape=shape) for own in table.T
        )
        c = np.stack([own @ self.values for own in weights], axis=1)
        parts = []
        for l, place in blocks(self.n_radial):
            split = c[:, :, place].reshape(len(c), c.shape[1], 2 * l + 1, -1)
            parts.append(split.transpose(0, 2, 1, 3).reshape(len(c), 2 * l + 1, -1))
        return parts

    def pull_back(self, dc: Sequence[np.ndarray]) -> np.ndarray:
        parts = []
        for d, n in zip(dc, self.n_radial, strict=True):
            split = d.reshape(*d.shape[:2], -1, n).transpose(0, 2, 1, 3)
            parts.append(split.reshape(len(d), split.shape[1], -1))
        joined = np.concatenate(parts, axis=2)
        environment = np.repeat(np.arange(len(self)), np.diff(self.offset))
        du = np.zeros((self.n_species, joined.shape[1]))
        for begin in range(0, len(self.species), BLOCK):
            rows = slice(begin, begin + BLOCK)
            own = np.einsum("rJk,rk->rJ", joined[environment[rows]], self.values[rows])
            np.add.at(du, self.species[rows], own)
        return du

    def coupling(self, table: np.ndarray) -> tuple[np.ndarray, PullBack]:
        directions, to_lengths = unit(table)
        return directions @ directions.T, lambda d: to_lengths(2.0 * d @ directions)


def densities_of(
    model: Model, term: int, structures: Sequence[Structure], progress: Progress = silent
) -> Densities:
    """Those of all atoms of the structures, by a soap term whose species have their own channels.

    Raises SoapGprError when there is not the memory.
    """
    entry = model.terms[term]
    n_radial = tuple(end - begin for begin, end in zip(*_first_block(entry), strict=True))
    values, species, counts = [], [], []
    room = Room(len(structures))
    for structure in progress(structures, "densities"):
        c = density_coefficients(model, term, structure)
        by_species = _by_species(c, len(model.species), n_radial)
        there = by_species.any(axis=2)
        values.append(by_species[there])
        species.append(np.nonzero(there)[1])
        counts.append(there.sum(axis=1))
        room.take(values[-1])
    numbers = np.concatenate([s.numbers for s in structures])
    return Densities(
        values=np.concatenate(values),
        species=np.concatenate(species),
        offset=np.concatenate([[0], np.cumsum(np.concatenate(counts))]),
        center=np.searchsorted(model.species, numbers),
        structure=np.repeat(np.arange(len(structures)), [len(s) for s in structures]),
        n_radial=n_radial,
        n_species=len(model.species),
    )


def blocks(n_radial: Sequence[int]) -> Iterator[tuple[int, slice]]:
    """l and its place among the coefficients."""
    begin = 0
    for l, n in enumerate(n_radial):
        end = begin + (2 * l + 1) * n
        yield l, slice(begin, end)
        begin = end


def _first_block(entry) -> tuple[list[int], list[int]]:
    return entry["channel_begin"][0], entry["channel_end"][0]


def _by_species(c: np.ndarray, n_species: int, n_radial: Sequence[int]) -> np.ndarray:
    """(N, n_species, n_coefficients) of what the core has with the species within each m."""
    parts, begin = [], 0
    for l, n in enumerate(n_radial):
        end = begin + (2 * l + 1) * n_species * n
        own = c[:, begin:end].reshape(len(c), 2 * l + 1, n_species, n)
        parts.append(own.transpose(0, 2, 1, 3).reshape(len(c), n_species, -1))
        begin = end
    return np.concatenate(parts, axis=2)
