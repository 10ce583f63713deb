# SPDX-License-Identifier: BSD-3-Clause
"""Features of environments, from the same core that evaluates models."""

import numpy as np

from potential import _core
from potential.model import Model


def features(model: Model, term: int, structure) -> np.ndarray:
    """Power spectra (N, n_features) of every atom, of unit length where the term's kernel is
    normalised, docs/theory.md eq. (5) to (6).

    structure: numbers, positions, cell, pbc as attributes.
    """
    return _core.features(model.core, term, model.environments(structure))
