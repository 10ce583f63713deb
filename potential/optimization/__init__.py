# SPDX-License-Identifier: BSD-3-Clause
"""Alchemical maps and contractions that fit the data: from structures with energies to the table
that mixes channels of the density (theory.md section 5).

mixing      what an optimisation takes for densities and their table
densities   coefficients of the density by species, mixed by an alchemical map
channels    coefficients of the density by channels, mixed by a contraction
features    power spectra of the mixed density
kernel      kernels between structures
losses      leave-one-out error, marginal likelihood
optimise    the table with the least loss near a start
reverse     derivatives in reverse mode
interpolation  elements that no structure has
"""

from potential.optimization.channels import ChannelDensities, as_table, channel_densities_of
from potential.optimization.densities import Densities, densities_of
from potential.optimization.interpolation import interpolated
from potential.optimization.kernel import KernelOfStructures
from potential.optimization.optimise import OptimisedMap, Targets, optimise_map

__all__ = [
    "ChannelDensities",
    "Densities",
    "KernelOfStructures",
    "OptimisedMap",
    "Targets",
    "as_table",
    "channel_densities_of",
    "densities_of",
    "interpolated",
    "optimise_map",
]
