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


class Starts:
    """Structures that runs start from."""

    def __init__(self, specs: Sequence[str], beads: Collection[str] = ()):
        """Raises SoapGprError for files that cannot be read."""
        self._frames = read_frames(specs, beads)

    def draw(self, rng: np.random.Generator) -> ase.Atoms:
        """One at random, without labels, with its config_type."""
        return bare(self._frames[int(rng.integers(len(self._frames)))][0])

    def require_species(self, species: Sequence[str], place: Place) -> None:
        """Raise SettingError for a structure that has others."""
        for atoms, source in self._frames:
            other = set(atoms.get_chemical_symbols()) - set(species)
            if other:
                raise place.says(
                    f"found {', '.join(sorted(other))} in {source}, expected {', '.join(species)}"
                )
