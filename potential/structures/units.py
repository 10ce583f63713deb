# SPDX-License-Identifier: BSD-3-Clause
"""Units and signs of labels, found by comparing labels that must fit each other.

Energies with forces along consecutive frames, energies with virials between strained cells, and
forces with virials through a pair model fitted to the forces.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import Any

import numpy as np
from ase.data import covalent_radii
from ase.geometry import find_mic

from potential.species import LAST_ELEMENT
from potential.structures.pair_virials import pair_model_virials, pairs_within
from potential.structures.structure import Structure, is_complete

Labelled = Any  # a Structure that has the labels in use
KBAR = 1602.1766208  # kBar in one eV/Å^3
OFFSET = 5.0  # kBar: pressures further off spoil a fit
SMALL_STEP = 0.3  # Å, for energy differences by the trapezoidal rule
SMALL_STRAIN = 0.03
SAMPLE = 60  # structures or pairs looked at

# what the ratio of energy differences to the work of the forces would mean
FORCE_RATIOS = {
    -1.0: "the sign of the forces is wrong (they are gradients)",
    1.8897: "energies are in hartree and forces in hartree/bohr",
    27.2114: "energies are in eV and forces in hartree/Å",
    51.4221: "forces are in hartree/bohr",
    25.711: "forces are in rydberg/bohr",
    1 / 27.2114: "energies are in hartree",
    1 / 13.6057: "energies are in rydberg",
    23.0605: "energies are in kcal/mol",
    96.4853: "energies are in kJ/mol",
    1 / 23.0605: "forces are in kcal/mol/Å",
    1 / 96.4853: "forces are in kJ/mol/Å",
}
# the same for labelled virials over what they should be
VIRIAL_RATIOS = {
    -1.0: "their sign is wrong: virial = -stress * volume, stress positive under tension",
    KBAR: "they come from a stress in kBar",
    -KBAR: "they come from a pressure in kBar, whose sign is opposite to the stress",
    160.21766: "they come from a stress in GPa",
    -160.21766: "they come from a pressure in GPa, whose sign is opposite to the stress",
    1 / KBAR: "they were divided by 1602 once too often",
    -1 / KBAR: "they were divided by 1602 once too often, and the sign is wrong",
    1 / 27.2114: "they are in hartree",
}


def length_units(structures: Sequence[Structure]) -> list[str]:
    """A message when nearest neighbours are as far apart as in positions in bohr."""
    ratios = []
    for s in _sample([s for s in structures if len(s) > 1]):
        if np.isin(s.numbers, (2, 10, 18, 36, 54)).any() or s.numbers.max() > LAST_ELEMENT:
            continue
        radii = covalent_radii[s.numbers]
        i, j, r_ij = pairs_within(s, 5.0 * float(radii.max()))
        if len(i):
            ratios.append(float((np.linalg.norm(r_ij, axis=1) / (radii[i] + radii[j])).min()))
    ratio = float(np.median(ratios)) if ratios else 1.0
    if ratio < 1.55:
        return []
    return [
        f"nearest atoms are {ratio:.2f} sums of covalent radii apart in the median frame: if "
        "positions and cells are in bohr, multiply them by 0.529177 (and check energies and forces)"
    ]


def force_units(structures: Sequence[Structure]) -> list[str]:
    """A message when energy differences of consecutive frames are not the work of the forces."""
    work: list[float] = []
    gain: list[float] = []
    a: Labelled
    b: Labelled
    for a, b in pairwise(structures):
        if len(work) >= 5 * SAMPLE:
            break
        step = _step(a, b)
        if step is not None:
            work.append(-0.5 * float(np.sum((a.forces + b.forces) * step)))
            gain.append(b.energy - a.energy)
    slope = _slope(np.array(work), np.array(gain))
    if slope is None or 0.7 < slope < 1.4:
        return []
    reason = _reason(slope, FORCE_RATIOS) or "energies and forces do not belong together"
    return [
        f"energy differences of {len(work)} pairs of consecutive frames are {slope:.4g} times the "
        f"work of the forces, expected 1: {reason}"
    ]


def _step(a: Structure, b: Structure) -> np.ndarray | None:
    """Displacements (N, 3) from a to b, if that is a small step in the same cell with labels."""
    if a.energy is None or b.energy is None:
        return None
    if not is_complete(a.forces) or not is_complete(b.forces):
        return None
    same = np.array_equal(a.numbers, b.numbers) and np.array_equal(a.pbc, b.pbc)
    if len(a) < 2 or not same or np.abs(a.cell - b.cell).max() > 1e-6:
        return None
    step = b.positions - a.positions
    if a.pbc.any():
        step = find_mic(step, a.cell, a.pbc)[0]
    size = float(np.abs(step).max())
    return step if 1e-5 < size < SMALL_STEP else None


def virial_units(structures: Sequence[Structure]) -> list[str]:
    """Messages when virials disagree with energies of strained cells, or else with the forces."""
    frames = [s for s in structures if is_complete(s.virial) and s.volume > 0]
    by_energy = _by_strain(frames)
    return _by_forces(frames) if by_energy is None else by_energy


def _by_strain(frames: Sequence[Structure]) -> list[str] | None:
    """dE = -W:e between cells that differ by a small strain e; None when it cannot be said."""
    work, gain, dilation = [], [], []
    a: Labelled
    b: Labelled
    for a, b in _strained_pairs(frames):
        middle = 0.5 * (a.cell + b.cell)
        strain = np.linalg.inv(middle) @ (b.cell - a.cell)
        strain = 0.5 * (strain + strain.T)
        work.append(-0.5 * float(np.sum((a.virial + b.virial) * strain)))
        gain.append(b.energy - a.energy)
        dilation.append(abs(float(np.linalg.det(middle))) * float(np.trace(strain)))
    x, y, volume = np.array(work), np.array(gain), np.array(dilation)
    if len(x) < 4 or np.ptp(y) < 2e-3:
        return None
    columns = np.stack([x, volume], axis=1)
    scale = np.abs(columns).max(axis=0)
    if (scale < 1e-12).any():
        return None
    (slope, _), quality = _two_columns(columns, scale, y)
    if quality < 0.8 or slope == 0:
        return None
    if not 0.7 < slope < 1.4:
        reason = _reason(1 / slope, VIRIAL_RATIOS) or "check their units and signs"
        return [
            f"virials are {1 / slope:.4g} times what the energies of {len(x)} pairs of strained "
            f"cells say: {reason}"
        ]
    kbar = -float(volume @ (y - x)) / float(volume @ volume) * KBAR
    if abs(kbar) < OFFSET:
        return []
    return [
        f"pressures are {-kbar:+.3g} kBar off against the energies of {len(x)} pairs of strained "
        "cells: usual for a basis set too small for stress; train without them (virial_per_atom = "
        "inf)"
    ]


def _two_columns(columns, scale, y):
    """Least squares and the share of y that it explains."""
    solution = np.linalg.lstsq(columns / scale, y, rcond=1e-6)[0]
    left = y - columns / scale @ solution
    return solution / scale, 1.0 - float(left @ left) / float(y @ y)


def _strained_pairs(frames: Sequence[Structure]) -> list[tuple[Structure, Structure]]:
    """Pairs of the same atoms at the same fractional coordinates in slightly different cells."""
    groups: dict[bytes, list] = defaultdict(list)
    for s in frames:
        if s.energy is not None:
            groups[s.numbers.tobytes()].append(s)
    pairs = []
    for group in groups.values():
        for cluster in _same_fractions(group):
            for a, b in combinations(cluster[:SAMPLE], 2):
                strain = np.abs(np.linalg.solve(a.cell, b.cell) - np.eye(3)).max()
                if 1e-4 < strain < SMALL_STRAIN:
                    pairs.append((a, b))
    return pairs


def _same_fractions(group: Sequence[Structure]) -> list[list[Structure]]:
    """Clusters of equal fractional coordinates, found along one smooth function of these."""
    fractions = [s.positions @ np.linalg.inv(s.cell) for s in group]
    weights = np.random.default_rng(0).standard_normal(fractions[0].shape)
    along = np.array([np.sum(weights * np.cos(2 * np.pi * f)) for f in fractions])
    order = np.argsort(along, kind="stable")
    clusters = [[order[0]]]
    for k in order[1:]:
        difference = fractions[k] - fractions[clusters[-1][0]]
        if np.abs(difference - np.round(difference)).max() < 1e-4:
            clusters[-1].append(k)
        else:
            clusters.append([k])
    return [[group[k] for k in sorted(cluster)] for cluster in clusters if len(cluster) > 1]


def _by_forces(frames: Sequence[Labelled]) -> list[str]:
    """Labelled virials against those of a pair model of the forces, without the pressure, which
    forces do not know."""
    frames = _sample([s for s in frames if is_complete(s.forces) and 1 < len(s) <= 1000])
    model = pair_model_virials(frames)
    if model is None:
        return []
    labels = np.array([_deviatoric(s.virial) for s in frames]).ravel()
    expected = np.array([_deviatoric(virial) for virial in model]).ravel()
    slope = _slope(expected, labels)
    if slope is None or 0.1 < slope < 10:
        return []
    reason = _reason(slope, VIRIAL_RATIOS, factor=2.0) or "check their units and signs"
    return [
        f"virials are about {slope:.2g} times those of a pair model of the forces "
        f"({len(frames)} frames): {reason}"
    ]


def _deviatoric(tensor: np.ndarray) -> np.ndarray:
    return tensor - np.trace(tensor) / 3 * np.eye(3)


def _slope(x: np.ndarray, y: np.ndarray) -> float | None:
    """y / x by least squares, if there are enough values that go together."""
    if len(x) < 5 or not x @ x > 0 or not y @ y > 0:
        return None
    correlation = float(x @ y) / np.sqrt(float(x @ x) * float(y @ y))
    return float(x @ y) / float(x @ x) if abs(correlation) > 0.8 else None


def _reason(ratio: float, meanings: dict[float, str], factor: float = 1.25) -> str:
    """The meaning whose ratio is nearest, if within the factor."""
    near = min(
        (known for known in meanings if known * ratio > 0),
        key=lambda known: abs(np.log(ratio / known)),
        default=None,
    )
    good = near is not None and abs(np.log(ratio / near)) < np.log(factor)
    return meanings[near] if good and near is not None else ""


def _sample(structures: Sequence[Structure]) -> list[Any]:
    """At most SAMPLE structures, spread over all."""
    step = max(1, -(-len(structures) // SAMPLE))
    return list(structures[::step])
