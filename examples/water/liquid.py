# SPDX-License-Identifier: BSD-3-Clause
"""What the demo measures on trajectories. Lengths in Å, energies in eV, times in ps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.geometry.rdf import get_rdf

N_BLOCKS, N_BINS = 5, 100
BOND_EDGES = np.linspace(0.75, 1.3, 56)  # Å
BROKEN = 1.6  # Å; two hydrogen-bonded oxygens are 2.5 Å or more apart
KELVIN = 8.617333262e-5  # eV, Boltzmann's constant

Frames = Sequence[Sequence[Atoms]]  # times × beads, unwrapped; one bead for a classical run


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


@dataclass(frozen=True)
class Nuclei:
    """One simulation of water."""

    rdf: dict[str, Curve]  # "OO", "OH", "HH"
    bond: Curve  # probability density of O-H bond lengths, 1/Å
    bond_mean: float  # Å
    bond_width: float  # Å, standard deviation
    longest: float  # Å, the longest distance of a hydrogen to its nearest oxygen
    temperature: float  # K, mean
    kinetic: float  # eV/atom, mean
    gyration: dict[str, float]  # Å by element; 0 for classical nuclei

    def values(self) -> list[tuple[str, str, str]]:
        """(quantity, value, unit) as shown to people."""
        top = int(np.argmax(self.rdf["OO"].mean))
        return [
            ("O–H bond, mean length", f"{self.bond_mean:.3f}", "Å"),
            ("O–H bond, standard deviation", f"{self.bond_width:.3f}", "Å"),
            ("Longest distance of an H to its nearest O", f"{self.longest:.2f}", "Å"),
            ("First peak of g(OO), position", f"{self.rdf['OO'].x[top]:.2f}", "Å"),
            ("First peak of g(OO), height", f"{self.rdf['OO'].mean[top]:.2f}", ""),
            ("Spread of an H (radius of gyration)", f"{self.gyration['H']:.3f}", "Å"),
            ("Spread of an O (radius of gyration)", f"{self.gyration['O']:.3f}", "Å"),
            ("Kinetic energy", f"{1e3 * self.kinetic:.1f}", "meV/atom"),
            ("Temperature", f"{self.temperature:.0f}", "K"),
        ]


def drift(time: np.ndarray, energy: np.ndarray, n_atoms: int) -> Drift:
    """Least-squares line through the total energy (n,) in eV at the times (n,) in ps."""
    per_atom = 1e3 * (energy - energy[0]) / n_atoms
    slope, offset = np.polyfit(time - time[0], per_atom, 1)
    rest = per_atom - offset - slope * (time - time[0])
    return Drift(float(slope), float(np.sqrt(np.mean(rest**2))))


def distances(atoms: Atoms) -> np.ndarray:
    """Distances (N, N) in Å of the nearest images in a rectangular box."""
    lengths = atoms.cell.lengths()
    r = atoms.positions[:, None] - atoms.positions
    return np.linalg.norm(r - lengths * np.round(r / lengths), axis=-1)


def radial_distribution(
    atoms: Atoms, elements: tuple[str, str], r: np.ndarray, r_max: float
) -> np.ndarray:
    """g(r) (N_BINS,) up to r_max Å, at most half the box; r: the distances (N, N) of the atoms.

    The density is that of the others: independent uniform positions give exactly 1 for atoms of
    one element too, where ase counts an atom among its own neighbours.
    """
    g = get_rdf(atoms, r_max, N_BINS, r, elements, no_dists=True)
    others = np.count_nonzero(atoms.symbols == elements[1])
    return g * others / (others - (elements[0] == elements[1]))


def measure(frames: Frames, *, temperature: float, kinetic: float) -> Nuclei:
    """Structure of an equilibrated trajectory; temperature in K, kinetic energy in eV/atom."""
    first = frames[0][0]
    of = {element: np.flatnonzero(first.symbols == element) for element in "OH"}
    r_max = 0.5 * (1 - 1e-12) * float(min(first.cell.lengths()))  # ase wants no more than half
    edges = np.linspace(0.0, r_max, N_BINS + 1)
    rdf = {pair: np.zeros((len(frames), N_BINS)) for pair in ("OO", "OH", "HH")}
    bonds = np.empty((len(frames), len(frames[0]), len(of["H"])))
    for t, beads in enumerate(frames):
        for k, atoms in enumerate(beads):
            r = distances(atoms)
            bonds[t, k] = r[np.ix_(of["H"], of["O"])].min(axis=1)
            for (a, b), g in rdf.items():
                g[t] += radial_distribution(atoms, (a, b), r, r_max) / len(beads)
    return Nuclei(
        rdf={pair: block_mean(edges, g) for pair, g in rdf.items()},
        bond=block_mean(BOND_EDGES, np.array([density(b, BOND_EDGES) for b in bonds])),
        bond_mean=float(bonds.mean()),
        bond_width=float(bonds.std()),
        longest=float(bonds.max()),
        temperature=temperature,
        kinetic=kinetic,
        gyration={element: gyration_radius(frames, atoms) for element, atoms in of.items()},
    )


def density(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Probability density (n_bins,) of values of any shape; values beyond the edges count too."""
    return np.histogram(values, edges)[0] / (values.size * np.diff(edges))


def block_mean(edges: np.ndarray, values: np.ndarray) -> Curve:
    """Mean of values (n_times, n_bins), with its error from blocks of the time axis."""
    parts = np.array_split(values, min(N_BLOCKS, len(values)))
    blocks = np.array([part.mean(axis=0) for part in parts])
    error = np.zeros(values.shape[1])
    if len(blocks) > 1:
        error = blocks.std(axis=0, ddof=1) / np.sqrt(len(blocks))
    return Curve(0.5 * (edges[1:] + edges[:-1]), values.mean(axis=0), error)


def gyration_radius(frames: Frames, atoms: np.ndarray) -> float:
    """Root-mean-square distance of the beads of these atoms from their centroids, Å."""
    x = np.array([[bead.positions[atoms] for bead in beads] for beads in frames])
    spread = x - x.mean(axis=1, keepdims=True)
    return float(np.sqrt(np.mean(np.sum(spread**2, axis=-1))))


def broken(frames: Frames) -> str:
    """What is not water any more, in words; "" when every hydrogen keeps its oxygen.

    A hydrogen of which some bead visits another oxygen for a moment is shared, not lost: what
    counts is where its centroid ends.
    """
    oxygen, hydrogen = (np.flatnonzero(frames[0][0].symbols == element) for element in "OH")

    def to_oxygen(atoms: Atoms) -> np.ndarray:
        return distances(atoms)[np.ix_(hydrogen, oxygen)]

    longest = max(to_oxygen(bead).min(axis=1).max() for beads in frames for bead in beads)
    if longest > BROKEN:
        return f"an O–H bond was {longest:.2f} Å long"
    centroids = []
    for beads in (frames[0], frames[-1]):
        centroids.append(beads[0].copy())
        centroids[-1].positions = np.mean([bead.positions for bead in beads], axis=0)
    before, after = (to_oxygen(atoms).argmin(axis=1) for atoms in centroids)
    moved = np.count_nonzero(before != after)
    return f"{moved} hydrogens changed their oxygen" if moved else ""
