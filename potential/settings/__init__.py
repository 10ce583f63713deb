# SPDX-License-Identifier: BSD-3-Clause
"""The settings of a fit: fit.toml, declared, read and checked."""

from potential.basis.optimise_settings import OptimiseSettings
from potential.basis.settings import AlchemySettings, ContractionSettings
from potential.settings.compress import CompressSettings
from potential.settings.features import FeatureSelection
from potential.settings.fit_settings import (
    BaselineSettings,
    DataSettings,
    FitSettings,
    LabelKeys,
    SolverSettings,
    ZblSettings,
)
from potential.settings.kinds import KINDS
from potential.settings.noise import AUTO, NoiseSettings, Sigmas
from potential.settings.product import FactorSettings, ProductTermSettings
from potential.settings.symmetry import SymmetryTermSettings
from potential.settings.target_kernels import TargetKernelSettings
from potential.settings.targets import TargetSettings
from potential.settings.terms import (
    KernelTermSettings,
    PairTermSettings,
    SoapTermSettings,
    TermSettings,
    TripletTermSettings,
)
from potential.settings.uncertainty import UncertaintySettings

__all__ = [
    "AUTO",
    "KINDS",
    "AlchemySettings",
    "BaselineSettings",
    "CompressSettings",
    "ContractionSettings",
    "DataSettings",
    "FactorSettings",
    "FeatureSelection",
    "FitSettings",
    "KernelTermSettings",
    "LabelKeys",
    "NoiseSettings",
    "OptimiseSettings",
    "PairTermSettings",
    "ProductTermSettings",
    "Sigmas",
    "SoapTermSettings",
    "SolverSettings",
    "SymmetryTermSettings",
    "TargetKernelSettings",
    "TargetSettings",
    "TermSettings",
    "TripletTermSettings",
    "UncertaintySettings",
    "ZblSettings",
]
