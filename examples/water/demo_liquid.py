# SPDX-License-Identifier: BSD-3-Clause
"""Structure of the liquid with classical and with quantum nuclei."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from demo_analysis import (
    Curve,
    bond_lengths,
    density_curve,
    gyration_radius,
    radial_distribution_curve,
)

N_BINS = 100
BOND_EDGES = np.linspace(0.75, 1.3, 56)  # Å
KELVIN = 8.617333262e-5  # eV, Boltzmann's constant


@dataclass(frozen=True)
class Nuclei:
    """One simulation."""

    rdf: dict[str, Curve]  # "OO", "OH", "HH"
    bond: Curve  # probability density of O-H bond lengths
    bond_mean: float  # Å
    bond_width: float  # Å, standard deviation
    longest: float  # Å, the longest distance of a hydrogen to its nearest oxygen
    temperature: float  # K, mean
    kinetic: float  # eV/atom, mean
    gyration: dict[str, float]  # Å by element; 0 for classical nuclei


@dataclass(frozen=True)
class Liquid:
    """Both."""

    classical: Nuclei
    quantum: Nuclei

    def rows(self) -> list[tuple[str, str, str, str]]:
        """(quantity, classical, quantum, unit) as shown to people."""
        pair = (self.classical, self.quantum)
        peaks = [first_peak(nuclei.rdf["OO"]) for nuclei in pair]

        def row(name: str, values, form: str, unit: str) -> tuple[str, str, str, str]:
            first, second = (format(value, form) for value in values)
            return name, first, second, unit

        return [
            row("O–H bond, mean length", [n.bond_mean for n in pair], ".3f", "Å"),
            row("O–H bond, standard deviation", [n.bond_width for n in pair], ".3f", "Å"),
            row("Longest distance of an H to its nearest O", [n.longest for n in pair], ".2f", "Å"),
            row("First peak of g(OO), position", [x for x, _ in peaks], ".2f", "Å"),
            row("First peak of g(OO), height", [y for _, y in peaks], ".2f", ""),
            row("Spread of an H (radius of gyration)", [n.gyration["H"] for n in pair], ".3f", "Å"),
            row("Spread of an O (radius of gyration)", [n.gyration["O"] for n in pair], ".3f", "Å"),
            row("Kinetic energy", [1e3 * n.kinetic for n in pair], ".1f", "meV/atom"),
            row("Temperature", [n.temperature for n in pair], ".0f", "K"),
        ]


def nuclei(
    frames: np.ndarray,
    symbols: np.ndarray,
    lengths: np.ndarray,
    *,
    temperature: float,
    kinetic: float,
) -> Nuclei:
    """Measure frames (n_frames, n_beads, N, 3) in a box with edges (3,), Å; equilibrated ones."""
    oxygen, hydrogen = (np.flatnonzero(symbols == element) for element in "OH")
    r_max = 0.5 * float(np.min(lengths))
    rdf = {
        pair: radial_distribution_curve(frames, lengths, first, second, r_max, N_BINS)
        for pair, first, second in (
            ("OO", oxygen, oxygen),
            ("OH", oxygen, hydrogen),
            ("HH", hydrogen, hydrogen),
        )
    }
    bonds = bond_lengths(frames, lengths, oxygen, hydrogen)
    return Nuclei(
        rdf=rdf,
        bond=density_curve(bonds, BOND_EDGES),
        bond_mean=float(bonds.mean()),
        bond_width=float(bonds.std()),
        longest=float(bonds.max()),
        temperature=temperature,
        kinetic=kinetic,
        gyration={
            "O": gyration_radius(frames, oxygen),
            "H": gyration_radius(frames, hydrogen),
        },
    )


def first_peak(curve: Curve) -> tuple[float, float]:
    """(position, height) of the largest value, by a parabola through its neighbours."""
    top = int(np.clip(np.argmax(curve.mean), 1, len(curve.x) - 2))
    left, middle, right = curve.mean[top - 1 : top + 2]
    bend = left - 2 * middle + right
    shift = 0.5 * (left - right) / bend if bend < 0 else 0.0
    step = curve.x[1] - curve.x[0]
    return float(curve.x[top] + shift * step), float(middle - 0.25 * (left - right) * shift)
