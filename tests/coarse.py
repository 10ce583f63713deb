# SPDX-License-Identifier: BSD-3-Clause
"""Coarse-grained frames for tests: beads of water, one per molecule, and of an oil."""

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

BEADS = ("MW", "PO")
DEPTH = {("MW", "MW"): 0.27, ("MW", "PO"): 0.10, ("PO", "PO"): 0.18}  # eV
DISTANCE, RANGE, CUTOFF = 2.8, 1.6, 4.0  # Å


def morse(frame, names):
    """Energy (eV) and forces (N, 3) of Morse pairs that fade out at CUTOFF, by minimum images."""
    energy, forces = 0.0, np.zeros((len(frame), 3))
    r = frame.get_all_distances(mic=True, vector=True)
    for i, j in zip(*np.triu_indices(len(frame), 1), strict=True):
        d = np.linalg.norm(r[i, j])
        if d >= CUTOFF:
            continue
        depth = DEPTH[tuple(sorted((names[i], names[j])))]
        x, fade = np.exp(-RANGE * (d - DISTANCE)), (1 - (d / CUTOFF) ** 2) ** 2
        slope = -4 * d / CUTOFF**2 * (1 - (d / CUTOFF) ** 2)
        energy += depth * (x * x - 2 * x) * fade
        dE = depth * ((-2 * RANGE * (x * x - x)) * fade + (x * x - 2 * x) * slope)
        force = -dE * r[i, j] / d
        forces[j] += force
        forces[i] -= force
    return energy, forces


def coarse_frames(n, names=("MW",) * 27, seed=0):
    """Displaced grids of 3 × 3 × 3 beads, periodic, labelled: X with the names in a column."""
    rng = np.random.default_rng(seed)
    grid = 3.0 * np.stack(np.meshgrid(*[np.arange(3)] * 3), axis=-1).reshape(-1, 3)
    frames = []
    for _ in range(n):
        positions = grid + 0.15 * rng.standard_normal(grid.shape)
        frame = Atoms(f"X{len(grid)}", positions, cell=9.0 * np.eye(3), pbc=True)
        frame.set_array("bead", np.array(names))
        energy, forces = morse(frame, names)
        frame.calc = SinglePointCalculator(frame, energy=energy, forces=forces)
        frames.append(frame)
    return frames


def write_named(path, frames):
    """Extended XYZ with the names in the place of chemical symbols, as other programs write it."""
    lines = []
    for frame in frames:
        cell = " ".join(f"{x:.10f}" for x in frame.cell.array.ravel())
        lines += [
            str(len(frame)),
            f'Lattice="{cell}" Properties=species:S:1:pos:R:3:forces:R:3 '
            f'energy={frame.get_potential_energy():.12f} pbc="T T T"',
        ]
        columns = zip(frame.arrays["bead"], frame.positions, frame.get_forces(), strict=True)
        for name, r, f in columns:
            lines.append(f"{name} " + " ".join(f"{x:.12f}" for x in (*r, *f)))
    path.write_text("\n".join(lines) + "\n")
    return str(path)
