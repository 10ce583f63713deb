# SPDX-License-Identifier: BSD-3-Clause
"""Frames and settings for tensors.py: training, validation and test frames of each set, and what is
learned from them. Settings were chosen on the validation frames (tensors.py --validation)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ase
import ase.io
import numpy as np
from common import COSINE

Frames = list[ase.Atoms]
Division = tuple[Frames, Frames, Frames]  # to train on, validation, test
Settings = dict[str, Any]

DIPOLE = {"kind": "vector", "per_atom": False}
POLARIZABILITY = {"kind": "tensor", "per_atom": False}
HYPERPOLARIZABILITY = {
    "kind": "tensor",
    "rank": 3,
    "per_atom": False,
    "key": "hyperpolarizability_au",
}
ENERGY = {"per_atom": False, "key": "electronic_energy", "unit": "eV"}


@dataclass(frozen=True)
class TensorSet:
    """One set. Frames carry no labels but those of its targets."""

    title: str
    read: Callable[[Path], Division]
    sizes: tuple[int, ...]
    repeats: int  # random choices of training frames, of the sizes below the largest
    term: Settings
    targets: Mapping[str, Settings] = field(default_factory=dict)  # without name and key
    basis: Mapping[str, Any] = field(default_factory=dict)  # of all vectors and tensors


def _molecules(name: str) -> Callable[[Path], Division]:
    """1000 frames of water_tensors, in an order that is always the same."""

    def read(data: Path) -> Division:
        frames = []
        for atoms in ase.io.read(data / "water_tensors" / f"{name}.xyz", ":"):
            bare = _bare(atoms)
            bare.info["electronic_energy"] = float(atoms.get_potential_energy())
            bare.info["dipole_au"] = _label(atoms, "dipole_au", 1)
            bare.info["polarizability_au"] = _label(atoms, "polarizability_au", 2)
            bare.info["hyperpolarizability_au"] = _label(atoms, "hyperpolarizability_au", 3)
            frames.append(bare)
        return _divided(frames, 100, 200)

    return read


def _qm7x(data: Path) -> Division:
    frames = []
    for atoms in ase.io.read(data / "qm7x_polarizability_100" / "qm7x_reduced_100.xyz", ":"):
        bare = _bare(atoms)
        bare.info["polarizability_au"] = _label(atoms, "polarizability", 2)
        frames.append(bare)
    return _divided(frames, 15, 25)


def _liquid(data: Path) -> Division:
    """Liquid water, each frame in a cell of its own. Dipoles come without it: they are of the same
    frames as the polarizabilities. The other files have dipoles whose cells are not known, and
    polarizabilities of water in another state."""
    folder, frames = data / "water_tensor_deepmd", []
    for atoms, other in zip(
        ase.io.read(folder / "polar_training_global.xyz", ":"),
        ase.io.read(folder / "dipole_training_global.xyz", ":"),
        strict=True,
    ):
        assert np.array_equal(atoms.positions, other.positions)
        bare = _bare(atoms)
        bare.info["total_polarizability"] = _label(atoms, "polarizability", 2)
        bare.info["total_dipole"] = _label(other, "dipole", 1)
        frames.append(bare)
    return _divided(frames, 10, 24)


def _crystals(data: Path) -> Division:
    found = []
    for name in ("train", "val", "test"):
        own = []
        for atoms in ase.io.read(data / "ShiftML3_tensors" / f"{name}.xyz", ":"):
            bare = _bare(atoms)
            bare.arrays["cs_tensor"] = atoms.arrays["cs_tensor"]
            own.append(bare)
        found.append(own)
    return found[0], found[1], found[2]


def _bare(atoms: ase.Atoms) -> ase.Atoms:
    return ase.Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)


def _label(atoms: ase.Atoms, key: str, rank: int) -> list[float]:
    """Cartesian components, symmetric to the last digit."""
    value = atoms.info[key] if key in atoms.info else atoms.calc.results[key]
    T = np.array(value, dtype=float).reshape((3,) * rank)
    if rank == 2:
        T = (T + T.T) / 2
    return T.ravel().tolist()


def _divided(frames: Frames, n_validation: int, n_test: int) -> Division:
    order = np.random.default_rng(0).permutation(len(frames))
    test, validation, kept = np.split(order, [n_test, n_test + n_validation])
    return [frames[k] for k in kept], [frames[k] for k in validation], [frames[k] for k in test]


SETS = {
    "monomer": TensorSet(
        "water molecule",
        _molecules("monomer"),
        sizes=(25, 50, 100, 200, 400, 700),
        repeats=2,
        term={"cutoff": 4.0, "n_max": 6, "l_max": 4, "atom_sigma": 0.4, "n_sparse": 300} | COSINE,
        basis={"n_sparse": 300},
        targets={
            "electronic_energy": {**ENERGY, "noise": 1e-5},
            "dipole": {**DIPOLE, "key": "dipole_au", "noise": 1e-5},
            "polarizability": {**POLARIZABILITY, "key": "polarizability_au", "noise": 1e-4},
            "hyperpolarizability": {**HYPERPOLARIZABILITY, "noise": 1e-4},
        },
    ),
    "zundel": TensorSet(
        "Zundel cation",
        _molecules("zundel"),
        sizes=(25, 50, 100, 200, 400, 700),
        repeats=2,
        term={"cutoff": 4.0, "n_max": 8, "l_max": 4, "n_sparse": 500} | COSINE,
        basis={"n_sparse": 300, "zeta": 3},
        targets={
            "electronic_energy": {**ENERGY, "noise": 1e-4},
            "dipole": {**DIPOLE, "key": "dipole_au", "noise": 1e-4},
            "polarizability": {**POLARIZABILITY, "key": "polarizability_au", "noise": 1e-3},
            "hyperpolarizability": {**HYPERPOLARIZABILITY, "noise": 3e-3},
        },
    ),
    "qm7x": TensorSet(
        "conformers of C, H, N, S (QM7-X)",
        _qm7x,
        sizes=(15, 30, 60),
        repeats=3,
        term={"cutoff": 6.0, "n_max": 6, "l_max": 4, "n_sparse": 10} | COSINE,
        basis={"n_sparse": 300},
        targets={"polarizability": {**POLARIZABILITY, "key": "polarizability_au", "noise": 0.03}},
    ),
    "liquid": TensorSet(
        "liquid water",
        _liquid,
        sizes=(6, 12, 23, 46),
        repeats=3,
        term={"cutoff": 5.0, "n_max": 6, "l_max": 4, "n_sparse": 10} | COSINE,
        basis={"n_sparse": 300},
        targets={
            "dipole": {**DIPOLE, "key": "total_dipole", "noise": 0.05},
            "polarizability": {**POLARIZABILITY, "key": "total_polarizability", "noise": 0.1},
        },
    ),
    "shieldings": TensorSet(
        "molecular crystals, shielding tensors",
        _crystals,
        sizes=(12, 25, 50, 100),
        repeats=1,
        term={"cutoff": 5.0, "n_max": 6, "l_max": 5, "atom_sigma": 0.35, "n_sparse": 10} | COSINE,
        basis={"n_sparse": 500},
        targets={
            f"shielding_{species}": {
                "kind": "tensor",
                "symmetric": False,
                "species": [species],
                "key": "cs_tensor",
                "unit": "ppm",
                "noise": noise,
            }
            for species, noise in (("H", 0.5), ("C", 3.0))
        },
    ),
}
