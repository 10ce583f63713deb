# SPDX-License-Identifier: BSD-3-Clause
"""Stillinger and Weber's silicon, an explicit two- plus three-body potential (Phys. Rev. B 31, 5262
(1985)), and frames labelled with it."""

import itertools

import ase
import numpy as np
from ase.calculators.singlepoint import SinglePointCalculator
from models import random_structure
from numerical import numerical_forces, numerical_virial

from potential.structures.label_table import VOIGT
from potential.structures.neighbors import neighbor_list

EPSILON, SIGMA = 2.1683, 2.0951  # eV, Å
A, B, A_RANGE, LAMBDA, GAMMA = 7.049556277, 0.6022245584, 1.80, 21.0, 1.20
CUTOFF = A_RANGE * SIGMA  # 3.77 Å


def two_body(r):
    """V(r) in eV; p = 4, q = 0."""
    x = np.minimum(np.asarray(r) / SIGMA, A_RANGE - 1e-9)
    return EPSILON * A * (B / x**4 - 1) * np.exp(1 / (x - A_RANGE))


def three_body(r_ij, r_ik, cosine):
    """Energy of the angle at the centre, in eV."""
    x, y = (np.minimum(np.asarray(r) / SIGMA, A_RANGE - 1e-9) for r in (r_ij, r_ik))
    fade = np.exp(GAMMA / (x - A_RANGE) + GAMMA / (y - A_RANGE))
    return EPSILON * LAMBDA * (cosine + 1 / 3) ** 2 * fade


def energy(positions, cell, pbc):
    """Total energy in eV."""
    neighbors = neighbor_list(positions, cell, pbc, CUTOFF)
    r = np.linalg.norm(neighbors.r_ij, axis=1)
    unit = neighbors.r_ij / r[:, None]
    total = 0.5 * two_body(r).sum()
    offset = neighbors.offset.astype(int)
    for begin, end in itertools.pairwise(offset):
        j, k = np.triu_indices(end - begin, 1)
        cosine = np.einsum("nx,nx->n", unit[begin + j], unit[begin + k])
        total += three_body(r[begin + j], r[begin + k], cosine).sum()
    return total


def labelled(atoms):
    """The atoms with energy, forces and, where periodic, stress."""
    cell = atoms.cell.array
    results = {
        "energy": energy(atoms.positions, cell, atoms.pbc),
        "forces": numerical_forces(lambda x: energy(x, cell, atoms.pbc), atoms.positions),
    }
    if atoms.pbc.all():
        virial = numerical_virial(lambda x, c: energy(x, c, True), atoms.positions, cell)
        results["stress"] = -0.5 * (virial + virial.T)[VOIGT] / atoms.get_volume()
    atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


def trimer(r_ij, r_ik, cosine):
    """An atom with two neighbours."""
    sine = np.sqrt(1 - cosine**2)
    positions = [[0, 0, 0], [r_ij, 0, 0], [r_ik * cosine, r_ik * sine, 0]]
    return ase.Atoms("Si3", positions=positions)


def frames(n, seed=0):
    """Dimers, trimers and periodic cells of eight atoms, n of each."""
    rng = np.random.default_rng(seed)
    dimers = [ase.Atoms("Si2", positions=[[0, 0, 0], [r, 0, 0]]) for r in np.linspace(2, 3.7, n)]
    trimers = [trimer(*rng.uniform(2.1, 3.2, 2), rng.uniform(-1, 0.5)) for _ in range(n)]
    cells = [
        random_structure([14] * 8, spacing=rng.uniform(2.4, 3.0), seed=rng.integers(999))
        for _ in range(n)
    ]
    return [labelled(atoms) for atoms in [*dimers, *trimers, *cells]]
