# SPDX-License-Identifier: BSD-3-Clause
"""What models cost on this machine, compared with each other while others use it too.

Wall time tells what other programs do as well. Here each evaluation of a model takes turns with one
of a reference, both are counted in CPU time, which does not run while others have the core, and the
ratio of the two in the same moment is kept: what slows both cancels.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import ase

from potential import _core
from potential.model import Model
from potential.scores.benchmark import repeated
from potential.structures.beads import atoms_of
from potential.structures.structure import Structure, structure_from_atoms

LEAST_ROUNDS = 7
SECONDS = 0.5  # of CPU time for one model and the reference beside it
REFERENCE_SECONDS = 1.0
_ATOMS_EACH = 128  # of a periodic structure, which is repeated until it has so many
_ATOMS = 1000  # altogether, where the first structure is not larger
_SIGNIFICANT = ".3g"  # of a cost: below are differences of the moment


@dataclass(frozen=True)
class Cost:
    """CPU time of energy, forces and virial on one thread, without the neighbour list."""

    us_per_atom: float
    ratio: float  # to the reference


class CostMeter:
    """Measures models on the same structures; the first one becomes the reference.

    structures: evaluated one after the other; periodic ones are repeated.
    """

    def __init__(self, structures: Sequence[Structure]):
        self._structures = [
            structure_from_atoms(repeated(_bare(structure), _ATOMS_EACH), source=structure.source)
            for structure in structures
        ]
        self.n_atoms = sum(map(len, self._structures))
        self._reference: _Timed | None = None
        self._reference_us = 0.0

    @classmethod
    def of_data(cls, structures: Sequence[Structure]) -> CostMeter:
        """Of the first structures that make a thousand atoms together, isolated atoms apart."""
        chosen: list[Structure] = []
        for structure in structures:
            if sum(max(len(own), _ATOMS_EACH) for own in chosen) >= _ATOMS:
                break
            if not structure.is_isolated_atom:
                chosen.append(structure)
        return cls(chosen or structures[:1])

    @property
    def sources(self) -> list[str]:
        """Where the structures come from."""
        return [structure.source for structure in self._structures]

    def measure(self, model: Model) -> Cost:
        """Of this model, to three digits. Raises SoapGprError for a species that it lacks."""
        timed = _Timed(model, self._structures)
        if self._reference is None:
            self._reference = timed
            times = _rounds([timed], REFERENCE_SECONDS)[0]
            self._reference_us = 1e6 / self.n_atoms * statistics.median(times)
            return Cost(_rounded(self._reference_us), 1.0)
        own, reference = _rounds([timed, self._reference], SECONDS)
        ratio = statistics.median(a / b for a, b in zip(own, reference, strict=True))
        return Cost(_rounded(self._reference_us * ratio), _rounded(ratio))


class _Timed:
    """A model with its environments of some structures."""

    def __init__(self, model: Model, structures: Sequence[Structure]):
        self._evaluator = _core.Evaluator(model.core, 1)
        self._environments = [model.environments(structure) for structure in structures]

    def seconds(self) -> float:
        """CPU time of one evaluation of all of them."""
        start = time.process_time()
        for environments in self._environments:
            self._evaluator.evaluate(environments, True)
        return time.process_time() - start


def _rounds(timed: Sequence[_Timed], seconds: float) -> list[list[float]]:
    """Times of each in turn, until they make so many seconds altogether."""
    for own in timed:
        own.seconds()  # what is made at the first call
    times: list[list[float]] = [[] for _ in timed]
    while len(times[0]) < LEAST_ROUNDS or sum(map(sum, times)) < seconds:
        for own, of in zip(timed, times, strict=True):
            of.append(own.seconds())
    return times


def _bare(structure: Structure) -> ase.Atoms:
    return atoms_of(structure.numbers, structure.positions, cell=structure.cell, pbc=structure.pbc)


def _rounded(value: float) -> float:
    return float(f"{value:{_SIGNIFICANT}}")
