# SPDX-License-Identifier: BSD-3-Clause
"""Spectra of the mean density of a structure (docs/theory.md eq. 24a)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def mean_spectrum(coefficients: np.ndarray, w: np.ndarray, entry: Mapping[str, Any]) -> np.ndarray:
    """The features (n_features,) of the mean of the densities of atoms.

    coefficients (N, Σ_l (2l + 1) Q_l): eq. (3), one l after the other, then m; w (N,): weights of
    the atoms, not all of them 0; entry: of a soap term with a power or radial spectrum without
    a selection. Of unit length where the term's kernel is normalised.
    """
    p = _spectrum(w @ coefficients / w.sum(), entry)
    length = np.linalg.norm(p) if entry["normalize"] else 1.0
    return p / length if length > 0 else p


def _spectrum(c: np.ndarray, entry: Mapping[str, Any]) -> np.ndarray:
    """Eq. (5) or (5b)."""
    sizes = entry["n_channels"]
    if entry.get("representation") == "radial_spectrum":
        return c[: sizes[0]]
    parts, begin = [], 0
    for l, size in enumerate(sizes):
        end = begin + (2 * l + 1) * size
        of_l = c[begin:end].reshape(2 * l + 1, size)
        q, other = np.triu_indices(size)
        products = (of_l.T @ of_l)[q, other]
        parts.append(products * np.where(q == other, 1.0, np.sqrt(2.0)) / np.sqrt(2 * l + 1))
        begin = end
    return np.concatenate(parts)
