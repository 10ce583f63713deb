# SPDX-License-Identifier: BSD-3-Clause
"""Water clusters to label: distorted molecules, pairs, and rings of GFN2-xTB trajectories.

Nothing here needs a trained model. Atoms are ordered O, H, H per molecule everywhere.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms, units
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from geometries import ANGLE, BOND, bead_noise, dimers, monomer, monomers
from tblite.ase import TBLite

BOX = 50.0  # Å, of i-PI's cell, which is not periodic
GAP = 2.8  # Å between the oxygens of a ring to begin with
TIMESTEP = 0.5  # fs
EQUILIBRATION, EVERY = 1000, 200  # steps: left out, and between two frames
FRICTION = 0.02  # 1/fs


def built() -> dict[str, list[Atoms]]:
    """Candidates without dynamics, by name: far beyond what nuclei visit, and as far as they do."""
    rng = np.random.default_rng(16)
    return {
        "monomer_far": monomers(24, rng),
        "monomer": [bead_noise(monomer(), rng) for _ in range(56)],
        "dimer_far": dimers(32, rng),
    }


def ring(n_molecules: int, rng: np.random.Generator) -> Atoms:
    """Molecules on a circle; each gives one hydrogen to the next, the other is up or down."""
    turns = 2 * np.pi * np.arange(n_molecules) / n_molecules
    radius = GAP / 2 / np.sin(np.pi / n_molecules)
    oxygens = radius * np.column_stack([np.cos(turns), np.sin(turns), np.zeros(n_molecules)])
    cluster = Atoms()
    for place, following in zip(oxygens, np.roll(oxygens, -1, axis=0), strict=True):
        given = (following - place) / np.linalg.norm(following - place)
        across = np.array([0.0, 0.0, rng.choice([-1.0, 1.0])])
        out = place / radius
        free = across + 0.5 * (out - (out @ given) * given)
        free /= np.linalg.norm(free)
        bent = np.cos(np.radians(ANGLE)) * given + np.sin(np.radians(ANGLE)) * free
        cluster += Atoms("OH2", [place, place + BOND * given, place + BOND * bent])
    return cluster


def trajectory(start: Atoms, temperature: float, frames: int, rng: np.random.Generator):
    """Frames of Langevin dynamics with GFN2-xTB; two of three as wide as beads of path integrals.

    temperature in K; raises ase's CalculationFailed where GFN2-xTB does not converge.
    """
    atoms = start.copy()
    atoms.calc = TBLite(method="GFN2-xTB", verbosity=0)
    MaxwellBoltzmannDistribution(atoms, temperature_K=temperature, rng=rng)
    friction = FRICTION / units.fs
    moving = Langevin(
        atoms, TIMESTEP * units.fs, temperature_K=temperature, friction=friction, rng=rng
    )
    moving.run(EQUILIBRATION)
    for k in range(frames):
        moving.run(EVERY)
        frame = Atoms(atoms.symbols, atoms.positions - atoms.positions.mean(axis=0))
        yield frame if k % 3 == 2 else bead_noise(frame, rng)
