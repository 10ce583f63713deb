# SPDX-License-Identifier: BSD-3-Clause
"""Reads labelled structures from whatever ASE can read."""

from __future__ import annotations

import glob
import hashlib
import os
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import ase
import ase.io
from ase.io.formats import string2index

from potential.errors import SoapGprError
from potential.structures.atom_weights import read_columns
from potential.structures.beads import COLUMN, read_beads
from potential.structures.file_check import check_file, is_extended_xyz
from potential.structures.label_messages import doubts, no_labels, notes, unusable_stresses
from potential.structures.label_names import (
    SIGMAS,
    LabelKeys,
    LabelNames,
    choose_names,
    frame_names,
)
from potential.structures.structure import Structure, structure_from_atoms
from potential.structures.target_labels import TargetLabel, require_targets, target_notes
from potential.structures.tensor_labels import symmetric_labels

_INDEX = re.compile(r"^-?\d{0,18}(:-?\d{0,18}){0,2}$")
_ZERO_STEP = re.compile(r":.*:-?0+$")


@dataclass(frozen=True)
class DataSet:
    """Labelled structures, the names under which their labels were found, and what to say of them:
    doubts, such as a column that looks like unread forces, and notes of what was (not) used."""

    structures: list[Structure]
    names: LabelNames
    doubts: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_structures(
    specs: Sequence[str],
    keys: LabelKeys | None = None,
    *,
    require_labels: bool = True,
    warnings: list[str] | None = None,
) -> list[Structure]:
    """The structures of ``read_data_set``; doubts and notes are appended to ``warnings``."""
    data = read_data_set(specs, keys, require_labels=require_labels)
    if warnings is not None:
        warnings += data.doubts + data.notes
    return data.structures


def read_data_set(
    specs: Sequence[str],
    keys: LabelKeys | None = None,
    *,
    require_labels: bool = True,
    required_keys: Collection[str] | None = None,
    trained: LabelNames | None = None,
    beads: Collection[str] = (),
    targets: Sequence[TargetLabel] = (),
) -> DataSet:
    """Read files in the order given.

    A spec is a file name or a glob, with an optional ASE slice: ``run*.xyz@::10``. trained: names
    of the labels in training, where the structures are for its model; see ``choose_names``. beads:
    names of species that are no elements. targets: further labels, which need not be there where
    ``trained`` says that these are not the training structures.
    Raises SoapGprError when nothing matches, a file cannot be read, none of the frames has one of
    the ``required_keys`` (fields of LabelKeys; default: all that are set), a stress of such a key
    has no volume, or (with ``require_labels``) no frame carries any label.
    """
    return labelled(
        read_frames(specs, beads),
        ", ".join(specs),
        keys,
        require_labels=require_labels,
        required_keys=required_keys,
        trained=trained,
        targets=targets,
    )


def labelled(
    found: Sequence[tuple[ase.Atoms, str]],
    origin: str,
    keys: LabelKeys | None = None,
    *,
    require_labels: bool = True,
    required_keys: Collection[str] | None = None,
    trained: LabelNames | None = None,
    targets: Sequence[TargetLabel] = (),
) -> DataSet:
    """``read_data_set`` of frames that are there already: pairs of one and what messages call it.

    origin: what messages call all of them.
    """
    keys = keys or LabelKeys()
    frames = [atoms for atoms, _ in found]
    if required_keys is None:
        required_keys = list(keys.named)
    if require_labels:
        _require_carried(frames, keys, required_keys, origin)
    names = replace(choose_names(frames, keys, trained), targets=tuple(targets))
    structures = [structure_from_atoms(atoms, names, source) for atoms, source in found]
    structures, made_symmetric = symmetric_labels(structures, targets)
    found_targets = [structure.targets for structure in structures]
    if trained is None:
        carried = list(dict.fromkeys(name for atoms in frames for name in frame_names(atoms)))
        require_targets(found_targets, targets, origin, carried)
    if "stress_key" in required_keys:
        _require_volumes(unusable_stresses(frames, structures, names), keys.stress_key)
    if any(structure.has_labels for structure in structures):
        about = frames, structures, names
        said = doubts(*about)
        more = target_notes(found_targets, [s.numbers for s in structures], targets)
        return DataSet(structures, names, said, notes(*about, said) + more + made_symmetric)
    if require_labels:
        raise SoapGprError(f"{origin}: {no_labels(frames, structures, names)}")
    return DataSet(structures, names)


def _require_carried(
    frames: Sequence[ase.Atoms], keys: LabelKeys, required: Collection[str], origin: str
) -> None:
    for key in required:
        name = getattr(keys, key)
        wanted = {f"{what}_{name}" for what in SIGMAS} if key == "sigma_key" else {name}
        carried = dict.fromkeys(name for atoms in frames for name in frame_names(atoms))
        if wanted.isdisjoint(carried):
            raise SoapGprError(
                f"{origin}: no frame has {' or '.join(map(repr, sorted(wanted)))}; "
                f"names found: {', '.join(carried) or 'none'}"
            )


