# SPDX-License-Identifier: BSD-3-Clause
"""Sparse points of one term: features of the training environments, then the choice per species."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from potential.data import fingerprint
from potential.errors import SoapGprError
from potential.evaluation import naming
from potential.kernels import features
from potential.model import Model
from potential.parallel import ordered_map
from potential.progress import Progress, silent
from potential.settings import SoapTermSettings
from potential.sparse import select
from potential.structure import Structure, symbol

# Features of candidate environments are kept in memory up to this size, per species.
CANDIDATE_BYTES = 256 * 2**20


def sparse_points(
    model: Model,
    term: int,
    settings: SoapTermSettings,
    structures: Sequence[Structure],
    progress: Progress = silent,
) -> tuple[dict[int, np.ndarray], list[str]]:
    """Sparse points (M_a, n_features) by species index, and warnings.

    model: the term's tables, without sparse points. The choice does not depend on the order of the
    structures.
    """
    candidates = _candidates(model, term, settings.seed, structures, progress)
    points, warnings = {}, []
    for a, X in candidates.items():
        name = symbol(model.species[a])
        wanted = n_sparse(settings, name)
        chosen = select(
            X,
            wanted,
            settings.sparse_method,
            zeta=settings.zeta,
            seed=settings.seed,
            progress=progress,
        )
        points[a] = X[chosen]
        if len(chosen) < wanted:
            warnings.append(
                f"term {term + 1}: only {len(chosen)} distinct environments of {name}, "
                f"{wanted} sparse points were asked for"
            )
    return points, warnings


def n_sparse(settings: SoapTermSettings, name: str) -> int:
    """The number of sparse points asked for a species, by chemical symbol."""
    if isinstance(settings.n_sparse, int):
        return settings.n_sparse
    if name not in settings.n_sparse:
        raise SoapGprError(
            f"[[terms]] n_sparse: found {', '.join(settings.n_sparse)}, expected {name} as well, "
            "which the training structures contain"
        )
    return settings.n_sparse[name]


def _candidates(model, term, seed, structures, progress):
    """Features (n, n_features) by species index, thinned at random where there are too many."""
    width = model.core.n_features(term)
    count = np.zeros(len(model.species))
    indices = [model.species_indices(structure.numbers) for structure in structures]
    for species in indices:
        count += np.bincount(species, minlength=len(count))
    share = np.minimum(1.0, CANDIDATE_BYTES / (8.0 * width * np.maximum(count, 1)))

    def of_structure(item):
        structure, species = item
        with naming(structure):
            X = features(model, term, structure)
        # Seeded by the geometry, not by a running stream: other structures change nothing here.
        rng = np.random.default_rng([seed, *fingerprint(structure)])
        keep = rng.random(len(structure)) < share[species]
        return X[keep], species[keep]

    items = list(zip(structures, indices, strict=True))
    kept = list(ordered_map(of_structure, progress(items, "features")))
    species = np.concatenate([of_atoms for _, of_atoms in kept])
    return {
        a: np.concatenate([X[of_atoms == a] for X, of_atoms in kept])
        for a in range(len(model.species))
        if np.any(species == a)
    }
