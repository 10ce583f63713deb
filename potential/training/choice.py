# SPDX-License-Identifier: BSD-3-Clause
"""The choice of sparse points: from the training structures to a model whose weights are zero."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from potential.errors import SoapGprError
from potential.model import Model
from potential.runtime.progress import Progress, silent
from potential.runtime.ranks import Ranks
from potential.settings import FitSettings
from potential.structures.structure import Structure
from potential.terms import TrainingModel
from potential.terms.choice import choose_sparse_points
from potential.training.baseline import isolated_atom_energies
from potential.training.extra_species import known_species
from potential.training.maps import optimised_maps


@dataclass(frozen=True)
class Choice:
    """The model with its sparse points and all weights zero, fixed terms at the end, and what the
    choice has to say."""

    model: TrainingModel
    warnings: list[str] = field(default_factory=list)


def choose(
    settings: FitSettings,
    train: Sequence[Structure],
    progress: Progress = silent,
    apart: Sequence[Structure] = (),
    without_points: Collection[int] = (),
) -> Choice:
    """The choice among these structures. Maps and contractions that are to be optimised come
    first, on structures set apart where there are any. without_points: as of
    ``choose_sparse_points``. Raises SoapGprError for anything a user can
    put right."""
    species = known_species(settings.data, train)
    with settings.placing():
        e0 = isolated_atom_energies(settings.baseline, train, species)
    settings, made, said = optimised_maps(settings, train, apart, species, e0, progress)
    model, warnings = choose_sparse_points(
        settings, train, species, e0, progress, made, without_points
    )
    return Choice(model, said + warnings)


def common_choice(
    settings: FitSettings,
    train: Sequence[Structure],
    ranks: Ranks,
    progress: Progress,
    stored: Choice | None = None,
    apart: Sequence[Structure] = (),
    without_points: Collection[int] = (),
) -> Choice:
    """The choice of all ranks: one that is stored, or else made on the first rank."""
    # A rank that was killed before it wrote anything takes up the choice of one that did.
    holders = ranks.all_gather(stored is not None)
    if any(holders):
        first = holders.index(True)
        shared = ranks.all_gather(stored if ranks.rank == first else None)[first]
        assert shared is not None
        return shared
    return ranks.from_first(lambda: choose(settings, train, progress, apart, without_points))


def require_weights(model: Model) -> None:
    """Raise SoapGprError when there is nothing to fit."""
    if model.n_weights == 0 and not model.tensor_bases:
        raise SoapGprError(
            "found no environment with any neighbour within cutoff in the training structures, "
            "expected some"
        )
