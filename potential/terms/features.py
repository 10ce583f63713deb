# SPDX-License-Identifier: BSD-3-Clause
"""Densities and features of environments, from the same core that evaluates models."""

import numpy as np

from potential import _core
from potential.model import Model


def density_coefficients(model: Model, term: int, structure) -> np.ndarray:
    """Coefficients c^l_qm (N, Σ_l (2l + 1) Q_l) of the density around every atom, docs/theory.md
    eq. (3): one l after the other, then m, then the channels q.

    structure: numbers, positions, cell, pbc as attributes.
    """
    return _core.density_coefficients(model.core, term, model.environments(structure))


def features(model: Model, term: int, structure) -> np.ndarray:
    """Power spectra (N, n_features) of every atom, of unit length where the term's kernel is
    normalised, docs/theory.md eq. (5) to (6).

    structure: numbers, positions, cell, pbc as attributes.
    """
    return _core.features(model.core, term, model.environments(structure))