def _require_volumes(dropped: Sequence[str], name: str | None) -> None:
    if dropped:
        raise SoapGprError(
            f"{dropped[0]}: found {name!r} without a volume, here and in {len(dropped) - 1} more "
            "frames, expected a cell of three vectors that is periodic in one or more directions; "
            "without stress_key these stresses are left out"
        )


def read_geometries(
    specs: Sequence[str], beads: Collection[str] = (), columns: Sequence[str] = ()
) -> list[Structure]:
    """Structures without their labels, which need not be consistent or there at all.

    columns: names of those that weigh atoms in a target. Raises SoapGprError for a frame without.
    """
    return geometries(read_frames(specs, beads), columns)


def geometries(
    found: Sequence[tuple[ase.Atoms, str]], columns: Sequence[str] = ()
) -> list[Structure]:
    """``read_geometries`` of frames that are there already, with their config_types."""
    return [
        replace(
            geometry(atoms, source),
            config_type=str(atoms.info.get("config_type", "default")),
            arrays=read_columns(atoms, columns, source),
        )
        for atoms, source in found
    ]


def geometry(atoms: ase.Atoms, source: str) -> Structure:
    """A structure without labels."""
    return structure_from_atoms(unlabelled(atoms), source=source)


def unlabelled(atoms: ase.Atoms) -> ase.Atoms:
    """The species, positions and cell alone."""
    bare = ase.Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    if COLUMN in atoms.arrays:
        bare.set_array(COLUMN, atoms.arrays[COLUMN])
    return bare


def read_frames(specs: Sequence[str], beads: Collection[str] = ()) -> list[tuple[ase.Atoms, str]]:
    """All frames of all files with their origin, "file#index"."""
    frames: list[tuple[ase.Atoms, str]] = []
    for spec in specs:
        for path, index in expand(spec):
            frames += _read_file(path, index, beads)
    return frames


def files_of(specs: Iterable[str]) -> list[str]:
    """The files that file[@slice] specifications name. Raises SoapGprError as ``expand`` does."""
    return [name for spec in specs for name, _ in expand(spec)]


def expand(spec: str) -> list[tuple[str, str]]:
    """The (file, slice) pairs that ``name@slice`` or ``glob@slice`` stands for, sorted by name."""
    name, _, index = spec.rpartition("@")
    if not name or os.path.exists(spec) or "/" in index:
        name, index = spec, ":"
    elif not _INDEX.match(index) or not index or _ZERO_STEP.search(index):
        raise SoapGprError(f"{spec}: found the slice {index!r}, expected one like 10, :100 or ::10")
    if os.path.isfile(name):
        return [(name, index)]
    files = sorted(path for path in glob.glob(name, recursive=True) if os.path.isfile(path))
    if not files:
        expected = "a matching file" if glob.has_magic(name) else "an existing file"
        there = "a folder" if os.path.isdir(name) else "nothing"
        raise SoapGprError(f"{name}: found {there}, expected {expected}")
    return [(path, index) for path in files]


def file_hashes(specs: Iterable[str]) -> dict[str, str]:
    """SHA-256 of every file that the specs name, for the provenance of a model."""
    hashes = {}
    for path in files_of(specs):
        with open(path, "rb") as stream:
            hashes[path] = hashlib.file_digest(stream, "sha256").hexdigest()
    return hashes


def read_atoms(path: str, index: int | slice, beads: Collection[str] = ()) -> Any:
    """What ``ase.io.read`` returns or raises, but SoapGprError as ``check_file`` does.

    beads: names that stand in the place of chemical symbols in extended XYZ files.
    """
    last = index.stop if isinstance(index, slice) else index
    # ASE counts the lines of one frame more than a slice has
    check_file(path, last + 1 if last is not None and last >= 0 else None)
    if beads and is_extended_xyz(path):
        return read_beads(path, index, beads)
    try:
        # parallel=False: only one rank of an MPI fit reads, where ASE would wait for the others
        return ase.io.read(path, index=index, parallel=False, do_not_split_by_at_sign=True)
    except KeyError:  # a species that ASE does not know
        if not is_extended_xyz(path):
            raise
        return read_beads(path, index, beads)


def _read_file(path: str, index: str, beads: Collection[str]) -> list[tuple[ase.Atoms, str]]:
    """The chosen frames, numbered as in the file."""
    wanted = string2index(index)
    chosen = wanted if isinstance(wanted, slice) else _slice_of_one(int(wanted))
    start: int = chosen.start or 0
    stop: int | None = chosen.stop
    step: int = chosen.step or 1
    from_the_front = start >= 0 and (stop is None or stop >= 0) and step > 0
    try:
        wanted = slice(start, stop, step) if from_the_front else slice(None)
        frames = read_atoms(path, wanted, beads)
    except SoapGprError:
        raise
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
