# SPDX-License-Identifier: BSD-3-Clause
"""What a model can be asked to say of its own errors (docs/theory.md eq. 25)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from potential.errors import SoapGprError

ENERGIES, FORCES, VARIANCE, TARGETS = "energies", "forces", "variance", "targets"
TARGETS_VARIANCE = "targets_variance"
OF_ATOMS = (VARIANCE, TARGETS, TARGETS_VARIANCE)  # with the energies, from one evaluation
MEASURES = (ENERGIES, FORCES, VARIANCE, TARGETS, TARGETS_VARIANCE)


def require_measures(wanted: Collection[str]) -> None:
    """Raises ValueError for what is no measure. What a model lacks, the core refuses."""
    unknown = sorted(set(wanted) - set(MEASURES))
    if unknown or isinstance(wanted, str):
        found = repr(wanted) if isinstance(wanted, str) else ", ".join(unknown)
        raise ValueError(f"uncertainty: found {found}, expected some of {', '.join(MEASURES)}")


def require_served(wanted: Collection[str], of_model: Any) -> None:
    """Raises SoapGprError when ``Model.uncertainty`` lacks one of the measures."""
    served = of_model.measures if of_model else ()
    missing = sorted(set(wanted) - set(served))
    if missing:
        raise SoapGprError(
            f"uncertainty: found {', '.join(missing)}, expected what the model has: "
            f"{', '.join(served) or 'nothing, it was fitted without [uncertainty]'}"
        )


def of_members(wanted: Collection[str]) -> bool:
    """Whether energies of the members are among these measures: their forces come with them."""
    return ENERGIES in wanted or FORCES in wanted


def result_of_target(name: str) -> str:
    """What results call the standard deviation of a target."""
    return f"{name}_uncertainty"


def rigidity_of_target(name: str) -> str:
    """What results call the prediction rigidity of a target."""
    return f"{name}_rigidity"


def grade_of_target(name: str) -> str:
    """What results call the extrapolation grade of a target."""
    return f"{name}_grade"
