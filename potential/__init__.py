# SPDX-License-Identifier: BSD-3-Clause
"""soap-gpr: sparse Gaussian-process interatomic potentials on SOAP features.

Model              a *.sgpr model: load, evaluate
SoapGprCalculator  the same for ASE
fit                train a model from settings
"""

from importlib import import_module

_EXPORTS = {
    "Evaluation": "potential.model",
    "Model": "potential.model",
    "SoapGprCalculator": "potential.model.calculator",
    "SoapGprError": "potential.errors",
    "fit": "potential.training.fitting",
}
__all__ = list(_EXPORTS)


def __getattr__(name):
    # LAMMPS' plugin look-up imports this package at every start of lmp: load nothing before need
    if name in _EXPORTS:
        return getattr(import_module(_EXPORTS[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
