# SPDX-License-Identifier: BSD-3-Clause
"""Beads in ASE's objects and in extended XYZ files, which know chemical elements alone.

There a bead is an atom of ASE's species X, with its name in a column ``bead``. Files may have the
name in the place of the chemical symbol.
"""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Iterator
from typing import IO, Any

import ase
import ase.io
import numpy as np
from ase.io.formats import open_with_compression

from potential.species import LAST_ELEMENT, is_bead_name, is_element, species_number, symbol

COLUMN = "bead"

_PROPERTIES = re.compile(r"""(Properties["']?\s*=\s*["']?)([^\s"']*)""")
_PLAIN = "species:S:1:pos:R:3"


def species_of(atoms: Any) -> np.ndarray:
    """(N,) numbers of the species: atomic numbers, and those of the beads that X stands for.

    0 for an X without a name, or whose name is none.
    """
    numbers = np.array(atoms.numbers, dtype=np.int64)
    names = getattr(atoms, "arrays", {}).get(COLUMN)
    if names is not None and not numbers.all():
        for k in np.flatnonzero(numbers == 0).tolist():
            numbers[k] = species_number(str(names[k])) if is_bead_name(str(names[k])) else 0
    return numbers


def atoms_of(numbers: np.ndarray, positions: np.ndarray, **others: Any) -> ase.Atoms:
    """ASE's object of these species, with the names of beads in a column where there are any."""
    beads = numbers > LAST_ELEMENT
    atoms = ase.Atoms(np.where(beads, 0, numbers), positions, **others)
    if beads.any():
        atoms.set_array(COLUMN, np.array([symbol(z) for z in numbers.tolist()]))
    return atoms


def read_beads(path: str, index: int | slice, beads: Collection[str]) -> Any:
    """``ase.io.read`` of an extended XYZ file with names of beads as species.

    beads: those known; others are recognised where ASE would find no element.
    """
    with open_with_compression(path, "rt") as stream:
        text = "".join(_with_column(stream, beads))
    return ase.io.read(io.StringIO(text), index=index, format="extxyz", parallel=False)


def _with_column(stream: IO[str], beads: Collection[str]) -> Iterator[str]:
    """The lines of the file with X for each bead, and the names in one more column.

    What is not as expected stays as it is: ASE will say why it cannot be read.
    """
    for line in stream:
        yield line
        if not line.strip().isdecimal():
            continue
        comment = next(stream, "")
        found = _PROPERTIES.search(comment)
        properties = found[2] if found else _PLAIN
        place = _place_of_species(properties)
        extended = f"{properties}:{COLUMN}:S:1"
        if place is None or f"{COLUMN}:" in properties:
            yield comment
        elif found:
            yield comment[: found.start(2)] + extended + comment[found.end(2) :]
        else:
            yield f"{comment.rstrip()} Properties={extended}\n"
        for _ in range(int(line)):
            words = next(stream, "").split()
            if place is not None and f"{COLUMN}:" not in properties and place < len(words):
                words.append(words[place])
                if _is_bead(words[place], beads):
                    words[place] = "X"
            yield " ".join(words) + "\n"


def _is_bead(word: str, beads: Collection[str]) -> bool:
    return word in beads or (is_bead_name(word) and not is_element(word.capitalize()))


def _place_of_species(properties: str) -> int | None:
    """Which column the species are in."""
    fields, place = properties.split(":"), 0
    for name, count in zip(fields[::3], fields[2::3], strict=False):
        if name == "species":
            return place
        place += int(count) if count.isdecimal() else 0
    return None
