# SPDX-License-Identifier: BSD-3-Clause
"""Frames for calibration.py: training and held-out ones of the same kind, and others that a model
of them has never seen. What is outside needs no labels: only whether it is flagged counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ase
import ase.io
import numpy as np
from ase import units
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from common import COSINE

Frames = list[ase.Atoms]


@dataclass(frozen=True)
class CalibrationSet:
    """One set: how its frames are read, and what is outside of it.

    read: training and held-out frames together, and by their kinds those that are neither. hot:
    K of the dynamics that give frames of another temperature, None where the set has such. bond:
    elements whose bond is broken, None: any.
    """

    read: Callable[[Path], tuple[Frames, dict[str, Frames]]]
    n_train: int
    n_test: int
    term: dict[str, Any]
    noise: dict[str, float]
    hot: float | None
    bond: tuple[str, str] | None


def _water(data: Path) -> tuple[Frames, dict[str, Frames]]:
    liquid = ase.io.read(data / "water_PBE0TS/train.xyz", ":")
    gas = ase.io.read(data / "water_dimers_MP2/amoeba300K_1000.xyz", "::20")
    return liquid, {"phase": gas}


def _silicon(data: Path) -> tuple[Frames, dict[str, Frames]]:
    """Crystals up to 1518 K and strained ones; outside are hotter ones, which melt, and those with
    surfaces and vacancies."""
    found: dict[str, Frames] = {"crystal": [], "temperature": [], "phase": []}
    for name in ("train", "test"):
        for atoms in ase.io.read(data / f"mlearn_Si/{name}.xyz", ":"):
            defect = atoms.info["config_type"] in ("Surface", "Vacancy")
            kind = "temperature" if _is_hot(atoms) else "phase" if defect else "crystal"
            found[kind].append(atoms)
    return found.pop("crystal"), found


def _is_hot(atoms: ase.Atoms) -> bool:
    return any(f" {kelvin} K" in atoms.info.get("description", "") for kelvin in (2530, 3374))


def _molecule(data: Path) -> tuple[Frames, dict[str, Frames]]:
    return ase.io.read(data / "acetylacetone/train_300K.xyz", ":"), {}


def _alloys(data: Path) -> tuple[Frames, dict[str, Frames]]:
    """Solid solutions of two of Mo, Nb, Ta and W; outside are elements at 3000 K and surfaces."""
    found: dict[str, Frames] = {"SS": [], "AIMD": [], "Surface": []}
    for atoms in ase.io.read(data / "MoNbTaW/train.xyz", ":"):
        kind = atoms.info["config_type"].split("_")[1]
        if kind in found and (kind != "AIMD" or ":3000-" in atoms.info.get("notes", "")):
            found[kind].append(atoms)
    return found["SS"], {"temperature": found["AIMD"][::4], "phase": found["Surface"]}


SETS = {
    "water": CalibrationSet(
        _water,
        n_train=80,
        n_test=60,
        term={"cutoff": 5.0, "n_max": 8, "l_max": 6, "zeta": 4, "n_sparse": 1000} | COSINE,
        noise={"energy_per_atom": 0.001, "force": 0.05},
        hot=1000.0,
        bond=("O", "H"),
    ),
    "silicon": CalibrationSet(
        _silicon,
        n_train=73,
        n_test=48,
        term={"cutoff": 5.0, "n_max": 8, "l_max": 6, "zeta": 4, "n_sparse": 1000} | COSINE,
        noise={"energy_per_atom": 0.002, "force": 0.05},
        hot=None,
        bond=("Si", "Si"),
    ),
    "alloys": CalibrationSet(
        _alloys,
        n_train=250,
        n_test=100,
        term={"cutoff": 5.0, "n_max": 6, "l_max": 4, "zeta": 4, "n_sparse": 300} | COSINE,
        noise={"energy_per_atom": 0.002, "force": 0.05},
        hot=None,
        bond=None,
    ),
    "acetylacetone": CalibrationSet(
        _molecule,
        n_train=200,
        n_test=200,
        term={"cutoff": 5.0, "n_max": 8, "l_max": 6, "zeta": 4, "n_sparse": 1000} | COSINE,
        noise={"energy_per_atom": 0.0005, "force": 0.02},
        hot=1500.0,
        bond=("C", "H"),
    ),
}


def divide(frames: Frames, own: CalibrationSet, seed: int) -> tuple[Frames, Frames]:
    """Training and held-out frames, drawn at random."""
    order = np.random.default_rng(seed).permutation(len(frames))
    n = own.n_train
    return [frames[k] for k in order[:n]], [frames[k] for k in order[n : n + own.n_test]]


def outside(
    own: CalibrationSet, test: Frames, other: dict[str, Frames], calculator, seed: int
) -> dict[str, Frames]:
    """Frames outside of the training set, by kind: of another temperature (where the set has none,
    by dynamics with the model), with a broken bond, of another phase."""
    found = {"dissociated": [broken(atoms, own.bond, k) for k, atoms in enumerate(test[:40])]}
    if own.hot is not None:
        found["temperature"] = hot_frames(test[0], own.hot, calculator, seed)
    return found | other


def hot_frames(start: ase.Atoms, kelvin: float, calculator, seed: int) -> Frames:
    """Every 10th step of 300 after 200 of Langevin dynamics, 0.5 fs each."""
    rng = np.random.default_rng(seed)
    atoms = ase.Atoms(start.numbers, start.positions, cell=start.cell, pbc=start.pbc)
    atoms.calc = calculator
    MaxwellBoltzmannDistribution(atoms, temperature_K=kelvin, rng=rng)
    dynamics = Langevin(
        atoms, 0.5 * units.fs, temperature_K=kelvin, friction=0.05 / units.fs, rng=rng, fixcm=False
    )
    dynamics.run(200)
    frames = []
    for _ in range(30):
        dynamics.run(10)
        frames.append(ase.Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc))
    return frames


def broken(atoms: ase.Atoms, bond: tuple[str, str] | None, seed: int) -> ase.Atoms:
    """The frame with one atom drawn away from its nearest partner by half to all of the bond."""
    rng = np.random.default_rng(seed)
    names = atoms.get_chemical_symbols()
    first = int(rng.choice([k for k, name in enumerate(names) if not bond or name == bond[1]]))
    partners = [k for k, name in enumerate(names) if k != first and (not bond or name == bond[0])]
    periodic = bool(atoms.pbc.any())
    partner = partners[int(np.argmin(atoms.get_distances(first, partners, mic=periodic)))]
    pulled = ase.Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    d = atoms.get_distance(partner, first, mic=periodic, vector=True)
    pulled.positions[first] += rng.uniform(0.5, 1.0) * d
    return pulled
