# SPDX-License-Identifier: BSD-3-Clause
"""soap-gpr: sparse Gaussian-process interatomic potentials on SOAP features.

Model               a *.sgpr model: load, evaluate
Evaluation          what a model says of one structure
SoapGprCalculator   the same for ASE
fit                 train a model from settings, and files or frames
refit               the same fit with another jitter, from a model that keeps its triangle
tune                search for settings by cross-validation and marginal likelihood
SoapDescriptor      SOAP vectors of ase.Atoms, also as a transformer of scikit-learn
SymmetryFunctions   the same with Behler-Parrinello symmetry functions
environment_kernel, structure_kernel
                    kernels of environments and of structures
averaged_density    spectra of the mean density of structures
farthest_points     choose the most different rows of a feature matrix; potential.selection has more
SoapGprError        the one exception for what a user can put right: one sentence
__version__         of the installed package
"""

from importlib import import_module
from typing import TYPE_CHECKING

_EXPORTS = {
    "Evaluation": "potential.model",
    "Model": "potential.model",
    "SoapDescriptor": "potential.descriptors",
    "SoapGprCalculator": "potential.model.calculator",
    "SoapGprError": "potential.errors",
    "SymmetryFunctions": "potential.descriptors",
    "averaged_density": "potential.descriptors",
    "environment_kernel": "potential.descriptors",
    "farthest_points": "potential.selection",
    "fit": "potential.training.fitting",
    "refit": "potential.training.refit",
    "structure_kernel": "potential.descriptors",
    "tune": "potential.validation.tuning",
}
if TYPE_CHECKING:  # the same for type checkers and editors
    from potential.descriptors import SoapDescriptor as SoapDescriptor
    from potential.descriptors import SymmetryFunctions as SymmetryFunctions
    from potential.descriptors import averaged_density as averaged_density
    from potential.descriptors import environment_kernel as environment_kernel
    from potential.descriptors import structure_kernel as structure_kernel
    from potential.errors import SoapGprError as SoapGprError
    from potential.model import Evaluation as Evaluation
    from potential.model import Model as Model
    from potential.model.calculator import SoapGprCalculator as SoapGprCalculator
    from potential.selection import farthest_points as farthest_points
    from potential.training.fitting import fit as fit
    from potential.training.refit import refit as refit
    from potential.validation.tuning import tune as tune

    __version__: str

__all__ = ["__version__", *_EXPORTS]


def __getattr__(name):
    # LAMMPS' plugin look-up imports this package at every start of lmp: load nothing before need
    if name in _EXPORTS:
        return getattr(import_module(_EXPORTS[name]), name)
    if name == "__version__":
        return import_module("potential.version").package_version()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
