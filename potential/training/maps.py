# SPDX-License-Identifier: BSD-3-Clause
"""Alchemical maps and contractions that [[terms]] ask to be optimised, before anything else is
chosen: on which structures, in which order, and what there is to say of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from potential.basis.optimise_settings import OptimiseSettings
from potential.basis.settings import AlchemySettings
from potential.errors import SoapGprError
from potential.model import Model
from potential.runtime.progress import Progress
from potential.settings import FitSettings, SoapTermSettings
from potential.structures.structure import Structure
from potential.terms.term import Draft
from potential.training.noise import label_sigmas
from potential.training.optimised import Energies, optimised_alchemy, optimised_contraction

# Training structures for each that is set apart, at least, where the settings leave it open.
PLENTY = 5


class Wanted(NamedTuple):
    """What is to be optimised: a table of the term number t, from 0."""

    t: int
    key: str  # "alchemy" or "contraction"
    how: OptimiseSettings

    def __str__(self) -> str:
        return f"[[terms]] number {self.t + 1}: {self.key}"


def wanted(settings: FitSettings) -> Iterator[Wanted]:
    """What is to be optimised; of a term its map before its contraction."""
    for t, term in enumerate(settings.terms):
        for key, how in term.optimised.items():
            yield Wanted(t, key, how)


def require_no_maps(settings: FitSettings) -> None:
    """Raise SoapGprError when something is to be optimised where there are no energies."""
    for own in wanted(settings):
        raise SoapGprError(f"{own}: found optimise, expected energies in the data, which it fits")


def set_apart(
    settings: FitSettings, structures: Sequence[Structure]
) -> tuple[list[Structure], list[Structure]]:
    """Structures for what is optimised, none when it shares those of the model, and all others.

    Every species stays with the model, and half of the structures at least.
    """
    usable = _usable(settings, structures)
    asked = [own.how for own in wanted(settings) if _is_apart(own.how, len(usable))]
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
    """What a fit will optimise, a line for each."""
    n = len(_usable(settings, apart or structures))
    return [
        f"{own.key.capitalize():<14s} [[terms]] number {own.t + 1}: optimised first on "
        f"{min(own.how.n_structures, n)} structures{' set apart' if apart else ''}, in at most "
        f"{own.how.steps} steps"
        for own in wanted(settings)
    ]


def optimised_maps(
    settings: FitSettings,
    structures: Sequence[Structure],
    apart: Sequence[Structure],
    species: Sequence[int],
    e0: np.ndarray,
    progress: Progress,
) -> tuple[FitSettings, dict[int, Draft], list[str]]:
    """The settings with tables in the place of maps that were to be optimised, the drafts of terms
    whose contraction was, by their number from 0, and what there is to say of that. Terms are
    optimised as if each were the only one.

    structures: those that the model learns from; apart: those set apart, or none; e0 (n_species,)
    eV. Raises SoapGprError.
    """
    terms, made, said = list(settings.terms), dict[int, Draft](), list[str]()
    for own in wanted(settings):
        term, how = terms[own.t], own.how
        assert isinstance(term, SoapTermSettings)
        source = _sample(_usable(settings, apart or structures), how)
        chosen = Energies.of(settings, source, species, e0)
        with settings.placing(own.t):
            if own.key == "alchemy":
                terms[own.t], line = optimised_alchemy(term, how, chosen, progress)
            else:
                made[own.t], line = optimised_contraction(term, how, chosen, structures, progress)
        whose = "which the model does not learn from" if apart else "of those it learns from"
        if how.apart and not apart:  # rows of a factor, or of many fits, are of all structures
            whose += " as nothing is set apart here"
        said.append(f"{own} was optimised on {len(chosen.structures)} structures, {whose}: {line}")
        if own.key == "contraction" and how.zeta not in (None, term.zeta):
            said.append(_other_zeta(f"{own}", how.zeta, term.zeta))
    settings = replace(settings, terms=tuple(terms))
    return settings, made, said + _maps_of_other_zeta(settings)


def with_maps_of(settings: FitSettings, model: Model) -> FitSettings:
    """The settings with the maps that were found for a model, as its record has them."""
    terms = list(settings.terms)
    for t, key, _ in wanted(settings):
        if key == "alchemy":
            found = model.metadata["settings"]["terms"][t]["alchemy"]
            terms[t] = replace(terms[t], alchemy=AlchemySettings(**found))  # type: ignore[call-arg]
    return replace(settings, terms=tuple(terms))


def relative_errors(settings: FitSettings, structures: Sequence[Structure]) -> list[float]:
    """Expected errors of energies relative to the least: what an optimisation takes of [noise]."""
    sigmas = np.array([label_sigmas(settings.noise, s).energy for s in structures])
    least = sigmas.min()
    return (sigmas / (least if np.isfinite(least) else 1.0)).round(9).tolist()


def _maps_of_other_zeta(settings: FitSettings) -> list[str]:
    """Warnings of maps that were optimised for another kernel [P 48]."""
    return [
        _other_zeta(f"[[terms]] number {t + 1}: alchemy", zeta, term.zeta)
        for t, term in enumerate(settings.terms)
        if isinstance(term, SoapTermSettings) and term.alchemy
        if (zeta := term.alchemy.optimised_zeta) not in (None, term.zeta)
    ]


def _other_zeta(what: str, optimised: float | None, used: float) -> str:
    return (
        f"{what} was optimised for zeta = {optimised:g} and is used with zeta = {used:g}, where it "
        "may be worse than its start"
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
