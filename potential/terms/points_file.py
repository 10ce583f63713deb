# SPDX-License-Identifier: BSD-3-Clause
"""Sparse points that a file gives: marked atoms of structures, or those of another model."""

from __future__ import annotations

from typing import Any

import numpy as np

from potential.errors import SoapGprError
from potential.model import Model
from potential.model.evaluation import naming
from potential.selection.select import distinct_environments
from potential.settings import KernelTermSettings
from potential.settings.terms import SEPARATE
from potential.species import bead_names
from potential.structures.read import geometry, read_frames
from potential.terms.features import features
from potential.terms.term import Entry

MARK = "sparse"
# First letters of the arrays that decide the features.
DECIDE = ("table.", "central.", "alchemy", "feature", "recoupling")


def points_from_file(model: Model, term: int, settings: KernelTermSettings) -> dict[str, Any]:
    """What a draft holds of sparse points, as of ``soap_points.sparse_points``; no duplicates.

    model: the term's tables, without sparse points. The file is a model (``*.sgpr``) with a term of
    the same basis and species, or structures in a format that ASE reads: all their environments or,
    with a column ``sparse``, those where it is not zero. Raises SoapGprError when it is neither.
    """
    file = settings.sparse_file
    assert file is not None
    if file.endswith(".sgpr"):
        return _of_model(model, term, Model.load(file), settings)
    found: dict[int, list[np.ndarray]] = {a: [] for a in range(len(model.species))}
    for atoms, source in read_frames([file], bead_names(model.species)):
        mark = np.asarray(atoms.arrays.get(MARK, np.ones(len(atoms))))
        if mark.shape != (len(atoms),) or mark.dtype.kind not in "biuf":
            raise SoapGprError(f"{source}: found a column {MARK!r} that is not one number per atom")
        structure = geometry(atoms, source)
        with naming(structure):
            X = features(model, term, structure)
        species = model.species_indices(structure.numbers)
        for a, own in found.items():
            own.append(X[(species == a) & (mark != 0)])
    points = {a: np.concatenate(own) for a, own in found.items() if own}
    points = {a: X[distinct_environments(X, settings.normalize)] for a, X in points.items()}
    if not any(len(X) for X in points.values()):
        raise SoapGprError(f"{file}: found no marked atom with a neighbour, expected sparse points")
    if settings.centers == SEPARATE:
        return {"sparse_points": points}
    pooled = np.concatenate(list(points.values()))
    species = np.repeat(list(points), [len(X) for X in points.values()])
    if f"term{term}.coupling" not in model.arrays:  # equal environments of two species are one
        kept = distinct_environments(pooled, settings.normalize)
        pooled, species = pooled[kept], species[kept]
    return {"sparse_points": {0: pooled}, "sparse_species": species}


def count_in_file(model: Model, term: int, settings: KernelTermSettings) -> int:
    """How many sparse points the file gives, where the model is one of a trial: what its term has
    learned from few structures, such as a selection of features, need not be that of the file."""
    file = settings.sparse_file
    assert file is not None
    if file.endswith(".sgpr"):
        other = Model.load(file)
        for t, entry in enumerate(other.terms):
            if _words(entry) == _words(model.terms[term]):
                return sum(map(len, other.sparse_points(t).values()))
    return sum(map(len, points_from_file(model, term, settings)["sparse_points"].values()))


def _of_model(
    model: Model, term: int, other: Model, settings: KernelTermSettings
) -> dict[str, Any]:
    if other.species == model.species and not other.compressed:
        for t in range(len(other.terms)):
            if _same_features(model, term, other, t):
                species = other.arrays.get(f"term{t}.sparse_species")
                of_points = {} if species is None else {"sparse_species": species}
                return {"sparse_points": other.sparse_points(t), **of_points}
    raise SoapGprError(
        f"{settings.sparse_file}: found no {settings.kind} term with the basis and the species of "
        f"this one, expected a model that was fitted with the same {settings.decisive}, centers "
        "and normalize, not compressed"
    )


def _same_features(model: Model, term: int, other: Model, other_term: int) -> bool:
    if _words(model.terms[term]) != _words(other.terms[other_term]):
        return False
    ours, theirs = _arrays(model, term), _arrays(other, other_term)
    return ours.keys() == theirs.keys() and all(
        own.shape == theirs[name].shape and np.allclose(own, theirs[name], rtol=1e-12, atol=1e-14)
        for name, own in ours.items()
    )


def _arrays(model: Model, term: int) -> dict[str, np.ndarray]:
    """The arrays that decide the features."""
    start = f"term{term}."
    own = tuple(f"{start}{name}" for name in DECIDE)
    return {
        name.removeprefix(start): array
        for name, array in model.arrays.items()
        if name.startswith(own)
    }


def _words(entry: Entry) -> dict[str, Any]:
    """What of an entry decides the features, beside the numbers behind its tables."""
    functions = ("g2", "g3", "g4", "g5")
    return {
        key: value
        for key, value in entry.items()
        if key not in ("zeta", "delta", "offset")
        and (key in functions or isinstance(value, (str, int)))
    }
