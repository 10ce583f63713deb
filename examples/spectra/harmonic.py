# SPDX-License-Identifier: BSD-3-Clause
"""Harmonic frequencies of a cluster with their infrared and Raman intensities.

From central differences of forces, dipoles and polarizabilities, which PySCF or a model gives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from ase import Atoms, units

STEP = 0.01  # Å
CONVERGED = 0.002  # eV/Å
MOST_STEPS = 30
WAVENUMBER = units._hbar * 1e10 / np.sqrt(units._e * units._amu) / units.invcm  # of √(eV/Å²/u)
KM_PER_MOL = 42.2561 / units.Debye**2  # of an intensity in (e Å)²/(Å² u)

# forces (N, 3) eV/Å, dipole (3,) e Å, polarizability (3, 3) Å³ of a structure
Result = tuple[np.ndarray, np.ndarray, np.ndarray]


def displaced(atoms: Atoms) -> list[Atoms]:
    """The 6N structures that ``derivatives`` is made from: each coordinate by STEP up and down."""
    found = []
    for place in np.ndindex(len(atoms), 3):
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions[place] += sign * STEP
            found.append(moved)
    return found


def derivatives(results: Sequence[Result]) -> Result:
    """Hessian (3N, 3N) eV/Å², changes of the dipole (3N, 3) and the polarizability (3N, 3, 3), from
    the results of ``displaced`` structures in their order."""
    forces, dipoles, polarizabilities = (
        (np.array(part)[::2] - np.array(part)[1::2]) / (2 * STEP)
        for part in zip(*results, strict=True)
    )
    hessian = -forces.reshape(len(forces), -1)
    return (hessian + hessian.T) / 2, dipoles, polarizabilities


def minimum(atoms: Atoms, forces: Callable[[Atoms], np.ndarray], hessian: np.ndarray) -> Atoms:
    """The minimum near a structure, by Newton's steps with the Hessian of another one near it.

    Raises RuntimeError when forces stay above CONVERGED.
    """
    inverse = np.linalg.pinv(hessian, rcond=1e-3, hermitian=True)  # no translation or rotation
    relaxed = atoms.copy()
    for _ in range(MOST_STEPS):
        force = forces(relaxed)
        if np.abs(force).max() < CONVERGED:
            return relaxed
        relaxed.positions += (inverse @ force.ravel()).reshape(-1, 3)
    raise RuntimeError(f"{atoms.symbols}: forces are still {np.abs(force).max():.4f} eV/Å")


def modes(atoms: Atoms, results: Sequence[Result]) -> list[dict[str, float]]:
    """Vibrations of a minimum: wavenumber (cm⁻¹), infrared (km/mol), isotropic and anisotropic.

    The last two are (∂α/∂Q)² of the mean polarizability and of the anisotropy γ, in Å⁴/u; results
    as of ``derivatives``. The six lowest motions, which translate and turn the cluster, are left
    out.
    """
    hessian, dipoles, polarizabilities = derivatives(results)
    root = np.repeat(atoms.get_masses(), 3) ** -0.5
    squares, vectors = np.linalg.eigh(hessian * np.outer(root, root))
    kept = np.sort(np.argsort(np.abs(squares))[6:])
    found = []
    for square, vector in zip(squares[kept], vectors.T[kept], strict=True):
        dipole = (root * vector) @ dipoles
        alpha = np.tensordot(root * vector, polarizabilities, 1)
        mean = np.trace(alpha) / 3
        traceless = alpha - mean * np.eye(3)
        found.append(
            {
                "wavenumber": float(np.sign(square) * WAVENUMBER * np.sqrt(abs(square))),
                "infrared": float(KM_PER_MOL * dipole @ dipole),
                "isotropic": float(mean**2),
                "anisotropic": float(1.5 * np.sum(traceless**2)),
            }
        )
    return found
