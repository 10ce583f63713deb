# SPDX-License-Identifier: BSD-3-Clause
"""The settings of all kinds of terms, by the kind's name."""

from potential.settings.product import ProductTermSettings
from potential.settings.symmetry import SymmetryTermSettings
from potential.settings.terms import (
    PairTermSettings,
    SoapTermSettings,
    TermSettings,
    TripletTermSettings,
)

KINDS: dict[str, type[TermSettings]] = {
    "soap": SoapTermSettings,
    "acsf": SymmetryTermSettings,
    "product": ProductTermSettings,
    "pair": PairTermSettings,
    "triplet": TripletTermSettings,
}
