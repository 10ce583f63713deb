# SPDX-License-Identifier: BSD-3-Clause
"""Reads labelled structures from whatever ASE can read."""

from __future__ import annotations

import glob
import hashlib
import re
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import ase
import ase.io
import numpy as np
from ase.io.formats import string2index

from potential.errors import SoapGprError
from potential.settings import LabelKeys
from potential.structure import Structure, find_label, label_names, structure_from_atoms

_INDEX = re.compile(r"^-?\d*(:-?\d*){0,2}$")
_ZERO_STEP = re.compile(r":.*:-?0+$")


def read_structures(
    specs: Sequence[str],
    keys: LabelKeys | None = None,
    *,
    require_labels: bool = True,
    required_keys: Collection[str] | None = None,
    warnings: list[str] | None = None,
) -> list[Structure]:
    """Read files in the order given.

    A spec is a file name or a glob, with an optional ASE slice: ``run*.xyz@::10``. Doubts, such as
    a column that looks like unread forces, are appended to ``warnings``.
    Raises SoapGprError when nothing matches, a file cannot be read, none of the frames has one of
    the ``required_keys`` (default: every key that was named), or (with ``require_labels``) no frame
    carries any label.
    """
    keys = keys or LabelKeys()
    frames = read_frames(specs)
    names = ", ".join(_names(frames)) or "none"
    if required_keys is None:
        required_keys = [key for key in vars(keys).values() if key is not None]
    for key in required_keys:
        if require_labels and all(find_label(atoms, key) is None for atoms, _ in frames):
            raise SoapGprError(f"{', '.join(specs)}: no frame has {key!r}; names found: {names}")
    structures = [structure_from_atoms(atoms, keys, source) for atoms, source in frames]
    if require_labels and not any(structure.has_labels for structure in structures):
        raise SoapGprError(
            f"{', '.join(specs)}: found no energies, forces, virials or stresses; set energy_key "
            f"and the like to the names used in the file: {names}"
        )
    if warnings is not None and require_labels:
        warnings += _unread(frames, structures)
    return structures


def read_geometries(specs: Sequence[str]) -> list[Structure]:
    """Structures without their labels, which need not be consistent or there at all."""
    return [geometry(atoms, source) for atoms, source in read_frames(specs)]


def geometry(atoms: ase.Atoms, source: str) -> Structure:
    """A structure without labels."""
    bare = ase.Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    return structure_from_atoms(bare, source=source)


def read_frames(specs: Sequence[str]) -> list[tuple[ase.Atoms, str]]:
    """All frames of all files with their origin, "file#index"."""
    frames: list[tuple[ase.Atoms, str]] = []
    for spec in specs:
        for path, index in expand(spec):
            frames += _read_file(path, index)
    return frames


def files_of(specs: Iterable[str]) -> list[str]:
    """The files that file[@slice] specifications name. Raises SoapGprError as ``expand`` does."""
    return [name for spec in specs for name, _ in expand(spec)]


def expand(spec: str) -> list[tuple[str, str]]:
    """The (file, slice) pairs that ``name@slice`` or ``glob@slice`` stands for, sorted by name."""
    name, _, index = spec.rpartition("@")
    if not name or Path(spec).exists() or "/" in index:
        name, index = spec, ":"
    elif not _INDEX.match(index) or not index or _ZERO_STEP.search(index):
        raise SoapGprError(f"{spec}: found the slice {index!r}, expected one like 10, :100 or ::10")
    if Path(name).is_file():
        return [(name, index)]
    files = sorted(path for path in glob.glob(name, recursive=True) if Path(path).is_file())
    if not files:
        expected = "a matching file" if glob.has_magic(name) else "an existing file"
        raise SoapGprError(f"{name}: found nothing, expected {expected}")
    return [(path, index) for path in files]


def file_hashes(specs: Iterable[str]) -> dict[str, str]:
    """SHA-256 of every file that the specs name, for the provenance of a model."""
    hashes = {}
    for path in files_of(specs):
        with open(path, "rb") as stream:
            hashes[path] = hashlib.file_digest(stream, "sha256").hexdigest()
    return hashes


def fingerprint(structure: Structure) -> bytes:
    """A digest of the geometry alone: equal for the same frame in two files or another order."""
    digest = hashlib.sha256(structure.numbers.tobytes())
    for array in (structure.positions, structure.cell, structure.pbc):
        # + 0.0 turns -0.0 into 0.0; 1e-6 Å is what text formats keep.
        digest.update((np.round(np.asarray(array, dtype=np.float64), 6) + 0.0).tobytes())
    return digest.digest()


def _read_file(path: str, index: str) -> list[tuple[ase.Atoms, str]]:
    """The chosen frames, numbered as in the file."""
    wanted = string2index(index)
    chosen = wanted if isinstance(wanted, slice) else _slice_of_one(int(wanted))
    start: int = chosen.start or 0
    stop: int | None = chosen.stop
    step: int = chosen.step or 1
    from_the_front = start >= 0 and (stop is None or stop >= 0) and step > 0
    try:
        # parallel=False: only one rank of an MPI fit reads, where ASE would wait for the others
        wanted_index = slice(start, stop, step) if from_the_front else ":"
        frames = ase.io.read(path, index=wanted_index, parallel=False)
    except Exception as error:  # ASE's readers raise anything from KeyError to their own types
        reason = getattr(error, "strerror", None) or str(error).strip() or type(error).__name__
        raise SoapGprError(f"{path}: ase.io cannot read it: {reason.splitlines()[0]}") from None
    if from_the_front:
        numbers = [start + step * k for k in range(len(frames))]
    else:
        numbers = list(range(len(frames)))[chosen]
        frames = frames[chosen]
    if not frames:
        raise SoapGprError(f"{path}: found no frames for the slice {index!r}")
    return [(atoms, f"{path}#{number}") for atoms, number in zip(frames, numbers, strict=True)]


def _slice_of_one(index: int) -> slice:
    return slice(index, index + 1 or None)


def _unread(frames: Sequence[tuple[ase.Atoms, str]], structures: Sequence[Structure]) -> list[str]:
    """Warnings for names that look like forces or virials when no frame gave any."""
    names = _names(frames)
    hints = []
    if all(structure.forces is None for structure in structures):
        hints += [(name, "forces", "forces_key") for name in names if "force" in name.lower()]
    if all(structure.virial is None for structure in structures):
        hints += [(name, "virials", "virial_key") for name in names if "virial" in name.lower()]
        if any(structure.pbc.all() for structure in structures):
            hints += [(name, "virials", "stress_key") for name in names if "stress" in name.lower()]
    return [
        f"no {label} were read, but frames carry {name!r}: if that is what it is, set {setting}"
        for name, label, setting in hints
        if not name.endswith("_sigma")
    ]


def _names(frames: Sequence[tuple[ase.Atoms, str]]) -> list[str]:
    """The names of everything the frames carry."""
    return list(dict.fromkeys(name for atoms, _ in frames for name in label_names(atoms)))
