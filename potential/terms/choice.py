# SPDX-License-Identifier: BSD-3-Clause
"""From settings and structures to the model with its sparse points, which has no weights yet."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np

from potential.runtime.progress import Progress, silent
from potential.settings import FitSettings
from potential.settings.target_tensors import SCALAR
from potential.structures.structure import Structure, symbol
from potential.terms.baseline import fixed_terms
from potential.terms.kinds import kind_of_settings
from potential.terms.tensor_basis import add_tensor_bases
from potential.terms.term import RECORD, Draft
from potential.terms.training_model import TrainingModel, build_model
from potential.terms.zbl import zbl_warnings


def choose_sparse_points(
    settings: FitSettings,
    structures: Sequence[Structure],
    species: Sequence[int],
    e0: np.ndarray,
    progress: Progress = silent,
    made: Mapping[int, Draft] = MappingProxyType({}),
    without_points: Collection[int] = (),
) -> tuple[TrainingModel, list[str]]:
    """The model with all weights zero, fixed terms at its end, and warnings.

    species: atomic numbers, ascending; e0 (n_species,) eV; made: the drafts of terms, by their
    number from 0, that are more than settings and structures make of them; without_points: terms,
    by these numbers, whose features alone are wanted. The choice does not
    depend on the order of the structures. Raises SoapGprError.
    """
    kinds = [kind_of_settings(own) for own in settings.terms]
    drafts, warnings = list[Draft](), list[str]()
    for t, (kind, own) in enumerate(zip(kinds, settings.terms, strict=True)):
        with settings.placing(t):
            draft, found = kind.draft(own, species, structures, progress)
        drafts.append(made.get(t, draft))
        warnings += found

    def model_of(draft: Draft) -> TrainingModel:
        return build_model(species, e0, [draft])

    for t, (kind, own) in enumerate(zip(kinds, settings.terms, strict=True)):
        with settings.placing(t):
            drafts[t], found = kind.adapt(drafts[t], own, model_of, structures, progress)
        warnings += [f"term {t + 1}: {text}" for text in found]
    tables = cache(lambda: build_model(species, e0, drafts))  # not every kind asks for it
    chosen = list[Draft]()
    for t, (kind, own) in enumerate(zip(kinds, settings.terms, strict=True)):
        if t in without_points:
            chosen.append(drafts[t])
            continue
        with settings.placing(t):
            draft, found = kind.choose(drafts[t], own, tables, t, structures, progress)
        chosen.append(draft)
        warnings += found
    with settings.placing():
        warnings += zbl_warnings(settings.baseline, species, structures)
        chosen += fixed_terms(settings.baseline, species)
    records = [draft.get(RECORD, {}) for draft in chosen]
    provenance = {"terms": records} if any(records) else {}
    model = build_model(species, e0, chosen, settings.to_dict(), provenance)
    with settings.placing():
        model, said = add_tensor_bases(model, settings, structures, progress)
    return model, warnings + said


def trial_settings(settings: FitSettings, structures: Sequence[Structure]) -> FitSettings:
    """The same with few sparse points, chosen in little time."""
    terms = (kind_of_settings(own).trial_settings(own, structures) for own in settings.terms)
    targets = (
        own
        if own.kind == SCALAR
        else replace(own, n_sparse=_one_of_each(own.n_sparse), n_features=1)
        for own in settings.targets
    )
    return replace(settings, terms=tuple(terms), targets=tuple(targets))


def _one_of_each(n_sparse: int | Mapping[str, int]) -> int | dict[str, int]:
    """For the same species, so that one that is missing is missed."""
    if isinstance(n_sparse, Mapping):
        return {name: min(n, 1) for name, n in n_sparse.items()}
    return 1


def most_weights(
    settings: FitSettings, structures: Sequence[Structure], trial: TrainingModel
) -> list[int]:
    """Weights of each term of a fit to these structures if all sparse points asked for are found.

    trial: the model of ``trial_settings``.
    """
    weights = [term.n_weights for term in trial.own_terms]
    for t, own in enumerate(settings.terms):  # fixed terms come after them
        weights[t] = trial.own_terms[t].most_weights(own, structures)
    return weights


def unused_species(settings: FitSettings, structures: Sequence[Structure]) -> list[str]:
    """Warnings for values of species that are in no structure."""
    present = {symbol(z) for structure in structures for z in np.unique(structure.numbers).tolist()}
    present |= set(settings.data.extra_species)
    tables: dict[str, Any] = {
        "[baseline] isolated_atom_energies": settings.baseline.isolated_atom_energies
    }
    for k, own in enumerate(settings.terms):
        for key, values in kind_of_settings(own).values_by_species(own).items():
            tables[f"term {k + 1}: {key}"] = values
    for target in settings.targets:
        for key in ("n_sparse", "noise", "mean", "scale"):
            tables[f"target {target.name}: {key}"] = getattr(target, key)
    return [
        f"{name}: {species} is in no training structure"
        for name, values in tables.items()
        if isinstance(values, Mapping)
        for species in values
        if species not in present
    ]
