# SPDX-License-Identifier: BSD-3-Clause
"""Units of energy in which labels may be given; inside there is eV alone."""

from __future__ import annotations

_FARADAY = 96485.33212331  # J/mol in one eV (CODATA 2018, exact)

EV_PER = {
    "eV": 1.0,
    "kcal/mol": 4184.0 / _FARADAY,
    "kJ/mol": 1000.0 / _FARADAY,
    "Hartree": 27.211386245988,
}
