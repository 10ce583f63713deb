# SPDX-License-Identifier: BSD-3-Clause
"""Labels of tensors that are the same with their indices in any order: how well they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import ase
import numpy as np

from potential.errors import SoapGprError
from potential.structures.structure import Structure
from potential.structures.target_labels import TargetLabel
from potential.tensors.spherical import cartesian

LARGEST = 0.01  # of the median size of the tensors: what digits and numerical derivatives leave
SEEN = 1e-6  # below it nobody needs to know


def symmetric_labels(
    structures: Sequence[Structure], labels: Sequence[TargetLabel]
) -> tuple[list[Structure], list[str]]:
    """The structures with the symmetric part of those labels that are said to be symmetric, and a
    note on each of these that was not.

    Raises SoapGprError for an antisymmetric part above ``LARGEST`` of the median size.
    """
    found, notes = list(structures), list[str]()
    for label in labels:
        if label.rank < 2 or not label.symmetric:
            continue
        off = asymmetry(found, label)
        worst = int(np.argmax(off)) if len(off) else 0
        if not len(off) or off[worst] == 0:
            continue
        source = found[worst].source
        if off[worst] > LARGEST:
            advice = "" if label.rank == 3 else ", or symmetric = false"
            raise SoapGprError(
                f"{source}: {label.key}: found a tensor whose antisymmetric part is "
                f"{100 * off[worst]:.3g} % of the usual size, expected at most {100 * LARGEST:g} % "
                f"for target {label.name}{advice}"
            )
        if off[worst] > SEEN:
            notes.append(
                f"target {label.name}: {label.key!r} was made symmetric: antisymmetric parts were "
                f"up to {off[worst]:.2g} of the usual size ({source})"
            )
        found = [made_symmetric(s, label) for s in found]
    return found, notes


def asymmetry(structures: Sequence[Structure], label: TargetLabel) -> np.ndarray:
    """The largest |T - T_s| of each structure (n,), T_s the symmetric part, over the median |T| of
    all; 0 where there is no label."""
    P = _projector(label)
    off, sizes = np.zeros(len(structures)), [np.zeros(0)]
    for k, structure in enumerate(structures):
        T = np.atleast_2d(structure.targets.get(label.name, np.full(len(P), np.nan)))
        T = T[np.isfinite(T).all(axis=1)]
        off[k] = np.linalg.norm(T - T @ P, axis=1).max(initial=0.0)
        sizes.append(np.linalg.norm(T, axis=1))
    size = np.concatenate(sizes)
    size = size[size > 0]
    return off / np.median(size) if len(size) else off


def made_symmetric(structure: Structure, label: TargetLabel) -> Structure:
    """The structure with the symmetric part of its label, if it has one."""
    T = structure.targets.get(label.name)
    if T is None:
        return structure
    return replace(structure, targets={**structure.targets, label.name: T @ _projector(label)})


def _projector(label: TargetLabel) -> np.ndarray:
    """B Bᵀ of docs/theory.md eq. (26d), on what is symmetric."""
    B = cartesian(label.rank, True)
    return B @ B.T


def tensor_label(frames: Sequence[tuple[ase.Atoms, str]], key: str) -> TargetLabel:
    """The label of this name as the first frame that has it shows its form: of atoms where it is a
    column, of rank 1, 2 or 3 by its components; none is taken for symmetric.

    Raises SoapGprError where no frame has it, or it has other numbers of components.
    """
    for atoms, source in frames:
        per_atom = key in atoms.arrays
        results = atoms.calc.results if atoms.calc is not None else {}
        value = atoms.arrays[key] if per_atom else atoms.info.get(key, results.get(key))
        if value is None:
            continue
        size = np.size(value) // len(atoms) if per_atom else np.size(value)
        for rank in (1, 2, 3):
            if size == 3**rank:
                return TargetLabel(key, key, per_atom=per_atom, rank=rank, symmetric=False)
        raise SoapGprError(
            f"{source}: {key}: found shape {np.shape(value)}, expected 3, 9 or 27 numbers"
            f"{' for each atom' * per_atom}"
        )
    raise SoapGprError(f"{key}: found no frame with it, expected a vector or tensor")
