# SPDX-License-Identifier: BSD-3-Clause
"""Measures of uncertainty that come from one regression (docs/theory.md eq. 25 to 25m)."""

from potential.uncertainty.projected_process import ProjectedProcess, Variances
from potential.uncertainty.target_process import TargetOfStructure, TargetProcess

__all__ = ["ProjectedProcess", "TargetOfStructure", "TargetProcess", "Variances"]
