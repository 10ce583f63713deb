# SPDX-License-Identifier: BSD-3-Clause
"""Starting geometries for the water reference data: lattices, beads-like noise, small clusters.

Nothing here needs a trained model or a quantum-mechanical code. Atoms are ordered O, H, H per
molecule everywhere. Lengths are in Å, densities in g/cm³.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms
from scipy.spatial.transform import Rotation

MOLAR_MASS = 18.015  # g/mol
AVOGADRO = 0.602214076  # 1e24 / mol: makes Å³ from cm³
BOND, ANGLE = 0.96, 107.0  # close to the GFN2-xTB monomer
# shortest contacts (Å) between molecules worth teaching: tens of eV/Å are felt there
CLOSEST = {"OO": 2.0, "HO": 1.15, "HH": 0.95}


def box_length(n_molecules: int, density: float) -> float:
    """Edge (Å) of the cube that holds `n_molecules` of water at `density` (g/cm³)."""
    return (n_molecules * MOLAR_MASS / AVOGADRO / density) ** (1 / 3)


def monomer(bond_1: float = BOND, bond_2: float = BOND, angle: float = ANGLE) -> Atoms:
    """One water molecule with O at the origin; bonds in Å, angle in degrees."""
    half = np.radians(angle) / 2
    directions = np.array([[np.sin(half), np.cos(half), 0], [-np.sin(half), np.cos(half), 0]])
    return Atoms("OH2", positions=[np.zeros(3), bond_1 * directions[0], bond_2 * directions[1]])


def _rotated(molecule: Atoms, rng: np.random.Generator) -> Atoms:
    turned = molecule.copy()
    quaternion = rng.normal(size=4)
    turned.positions = Rotation.from_quat(quaternion).apply(turned.positions)
    return turned


def lattice(n_molecules: int, density: float, rng: np.random.Generator) -> Atoms:
    """A cube of randomly turned molecules on a face-centred lattice (n_molecules = 4 n³)."""
    n = round((n_molecules / 4) ** (1 / 3))
    if 4 * n**3 != n_molecules:
        raise ValueError(f"n_molecules is {n_molecules}, expected 4 n^3 (4, 32, 108, ...)")
    length = box_length(n_molecules, density)
    corners = np.array(np.meshgrid(*[np.arange(n)] * 3)).reshape(3, -1).T
    face = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    sites = (corners[:, None, :] + face[None] + 0.25).reshape(-1, 3) * (length / n)
    box = Atoms(cell=[length] * 3, pbc=True)
    for site in sites:
        molecule = _rotated(monomer(), rng)
        molecule.positions += site
        box += molecule
    return box


def bead_noise(atoms: Atoms, rng: np.random.Generator) -> Atoms:
    """Displace atoms about as far as a path-integral bead at 300 K is from its classical twin.

    Along each O–H bond σ = 0.065 Å (the zero-point width of a 3600 cm⁻¹ stretch), across it
    0.09 Å (bend and libration), each oxygen with its molecule 0.03 Å.
    """
    moved = atoms.copy()
    x = moved.positions.reshape(-1, 3, 3)
    x += rng.normal(scale=0.03, size=(len(x), 1, 3))
    bonds = x[:, 1:] - x[:, :1]
    unit = bonds / np.linalg.norm(bonds, axis=-1, keepdims=True)
    noise = rng.normal(size=bonds.shape)
    along = np.sum(noise * unit, axis=-1, keepdims=True) * unit
    x[:, 1:] += 0.065 * along + 0.09 * (noise - along)
    moved.positions = x.reshape(-1, 3)
    return moved


def monomers(count: int, rng: np.random.Generator) -> list[Atoms]:
    """Monomers in vacuum, compressed, stretched and bent far beyond what MD visits."""
    frames = [monomer()]
    while len(frames) < count:
        together = rng.uniform(0.72, 1.55)
        bonds = np.where(rng.random(2) < 0.5, together, rng.uniform(0.75, 1.25, size=2))
        frames.append(monomer(bonds[0], bonds[1], rng.uniform(70, 160)))
    return frames


def far_enough(gaps: np.ndarray, symbols: tuple, others: tuple) -> bool:
    """Whether contacts (Å, len(symbols) × len(others)) between molecules are all bearable."""
    limits = np.array([[CLOSEST["".join(sorted(a + b))] for b in others] for a in symbols])
    return bool(np.all(gaps >= limits))


def dimer(contact: str, distance: float, rng: np.random.Generator) -> Atoms:
    """Two randomly turned, slightly distorted molecules; the first atoms of the two elements in
    `contact` ("OO", "OH", "HH") are `distance` (Å) apart and no other contact is too short."""
    i, j = (0 if element == "O" else 1 for element in contact)
    while True:
        first, second = (bead_noise(_rotated(monomer(), rng), rng) for _ in range(2))
        direction = rng.normal(size=3)
        direction *= distance / np.linalg.norm(direction)
        second.positions += first.positions[i] + direction - second.positions[j]
        gaps = np.linalg.norm(first.positions[:, None] - second.positions[None], axis=-1)
        gaps[i, j] = np.inf
        if far_enough(gaps, first.symbols, second.symbols):
            return first + second


def dimers(count: int, rng: np.random.Generator) -> list[Atoms]:
    """Dimers in vacuum: a quarter at any O–O distance, the rest close O–H, H–H, O–O contacts."""
    ranges = [("OO", 2.5, 6.0), ("OH", 1.15, 2.4), ("HH", 0.85, 2.0), ("OO", 2.0, 2.7)]
    kinds = [ranges[k % len(ranges)] for k in range(count)]
    return [dimer(contact, rng.uniform(low, high), rng) for contact, low, high in kinds]


def squeezed(frame: Atoms, rng: np.random.Generator) -> Atoms:
    """Push one random molecule of a liquid rigidly towards a near neighbour until two random
    atoms of the two are at 1.0 to 1.5 times the closest bearable distance; the others stay."""
    while True:
        moved = frame.copy()
        pick = int(rng.integers(len(moved) // 3))
        oxygen_gaps = moved.get_distances(3 * pick, range(0, len(moved), 3), mic=True)
        partner = int(np.argsort(oxygen_gaps)[rng.integers(1, 5)])
        ours, theirs = 3 * pick + int(rng.integers(3)), 3 * partner + int(rng.integers(3))
        vector = moved.get_distance(ours, theirs, mic=True, vector=True)
        pair = "".join(sorted(moved.symbols[ours] + moved.symbols[theirs]))
        target = CLOSEST[pair] * rng.uniform(1.0, 1.5)
        molecule = np.arange(3 * pick, 3 * pick + 3)
        moved.positions[molecule] += vector * max(0.0, 1 - target / np.linalg.norm(vector))
        rest = np.delete(np.arange(len(moved)), molecule)
        gaps = moved.get_all_distances(mic=True)[np.ix_(molecule, rest)]
        if far_enough(gaps, moved.symbols[molecule], moved.symbols[rest]):
            return moved
