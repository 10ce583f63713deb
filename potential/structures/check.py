# SPDX-License-Identifier: BSD-3-Clause
"""What is odd about labelled structures: each finding is one sentence that says what to do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from ase.data import covalent_radii

from potential.species import LAST_ELEMENT
from potential.structures.digests import fingerprint
from potential.structures.pair_virials import pairs_within
from potential.structures.structure import Structure, composition, is_complete, symbol
from potential.structures.units import Labelled, force_units, length_units, virial_units

LARGEST_FORCE = 50.0  # eV/Å; beyond it the frame decides the fit
CLOSEST = 0.5  # of the sum of two covalent radii
SAME_ENERGY = 1e-4  # eV per atom, between two calculations of one geometry
SAME_FORCE = 1e-3  # eV/Å
SAME_TARGET = 1e-3  # of the largest number of a label of [[targets]]


@dataclass(frozen=True)
class Finding:
    """One oddity: its kind, one sentence, and the frames ("file#index") that it is about."""

    kind: str
    message: str
    frames: tuple[str, ...] = ()


def check(structures: Sequence[Structure]) -> list[Finding]:
    """Everything odd about the structures, as a list that is empty for clean data.

    Takes well under a millisecond per structure: tests of units look at a sample.
    """
    findings = [finding for test in _TESTS for finding in test(structures)]
    for kind, test in (("length", length_units), ("force", force_units), ("virial", virial_units)):
        findings += [Finding(f"{kind} units", message) for message in test(structures)]
    return findings


def _finding(kind: str, frames: Sequence[Structure], what: str, worst: Structure, advice: str):
    one = len(frames) == 1
    return Finding(
        kind,
        f"{len(frames)} frame{'' if one else 's'} {what} ({'' if one else 'worst: '}"
        f"{worst.source}): {advice}",
        tuple(frame.source for frame in frames),
    )


def _labels(structures: Sequence[Structure]) -> Iterator[Finding]:
    for label, able in (
        ("energy", structures),
        ("forces", [s for s in structures if not s.is_isolated_atom]),
        ("virial", [s for s in structures if s.pbc.all() and not s.is_isolated_atom]),
        # Many leave the stress of slabs and wires out on purpose: it is missed beside others alone.
        ("virial", [s for s in structures if s.volume > 0 and not s.pbc.all()]),
    ):
        without = [s for s in able if getattr(s, label) is None]
        if 0 < len(without) < len(able):
            yield Finding(
                "missing labels",
                f"{len(without)} of {len(able)} frames have no {label} (first: "
                f"{without[0].source}): if they should, look for another name in the file",
                tuple(s.source for s in without),
            )


def _duplicates(structures: Sequence[Structure]) -> Iterator[Finding]:
    first: dict[bytes, Structure] = {}
    same: list[tuple[Structure, Structure]] = []
    different: list[tuple[Structure, Structure]] = []
    for s in structures:
        original = first.setdefault(fingerprint(s), s)
        if original is not s:
            (same if _same_labels(original, s) else different).append((s, original))
    for pairs, kind, what, advice in (
        (
            same,
            "duplicates",
            "with the geometry and labels of another",
            "drop them, or they count twice",
        ),
        (
            different,
            "contradictions",
            "with the geometry of another and other labels",
            "find out which calculation is right and drop the other",
        ),
    ):
        if pairs:
            s, original = pairs[0]
            yield Finding(
                kind,
                f"{len(pairs)} frame{'s' * (len(pairs) > 1)} {what} (first: {s.source} = "
                f"{original.source}): {advice}",
                tuple(s.source for s, _ in pairs),
            )


def _same_labels(a: Structure, b: Structure) -> bool:
    """Whether the labels that both have agree."""
    for label, tolerance in (
        ("energy", SAME_ENERGY * len(a)),
        ("forces", SAME_FORCE),
        ("virial", 10 * SAME_ENERGY * len(a)),
    ):
        x, y = getattr(a, label), getattr(b, label)
        if x is not None and y is not None and (np.abs(x - y) > tolerance).any():
            return False
    return all(
        _same_target(a.targets[name], b.targets[name]) for name in a.targets.keys() & b.targets
    )


def _same_target(x: np.ndarray, y: np.ndarray) -> bool:
    known = np.isfinite(x) & np.isfinite(y)
    largest = np.abs(x[known]).max(initial=0.0)
    return bool((np.abs(x - y)[known] <= SAME_TARGET * largest).all())


def _images(structures: Sequence[Structure]) -> Iterator[Finding]:
    """Frames of two files that turn into each other by rotations and permutations: the same
    energy, volume and lengths of forces for another geometry."""
    groups: dict[bytes, list[Labelled]] = defaultdict(list)
    for s in structures:
        if s.energy is not None and is_complete(s.forces) and len(s) > 1:
            groups[np.sort(s.numbers).tobytes()].append(s)
    found = []
    for group in groups.values():
        group.sort(key=lambda s: s.energy)
        for a, b in pairwise(group):
            volumes = [s.volume if s.pbc.all() else 0.0 for s in (a, b)]
            close = abs(a.energy - b.energy) < 1e-6 and abs(np.diff(volumes)[0]) < 1e-4 * len(a)
            other_file = a.source.rpartition("#")[0] != b.source.rpartition("#")[0]
            if close and other_file and not _same_geometry(a, b) and _same_force_lengths(a, b):
                found.append((b, a))
    if found:
        b, a = found[0]
        yield Finding(
            "images",
            f"{len(found)} frame{'s' * (len(found) > 1)} look like frames of another file, turned "
            f"or reordered (first: {b.source} and {a.source}): a leak if one is in the test set",
            tuple(b.source for b, _ in found),
        )


def _same_geometry(a: Structure, b: Structure) -> bool:
    return fingerprint(a) == fingerprint(b)


def _same_force_lengths(a: Labelled, b: Labelled) -> bool:
    lengths = [np.sort(np.linalg.norm(s.forces, axis=1)) for s in (a, b)]
    return bool(np.abs(lengths[0] - lengths[1]).max() < 1e-4)


def _forces(structures: Sequence[Structure]) -> Iterator[Finding]:
    frames: list[Labelled] = [s for s in structures if s.forces is not None and len(s) > 1]
    yield from _net_force([s for s in frames if is_complete(s.forces)])
    if not frames:
        return
    largest = np.array([np.nanmax(np.linalg.norm(s.forces, axis=1)) for s in frames])
    typical = float(np.median(largest))
    for limit, kind, what in (
        (LARGEST_FORCE, "extreme forces", f"above {LARGEST_FORCE:g} eV/Å"),
        (max(10.0, 20 * typical), "outlying forces", "over 20 times those of the median frame"),
    ):
        extreme = np.flatnonzero(largest > limit)
        if len(extreme):
            worst = frames[int(np.argmax(largest))]
            yield _finding(
                kind,
                [frames[k] for k in extreme],
                f"with forces {what}, up to {largest.max():.0f} eV/Å",
                worst,
                "drop them, or give them a config_type of their own with a larger [noise] force",
            )
            return


def _net_force(frames: Sequence[Labelled]) -> Iterator[Finding]:
    if not frames:
        return
    rms = float(np.sqrt(np.mean(np.concatenate([s.forces.ravel() for s in frames]) ** 2)))
    net = np.array([np.linalg.norm(s.forces.sum(axis=0)) for s in frames])
    noise = net / np.sqrt([len(s) for s in frames])
    bad = np.flatnonzero((noise > 0.01 * rms) & (net > 0.01))
    if len(bad) == 0:
        return
    worst = int(np.argmax(noise))
    rough = noise[worst] > 0.1 * rms
    advice = (
        "look for a field, fixed atoms or unconverged calculations"
        if rough
        else "usual for DFT grids, and no smaller [noise] force than "
        f"{noise[worst]:.2g} eV/Å makes sense"
    )
    yield _finding(
        "net force",
        [frames[k] for k in bad.tolist()],
        f"with forces that do not add up to zero, |sum| up to {net[worst]:.2g} eV/Å",
        frames[worst],
        advice,
    )


def _energies(structures: Sequence[Structure]) -> Iterator[Finding]:
    """Energies per atom far from the rest once the composition is accounted for."""
    frames: list[Labelled] = [
        s for s in structures if s.energy is not None and not s.is_isolated_atom
    ]
    if len(frames) < 10:
        return
    species = sorted({int(z) for s in frames for z in s.numbers})
    size = np.array([len(s) for s in frames], dtype=float)
    share = np.array([composition(s, species) for s in frames]) / size[:, None]
    per_atom = np.array([s.energy for s in frames]) / size
    for _ in range(3):  # again without the outliers, which pull the fit
        left = _residual(share, per_atom)
        keep = left <= max(5 * float(np.median(left)), 1e-6)
        if keep.sum() < len(species):
            break
        e0 = np.linalg.lstsq(share[keep], per_atom[keep], rcond=None)[0]
        left = np.abs(per_atom - share @ e0)
    spread = 1.4826 * float(np.median(left))
    bad = np.flatnonzero(left > max(15 * spread, 0.5))
    if 0 < len(bad) <= 0.1 * len(frames):
        worst = int(np.argmax(left))
        yield _finding(
            "energy outliers",
            [frames[k] for k in bad],
            f"with energies up to {left[worst]:.3g} eV/atom from those of like composition",
            frames[worst],
            "check that they converged, at the same level of theory and units",
        )


def _residual(share, per_atom):
    e0 = np.linalg.lstsq(share, per_atom, rcond=None)[0]
    left = per_atom - share @ e0
    return np.abs(left - np.median(left))


def _geometry(structures: Sequence[Structure]) -> Iterator[Finding]:
    unbounded = [s for s in structures if _forgotten_pbc(s)]
    if unbounded:
        yield _finding(
            "cell without pbc",
            unbounded,
            "with atoms all over a cell that is not periodic",
            unbounded[0],
            'if it is, write pbc="T T T", or neighbours across its faces are not seen',
        )
    close = []
    for s in structures:
        ratio = _closest(s)
        if ratio < CLOSEST:
            close.append((ratio, s))
    if close:
        ratio, worst = min(close, key=lambda item: item[0])
        yield _finding(
            "close atoms",
            [s for _, s in close],
            f"with atoms nearer than {CLOSEST:g} of the sum of their covalent radii, down to "
            f"{ratio:.2f}",
            worst,
            "check cell, units and whether atoms are there twice",
        )


def _forgotten_pbc(s: Structure) -> bool:
    volume = abs(float(np.linalg.det(s.cell)))
    if s.pbc.any() or len(s) < 2 or not 1.0 < volume < 40.0 * len(s):
        return False
    extent = np.ptp(s.positions @ np.linalg.inv(s.cell), axis=0)
    return bool((extent > min(0.7, 1.0 - 1.5 / len(s) ** (1 / 3))).all() and len(s) >= 8)


def _closest(s: Structure) -> float:
    """The shortest distance over the sum of covalent radii; inf when above CLOSEST, or with beads,
    which have none."""
    if s.numbers.max() > LAST_ELEMENT:
        return np.inf
    radii = covalent_radii[s.numbers]
    i, j, r_ij = pairs_within(s, 2 * CLOSEST * float(radii.max()))
    ratio = np.linalg.norm(r_ij, axis=1) / (radii[i] + radii[j])
    return float(ratio.min(initial=np.inf))


def _isolated_atoms(structures: Sequence[Structure]) -> Iterator[Finding]:
    there = {int(s.numbers[0]) for s in structures if s.is_isolated_atom}
    missing = sorted({int(z) for s in structures for z in s.numbers} - there)
    if there and missing:
        yield Finding(
            "isolated atoms",
            f"isolated atoms of {', '.join(map(symbol, sorted(there)))} but none of "
            f"{', '.join(map(symbol, missing))}: isolated_atom_energies needs one of each species",
        )


_TESTS: tuple[Callable[[Sequence[Structure]], Iterator[Finding]], ...] = (
    _labels,
    _duplicates,
    _images,
    _forces,
    _energies,
    _geometry,
    _isolated_atoms,
)
