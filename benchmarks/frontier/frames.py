# SPDX-License-Identifier: BSD-3-Clause
"""What all codes of the comparison are given: the same frames, and the same cell to be timed on."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import ase
import ase.io
import numpy as np
from ase.calculators.singlepoint import SinglePointCalculator
from sets import DEFAULT, SEED, divided, stratified

from potential.scores.benchmark import repeated

CELL_ATOMS = 512  # of the cell to be timed on, at least
TRAIN, TEST = "train.xyz", "test.xyz"


class Frames(NamedTuple):
    """A set as the codes see it. In the folder lie TRAIN and TEST with energies and forces and
    nothing else, since fitpod, gap_fit and uf3 read each label that they know the name of."""

    name: str
    species: list[str]  # in the order of atomic numbers
    train: list[ase.Atoms]
    test: list[ase.Atoms]
    files: dict[str, list[str]]  # [data] of fit.toml, with the set's other labels
    folder: Path


def frames_of(name: str, folder: Path, share: float, data: Path) -> Frames:
    """Training and test frames of a set; share: of the training frames of each config_type."""
    files = divided(name, folder, data)
    train, test = (ase.io.read(files[key][0], ":") for key in ("train", "test"))
    if share < 1:
        types = [frame.info.get("config_type", DEFAULT) for frame in train]
        train = [train[k] for k in stratified(types, round(share * len(train)), 0)[0]]
        ase.io.write(folder / "share.xyz", train)
        files = files | {"train": [str(folder / "share.xyz")]}
    plain = folder / "plain"
    plain.mkdir(exist_ok=True)
    for file, frames in ((TRAIN, train), (TEST, test)):
        ase.io.write(plain / file, [_plain(frame) for frame in frames], format="extxyz")
    numbers = sorted({int(z) for frame in train for z in frame.numbers})
    species = [ase.Atom(z).symbol for z in numbers]
    return Frames(name, species, train, test, files, plain)


def timed_cell(frames: Frames) -> ase.Atoms:
    """The test frame of median volume per atom, repeated to CELL_ATOMS atoms or more.

    Where it lacks some species of the set, as the binary alloys of a set for four elements do, they
    are drawn at random, each as likely as the others.
    """
    volumes = [frame.get_volume() / len(frame) for frame in frames.test]
    median = frames.test[int(np.argsort(volumes, kind="stable")[len(volumes) // 2])]
    one = ase.Atoms(median.symbols, median.positions, cell=median.cell, pbc=True)
    cell = repeated(one, CELL_ATOMS)
    if len(set(cell.symbols)) < len(frames.species):
        cell.symbols = np.random.default_rng(SEED).choice(frames.species, len(cell))
    return cell


def _plain(frame: ase.Atoms) -> ase.Atoms:
    plain = ase.Atoms(frame.symbols, frame.positions, cell=frame.cell, pbc=frame.pbc)
    energy, forces = frame.get_potential_energy(), frame.get_forces()
    plain.calc = SinglePointCalculator(plain, energy=energy, forces=forces)
    return plain
