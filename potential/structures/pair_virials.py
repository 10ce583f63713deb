# SPDX-License-Identifier: BSD-3-Clause
"""Virials estimated from forces alone, by a pair model."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement

import numpy as np

from potential.structures.neighbors import neighbors_of
from potential.structures.structure import Structure

CUTOFF = 5.0  # Å
SPACING = 0.25  # Å, of the knots of the pair force
MOST_COLUMNS = 400


def pair_model_virials(frames: Sequence[Structure]) -> np.ndarray | None:
    """Virials (n_frames, 3, 3) in eV of central pair forces fitted to the labelled forces.

    The force between two species is linear between knots, and found by least squares. None when
    there are too few forces, or pair forces explain less than half of them.
    """
    species = sorted({int(z) for s in frames for z in s.numbers})
    knots = int(CUTOFF / SPACING)
    kinds = {pair: k * knots for k, pair in enumerate(combinations_with_replacement(species, 2))}
    n = len(kinds) * knots
    if len(frames) < 5 or n > MOST_COLUMNS:
        return None
    first = np.zeros((len(species), len(species)), dtype=np.int64)
    for (z, y), start in kinds.items():
        a, b = species.index(z), species.index(y)
        first[a, b] = first[b, a] = start
    normal, right, total = np.zeros((n, n)), np.zeros(n), 0.0
    virials = []
    for s in frames:
        of_atoms = np.searchsorted(species, s.numbers)
        forces, virial = _columns(s, first[of_atoms[:, None], of_atoms], n)
        target = np.asarray(s.forces).ravel()
        normal += forces.T @ forces
        right += forces.T @ target
        total += float(target @ target)
        virials.append(virial)
    normal[np.diag_indices(n)] += 1e-6 * max(float(np.trace(normal)) / n, 1e-300)
    solution = np.linalg.solve(normal, right)
    if not total > 0 or float(right @ solution) < 0.5 * total:
        return None
    return np.array([virial @ solution for virial in virials])


def pairs_within(s: Structure, cutoff: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Neighbours j of atoms i (n_pairs,) with r_ij (n_pairs, 3) Å."""
    near = neighbors_of(s, cutoff)
    i = np.repeat(np.arange(len(s)), near.counts)
    return i, np.asarray(near.neighbor, np.int64), near.r_ij


def _columns(s: Structure, first: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Forces (3N, n) and virial (3, 3, n) of unit pair forces at every knot; first (N, N)."""
    i, j, r_ij = pairs_within(s, CUTOFF)
    r = np.linalg.norm(r_ij, axis=1)
    unit = r_ij / np.maximum(r, 1e-9)[:, None]  # atoms at one place are found elsewhere
    knot = np.minimum((r / SPACING).astype(np.int64), int(CUTOFF / SPACING) - 1)
    share = r / SPACING - knot
    forces, virial = np.zeros((len(s), 3, n)), np.zeros((3, 3, n))
    for shift, weight in ((0, 1.0 - share), (1, share)):
        used = knot + shift < int(CUTOFF / SPACING)  # the force vanishes at the cutoff
        column = first[i, j][used] + knot[used] + shift
        w, u = weight[used, None], unit[used]
        # positive: repulsive, i is pushed away from j
        np.add.at(forces.transpose(0, 2, 1), (i[used], column), -w * u)
        outer = 0.5 * w[:, :, None] * u[:, :, None] * r_ij[used][:, None, :]
        np.add.at(virial.transpose(2, 0, 1), column, outer)
    return forces.reshape(-1, n), virial
