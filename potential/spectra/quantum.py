# SPDX-License-Identifier: BSD-3-Clause
"""Quantum correction factors: of a classical spectral density, or one of path integrals, that of
the quantum-mechanical correlation function (docs/theory.md eq. (27c))."""

from __future__ import annotations

import numpy as np
from scipy.constants import Boltzmann, Planck, c

FACTORS = ("harmonic", "none", "standard", "schofield", "harmonic-schofield")
PER_CM = 100 * Planck * c / Boltzmann  # K: ħω/k_B of 1 cm⁻¹


def correction(name: str, wavenumbers: np.ndarray, temperature: float) -> np.ndarray:
    """(n,) one of FACTORS at wavenumbers (n,) in cm⁻¹ and a temperature in K.

    Beyond what a number can hold it is infinite.
    """
    x = PER_CM * np.asarray(wavenumbers, dtype=np.float64) / temperature
    # x / (1 - e^-x), 1 at x = 0
    harmonic = np.divide(x, -np.expm1(-x), out=np.ones_like(x), where=x != 0)
    with np.errstate(over="ignore"):
        return {
            "none": np.ones_like(x),
            "harmonic": harmonic,
            "standard": 2 / (1 + np.exp(-x)),
            "schofield": np.exp(x / 2),
            "harmonic-schofield": np.sqrt(harmonic) * np.exp(x / 4),
        }[name]
