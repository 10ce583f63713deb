# SPDX-License-Identifier: BSD-3-Clause
"""What an optimisation takes for densities whose channels a table mixes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from potential.errors import SoapGprError
from potential.optimization.reverse import PullBack
from potential.runtime.memory import available_bytes


class Mixing(ABC):
    """Densities of environments, and the channels that a table makes of them: of species
    (``Densities``) or of all channels of each l (``ChannelDensities``).

    center     (n_environments,) index of the species of the centre
    structure  (n_environments,) index of the structure, ascending
    n_species  species of the model
    """

    KEY: ClassVar[str]  # of the table in [[terms]]
    NAME: ClassVar[str]  # for people

    center: np.ndarray
    structure: np.ndarray
    n_species: int

    def __len__(self) -> int:
        return len(self.center)

    @property
    def n_structures(self) -> int:
        return int(self.structure[-1]) + 1

    @abstractmethod
    def mixed(self, table: np.ndarray) -> list[np.ndarray]:
        """Coefficients (n_environments, 2l + 1, Q_l), list over l."""

    @abstractmethod
    def pull_back(self, dc: Sequence[np.ndarray]) -> np.ndarray:
        """Derivatives by the table of a number whose derivatives by the mixed coefficients are
        dc."""

    @abstractmethod
    def coupling(self, table: np.ndarray) -> tuple[np.ndarray, PullBack]:
        """κ_c (n_species, n_species) of alchemical centres, docs/theory.md eq. (7e), and how
        derivatives by it, symmetric, become those by the table."""


class Room:
    """Memory for what is gathered of one structure after the other."""

    def __init__(self, n_structures: int):
        self._n, self._k, self._used, self._free = n_structures, 0, 0, available_bytes()

    def take(self, values: np.ndarray) -> None:
        """Raises SoapGprError when there is not the room, twice for a moment."""
        self._k += 1
        self._used += 2 * values.nbytes
        if self._free is not None and self._used > self._free:
            raise SoapGprError(
                f"the densities of {self._k} of {self._n} structures already need "
                f"{self._used / 2**30:.1f} GiB of the {self._free / 2**30:.1f} GiB that were "
                "free: optimise on fewer structures (n_structures), or take a smaller n_max or "
                "l_max"
            )
