# SPDX-License-Identifier: BSD-3-Clause
"""Numerical forces and virials: the one finite-difference helper of the suite."""

import numpy as np


def numerical_forces(energy, positions, step=1e-4):
    """−dE/dr (N, 3) of energy(positions), six-point central differences."""
    forces = np.zeros_like(positions)
    for index in np.ndindex(positions.shape):
        direction = np.zeros_like(positions)
        direction[index] = 1.0
        forces[index] = -_derivative(lambda h: energy(positions + h * direction), step)  # noqa: B023
    return forces


def numerical_virial(energy, positions, cell, step=1e-4):
    """−dE/dε (3, 3) of energy(positions, cell) under r → (1 + ε) r."""
    virial = np.zeros((3, 3))
    for index in np.ndindex(3, 3):
        strain = np.zeros((3, 3))
        strain[index] = 1.0

        def strained(h):
            deformation = np.eye(3) + h * strain  # noqa: B023
            return energy(positions @ deformation.T, cell @ deformation.T)

        virial[index] = -_derivative(strained, step)
    return virial


def _derivative(function, step):
    values = [function(k * step) - function(-k * step) for k in (1, 2, 3)]
    return (45 * values[0] - 9 * values[1] + values[2]) / (60 * step)
