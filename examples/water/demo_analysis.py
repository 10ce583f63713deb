# SPDX-License-Identifier: BSD-3-Clause
"""What the demo measures on trajectories. Lengths in Å, energies in eV, times in ps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_PAIRS_AT_ONCE = 1_000_000  # bounds the memory of distances


@dataclass(frozen=True)
class Curve:
    """A mean over blocks of a trajectory with its standard error; all arrays (n_bins,)."""

    x: np.ndarray
    mean: np.ndarray
    error: np.ndarray


@dataclass(frozen=True)
class Drift:
    """Straight line through a conserved energy."""

    slope: float  # meV/atom/ps
    scatter: float  # meV/atom, root mean square about the line


def drift(time: np.ndarray, energy: np.ndarray, n_atoms: int) -> Drift:
    """Least-squares line through the total energy (n,) in eV at the times (n,) in ps."""
    per_atom = 1e3 * (energy - energy[0]) / n_atoms
    slope, offset = np.polyfit(time - time[0], per_atom, 1)
    rest = per_atom - offset - slope * (time - time[0])
    return Drift(float(slope), float(np.sqrt(np.mean(rest**2))))


def radial_distribution(
    frames: np.ndarray,
    lengths: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    r_max: float,
    n_bins: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Bin centres (n_bins,) and g(r) (n_bins,) between two sets of atoms.

    g(r) = V/n_pairs × (pairs in the shell)/(volume of the shell), averaged over the frames, where
    n_pairs counts pairs of different atoms: independent uniform positions give exactly 1.
    frames: (n_frames, N, 3), wrapped or not; lengths: (3,) edges of the orthorhombic box;
    first, second: atom indices. Raises ValueError when r_max is beyond half the shortest edge.
    """
    if r_max > 0.5 * np.min(lengths) * (1 + 1e-12):
        raise ValueError(f"r_max is {r_max} Å; expected at most half the box, {min(lengths) / 2} Å")
    edges = np.linspace(0.0, r_max, n_bins + 1)
    counts = np.zeros(n_bins)
    different = first[:, None] != second[None, :]
    batch = max(1, _PAIRS_AT_ONCE // different.size)
    for begin in range(0, len(frames), batch):
        some = frames[begin : begin + batch]
        distance = _distances(some[:, first], some[:, second], lengths)
        counts += np.histogram(distance[:, different], edges)[0]
    shell = 4.0 / 3.0 * np.pi * np.diff(edges**3)
    ideal = len(frames) * different.sum() * shell / np.prod(lengths)
    return 0.5 * (edges[1:] + edges[:-1]), counts / ideal


def radial_distribution_curve(
    frames: np.ndarray,
    lengths: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    r_max: float,
    n_bins: int,
    n_blocks: int = 5,
) -> Curve:
    """g(r) with its error from blocks of the time axis.

    frames: (n_frames, n_beads, N, 3); the beads of a frame count as samples of one block.
    """
    blocks = []
    for block in np.array_split(frames, min(n_blocks, len(frames))):
        flat = block.reshape(-1, *block.shape[2:])
        x, g = radial_distribution(flat, lengths, first, second, r_max, n_bins)
        blocks.append(g)
    return _curve(x, np.array(blocks))


def bond_lengths(
    frames: np.ndarray, lengths: np.ndarray, oxygen: np.ndarray, hydrogen: np.ndarray
) -> np.ndarray:
    """Distance of every hydrogen to its nearest oxygen, (..., n_hydrogen) for (..., N, 3)."""
    return nearest_oxygen(frames, lengths, oxygen, hydrogen)[1]


def nearest_oxygen(
    frames: np.ndarray, lengths: np.ndarray, oxygen: np.ndarray, hydrogen: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """For every hydrogen the place of its nearest oxygen in ``oxygen``, and the distance;
    both (..., n_hydrogen) for (..., N, 3)."""
    flat = frames.reshape(-1, *frames.shape[-2:])
    batch = max(1, _PAIRS_AT_ONCE // (len(oxygen) * len(hydrogen)))
    places, distances = [], []
    for begin in range(0, len(flat), batch):
        some = flat[begin : begin + batch]
        table = _distances(some[:, hydrogen], some[:, oxygen], lengths)
        places.append(table.argmin(axis=2))
        distances.append(table.min(axis=2))
    shape = (*frames.shape[:-2], len(hydrogen))
    return np.concatenate(places).reshape(shape), np.concatenate(distances).reshape(shape)


def density_curve(values: np.ndarray, edges: np.ndarray, n_blocks: int = 5) -> Curve:
    """Probability density of values (n_frames, ...) with its error from blocks of the time axis."""
    blocks = []
    for block in np.array_split(values, min(n_blocks, len(values))):
        counts = np.histogram(block, edges)[0]
        blocks.append(counts / (block.size * np.diff(edges)))
    return _curve(0.5 * (edges[1:] + edges[:-1]), np.array(blocks))


def gyration_radius(frames: np.ndarray, atoms: np.ndarray) -> float:
    """Root-mean-square distance of beads from their centroid; frames (n_frames, n_beads, N, 3).

    The beads of an atom must lie in one image of the cell.
    """
    chosen = frames[:, :, atoms]
    spread = chosen - chosen.mean(axis=1, keepdims=True)
    return float(np.sqrt(np.mean(np.sum(spread**2, axis=-1))))


def _distances(first: np.ndarray, second: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Minimum-image distances (n_frames, n_first, n_second)."""
    square = np.zeros((*first.shape[:2], second.shape[1]))
    for axis, length in enumerate(lengths):
        difference = second[:, None, :, axis] - first[:, :, None, axis]
        difference -= length * np.round(difference / length)
        square += difference**2
    return np.sqrt(square)


def _curve(x: np.ndarray, blocks: np.ndarray) -> Curve:
    """Mean and standard error over blocks (n_blocks, n_bins)."""
    count = len(blocks)
    error = blocks.std(axis=0, ddof=1) / np.sqrt(count) if count > 1 else np.zeros_like(x)
    return Curve(x, blocks.mean(axis=0), error)
