# SPDX-License-Identifier: BSD-3-Clause
"""Properties of points: energy, config_type and what else files say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from potential.errors import SoapGprError
from potential.maps.catalogue import Catalogue
from potential.structures.label_names import find_label, frame_names
from potential.structures.structure import Structure, symbol


@dataclass(frozen=True)
class Property:
    """A number or a word for each point; nan and "" where there is none."""

    name: str
    values: np.ndarray  # (n,) float or str
    unit: str = ""

    @property
    def is_number(self) -> bool:
        return self.values.dtype.kind == "f"

    @property
    def varies(self) -> bool:
        """Whether there are points with different values."""
        return len(np.unique(self.values)) > 1

    @property
    def title(self) -> str:
        """The name with the unit."""
        return f"{self.name} ({self.unit})" if self.unit else self.name

    def shown(self, point: int) -> str:
        """The value of a point in words."""
        value = self.values[point]
        if not self.is_number or not np.isfinite(value):
            return f"{self.name}: {'none' if self.is_number else value}"
        return f"{self.name}: {value:.6g} {self.unit}".rstrip()


def property_of(points: Catalogue, name: str) -> Property:
    """energy, config_type, file, atoms, volume or species of the points, or what a column of the
    atoms or a value of the frames says, a number or a word.

    Raises SoapGprError when no point has it, and for several numbers.
    """
    found = _MAKERS[name](points) if name in _MAKERS else _from_files(points, name)
    if found is None or (found.is_number and not np.isfinite(found.values).any()):
        raise SoapGprError(f"{name}: {_missing(points, name)}")
    return found


def file_of(structure: Structure) -> str:
    """The file that it is from."""
    return structure.source.rpartition("#")[0]


def energies_of(points: Catalogue) -> np.ndarray:
    """(n,) energies of the structures in eV/atom, nan without a label."""
    each = [np.nan if s.energy is None else s.energy / len(s) for s in points.structures]
    return np.array(each, dtype=float)[points.structure]


def _of_structures(points: Catalogue, value: Callable[[Structure], object]) -> np.ndarray:
    return np.array([value(s) for s in points.structures])[points.structure]


def _volume(structure: Structure) -> float:
    return structure.volume / len(structure) if structure.pbc.all() else np.nan


def _species(points: Catalogue) -> Property:
    if points.per_atom:
        return Property("species", np.array(points.species()))
    words = ["-".join(symbol(z) for z in np.unique(s.numbers).tolist()) for s in points.structures]
    return Property("species", np.array(words))


_MAKERS: dict[str, Callable[[Catalogue], Property]] = {
    "energy": lambda points: Property("energy", energies_of(points), "eV/atom"),
    "config_type": lambda points: Property(
        "config_type", _of_structures(points, lambda s: s.config_type)
    ),
    "file": lambda points: Property("file", _of_structures(points, file_of)),
    "atoms": lambda points: Property("atoms", _of_structures(points, len).astype(float)),
    "volume": lambda points: Property("volume", _of_structures(points, _volume), "Å³/atom"),
    "species": _species,
}


def _from_files(points: Catalogue, name: str) -> Property | None:
    """What find_label finds: of atoms their own value, else that of their frame."""
    found = [find_label(frame, name) for frame in points.frames]
    if all(value is None for value in found):
        return None
    values = list[object]()
    for value, frame, atoms in zip(found, points.frames, points.chosen, strict=True):
        if not points.per_atom:
            values.append(value)
        elif np.shape(value)[:1] == (len(frame),):  # type: ignore[arg-type]
            values += [value[i] for i in atoms.tolist()]
        else:
            values += [value] * len(atoms)
    return _property(name, values)


def _property(name: str, values: Sequence[object]) -> Property:
    given = [value for value in values if value is not None]
    if any(np.ndim(value) for value in given):  # type: ignore[arg-type]
        raise SoapGprError(f"{name}: found several values for one point, expected one")
    numbers = (bool, int, float, np.bool_, np.integer, np.floating)
    if all(isinstance(value, numbers) for value in given):
        return Property(name, np.array([np.nan if v is None else v for v in values], dtype=float))
    return Property(name, np.array(["" if v is None else str(v) for v in values]))


def _missing(points: Catalogue, name: str) -> str:
    if name == "energy":
        return "found no labels of the energy, expected some, or the name of another property"
    carried = dict.fromkeys(key for frame in points.frames for key in frame_names(frame))
    of = "atom or frame" if points.per_atom else "frame"
    return (
        f"found in no {of}, expected one of {', '.join(_MAKERS)}, or a name in the files: "
        f"{', '.join(carried) or 'none'}"
    )
