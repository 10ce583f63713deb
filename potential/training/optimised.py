# SPDX-License-Identifier: BSD-3-Clause
"""One alchemical map or contraction that is fitted to energies (docs/theory.md eq. 13m to 13s)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from potential.basis.alchemy import alchemical_map, coupling, properties, similarity
from potential.basis.contraction import Contraction, principal_components, variance_in
from potential.basis.optimise_settings import OptimiseSettings
from potential.basis.settings import PROPERTIES, AlchemySettings
from potential.descriptors.tables import soap_model
from potential.optimization import (
    KernelOfStructures,
    OptimisedMap,
    Targets,
    as_table,
    channel_densities_of,
    densities_of,
    interpolated,
    optimise_map,
)
from potential.optimization.mixing import Mixing
from potential.runtime.progress import Progress
from potential.settings import FitSettings, SoapTermSettings
from potential.settings.terms import SEPARATE
from potential.structures.structure import Structure, composition, symbol
from potential.terms.density_covariance import contracted_draft, density_covariance
from potential.terms.soap import SoapTerm
from potential.terms.term import Draft
from potential.training.baseline import without_fixed_terms
from potential.training.noise import label_sigmas


@dataclass(frozen=True)
class Energies:
    """Structures, and what a process of them describes; species: atomic numbers, ascending."""

    structures: Sequence[Structure]
    targets: Targets
    species: Sequence[int]

    @classmethod
    def of(
        cls,
        settings: FitSettings,
        structures: Sequence[Structure],
        species: Sequence[int],
        e0: np.ndarray,
    ) -> Energies:
        """Their energies less e0 (n_species,) eV and fixed terms."""
        counts = np.array([composition(s, species) for s in structures], dtype=float)
        energies = [s.energy for s in without_fixed_terms(settings.baseline, structures, species)]
        fitted = settings.baseline.isolated_atom_energies == "fit"
        targets = Targets(
            y=np.array(energies) - counts @ e0,
            sigma=np.array([label_sigmas(settings.noise, s).energy for s in structures]),
            n_atoms=counts.sum(axis=1),
            composition=counts if fitted else None,
        )
        return cls(structures, targets, species)


def optimised_alchemy(
    term: SoapTermSettings, how: OptimiseSettings, energies: Energies, progress: Progress
) -> tuple[SoapTermSettings, str]:
    """The term with its map, and what was found on a line."""
    assert term.alchemy is not None
    species = energies.species
    plain = replace(term, alchemy=None, contraction=None, centers=SEPARATE)
    start = alchemical_map(replace(term.alchemy, optimise=None), species)
    own = densities_of(soap_model(plain, species), 0, energies.structures, progress)
    found = _optimised(term, how, own, energies, start, progress)
    u = found.u
    if term.alchemy.start == PROPERTIES:
        known = np.isin(species, np.concatenate([s.numbers for s in energies.structures]))
        sigmas = (term.alchemy.sigma_electronegativity, term.alchemy.sigma_radius)
        u = interpolated(u, start, known, similarity(properties(species), sigmas))
    table = {symbol(z): tuple(row.tolist()) for z, row in zip(species, u, strict=True)}
    zeta = term.zeta if how.zeta is None else how.zeta
    alchemy = AlchemySettings(dimensions=u.shape[1], start=table, optimised_zeta=zeta)
    return replace(term, alchemy=alchemy), _line(found, how)


def optimised_contraction(
    term: SoapTermSettings,
    how: OptimiseSettings,
    energies: Energies,
    structures: Sequence[Structure],
    progress: Progress,
) -> tuple[Draft, str]:
    """The contracted draft of the term, and what was found on a line.

    structures: those whose covariance of the density makes the start, eq. (2h).
    """
    assert term.contraction is not None
    asked, species = term.contraction, energies.species
    plain = replace(term, contraction=None)
    model = soap_model(plain, species)
    covariance = density_covariance(model, 0, structures, asked.by, progress)
    start = principal_components(covariance, asked.n_channels, asked.retained_variance).matrices
    kappa = coupling(alchemical_map(term.alchemy, species)) if term.alchemy else None
    n_kept = [len(V) for V in start]
    own = channel_densities_of(model, 0, energies.structures, n_kept, kappa, progress)
    found = _optimised(term, how, own, energies, as_table(start), progress)
    matrices, line = own.matrices(found.u), _line(found, how)
    contraction = Contraction(matrices, variance_in(covariance, matrices))
    draft, _ = SoapTerm.draft(plain, species, structures)
    return contracted_draft(draft, contraction, line), line


def _optimised(
    term: SoapTermSettings,
    how: OptimiseSettings,
    own: Mixing,
    energies: Energies,
    start: np.ndarray,
    progress: Progress,
) -> OptimisedMap:
    zeta = term.zeta if how.zeta is None else how.zeta
    return optimise_map(
        own,
        energies.targets,
        KernelOfStructures(zeta, term.normalize, term.offset, term.centers),
        start,
        loss=how.loss,
        penalty=how.penalty,
        steps=how.steps,
        progress=progress,
    )


def _line(found: OptimisedMap, how: OptimiseSettings) -> str:
    if found.steps == 0:
        return f"{how.steps} steps found nothing better than its start, which stays"
    return f"{how.loss} {found.losses[0]:.4g} → {found.losses[-1]:.4g} in {found.steps} steps"
