# SPDX-License-Identifier: BSD-3-Clause
"""Weights of environments in their structures (docs/theory.md eq. 24b)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from potential.descriptors.inputs import species_of
from potential.descriptors.kernels import is_number
from potential.errors import SoapGprError
from potential.species import bead_names

Weights: TypeAlias = Mapping[str | int, float] | np.ndarray


def weights_of(weights: Any, numbers: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """(n_environments,) of centres of these atomic numbers: 1 without weights, by species, where
    those that are not named count 1, or one for each.

    offsets (n_structures + 1,): rows of structure s are offsets[s] to offsets[s + 1]. Raises
    SoapGprError for numbers that are negative or not finite, for species that there are not, and
    when all weights of a structure are 0.
    """
    if weights is None:
        return np.ones(len(numbers))
    found = (
        _by_species(weights, numbers)
        if isinstance(weights, Mapping)
        else _of_each(weights, len(numbers))
    )
    empty = np.flatnonzero(np.add.reduceat(found, offsets[:-1]) == 0)
    if len(empty):
        raise SoapGprError(f"weights: those of structure {empty[0]} are all 0, expected one above")
    return found


def _by_species(weights: Mapping[Any, Any], numbers: np.ndarray) -> np.ndarray:
    if (numbers == 0).any():
        raise SoapGprError("weights by species: found features of structures, which have no centre")
    found, beads = np.ones(len(numbers)), bead_names(np.unique(numbers))
    for species, value in weights.items():
        if not is_number(value) or not 0 <= value < np.inf:
            raise SoapGprError(f"weights: found {species!r}: {value!r}, expected at least 0")
        found[numbers == species_of([species], beads)[0]] = value
    return found


def _of_each(weights: Any, n: int) -> np.ndarray:
    try:
        found = np.asarray(weights, dtype=np.float64)
    except (TypeError, ValueError):
        raise SoapGprError(
            f"weights: found {type(weights).__name__}, expected numbers, by species or an array"
        ) from None
    if found.shape != (n,):
        raise SoapGprError(
            f"weights: found an array of shape {found.shape}, expected ({n},), one for each atom"
        )
    if not (np.isfinite(found) & (found >= 0)).all():
        raise SoapGprError("weights: found one that is negative or not finite, expected at least 0")
    return found
