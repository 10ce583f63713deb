# SPDX-License-Identifier: BSD-3-Clause
"""Labels of water clusters in vacuum: B3LYP/aug-cc-pVDZ with PySCF, one call a frame.

Energies in eV, forces in eV/Å, dipoles in e Å, polarizabilities as volumes in Å³ (of the energy
-½ E·α·E in Gaussian units: α in atomic units times bohr³). The clusters are neutral, so that their
dipole does not depend on the origin. PySCF's B3LYP has the VWN_RPA of Gaussian's; there is no
dispersion correction and none for the superposition of basis sets.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.calculators.calculator import CalculationFailed
from ase.calculators.singlepoint import SinglePointCalculator
from ase.units import Bohr, Hartree
from pyscf import dft, gto, lib
from pyscf.scf import cphf

FUNCTIONAL, BASIS = "b3lyp", "aug-cc-pvdz"
# (radial, angular) points: on a distorted dimer 0.2 meV, 1.6 meV/Å from PySCF's level 4
GRID = {"H": (30, 194), "O": (45, 194)}
# those that the potential answers the field on; 1.5e-3 of 20 bohr³ from level 4
RESPONSE_GRID = {"H": (20, 50), "O": (25, 50)}
ENERGY_TOLERANCE, RESPONSE_TOLERANCE = 1e-9, 1e-5  # hartree; relative
DECIMALS = 5  # of the labelled positions


def label(atoms: Atoms) -> Atoms:
    """The frame with its labels, of its positions as the file will hold them.

    Raises ase's CalculationFailed when the self-consistency does not converge.
    """
    frame = Atoms(atoms.symbols, np.round(atoms.positions, DECIMALS), info=dict(atoms.info))
    field = ground_state(frame)
    forces = forces_of(field)
    dipole = field.dip_moment(unit="AU", verbose=0) * Bohr
    frame.calc = SinglePointCalculator(
        frame, energy=field.e_tot * Hartree, forces=forces, dipole=dipole
    )
    frame.info["polarizability"] = polarizability(field) * Bohr**3
    return frame


def forces_of(field) -> np.ndarray:
    """(N, 3) eV/Å."""
    return -field.nuc_grad_method().kernel() * Hartree / Bohr


def ground_state(atoms: Atoms, grid: dict | int = GRID):
    """The converged Kohn-Sham field of PySCF, with fitted densities."""
    mol = gto.M(atom=list(zip(atoms.symbols, atoms.positions, strict=True)), basis=BASIS, verbose=0)
    field = dft.RKS(mol, xc=FUNCTIONAL).density_fit()
    if isinstance(grid, int):
        field.grids.level = grid
    else:
        field.grids.atom_grid = grid
    field.conv_tol = ENERGY_TOLERANCE
    field.kernel()
    if not field.converged:
        raise CalculationFailed(f"{atoms.symbols}: the self-consistency did not converge")
    return field


def polarizability(field, grid: dict = RESPONSE_GRID) -> np.ndarray:
    """(3, 3) bohr³: how the dipole answers a static field, from coupled-perturbed equations."""
    mol = field.mol
    occupied = field.mo_occ > 0
    C_occupied, C_empty = field.mo_coeff[:, occupied], field.mo_coeff[:, ~occupied]
    response_grid = dft.gen_grid.Grids(mol)
    response_grid.atom_grid = grid
    field.grids = response_grid.build()
    induced = field.gen_response(hermi=1)  # potential of a change of the density
    r = mol.intor_symmetric("int1e_r", comp=3)
    h = lib.einsum("xpq,pa,qi->xai", r, C_empty, C_occupied)
    shape = h.shape[1:]

    def potential(changes: np.ndarray) -> np.ndarray:
        changes = changes.reshape(-1, *shape)
        density = 2 * lib.einsum("xai,pa,qi->xpq", changes, C_empty, C_occupied)
        v = induced(density + density.transpose(0, 2, 1))
        return lib.einsum("xpq,pa,qi->xai", v, C_empty, C_occupied).reshape(len(changes), -1)

    changes = cphf.solve(
        potential, field.mo_energy, field.mo_occ, h, tol=RESPONSE_TOLERANCE, verbose=0
    )[0]
    alpha = -4 * np.einsum("xai,yai->xy", h, changes.reshape(h.shape))
    return (alpha + alpha.T) / 2
