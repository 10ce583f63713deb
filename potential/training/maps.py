# SPDX-License-Identifier: BSD-3-Clause
"""Alchemical maps that [[terms]] ask to be optimised, before anything else is chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from potential.basis.alchemy import alchemical_map, properties, similarity
from potential.basis.optimise_settings import OptimiseSettings
from potential.basis.settings import PROPERTIES, AlchemySettings
from potential.descriptors.tables import soap_model
from potential.model import Model
from potential.optimization import (
    KernelOfStructures,
    Targets,
    densities_of,
    interpolated,
    optimise_map,
)
from potential.runtime.progress import Progress
from potential.settings import FitSettings, SoapTermSettings
from potential.settings.terms import SEPARATE
from potential.structures.structure import Structure, composition, symbol
from potential.training.baseline import without_fixed_terms
from potential.training.noise import label_sigmas

# Training structures for each that is set apart, at least, where the settings leave it open.
PLENTY = 5


def wanted(settings: FitSettings) -> Iterator[tuple[int, SoapTermSettings, OptimiseSettings]]:
    """The terms whose map is to be optimised, with their place and how."""
    for t, term in enumerate(settings.terms):
        if isinstance(term, SoapTermSettings) and term.alchemy and term.alchemy.optimise:
            yield t, term, term.alchemy.optimise


def set_apart(
    settings: FitSettings, structures: Sequence[Structure]
) -> tuple[list[Structure], list[Structure]]:
    """Structures for the maps, none when these share those of the model, and all others.

    Every species stays with the model, and half of the structures at least.
    """
    usable = _usable(settings, structures)
    asked = [how for _, _, how in wanted(settings) if _is_apart(how, len(usable))]
    if not asked:
        return [], list(structures)
    left = Counter(z for s in structures for z in _species(s))
    apart = set[int]()
    most = min(max(how.n_structures for how in asked), len(usable) // 2)
    for k in np.random.default_rng(asked[0].seed).permutation(len(usable)):
        own = _species(usable[k])
        if len(apart) < most and all(left[z] > 1 for z in own):
            apart.add(id(usable[k]))
            left -= Counter(own)
    return (
        [s for s in structures if id(s) in apart],
        [s for s in structures if id(s) not in apart],
    )


def plan(
    settings: FitSettings, structures: Sequence[Structure], apart: Sequence[Structure]
) -> list[str]:
    """What a fit will do about its maps, a line for each."""
    n = len(_usable(settings, apart or structures))
    return [
        f"Alchemy        [[terms]] number {t + 1}: optimised first on {min(how.n_structures, n)} "
        f"structures{' set apart' if apart else ''}, in at most {how.steps} steps"
        for t, _, how in wanted(settings)
    ]


def optimised_maps(
    settings: FitSettings,
    structures: Sequence[Structure],
    apart: Sequence[Structure],
    species: Sequence[int],
    e0: np.ndarray,
    progress: Progress,
) -> tuple[FitSettings, list[str]]:
    """The settings with tables in the place of maps that were to be optimised, and what there is to
    say of that. Terms are optimised as if each were the only one.

    structures: those that the model learns from; apart: those set apart for the maps, or none; e0
    (n_species,) eV. Raises SoapGprError.
    """
    terms, said = list(settings.terms), list[str]()
    for t, term, how in wanted(settings):
        source = _usable(settings, apart or structures)
        chosen = _sample(source, how)
        with settings.placing(t):
            found, line = _optimised(term, how, settings, chosen, species, e0, progress)
        terms[t] = found
        whose = "which the model does not learn from" if apart else "of those it learns from"
        if how.apart and not apart:  # rows of a factor, or of many fits, are of all structures
            whose += " as nothing is set apart here"
        said.append(
            f"[[terms]] number {t + 1}: alchemy was optimised on {len(chosen)} structures, "
            f"{whose}: {line}"
        )
    settings = replace(settings, terms=tuple(terms))
    return settings, said + _other_zeta(settings)


def with_maps_of(settings: FitSettings, model: Model) -> FitSettings:
    """The settings with the maps that were found for a model, as its record has them."""
    terms = list(settings.terms)
    for t, term, _ in wanted(settings):
        found = model.metadata["settings"]["terms"][t]["alchemy"]
        terms[t] = replace(term, alchemy=AlchemySettings(**found))
    return replace(settings, terms=tuple(terms))


def _other_zeta(settings: FitSettings) -> list[str]:
    """Warnings of maps that were optimised for another kernel [P 48]."""
    return [
        f"[[terms]] number {t + 1}: alchemy was optimised for zeta = {zeta:g} and is used with "
        f"zeta = {term.zeta:g}, where it may be worse than its start"
        for t, term in enumerate(settings.terms)
        if isinstance(term, SoapTermSettings) and term.alchemy
        if (zeta := term.alchemy.optimised_zeta) not in (None, term.zeta)
    ]


def _optimised(
    term: SoapTermSettings,
    how: OptimiseSettings,
    settings: FitSettings,
    chosen: Sequence[Structure],
    species: Sequence[int],
    e0: np.ndarray,
    progress: Progress,
) -> tuple[SoapTermSettings, str]:
    """The term with its map, and what was found on a line."""
    assert term.alchemy is not None
    zeta = term.zeta if how.zeta is None else how.zeta
    tables = soap_model(replace(term, alchemy=None, centers=SEPARATE), species)
    start = alchemical_map(replace(term.alchemy, optimise=None), species)
    found = optimise_map(
        densities_of(tables, 0, chosen, progress),
        _targets(settings, chosen, species, e0),
        KernelOfStructures(zeta, term.normalize, term.offset, term.centers),
        start,
        loss=how.loss,
        penalty=how.penalty,
        steps=how.steps,
        progress=progress,
    )
    u = found.u
    if term.alchemy.start == PROPERTIES:
        known = np.isin(species, np.concatenate([s.numbers for s in chosen]))
        sigmas = (term.alchemy.sigma_electronegativity, term.alchemy.sigma_radius)
        u = interpolated(u, start, known, similarity(properties(species), sigmas))
    table = {symbol(z): tuple(row.tolist()) for z, row in zip(species, u, strict=True)}
    alchemy = AlchemySettings(dimensions=u.shape[1], start=table, optimised_zeta=zeta)
    line = f"{how.loss} {found.losses[0]:.4g} → {found.losses[-1]:.4g} in {found.steps} steps"
    if found.steps == 0:
        line = f"{how.steps} steps found nothing better than its start, which stays"
    return replace(term, alchemy=alchemy), line


def _targets(
    settings: FitSettings, chosen: Sequence[Structure], species: Sequence[int], e0: np.ndarray
) -> Targets:
    counts = np.array([composition(s, species) for s in chosen], dtype=float)
    energies = [s.energy for s in without_fixed_terms(settings.baseline, chosen, species)]
    fitted = settings.baseline.isolated_atom_energies == "fit"
    return Targets(
        y=np.array(energies) - counts @ e0,
        sigma=np.array([label_sigmas(settings.noise, s).energy for s in chosen]),
        n_atoms=counts.sum(axis=1),
        composition=counts if fitted else None,
    )


def _usable(settings: FitSettings, structures: Sequence[Structure]) -> list[Structure]:
    """Those whose energies are fitted, without isolated atoms."""
    return [
        s
        for s in structures
        if s.energy is not None
        and not s.is_isolated_atom
        and np.isfinite(label_sigmas(settings.noise, s).energy)
    ]


def _sample(structures: Sequence[Structure], how: OptimiseSettings) -> list[Structure]:
    n = min(how.n_structures, len(structures))
    chosen = np.random.default_rng(how.seed).choice(len(structures), n, replace=False)
    return [structures[k] for k in sorted(chosen)]


def _is_apart(how: OptimiseSettings, n_usable: int) -> bool:
    return n_usable >= PLENTY * how.n_structures if how.apart is None else how.apart


def _species(structure: Structure) -> list[int]:
    return np.unique(structure.numbers).tolist()
