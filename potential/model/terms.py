# SPDX-License-Identifier: BSD-3-Clause
"""Terms of a model file: entries in its metadata, and arrays (docs/model_file.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from potential.structures.arrays import to_arrays
from potential.structures.structure import symbol
from potential.terms import pair, triplet
from potential.terms.derivatives import has_derivatives

# What a term of build_model holds beside its entry.
_POINTS = ("sparse_points", "weights", "structures")
_PROCESSES = ("process_points", "process_weights")
_NOT_IN_ENTRY = ("tables", "central", "features", "feature_scale", *_PROCESSES, *_POINTS)


def entry_of(term: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a term of build_model that goes into the metadata."""
    return {key: value for key, value in term.items() if key not in _NOT_IN_ENTRY}


def arrays_of(term: Mapping[str, Any], n_species: int) -> dict[str, np.ndarray]:
    """Arrays of a term of build_model by their names after ``term{t}.``."""
    return _ARRAYS[term["kind"]](term, n_species)


def is_fixed(term: Mapping) -> bool:
    """Whether the entry of a term describes one without weights."""
    return bool(term.get("fixed", False))


def set_names(term: Mapping, species: Sequence[int]) -> list[str]:
    """Names of the sparse sets of a term, by its entry."""
    if is_fixed(term):
        return []
    named = {"pair": pair.names, "triplet": triplet.names}
    return named.get(term["kind"], lambda species: [symbol(z) for z in species])(species)


def function_table(
    term: Mapping[str, Any], n_species: int, p: int, points: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """The spline of function p of a fitted pair or triplet term."""
    if term["kind"] == "pair":
        return (pair.basis(term, p, points) @ weights).reshape(-1, 3)
    return triplet.table(term, points, weights, triplet.is_symmetric(n_species)[p])


def _soap_arrays(term, n_species):
    arrays = {}
    n_features = sum(q * (q + 1) // 2 for q in term["n_channels"])
    if "features" in term:
        arrays["features"] = np.asarray(term["features"], dtype=np.int64)
        arrays["feature_scale"] = np.asarray(term["feature_scale"], dtype=np.float64)
        n_features = len(arrays["features"])
    points = term.get("sparse_points") or {}
    weights = term.get("weights") or {}
    for a in range(n_species):
        own = points.get(a, np.zeros((0, n_features)))
        arrays[f"table.{a}"] = term["tables"][a]
        arrays[f"central.{a}"] = term["central"][a]
        arrays[f"sparse_points.{a}"] = own
        arrays[f"weights.{a}"] = weights.get(a, np.zeros(len(own)))
    structures = term.get("structures") or (to_arrays(()) if has_derivatives(term) else {})
    return arrays | {f"structures.{name}": array for name, array in structures.items()}


def _function_arrays(term, n_species):
    """Of a term of functions, one per sparse set."""
    if is_fixed(term):
        arrays = {f"table.{p}": table for p, table in term["tables"].items()}
        for key in _PROCESSES:
            what = key.removeprefix("process_")
            arrays |= {f"process.{n}.{what}": own for n, own in enumerate(term.get(key, ()))}
        return arrays
    arrays = {}
    for p, points in term["sparse_points"].items():
        own = (term.get("weights") or {}).get(p, np.zeros(len(points)))
        arrays[f"table.{p}"] = function_table(term, n_species, p, points, own)
        arrays[f"sparse_points.{p}"] = points
        arrays[f"weights.{p}"] = own
    return arrays


_ARRAYS = {"soap": _soap_arrays, "pair": _function_arrays, "triplet": _function_arrays}
