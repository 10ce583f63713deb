# SPDX-License-Identifier: BSD-3-Clause
"""Alchemical maps that fit the data: from structures with energies to u (theory.md section 5).

densities   coefficients of the density by species
features    power spectra of the contracted density, derivatives in reverse mode
kernel      kernels between structures
losses      leave-one-out error, marginal likelihood
optimise    the map with the least loss near a start
interpolation  elements that no structure has
"""

from potential.optimization.densities import Densities, densities_of
from potential.optimization.interpolation import interpolated
from potential.optimization.kernel import KernelOfStructures
from potential.optimization.optimise import OptimisedMap, Targets, optimise_map

__all__ = [
    "Densities",
    "KernelOfStructures",
    "OptimisedMap",
    "Targets",
    "densities_of",
    "interpolated",
    "optimise_map",
]
