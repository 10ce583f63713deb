# SPDX-License-Identifier: BSD-3-Clause
"""Kernel matrices of the regression, from the same core that evaluates models."""

import numpy as np

from potential import _core
from potential.errors import SoapGprError
from potential.model import COMPRESSED, Model
from potential.terms import pair, triplet
from potential.terms.derivatives import has_derivatives


def features(model: Model, term: int, structure) -> np.ndarray:
    """Power spectra (N, n_features) of every atom, of unit length where the term's kernel is
    normalised, docs/theory.md eq. (5) to (6).

    structure: numbers, positions, cell, pbc as attributes.
    """
    return _core.features(model.core, term, _environments(model, structure))


def structure_rows(model: Model, structure, gradients: bool = True) -> np.ndarray:
    """Design-matrix rows (1 + 3N + 6, n_weights): energy without e0 (eV), forces atom by atom
    (eV/Å), virial −dE/dε as xx, yy, zz, yz, xz, xy (eV). Without gradients only the energy row.

    Their product with the weights is what the evaluator returns, less what has no weights
    (docs/theory.md eq. 10-12). Raises SoapGprError for compressed models.
    """
    _refuse_compressed(model)
    environments = _environments(model, structure)
    parts = []
    for t, term in enumerate(model.terms):
        if has_derivatives(term):
            parts.append(model.derivative_basis(t).rows(structure, gradients))
            continue
        if term["kind"] == "soap":
            parts.append(_core.soap_rows(model.core, t, environments, gradients))
            continue
        for p, points in model.sparse_points(t).items():
            if term["kind"] == "triplet":
                first, second, third = triplet.factors(term, points)
                rows = _core.triplet_rows(
                    model.core, t, p, environments, first, second, third, gradients
                )
                parts.append(rows)
                continue
            rows = _core.function_rows(model.core, t, p, environments, gradients)
            parts.append(rows @ pair.basis(term, p, points))
    if len(parts) == 1:
        return parts[0]
    n_rows = 7 + 3 * len(structure.numbers) if gradients else 1
    return np.concatenate([np.zeros((n_rows, 0)), *parts], axis=1)


def sparse_kernel(model: Model) -> np.ndarray:
    """K_MM (n_weights, n_weights) in eV²: the kernels of docs/theory.md eq. (7b) for soap terms,
    zero between sparse sets and terms; eV²/Å² of terms whose functions are derivatives.

    Raises SoapGprError for a compressed model, which no longer has the p̂_m.
    """
    _refuse_compressed(model)
    K = np.zeros((model.n_weights, model.n_weights))
    begin = 0
    for t, term in enumerate(model.terms):
        if has_derivatives(term):
            end = begin + model.n_term_weights(t)
            K[begin:end, begin:end] = model.derivative_basis(t).kernel()
            begin = end
            continue
        for p, points in model.sparse_points(t).items():
            end = begin + len(points)
            block = K[begin:end, begin:end]  # in place: K may take a good part of the memory
            if term["kind"] == "pair":
                block[:] = pair.kernel(term, points)
            elif term["kind"] == "triplet":
                symmetric = triplet.is_symmetric(len(model.species))[p]
                block[:] = triplet.kernel(term, points, symmetric)
            else:
                _soap_kernel(term, points, out=block)
            begin = end
    return K


def _soap_kernel(term, points, out):
    """δ² (p̂_m·p̂_m' + offset)^ζ, where a real ζ takes what is not positive for 0 (eq. 7b)."""
    np.matmul(points, points.T, out=out)
    out += term.get("offset", 0.0)
    if term["zeta"] != int(term["zeta"]):
        np.maximum(out, 0.0, out=out)
    np.power(out, term["zeta"], out=out)
    out *= term["delta"] ** 2


def _refuse_compressed(model):
    if model.compressed:
        raise SoapGprError(COMPRESSED)


def _environments(model, structure):
    return model.environments(structure.numbers, structure.positions, structure.cell, structure.pbc)
