# SPDX-License-Identifier: BSD-3-Clause
"""From the soap_turbo descriptors of a GAP potential to soap terms (docs/gap.md)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from potential.errors import SoapGprError
from potential.gap.soap.channels import Channels, channels, without_division
from potential.gap.soap.term import RadialTables
from potential.gap.soap_turbo.functions import Neighbour, tables
from potential.gap.soap_turbo.radial import overlap

SINGULAR = 1e-13  # the least eigenvalue of an overlap of which a warning tells


@dataclass(frozen=True)
class TurboOptions:
    """All that two descriptors must share to make one term; see soap_turbo_options."""

    hard: float  # rcut_hard, Å
    soft: float  # rcut_soft, Å
    nf: float
    l_max: int
    basis: str
    radial_enhancement: int
    species: tuple[int, ...]
    neighbours: tuple[Neighbour, ...]  # of each species
    mode: str  # compress_mode
    kept: tuple[int, ...] | None  # compress_file, from 0
    zeta: float
    delta: float
    where: str = field(compare=False)

    normalize = True
    offset = 0.0
    keeps_offset = False

    @property
    def cutoff(self) -> float:
        return self.hard

    @property
    def n_max(self) -> tuple[int, ...]:
        return tuple(own.n_max for own in self.neighbours)

    @property
    def channels(self) -> Channels:
        kept = None if self.kept is None else np.array(self.kept)
        if self.mode and self.mode != "trivial":
            nu_r, nu_s = int(self.mode[0]), int(self.mode[2])
            return channels(len(self.species), self.n_max[0], nu_r=nu_r, nu_s=nu_s).by_rows()
        Q, n = sum(self.n_max), len(self.species)
        W = np.zeros((n, max(self.n_max), Q))
        begins = np.cumsum([0, *self.n_max])[:-1]
        for s, begin in enumerate(begins):
            W[s, : self.n_max[s], begin : begin + self.n_max[s]] = np.eye(self.n_max[s])
        first, second = np.triu_indices(Q)
        if self.mode == "trivial":  # products with the first function of any species
            pivot = np.isin(first, begins) | np.isin(second, begins)
            first, second = first[pivot], second[pivot]
        return Channels(W, first, second, np.ones(len(first)), kept)

    def in_center(self, z: int) -> list[int]:
        return [k for k, own in enumerate(self.species) if own == z]

    def overlaps(self) -> list[np.ndarray]:
        """Of the radial basis of each species."""
        gaussian = self.basis == "poly3gauss"
        return [overlap(own.n_max, own.radial, self.hard, gaussian) for own in self.neighbours]

    def radial_tables(self) -> RadialTables:
        try:
            segments, functions, at_zero = tables(
                self.neighbours,
                self.l_max,
                self.soft,
                self.hard,
                self.nf,
                self.radial_enhancement,
                self.basis == "poly3gauss",
            )
        except SoapGprError as error:
            raise SoapGprError(f"{self.where}: {error}") from None
        factors = without_division(self.l_max)[:, None]
        return RadialTables(segments, [table * factors for table in functions], at_zero)


def basis_warnings(found: Iterable[TurboOptions]) -> list[str]:
    """Of radial bases that are mostly rounding, and of descriptors that QUIP expands in the basis
    of whichever comes first: it makes one anew only when the number of functions of all species
    changes."""
    found, warnings = list(found), []
    for options in found:
        if any(np.linalg.eigvalsh(S)[0] < SINGULAR for S in options.overlaps()):
            warnings.append(
                f"{options.where}: the radial basis of alpha_max={options.n_max} is close to "
                "singular and rounded differently by QUIP, energies agree to fewer digits"
            )
    for one, other in combinations(found, 2):
        if sum(one.n_max) == sum(other.n_max) and _basis(one) != _basis(other):
            warnings.append(
                f"{other.where}: QUIP gives one radial basis to this soap_turbo and that of "
                f"{one.where}, whose numbers of functions add up to the same; here each has its own"
            )
    return warnings


def _basis(options: TurboOptions) -> tuple:
    widths = tuple(own.radial.at_zero / options.hard for own in options.neighbours)
    return options.n_max, options.basis, widths if options.basis == "poly3gauss" else ()
