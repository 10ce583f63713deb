# SPDX-License-Identifier: BSD-3-Clause
"""Whether a file holds what it declares, before ASE believes it.

ASE reads on for as many atoms as an extended XYZ file, a dump of LAMMPS or a file of VASP declares,
at the end of the file too, and makes as many columns as ``Properties`` says: a few bytes keep it
busy for ever, or fill the memory.
"""

import re
import sys
from collections.abc import Callable
from itertools import islice
from typing import IO

from ase.io.formats import filetype, open_with_compression

from potential.errors import SoapGprError

_PROPERTIES = re.compile(rb"""Properties["']?\s*=\s*["'{[]?([^\s"'}\]]*)""")


def check_file(path: str, n_frames: int | None = None) -> None:
    """Raise SoapGprError when a file has fewer lines or columns than it declares; of extended XYZ
    the first n_frames frames (default: all). What else is wrong is left to ASE."""
    try:
        found = filetype(path)
        with open_with_compression(path, "rb") as stream:
            if found == "extxyz":
                _check_frames(path, stream, sys.maxsize if n_frames is None else n_frames)
            elif found == "lammps-dump-text":
                _check_count(path, stream, _atoms_of_dump)
            elif found in ("vasp", "vasp-xdatcar"):
                _check_count(path, stream, _atoms_of_vasp)
    except SoapGprError:
        raise
    except Exception:  # of a file that cannot be read: ASE will say why
        return


def is_extended_xyz(path: str) -> bool:
    """Whether ASE takes the file for extended XYZ."""
    return filetype(path) == "extxyz"


def _check_frames(path: str, stream: IO[bytes], n_frames: int) -> None:
    line = stream.readline()
    for frame in range(n_frames):
        try:
            n_atoms = int(line)
        except ValueError:  # also the empty line at the end
            return
        if n_atoms < 1:
            raise SoapGprError(f"{path}#{frame}: found {n_atoms} atoms, expected at least one")
        declared = _columns(stream.readline())
        first = stream.readline()
        # islice counts lines without a loop in Python, and at the end of the file it ends
        rest = n_atoms > 1 and next(islice(stream, min(n_atoms, sys.maxsize) - 2, None), b"")
        if not first or rest == b"":
            raise SoapGprError(f"{path}: cut short: frame {frame} should have {n_atoms} atoms")
        if declared > len(first.split()):
            raise SoapGprError(
                f"{path}#{frame}: found {len(first.split())} columns for the first atom, expected "
                f"the {declared} that Properties declares"
            )
        line = stream.readline()
        while line.lstrip().startswith(b"VEC"):
            line = stream.readline()


def _columns(comment: bytes) -> int:
    """How many columns the comment line declares, 0 when ASE will not understand it either."""
    try:
        return max(
            sum(int(count) for count in properties.split(b":")[2::3])
            for properties in _PROPERTIES.findall(comment) or [b"species:S:1:pos:R:3"]
        )
    except ValueError:
        return 0


def _check_count(
    path: str, stream: IO[bytes], atoms_of: Callable[[int, bytes, bytes], int]
) -> None:
    """Every atom has a line of its own. atoms_of: number, line and the line before → atoms."""
    most, last, n_lines = 0, b"", 0
    for line in stream:
        most = max(most, atoms_of(n_lines, line, last))
        last, n_lines = line, n_lines + 1
    if most > n_lines:
        raise SoapGprError(f"{path}: cut short: found {n_lines} lines for {most} atoms")


def _atoms_of_dump(_: int, line: bytes, last: bytes) -> int:
    return int(line) if last.startswith(b"ITEM: NUMBER OF ATOMS") else 0


def _atoms_of_vasp(number: int, line: bytes, _: bytes) -> int:
    """Counts of species come in the sixth line or, after their symbols, in the seventh."""
    words = line.split() if number in (5, 6) else []
    return sum(map(int, words)) if all(map(bytes.isdigit, words)) else 0
