# SPDX-License-Identifier: BSD-3-Clause
"""Basis design: from the settings of a SOAP term to the spline tables that the core evaluates.

cutoff          f_c(r), smooth or shifted cosine
radial_scaling  u(r), weight of a neighbour by its distance
gto, laplacian  radial bases R_nl(x)
bessel          modified spherical Bessel functions i_l
radial_integral R^_nl(r), a Gaussian at distance r projected on R_nl
jets            products of functions with two derivatives
spline          quintic Hermite tables: build, measure, evaluate
settings        SoapBasis, the validated settings of one SOAP term
tables          tabulate: settings -> tables
"""

from potential.basis.settings import SoapBasis
from potential.basis.spline import evaluate
from potential.basis.tables import TermTables, tabulate

__all__ = ["SoapBasis", "TermTables", "evaluate", "tabulate"]
