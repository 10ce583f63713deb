# SPDX-License-Identifier: BSD-3-Clause
"""Sparse points of one term: features of the training environments, then the choice per species, or
among all where one set serves them (docs/theory.md eq. 7d)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

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

# Features of candidate environments of one sparse set are thinned to this size, and no more of all
# sets together are in memory at a time.
CANDIDATE_BYTES = 256 * 2**20
# A config_type with a quota keeps at least so many candidates for each of its points.
PER_QUOTA = 10


class Candidates(NamedTuple):
    """Environments among which sparse points are chosen."""

    X: np.ndarray  # (n, n_features)
    species: np.ndarray  # (n,) indices
    groups: np.ndarray  # (n,) config_types

    @classmethod
    def empty(cls, n: int, n_features: int) -> Candidates:
        return cls(np.empty((n, n_features)), np.empty(n, dtype=int), np.empty(n, dtype=object))


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
    warnings = unused_quotas(term, settings.n_sparse_config_type, structures)
    points, species = dict[int, np.ndarray](), dict[int, np.ndarray]()

    def choose_of(a: int, own: Candidates) -> None:
        name = symbol(model.species[a])
        wanted = n_sparse(settings, name)
        chosen = choose(*own, wanted)
        points[a], species[a] = own.X[chosen], own.species[chosen]
        if len(chosen) < wanted:
            of = f" of {name}" if separate else ""
            warnings.append(
                f"term {term + 1}: only {len(chosen)} distinct environments{of}, "
                f"{wanted} sparse points were asked for"
            )

    counts = _counts(model, structures)
    room = CANDIDATE_BYTES / (8.0 * model.core.n_features(term))
    share = _shares(counts, settings, room, separate)
    total = np.sum([share[name] * n for name, n in counts.items()], axis=0)
    warnings += _thinned(model, term, total, np.sum(list(counts.values()), axis=0))
    for batch in _batches(total, room if separate else np.inf):
        shares = [share[structure.config_type] * batch for structure in structures]
        found = thinned_features(
            model, term, structures, shares, settings.seed, progress, separate=separate
        )
        for a in sorted(found):
            choose_of(a, found.pop(a))  # which frees them
    own = {} if separate else {"sparse_species": species.get(0, np.zeros(0, dtype=int))}
    return {"sparse_points": points} | own, warnings


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


def _counts(model: Model, structures: Sequence[Structure]) -> dict[str, np.ndarray]:
    """Environments of each species (n_species,) by config_type."""
    n_species = len(model.species)
    counts: dict[str, np.ndarray] = {}
    for structure in structures:
        own = counts.setdefault(structure.config_type, np.zeros(n_species))
        own += np.bincount(model.species_indices(structure.numbers), minlength=n_species)
    return counts


def _thinned(model: Model, term: int, kept: np.ndarray, counts: np.ndarray) -> list[str]:
    """A warning where some of the environments (n_species,) are no candidates."""
    parts = [
        f"{100 * kept[a] / counts[a]:.2g} % of {symbol(model.species[a])}"
        for a in np.flatnonzero(kept < counts)
    ]
    if not parts:
        return []
    return [
        f"term {term + 1}: sparse points are chosen from a random part of the environments, "
        f"{', '.join(parts)}: features of all would take more than {CANDIDATE_BYTES >> 20} MiB"
    ]


def _batches(kept: np.ndarray, room: float) -> list[np.ndarray]:
    """Which species (n_species,) have their candidates (n_species,) in memory together, where there
    is room for so many."""
    batches, used = list[np.ndarray](), 0.0
    for a in np.flatnonzero(kept):
        used += kept[a]
        if not batches or used > room:
            batches.append(np.zeros(len(kept), dtype=bool))
            used = kept[a]
        batches[-1][a] = True
    return batches


def thinned_features(
    model: Model,
    term: int,
    structures: Sequence[Structure],
    shares: Sequence[np.ndarray],
    seed: int,
    progress: Progress = silent,
    *,
    separate: bool = True,
    values_of: Callable[[Model, int, Any], np.ndarray] = features,
) -> dict[int, Candidates]:
    """A random part of the environments by species of the centre, or all as 0: shares[k]
    (n_species,) is that of structure k, whatever the others are. values_of: makes (N, n) of a term
    and a structure, by default its features."""
    kept, counts = list[tuple[Structure, np.ndarray]](), np.zeros(len(model.species), dtype=int)
    for structure, share in zip(structures, shares, strict=True):
        species = model.species_indices(structure.numbers)
        # Seeded by the geometry, not by a running stream: other structures change nothing here.
        rng = np.random.default_rng([seed, *fingerprint(structure)])
        atoms = np.flatnonzero(rng.random(len(structure)) < share[species])
        if len(atoms):
            kept.append((structure, atoms))
            counts += np.bincount(species[atoms], minlength=len(counts))

    def of_structure(item: tuple[Structure, np.ndarray]) -> Candidates:
        structure, atoms = item
        with naming(structure):
            X = values_of(model, term, structure)[atoms]
        species = model.species_indices(structure.numbers)[atoms]
        return Candidates(X, species, np.full(len(atoms), structure.config_type, dtype=object))

    # Arrays of their final size, filled one structure after the other: nothing is there twice.
    sizes = dict(enumerate(counts)) if separate else {0: counts.sum()}
    found, filled = dict[int, Candidates](), dict.fromkeys(sizes, 0)
    for own in ordered_map(of_structure, progress(kept, "features")):
        if not found:
            width = own.X.shape[1]
            found = {a: Candidates.empty(n, width) for a, n in sizes.items() if n}
        for a in np.unique(own.species).tolist() if separate else [0]:
            rows = own.species == a if separate else slice(None)
            part = own.X[rows]
            place = slice(filled[a], filled[a] + len(part))
            for whole, values in zip(found[a], own, strict=True):
                whole[place] = values[rows]
            filled[a] = place.stop
    return found


def _shares(
    counts: Mapping[str, np.ndarray],
    settings: KernelTermSettings | ProductTermSettings,
    room: float,
    separate: bool,
) -> dict[str, np.ndarray]:
    """By config_type, what part of the environments of each species (n_species,) to keep.

    counts (n_species,): of environments, by config_type; room: for how many of a sparse set.
    """
    if not separate:
        counts = {name: np.full(len(n), n.sum()) for name, n in counts.items()}
    plain = room / np.maximum(sum(counts.values()), 1.0)
    quotas = settings.n_sparse_config_type
    return {
        name: np.minimum(1.0, np.maximum(plain, PER_QUOTA * quotas.get(name, 0) / np.maximum(n, 1)))
        for name, n in counts.items()
    }
