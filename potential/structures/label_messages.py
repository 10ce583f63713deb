# SPDX-License-Identifier: BSD-3-Clause
"""What there is to say about the labels of a data set: doubts to look into, and notes of what was
read, and what was not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import ase
import numpy as np

from potential.structures.label_names import (
    FORCE_CONSISTENT,
    KINDS,
    RENAMED,
    STANDARD,
    WEIGHTS,
    LabelNames,
    find_first,
    find_label,
    frame_names,
)
from potential.structures.labels import has_unusable_stress
from potential.structures.structure import Structure

# What may be a label or say something of labels; inputs of a calculation are none.
_LABEL = re.compile("energ|force|virial|stress|dipole|charge|magmom|mask|weight|sigma", re.I)
_NO_LABEL = re.compile("^initial_|mask|weight|sigma", re.I)
_ENERGY = re.compile(r"energ|^(e|e_?tot|e_?0|toten)$", re.I)
_UNITS = {"energy": "eV/atom", "forces": "eV/Å", "virial": "eV", "stress": "eV/Å^3"}
ROUNDING = 1e-6  # in these units


def doubts(
    frames: Sequence[ase.Atoms], structures: Sequence[Structure], names: LabelNames
) -> list[str]:
    """Labels that may have been missed or mistaken."""
    return [
        *_missed(frames, structures, names),
        *_two_versions(frames, names),
        *_unusable_stress(frames, structures, names),
    ]


def notes(
    frames: Sequence[ase.Atoms],
    structures: Sequence[Structure],
    names: LabelNames,
    said: Sequence[str],
) -> list[str]:
    """Choices among what the frames carry, and what they carry that was not used, but for names in
    the doubts that were said."""
    return [
        *_renamed(names, frames),
        *_free_energy(frames, names),
        *_weights(frames, structures, names),
        *_not_used(frames, names, said),
    ]


def no_labels(
    frames: Sequence[ase.Atoms], structures: Sequence[Structure], names: LabelNames
) -> str:
    """Why no frame has a label."""
    if any(0 in (s.weight_energy, s.weight_force, s.weight_virial) for s in structures):
        return f"found weights of 0 ({_weight_names(frames, names)}) on all labels, expected others"
    masked = sum(find_first(atoms, names.forces)[1] is not None for atoms in frames)
    if masked:
        return f"found no energies, and {names.force_mask} = T for the forces of all atoms"
    return (
        "found no energies, forces, virials or stresses; set energy_key and the like to the names "
        f"used in the file: {', '.join(_names(frames)) or 'none'}"
    )


def _names(frames: Sequence[ase.Atoms]) -> dict[str, None]:
    return dict.fromkeys(name for atoms in frames for name in frame_names(atoms))


def _carried(frames: Sequence[ase.Atoms]) -> dict[str, Any]:
    """The numbers that frames carry: name and first value."""
    values: dict[str, Any] = {}
    for atoms in frames:
        for name in frame_names(atoms):
            if name not in values:
                values[name] = find_label(atoms, name)
    return {name: x for name, x in values.items() if np.asarray(x).dtype.kind in "bifu"}


def _candidates(frames: Sequence[ase.Atoms], names: LabelNames) -> dict[str, list[str]]:
    """Names that look like labels and are not looked for, by kind."""
    found: dict[str, list[str]] = {field: [] for fields in KINDS.values() for field in fields}
    known = names.all
    for name, value in _carried(frames).items():
        if name in known or _NO_LABEL.search(name):
            continue
        if "force" in name.lower() and np.shape(value)[1:] == (3,):
            found["forces"].append(name)
        elif "virial" in name.lower() and np.size(value) in (6, 9):
            found["virial"].append(name)
        elif "stress" in name.lower() and np.size(value) in (6, 9):
            found["stress"].append(name)
        elif _ENERGY.search(name) and np.ndim(value) == 0:
            found["energy"].append(name)
    return found


def _missing(kind: str, s: Structure) -> bool:
    if kind == "energies":
        return s.energy is None and s.weight_energy > 0
    if kind == "forces":
        return s.forces is None and s.weight_force > 0
    return s.virial is None and s.weight_virial > 0


def _missed(
    frames: Sequence[ase.Atoms], structures: Sequence[Structure], names: LabelNames
) -> Iterator[str]:
    """Names that look like a label, in frames that gave none of its kind."""
    for kind, fields in KINDS.items():
        without = [k for k, s in enumerate(structures) if _missing(kind, s)]
        if not without:
            continue
        candidates = _candidates([frames[k] for k in without], names)
        for field in fields:
            with_volume = any(structures[k].volume for k in without)
            for name in candidates[field] if field != "stress" or with_volume else ():
                which = (
                    f"no {kind} were read, but frames carry"
                    if len(without) == len(frames)
                    else f"no {kind} were read from {len(without)} of {len(frames)} frames, which "
                    "carry"
                )
                yield f"{which} {name!r}: if that is what it is, set {field}_key"


def _versions(names: LabelNames) -> dict[str, str]:
    """{REF_energy or the like: field} where the standard name is used."""
    return {
        other: field
        for fields in KINDS.values()
        for field in fields
        if set(getattr(names, field)) == set(getattr(STANDARD, field))
        for other in getattr(RENAMED, field)
    }


def _two_versions(frames: Sequence[ase.Atoms], names: LabelNames) -> Iterator[str]:
    """Standard labels beside those called REF_energy and the like, where both differ."""
    carried = _names(frames)
    for other, field in _versions(names).items():
        if other not in carried:
            continue
        ours = getattr(names, field)
        pair = (ours, (other,))
        count, largest = _difference(frames, pair, names.ev, per_atom=field == "energy")
        if largest > ROUNDING:
            yield (
                f"frames carry {other!r} beside {ours[0]!r}, which is used: {_frames(count)} "
                f"differ by up to {largest:.3g} {_UNITS[field]}; "
                f'{field}_key = "{other}" takes the other'
            )


def _difference(
    frames: Sequence[ase.Atoms], versions: Sequence[Sequence[str]], ev: float, per_atom: bool
) -> tuple[int, float]:
    """In how many frames two versions of a label differ, and by how much at most in eV (and Å).

    ev: the unit of the labels.
    """
    differences = [0.0]
    for atoms in frames:
        values = [find_first(atoms, names)[1] for names in versions]
        try:
            x, y = (np.array(value, dtype=np.float64).ravel() for value in values)
        except (TypeError, ValueError):
            continue
        if x.shape == y.shape:
            largest = ev * float(np.nan_to_num(np.abs(x - y)).max(initial=0.0))
            differences.append(largest / len(atoms) if per_atom else largest)
    return sum(d > ROUNDING for d in differences), max(differences)


def _unusable_stress(
    frames: Sequence[ase.Atoms], structures: Sequence[Structure], names: LabelNames
) -> Iterator[str]:
    dropped = unusable_stresses(frames, structures, names)
    if dropped:
        yield (
            f"the stress of {_frames(len(dropped))} was not read (first: {dropped[0]}): without a "
            "cell of three vectors that is periodic there is no volume"
        )


def unusable_stresses(
    frames: Sequence[ase.Atoms], structures: Sequence[Structure], names: LabelNames
) -> list[str]:
    """The sources of frames whose stress is not read, as they have no volume."""
    pairs = zip(frames, structures, strict=True)
    return [s.source for a, s in pairs if s.virial is None and has_unusable_stress(a, names)]


def _renamed(names: LabelNames, frames: Sequence[ase.Atoms]) -> Iterator[str]:
    carried = _names(frames)
    used, instead = list[str](), list[str]()
    for fields in KINDS.values():
        for field in fields:
            if getattr(names, field) == getattr(RENAMED, field):
                there = [name for name in getattr(RENAMED, field) if name in carried]
                used += there
                instead += [getattr(STANDARD, field)[0]] if there else []
    if used:
        yield f"labels were read from {', '.join(used)}, as no frame has {', '.join(instead)}"


def _free_energy(frames: Sequence[ase.Atoms], names: LabelNames) -> Iterator[str]:
    if names.energy != FORCE_CONSISTENT or "free_energy" not in _names(frames):
        return
    _, largest = _difference(frames, (("energy",), ("free_energy",)), names.ev, per_atom=True)
    alone = sum(find_label(a, "free_energy") is None is not find_label(a, "energy") for a in frames)
    if largest > ROUNDING:
        yield (
            "energies are those called 'free_energy', whose derivatives the forces are; 'energy' "
            f"differs from them by up to {1e3 * largest:.3g} meV/atom"
            + (f" and is all that {_frames(alone)} have" if alone else "")
            + ': energy_key = "energy" takes that'
        )


def _weights(
    frames: Sequence[ase.Atoms], structures: Sequence[Structure], names: LabelNames
) -> Iterator[str]:
    weights = np.array([(s.weight_energy, s.weight_force, s.weight_virial) for s in structures])
    zero, other = np.any(weights == 0, axis=1), np.any((weights != 0) & (weights != 1), axis=1)
    which = _weight_names(frames, names) if zero.any() or other.any() else ""
    if zero.any():
        yield f"{which}: 0 in {_frames(zero.sum())}, whose labels are left out"
    if other.any():
        yield f"{which}: expected errors of {_frames(other.sum())} are divided by its root"


def _frames(count: int) -> str:
    return f"{count} frame{'' if count == 1 else 's'}"


def _weight_names(frames: Sequence[ase.Atoms], names: LabelNames) -> str:
    carried = _names(frames)
    keys = dict.fromkeys(key for what in WEIGHTS for key in names.weights_of(what))
    return ", ".join(key for key in keys if key in carried)


def _not_used(frames: Sequence[ase.Atoms], names: LabelNames, said: Sequence[str]) -> Iterator[str]:
    known = names.all | set(_versions(names))
    if set(names.energy) <= set(STANDARD.energy):
        known |= set(STANDARD.energy)
    hinted = " ".join(said)
    left = [
        name
        for name in _carried(frames)
        if _LABEL.search(name)
        and not name.startswith("initial_")
        and name not in known
        and repr(name) not in hinted
    ]
    if left:
        yield f"frames carry {', '.join(map(repr, left))}: not used"
