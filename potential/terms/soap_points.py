# SPDX-License-Identifier: BSD-3-Clause
"""Sparse points of one term: features of the training environments, then the choice per species, or
among all where one set serves them (docs/theory.md eq. 7d)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from potential.model import Model
from potential.model.evaluation import naming
from potential.runtime.parallel import ordered_map
from potential.runtime.progress import Progress, silent
from potential.schema import nearest
from potential.selection.rows import Coupling
from potential.selection.select import select
from potential.settings import KernelTermSettings, ProductTermSettings
from potential.settings.terms import SEPARATE
from potential.structures.digests import fingerprint
from potential.structures.structure import Structure, symbol
from potential.terms.features import features
from potential.terms.points_file import points_from_file

# Features of candidate environments are kept in memory up to this size, per sparse set.
CANDIDATE_BYTES = 256 * 2**20
# A config_type with a quota keeps at least so many candidates for each of its points.
PER_QUOTA = 10


def sparse_points(
    model: Model,
    term: int,
    settings: KernelTermSettings,
    structures: Sequence[Structure],
    progress: Progress = silent,
) -> tuple[dict[str, Any], list[str]]:
    """What a draft holds of its sparse points, and warnings.

    ``sparse_points`` (M_a, n_features) by species index; or one set 0 with ``sparse_species`` (M,),
    the indices of its points' species. model: the term's tables, without sparse points. The choice
    does not depend on the order of the structures.
    """
    if settings.sparse_method == "file":
        return points_from_file(model, term, settings), []
    kappa = model.arrays.get(f"term{term}.coupling")

    def choose(X: np.ndarray, species: np.ndarray, groups: np.ndarray, wanted: int) -> np.ndarray:
        return select(
            X,
            wanted,
            settings.sparse_method,
            zeta=settings.zeta,
            offset=settings.offset,
            normalized=settings.normalize,
            seed=settings.seed,
            progress=progress,
            groups=groups,
            quotas=settings.n_sparse_config_type,
            coupling=None if kappa is None else Coupling(species, kappa),
        )

    separate = settings.centers == SEPARATE
    return chosen_points(model, term, settings, structures, choose, progress, separate)


def chosen_points(
    model: Model,
    term: int,
    settings: KernelTermSettings | ProductTermSettings,
    structures: Sequence[Structure],
    choose: Callable[[np.ndarray, np.ndarray, np.ndarray, int], np.ndarray],
    progress: Progress = silent,
    separate: bool = True,
) -> tuple[dict[str, Any], list[str]]:
    """As ``sparse_points``, of any choice: indices into features X (n, n_features) of environments
    with their species (n,) and config_types (n,), of which a number is wanted.

    separate: a sparse set for each species of the centre.
    """
    points, warnings = {}, unused_quotas(term, settings.n_sparse_config_type, structures)
    found = _candidates(model, term, settings, structures, progress, separate)
    for a, (X, species, groups) in found.items():
        name = symbol(model.species[a])
        wanted = n_sparse(settings, name)
        chosen = choose(X, species, groups, wanted)
        points[a] = X[chosen]
        if len(chosen) < wanted:
            of = f" of {name}" if separate else ""
            warnings.append(
                f"term {term + 1}: only {len(chosen)} distinct environments{of}, "
                f"{wanted} sparse points were asked for"
            )
        if not separate:
            return {"sparse_points": points, "sparse_species": species[chosen]}, warnings
    return {"sparse_points": points}, warnings


def unused_quotas(
    term: int, quotas: Mapping[str, int], structures: Sequence[Structure]
) -> list[str]:
    """Warnings for quotas that apply to no structure."""
    present = sorted({structure.config_type for structure in structures})
    return [
        f"term {term + 1}: n_sparse_config_type: {name} applies to no structure"
        + (nearest(name, present) or f"; config_types found: {', '.join(present)}")
        for name in quotas
        if name not in present
    ]


def n_sparse(settings: KernelTermSettings | ProductTermSettings, name: str) -> int:
    """The number of sparse points asked for a species, by chemical symbol."""
    if isinstance(settings.n_sparse, int):
        return settings.n_sparse
    if name not in settings.n_sparse:
        place, known = settings.place().at("n_sparse"), ", ".join(settings.n_sparse)
        raise place.says(
            f"found {known}, expected {name} as well, which the training structures contain"
        )
    return settings.n_sparse[name]


def most_points(
    settings: KernelTermSettings | ProductTermSettings, structures: Sequence[Structure]
) -> int:
    """Sparse points of all species if all environments of these structures are distinct."""
    atoms = Counter(symbol(z) for s in structures for z in s.numbers.tolist())
    return sum(min(n_sparse(settings, name), count) for name, count in atoms.items())


def _candidates(model, term, settings, structures, progress, separate):
    """Features (n, n_features), species (n,) and config_types (n,) by sparse set, thinned at random
    where there are too many."""
    indices = [model.species_indices(structure.numbers) for structure in structures]
    share = _shares(model, term, settings, structures, indices, separate)
    shares = [share[structure.config_type] for structure in structures]
    X, species, groups = thinned_features(model, term, structures, shares, settings.seed, progress)
    if not separate:
        return {0: (X, species, groups)}
    return {
        a: (X[species == a], species[species == a], groups[species == a])
        for a in range(len(model.species))
        if np.any(species == a)
    }


def thinned_features(
    model: Model,
    term: int,
    structures: Sequence[Structure],
    shares: Sequence[np.ndarray],
    seed: int,
    progress: Progress = silent,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features (n, n_features), species (n,) and config_types (n,) of a random part of the
    environments: shares[k] (n_species,) is that of structure k, whatever the others are."""

    def of_structure(item):
        structure, share = item
        species = model.species_indices(structure.numbers)
        with naming(structure):
            X = features(model, term, structure)
        # Seeded by the geometry, not by a running stream: other structures change nothing here.
        rng = np.random.default_rng([seed, *fingerprint(structure)])
        keep = rng.random(len(structure)) < share[species]
        return X[keep], species[keep], np.full(keep.sum(), structure.config_type, dtype=object)

    items = list(zip(structures, shares, strict=True))
    parts = zip(*ordered_map(of_structure, progress(items, "features")), strict=True)
    X, species, groups = (np.concatenate(own) for own in parts)
    return X, species, groups


def _shares(model, term, settings, structures, indices, separate):
    """By config_type, what part of the environments of each species (n_species,) to keep."""
    n_species = len(model.species)
    counts: dict[str, np.ndarray] = {}
    for structure, species in zip(structures, indices, strict=True):
        own = counts.setdefault(structure.config_type, np.zeros(n_species))
        own += np.bincount(species, minlength=n_species)
    if not separate:
        counts = {name: np.full(n_species, n.sum()) for name, n in counts.items()}
    room = CANDIDATE_BYTES / (8.0 * model.core.n_features(term))
    plain = room / np.maximum(sum(counts.values()), 1.0)
    quotas = settings.n_sparse_config_type
    return {
        name: np.minimum(1.0, np.maximum(plain, PER_QUOTA * quotas.get(name, 0) / np.maximum(n, 1)))
        for name, n in counts.items()
    }
