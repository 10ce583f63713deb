# SPDX-License-Identifier: BSD-3-Clause
"""Kernel matrices of the regression, from the same core that evaluates models."""

import numpy as np
from scipy.linalg import block_diag

from potential import _core
from potential.errors import SoapGprError
from potential.model import Model


def features(model: Model, term: int, structure) -> np.ndarray:
    """Unit-length power spectra (N, n_features) of every atom, docs/theory.md eq. (6).

    structure: numbers, positions, cell, pbc as attributes.
    """
    return _core.features(model.core, term, _environments(model, structure))


def structure_rows(model: Model, structure, gradients: bool = True) -> np.ndarray:
    """Design-matrix rows (1 + 3N + 6, n_weights): energy without e0 (eV), forces atom by atom
    (eV/Å), virial −dE/dε as xx, yy, zz, yz, xz, xy (eV). Without gradients only the energy row.

    Their product with the weights is what the evaluator returns (docs/theory.md eq. 10-12).
    """
    return _core.structure_rows(model.core, _environments(model, structure), gradients)


def sparse_kernel(model: Model) -> np.ndarray:
    """K_MM (n_weights, n_weights) in eV²: δ² (p̂_m·p̂_m')^ζ, zero between species and terms.

    Raises SoapGprError for a compressed model, which no longer has the p̂_m.
    """
    if model.compressed:
        raise SoapGprError("the model is compressed for its own weights, which cannot be refitted")
    blocks = []
    for t, term in enumerate(model.terms):
        for points in model.sparse_points(t).values():
            blocks.append(term["delta"] ** 2 * (points @ points.T) ** term["zeta"])
    return block_diag(*[block for block in blocks if block.size])


def _environments(model, structure):
    return model.structure(structure.numbers, structure.positions, structure.cell, structure.pbc)
