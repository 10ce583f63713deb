# SPDX-License-Identifier: BSD-3-Clause
"""What samplers have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import ase
import numpy as np

from potential.active_learning.frames import bare
from potential.schema import Place
from potential.species import symbol
from potential.structures.beads import species_of
from potential.structures.read import read_frames


@dataclass(frozen=True)
class Task:
    """One run of a sampler in one generation.

    folder: of this run alone, empty; model: a file; taken: names of the structures of files that
    earlier generations selected.
    """

    run: int
    folder: Path
    model: Path
    seed: int
    taken: Collection[str] = ()


@dataclass(frozen=True)
class Sampled:
    """Structures with their names, and what happened to the run: names of events, and a line on
    it."""

    frames: list[ase.Atoms]
    sources: list[str] | None = None  # None: numbers
    events: list[str] = field(default_factory=list)
    said: str = ""


class Sampler(ABC):
    """A source of structures. Made before anything runs, it raises SoapGprError for what a user can
    put right."""

    kind = ""
    n_runs = 1

    @abstractmethod
    def run(self, task: Task) -> Sampled:
        """The structures of one run; the same for the same task.

        Raises SoapGprError for a run that did not begin.
        """


@dataclass(frozen=True)
class Known:
    """The species (numbers) that the models know, and the names of beads among them."""

    species: Collection[int]
    beads: tuple[str, ...] = ()

    def only(self, names: Collection[str]) -> Known:
        """Those with these names."""
        return Known({z for z in self.species if symbol(z) in names})

    def read(self, specs: Sequence[str], place: Place) -> list[tuple[ase.Atoms, str]]:
        """Frames of files with their sources. Raises SoapGprError for files that cannot be read,
        and for a structure that has other species, with the place of the sampler."""
        with place.at("structures").naming():
            found = read_frames(specs, self.beads)
        for atoms, source in found:
            other = set(species_of(atoms).tolist()) - set(self.species)
            if other:
                raise place.at("structures").says(
                    f"found {', '.join(map(symbol, sorted(other)))} in {source}, expected "
                    + ", ".join(map(symbol, sorted(self.species)))
                )
        return found


class Starts:
    """Structures that runs start from."""

    def __init__(self, specs: Sequence[str], known: Known, place: Place):
        """Raises SoapGprError for files that cannot be read and species that are not known."""
        self.frames = known.read(specs, place)

    def draw(self, rng: np.random.Generator) -> ase.Atoms:
        """One at random, without labels, with its config_type."""
        return bare(self.frames[int(rng.integers(len(self.frames)))][0])
