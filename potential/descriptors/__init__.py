# SPDX-License-Identifier: BSD-3-Clause
"""SOAP vectors of atoms for other programs' regressions, and kernels of them.

SoapDescriptor      ase.Atoms -> spectra, as a function and as a transformer of scikit-learn
SymmetryFunctions   the same with Behler-Parrinello symmetry functions
Features            what it computes: rows by environment, with the structures they belong to
FeatureGradients    derivatives of these rows by positions and strain
environment_kernel, structure_kernel
                    kernel matrices of environments and of structures
averaged_density    spectra of the mean density of structures
equivariants, equivariant_kernel
                    features that turn with the structure, and kernels of them
"""

from potential.descriptors.equivariants import Equivariants, equivariant_kernel, equivariants
from potential.descriptors.features import FeatureGradients, Features
from potential.descriptors.kernels import environment_kernel
from potential.descriptors.mean_density import averaged_density
from potential.descriptors.soap import SoapDescriptor
from potential.descriptors.structure_kernels import structure_kernel
from potential.descriptors.symmetry import SymmetryFunctions
from potential.terms.columns import Column, RadialColumn, TripleColumn

__all__ = [
    "Column",
    "Equivariants",
    "FeatureGradients",
    "Features",
    "RadialColumn",
    "SoapDescriptor",
    "SymmetryFunctions",
    "TripleColumn",
    "averaged_density",
    "environment_kernel",
    "equivariant_kernel",
    "equivariants",
    "structure_kernel",
]
