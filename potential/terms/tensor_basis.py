# SPDX-License-Identifier: BSD-3-Clause
"""What vectors and tensors stand on (docs/theory.md eq. 26): sparse environments, as densities, and
the products of density channels that are kept, both chosen among training environments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from potential import _core
from potential.errors import SoapGprError
from potential.model import Model
from potential.model.features import features_of_densities
from potential.runtime.progress import Progress, silent
from potential.selection.columns import choose_columns
from potential.selection.rows import Coupling
from potential.selection.select import select
from potential.settings import FitSettings, SoapTermSettings, TargetSettings
from potential.settings.target_tensors import N_FEATURES, SCALAR, TensorBasisSettings
from potential.settings.targets import tensor_bases, tensor_basis
from potential.structures.structure import Structure, symbol
from potential.tensors.products import products
from potential.tensors.spherical import Part, parts_of
from potential.terms.features import density_coefficients
from potential.terms.soap_points import CANDIDATE_BYTES, thinned_features

# Sparse environments, evenly spread, that the choice of products is made on, in bytes of ψ̂.
SAMPLE_BYTES = 128 * 2**20
SCALAR_PART = Part(0, 1)  # its features are those of the term


def add_tensor_bases(
    model: Any, settings: FitSettings, structures: Sequence[Structure], progress: Progress = silent
) -> tuple[Any, list[str]]:
    """The model with the bases of the vectors and tensors among [[targets]], and warnings.

    The choice does not depend on the order of the structures. Raises SoapGprError.
    """
    require_products(model, settings)
    entries, arrays, warnings = list[dict[str, Any]](), dict[str, np.ndarray](), list[str]()
    for b, basis in enumerate(tensor_bases(settings.targets, settings.terms)):
        own = [t for t in settings.targets if _stands_on(t, basis, settings)]
        densities, said = _sparse_densities(model, settings, basis, own, structures, progress)
        parts = _own_parts(own)
        species = densities.pop("species", None)
        arrays |= {f"basis{b}.densities.{a}": c for a, c in densities.items()}
        if species is not None:
            arrays[f"basis{b}.species"] = species
        for p, part in enumerate(parts):
            kept, few = _kept(model, basis, part, densities, species, own, progress)
            arrays[f"basis{b}.features.{p}"] = kept
            said += few
        entries.append(
            {
                "term": basis.term,
                "zeta": basis.zeta,
                "parts": [{"lambda": part.lam, "sigma": part.sigma} for part in parts],
            }
        )
        warnings += said
    if not entries:
        return model, []
    return model.with_tensor_bases(entries, arrays), warnings


def require_products(model: Model, settings: FitSettings) -> None:
    """Raise SoapGprError when a term has no products of a part of its vectors and tensors, or fewer
    of each part than they ask for, before sparse environments are looked for."""
    for basis in tensor_bases(settings.targets, settings.terms):
        own = [t for t in settings.targets if _stands_on(t, basis, settings)]
        names = ", ".join(t.name for t in own)
        sizes = {
            part: len(products(model.terms[basis.term]["n_channels"], part))
            for part in _own_parts(own)
        }
        for part in (part for part, n in sizes.items() if not n):
            raise SoapGprError(
                f"target {names}: found a term without products of {part}, expected a larger l_max"
            )
        most = max(sizes.values())
        if basis.n_features is not None and basis.n_features > most:
            raise SoapGprError(
                f"target {names}: found n_features = {basis.n_features}, expected at most {most}, "
                "the products of one λ"
            )


def _own_parts(targets: Sequence[TargetSettings]) -> list[Part]:
    """Those with products of their own."""
    parts = {p for t in targets for p in parts_of(t.n_indices, t.symmetric)}
    return sorted(parts - {SCALAR_PART})


def _stands_on(target: TargetSettings, basis: TensorBasisSettings, settings: FitSettings) -> bool:
    return target.kind != SCALAR and tensor_basis(target, settings.terms) == basis


def _sparse_densities(
    model: Model,
    settings: FitSettings,
    basis: TensorBasisSettings,
    targets: Sequence[TargetSettings],
    structures: Sequence[Structure],
    progress: Progress,
) -> tuple[dict[Any, np.ndarray], list[str]]:
    """Density coefficients (M_a, n_density) by sparse set, with ``species`` (M,) where one set
    serves all, and warnings."""
    labelled = [s for s in structures if any(t.name in s.targets for t in targets)]
    separate = "centers" not in model.terms[basis.term]
    width = sum((2 * k + 1) * n for k, n in enumerate(model.terms[basis.term]["n_channels"]))
    wanted, counts = _wanted(model, basis, targets, labelled)
    room = CANDIDATE_BYTES / (8.0 * (width + model.core.n_features(basis.term)))
    share = np.minimum(1.0, room / max(counts.sum(), 1)) * (counts > 0)
    own_term = settings.terms[basis.term]
    assert isinstance(own_term, SoapTermSettings)
    seed = own_term.seed
    found = thinned_features(
        model,
        basis.term,
        labelled,
        [share] * len(labelled),
        seed,
        progress,
        separate=separate,
        values_of=density_coefficients,
    )
    kappa = model.arrays.get(f"term{basis.term}.coupling")
    densities, warnings = dict[Any, np.ndarray](), list[str]()
    for a in range(len(model.species)) if separate else [0]:
        if a not in found:
            densities[a] = np.zeros((0, width))
            continue
        own = found.pop(a)
        n = wanted[a] if separate else max(wanted.values())
        chosen = select(
            features_of_densities(model, basis.term, own.X, own.species),
            n,
            zeta=basis.zeta,
            normalized=model.terms[basis.term]["normalize"],
            seed=seed,
            progress=progress,
            coupling=None if kappa is None else Coupling(own.species, kappa),
        )
        densities[a] = own.X[chosen]
        if not separate:
            densities["species"] = own.species[chosen].astype(np.int64)
        if len(chosen) < n:
            of = f" of {symbol(model.species[a])}" if separate else ""
            warnings.append(
                f"targets {', '.join(t.name for t in targets)}: only {len(chosen)} distinct "
                f"environments{of}, n_sparse = {n} were asked for"
            )
    if not separate:
        densities.setdefault("species", np.zeros(0, dtype=np.int64))
    return densities, warnings


def most_environments(
    model: Model,
    settings: FitSettings,
    basis: TensorBasisSettings,
    structures: Sequence[Structure],
) -> list[int]:
    """Sparse environments of each set of a basis if all that are asked for are found."""
    own = [t for t in settings.targets if _stands_on(t, basis, settings)]
    labelled = [s for s in structures if any(t.name in s.targets for t in own)]
    wanted, counts = _wanted(model, basis, own, labelled)
    if "centers" in model.terms[basis.term]:
        return [int(min(max(wanted.values()), counts.sum()))]
    return [int(min(wanted[a], n)) for a, n in enumerate(counts)]


def _wanted(
    model: Model,
    basis: TensorBasisSettings,
    targets: Sequence[TargetSettings],
    labelled: Sequence[Structure],
) -> tuple[dict[int, int], np.ndarray]:
    """Sparse environments asked for by species, and environments (n_species,) of those that are.
    Raises SoapGprError where none are."""
    wanted = {a: _n_sparse(basis, targets, symbol(z)) for a, z in enumerate(model.species)}
    if not any(wanted.values()):
        names = ", ".join(t.name for t in targets)
        raise SoapGprError(f"target {names}: found n_sparse = 0 for all species, expected some")
    counts = np.sum([_counts(model, s) for s in labelled], axis=0, initial=0)
    return wanted, np.where([wanted[a] > 0 for a in range(len(model.species))], counts, 0)


def _counts(model: Model, structure: Structure) -> np.ndarray:
    return np.bincount(model.species_indices(structure.numbers), minlength=len(model.species))


def _n_sparse(basis: TensorBasisSettings, targets: Sequence[TargetSettings], name: str) -> int:
    """That of a species, 0 where no target asks for its atoms. Raises SoapGprError."""
    weights = [t.weights.get(name, 1) if isinstance(t.weights, Mapping) else 1 for t in targets]
    asked = [
        weight > 0 and (not t.species or name in t.species)
        for t, weight in zip(targets, weights, strict=True)
    ]
    if not any(asked):
        return 0
    if isinstance(basis.n_sparse, int):
        return basis.n_sparse
    if name not in basis.n_sparse:
        raise SoapGprError(
            f"target {targets[0].name}: found n_sparse for {', '.join(basis.n_sparse)}, expected "
            f"{name} as well, which the training structures contain"
        )
    return basis.n_sparse[name]


def _kept(
    model: Model,
    basis: TensorBasisSettings,
    part: Part,
    densities: Mapping[int, np.ndarray],
    species: np.ndarray | None,
    targets: Sequence[TargetSettings],
    progress: Progress,
) -> tuple[np.ndarray, list[str]]:
    """Products (F, 4) of a part: all, or those that CUR takes from ψ̂ of sparse environments, and a
    warning where a part of these, for want of room, tells fewer apart than are asked for."""
    every = products(model.terms[basis.term]["n_channels"], part)
    n = min(basis.n_features or N_FEATURES, len(every))
    if n == len(every):
        return every, []
    rows, n_taken = [], 0
    for a, c in densities.items():
        room = SAMPLE_BYTES / (8 * len(every) * part.size * len(densities))
        own = slice(None, None, max(1, int(np.ceil(len(c) / max(room, 1)))))
        of = np.full(len(c), a) if species is None else species
        of = np.ascontiguousarray(of[own], dtype=np.int32)
        n_taken += len(of)
        psi = _core.equivariants_of_densities(
            model.core, basis.term, of, np.ascontiguousarray(c[own]), *part, every
        )
        rows.append(psi.transpose(0, 2, 1).reshape(-1, len(every)) / np.sqrt(max(len(of), 1)))
    X = np.concatenate(rows)
    if not X.any():
        names = ", ".join(t.name for t in targets)
        raise SoapGprError(f"target {names}: found no environment with {part}, expected some")
    chosen = choose_columns(X, n=n, progress=progress).chosen
    if len(chosen) == n or n_taken == sum(map(len, densities.values())):
        return every[chosen], []
    names = ", ".join(t.name for t in targets)
    return every[chosen], [
        f"targets {names}: only {len(chosen)} products of {part}, n_features = {n} were asked for: "
        f"there are {len(every)}, which is too many to choose by more than {n_taken} environments; "
        "alchemy or contraction of the term makes fewer"
    ]
