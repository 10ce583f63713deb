# SPDX-License-Identifier: BSD-3-Clause
"""Which structures and atoms of data files are points, and what files say of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import ase
import numpy as np

from potential.errors import SoapGprError
from potential.structures.structure import Structure, symbol


@dataclass(frozen=True)
class Catalogue:
    """The structures and atoms that points are, in the order of the points."""

    frames: Sequence[ase.Atoms]
    structures: Sequence[Structure]  # of these frames
    chosen: Sequence[np.ndarray]  # the atoms of each that count
    per_atom: bool = False  # points are these atoms; else they are the structures

    def __len__(self) -> int:
        return sum(map(len, self.chosen)) if self.per_atom else len(self.structures)

    @property
    def structure(self) -> np.ndarray:
        """(n,) index of the structure of each point."""
        own = np.arange(len(self.structures))
        return np.repeat(own, [len(atoms) for atoms in self.chosen]) if self.per_atom else own

    @property
    def atom(self) -> np.ndarray:
        """(n,) index in its structure of the atom that each point is; -1 for a structure."""
        return np.concatenate(self.chosen) if self.per_atom else np.full(len(self), -1)

    def names(self) -> list[str]:
        """file#index of each point, with the atom where points are atoms."""
        sources = [self.structures[s].source for s in self.structure]
        if not self.per_atom:
            return sources
        species = self.species()
        return [
            f"{source}, atom {atom} ({name})"
            for source, atom, name in zip(sources, self.atom.tolist(), species, strict=True)
        ]

    def species(self) -> list[str]:
        """The symbol of each point that is an atom."""
        pairs = zip(self.structures, self.chosen, strict=True)
        return [symbol(z) for s, atoms in pairs for z in s.numbers[atoms].tolist()]

    def labels(self, end: str = "") -> dict[str, np.ndarray]:
        """Arrays that say what the points are, by names with this end: ``structure`` and ``atom``
        with the ``species`` of each point that is an atom; ``source``, ``config_type`` and
        ``n_atoms`` of each structure."""
        own = {
            "source": np.array([s.source for s in self.structures]),
            "config_type": np.array([s.config_type for s in self.structures]),
            "n_atoms": np.array([len(s) for s in self.structures]),
        }
        if self.per_atom:
            species = np.array(self.species())
            own |= {"structure": self.structure, "atom": self.atom, "species": species}
        return {name + end: array for name, array in own.items()}


def catalogue_of(
    frames: Sequence[ase.Atoms],
    structures: Sequence[Structure],
    per_atom: bool,
    centers: Sequence[int] | None = None,
) -> tuple[Catalogue, list[str]]:
    """All structures, or all of their atoms, and warnings.

    centers: species of the atoms that count alone; structures without any are left out, with a
    warning. Raises SoapGprError when nothing is left.
    """
    counts = [np.isin(s.numbers, centers) if centers else np.ones(len(s), bool) for s in structures]
    kept = [k for k, own in enumerate(counts) if own.any()]
    names = ", ".join(symbol(z) for z in centers or ())
    if not kept:
        raise SoapGprError(f"found no atoms of {names} in the structures, expected some")
    n = len(structures) - len(kept)
    warnings = [f"{n} structures without atoms of {names} are left out"] if n else []
    return Catalogue(
        [frames[k] for k in kept],
        [structures[k] for k in kept],
        [np.flatnonzero(counts[k]) for k in kept],
        per_atom,
    ), warnings


def joined(first: Catalogue, second: Catalogue) -> Catalogue:
    """The points of both."""
    return replace(
        first,
        frames=[*first.frames, *second.frames],
        structures=[*first.structures, *second.structures],
        chosen=[*first.chosen, *second.chosen],
    )


def thinned(catalogue: Catalogue, n: int, seed: int) -> Catalogue:
    """At most n of the points, at random."""
    if len(catalogue) <= n:
        return catalogue
    rng = np.random.default_rng(seed)
    left = np.zeros(len(catalogue), dtype=bool)
    left[rng.choice(len(catalogue), n, replace=False)] = True
    if not catalogue.per_atom:
        kept, chosen = np.flatnonzero(left).tolist(), list(catalogue.chosen)
    else:
        parts = np.split(left, np.cumsum([len(own) for own in catalogue.chosen])[:-1])
        chosen = [own[part] for own, part in zip(catalogue.chosen, parts, strict=True)]
        kept = [k for k, own in enumerate(chosen) if len(own)]
    return replace(
        catalogue,
        frames=[catalogue.frames[k] for k in kept],
        structures=[catalogue.structures[k] for k in kept],
        chosen=[chosen[k] for k in kept],
    )
