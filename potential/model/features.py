# SPDX-License-Identifier: BSD-3-Clause
"""Densities and features of environments by a term of a model, from the core that evaluates it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from potential import _core
from potential.model.environments import Environments

if TYPE_CHECKING:
    from potential.model.model import Model


def density_coefficients_of(model: Model, term: int, environments: Environments) -> np.ndarray:
    """Coefficients c^l_qm (N, Σ_l (2l + 1) Q_l) of the density around every atom, docs/theory.md
    eq. (3): one l after the other, then m, then the channels q."""
    return _core.density_coefficients(model.core, term, environments)


def features_of(model: Model, term: int, environments: Environments) -> np.ndarray:
    """Features (N, n_features) of every atom by a term that is no product, of unit length where its
    kernel is normalised (docs/theory.md eq. 5 to 6). The model made the environments."""
    rows = _core.features(model.core, term, environments)
    return recoupled_rows(model, term, rows, environments.species)


def features_of_densities(
    model: Model, term: int, densities: np.ndarray, species: np.ndarray
) -> np.ndarray:
    """The same (n, n_features) of environments whose density coefficients (n, n_density) and
    species (n,) these are."""
    species = np.ascontiguousarray(species, dtype=np.int32)
    rows = _core.features_of_densities(model.core, term, species, densities)
    return recoupled_rows(model, term, rows, species)


def recoupled_rows(model: Model, term: int, rows: np.ndarray, species: np.ndarray) -> np.ndarray:
    """R p of the rows p (n, n_features) of environments with these species (n,)."""
    recoupling = f"term{term}.recoupling"
    if f"{recoupling}.0" not in model.arrays:
        return recoupled(rows, model.arrays.get(recoupling))
    for a in range(len(model.species)):  # each with a selection of its own, and zeros after it
        R, own = model.arrays[f"{recoupling}.{a}"], species == a
        rows[own, : len(R)] = rows[own, : len(R)] @ R.T
    return rows


def recoupled(rows: np.ndarray, R: np.ndarray | None) -> np.ndarray:
    """R p of rows p, which the core has in its sparse points (docs/theory.md eq. 5i, 5j)."""
    return rows if R is None else rows @ R.T
