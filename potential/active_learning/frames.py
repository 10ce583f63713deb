# SPDX-License-Identifier: BSD-3-Clause
"""Frames of a loop: bare ones, and those with labels under the names that a fit reads."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import ase
import numpy as np
from ase.calculators.singlepoint import SinglePointCalculator
from ase.stress import full_3x3_to_voigt_6_stress

from potential.errors import SoapGprError
from potential.structures.label_names import LabelKeys, LabelNames, choose_names
from potential.structures.read import unlabelled
from potential.structures.structure import Structure, structure_from_atoms

SOURCE, CONFIG_TYPE = "selected_from", "config_type"
ENERGY, FORCES, VIRIAL = "energy", "forces", "virial"
SAME = 1e-3  # Å: atoms of one structure in two files are closer than this
_RESULTS = ("energy", "free_energy", "forces", "stress")  # what ASE keeps in a calculator


def bare(atoms: ase.Atoms, source: str = "") -> ase.Atoms:
    """Species, positions, cell and config_type alone, with the source where one is given."""
    frame = unlabelled(atoms)
    if CONFIG_TYPE in atoms.info:
        frame.info[CONFIG_TYPE] = atoms.info[CONFIG_TYPE]
    if source:
        frame.info[SOURCE] = source
    return frame


def source_of(atoms: ase.Atoms) -> str:
    return str(atoms.info.get(SOURCE, ""))


def is_same(a: ase.Atoms, b: ase.Atoms) -> bool:
    """Whether they have the same atoms in the same order at the same places, but for rounding and
    for lattice vectors."""
    return not difference(a, b)


def difference(a: ase.Atoms, b: ase.Atoms) -> str:
    """What b has other than a, in words, or nothing where ``is_same``."""
    if len(a) != len(b):
        return f"{len(b)} atoms, expected {len(a)}"
    if (a.numbers != b.numbers).any():
        k = int(np.flatnonzero(a.numbers != b.numbers)[0])
        return f"{b.symbols[k]} as atom {k}, expected {a.symbols[k]}"
    if (a.pbc != b.pbc).any():
        return f"pbc {b.pbc.tolist()}, expected {a.pbc.tolist()}"
    moves = a.positions - b.positions
    if a.pbc.any():
        if np.abs(a.cell.array - b.cell.array).max() > SAME:
            return "another cell"
        cell = a.cell.complete().array
        shifts = np.round(np.linalg.solve(cell.T, moves.T).T)
        moves = moves - (shifts * a.pbc) @ cell
    lengths = np.linalg.norm(moves, axis=1)
    if lengths.max() <= SAME:
        return ""
    k = int(lengths.argmax())
    return f"atom {k} is {lengths[k]:.3g} Å away, expected the same atoms in the same order"


@dataclass(frozen=True)
class Labelling:
    """Which labels a structure gets, and under which names: those of the training data.

    wanted: of energy, forces and virial.
    """

    names: LabelNames
    wanted: tuple[str, ...]

    @classmethod
    def as_in(cls, structures: Sequence[Structure], names: LabelNames) -> Labelling:
        """The labels that any of these training structures has."""
        wanted = [
            what
            for what in (ENERGY, FORCES, VIRIAL)
            if any(getattr(own, what) is not None for own in structures)
        ]
        return cls(names, tuple(wanted))

    def frame(self, atoms: ase.Atoms, found: Structure, source: str) -> ase.Atoms:
        """The frame with labels in the units and under the names of the training data.

        found: has them; source: what messages call it. Raises SoapGprError when one is missing.
        """
        frame, names = bare(atoms, source_of(atoms)), self.names
        for what in self.wanted:
            if getattr(found, what) is None and (what != VIRIAL or found.volume > 0):
                raise SoapGprError(
                    f"{source}: found no {what}, expected {', '.join(self.wanted)}, which the "
                    "training structures have"
                )
        if ENERGY in self.wanted and found.energy is not None:
            _keep(frame, names.energy[0], found.energy / names.ev, frame.info)
        if FORCES in self.wanted and found.forces is not None:
            _keep(frame, names.forces[0], found.forces / names.ev, frame.arrays)
        if VIRIAL in self.wanted and found.virial is not None:
            if names.stress:
                stress = -found.virial / found.volume / names.ev
                _keep(frame, names.stress[0], stress, frame.info)
            else:
                _keep(frame, names.virial[0], found.virial / names.ev, frame.info)
        return frame


def labels_in(atoms: ase.Atoms, source: str) -> Structure:
    """The structure with energy, forces and stress as ASE names them, in eV and Å."""
    return structure_from_atoms(atoms, choose_names([atoms], LabelKeys()), source)


def _keep(frame: ase.Atoms, name: str, value: Any, place: dict[str, Any]) -> None:
    """Put a label where a fit looks for it: ASE's own names in a calculator, as its reader does."""
    if name not in _RESULTS:
        place[name] = value
        return
    results = dict(frame.calc.results) if frame.calc else {}
    results[name] = full_3x3_to_voigt_6_stress(value) if name == "stress" else value
    if name == "free_energy":  # one with the energy here, and ASE writes frames that have one
        results["energy"] = value
    frame.calc = SinglePointCalculator(frame, **results)


def known_among(atoms: ase.Atoms, others: Collection[ase.Atoms]) -> ase.Atoms | None:
    """The same structure among others, or None."""
    return next((own for own in others if is_same(atoms, own)), None)
