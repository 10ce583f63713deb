# SPDX-License-Identifier: BSD-3-Clause
"""Densities and features of environments, from the same core that evaluates models."""

from typing import Any

import numpy as np

from potential import _core
from potential.model import Environments, Model
from potential.model.features import density_coefficients_of, recoupled
from potential.model.features import features_of as of_one_set
from potential.terms.columns import n_features

KEPT = ("features", "recoupling")  # arrays that say which features a term has


def density_coefficients(model: Model, term: int, structure) -> np.ndarray:
    """``density_coefficients_of`` a structure with numbers, positions, cell, pbc as attributes."""
    return density_coefficients_of(model, term, model.environments(structure))


def features(model: Model, term: int, structure) -> np.ndarray:
    """Features (N, n_features) of every atom, of unit length where the term's kernel is normalised,
    docs/theory.md eq. (5) to (6).

    structure: numbers, positions, cell, pbc as attributes.
    """
    return features_of(model, term, model.environments(structure))


def features_of(model: Model, term: int, environments: Environments) -> np.ndarray:
    """The same of environments that the model made."""
    if "factors" in model.terms[term]:
        return _recoupled(model, term, _core.features(model.core, term, environments))
    return of_one_set(model, term, environments)


def feature_gradients(
    model: Model, term: int, environments: Environments, centers: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Features (n, n_features) of some centres; atoms that each sees, offset[i] to offset[i + 1] of
    the flat list; gradients, three rows for each of them and then six of strain."""
    p_hat, offset, atoms, rows = _core.feature_gradients(model.core, term, environments, centers)
    return _recoupled(model, term, p_hat), offset, atoms, _recoupled(model, term, rows)


def factors_of(model: Model, term: int) -> list[dict[str, Any]]:
    """The entries of the factors of a product, with the features that they keep; of another term
    its own."""
    own = model.terms[term]
    entries = {f"term{term}.": own}
    if "factors" in own:
        entries = {f"term{term}.factor{f}.": entry for f, entry in enumerate(own["factors"])}
    return [
        {**entry, **{key: model.arrays[at + key] for key in KEPT if at + key in model.arrays}}
        for at, entry in entries.items()
    ]


def _recoupled(model: Model, term: int, rows: np.ndarray) -> np.ndarray:
    """``recoupled`` of rows of all factors side by side."""
    if not model.core.recoupled(term):
        return rows
    parts, begin = [], 0
    for factor in factors_of(model, term):
        R = factor.get("recoupling")
        own = rows[:, begin : begin + (n_features(factor) if R is None else len(R))]
        parts.append(recoupled(own, R))
        begin += own.shape[1]
    return np.hstack(parts)
