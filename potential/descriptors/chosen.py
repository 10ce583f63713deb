# SPDX-License-Identifier: BSD-3-Clause
"""Features as a term of a model or of a fit.toml has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import ase
import numpy as np

from potential.descriptors.features import Features
from potential.descriptors.inputs import frames_of, numbers_of
from potential.descriptors.tables import rows_of_frames, term_model
from potential.errors import SoapGprError
from potential.model import Model
from potential.settings import FitSettings
from potential.settings.file import load_settings
from potential.species import bead_names, species_number
from potential.structures.read import geometry, read_geometries
from potential.terms.feature_term import FeatureTerm
from potential.terms.features import features
from potential.terms.kinds import kind_of, kind_of_settings


@dataclass(frozen=True)
class TermDescriptor:
    """What makes the features of structures: a call with them returns Features."""

    compute: Callable[[Sequence[ase.Atoms]], Features]
    beads: tuple[str, ...]  # names that files may have in the place of chemical symbols

    def __call__(self, structures: Sequence[ase.Atoms]) -> Features:
        return self.compute(structures)


def descriptor_of(
    settings: str | Path | None, model: str | Path | None, term: int
) -> TermDescriptor:
    """The features of a term, counted from 1, of a fit.toml or of a model.

    Of a model with all that it has learnt. What a fit.toml leaves to be learnt, contractions and
    selections, is learnt from its [data] train, and where that names no files, from the structures
    that it is given; their species count as well. Raises SoapGprError for files that cannot be
    read, terms that there are not or that have no features, and, when called, for structures
    that do not go with them.
    """
    if (settings is None) == (model is None):
        raise SoapGprError("expected either settings or a model")
    if model is not None:
        read = Model.load(model)
        index = _index(str(model), len(read.terms), term)
        if not issubclass(kind_of(read.terms[index]), FeatureTerm):
            raise _no_features(str(model), term, read.terms[index]["kind"])
        beads = tuple(bead_names(read.species))
        return TermDescriptor(lambda own: _features(read, index, frames_of(own)), beads)
    assert settings is not None
    asked = load_settings(settings, data_required=False)
    own = asked.terms[_index(str(settings), len(asked.terms), term)]
    if not issubclass(kind_of_settings(own), FeatureTerm):
        raise _no_features(str(settings), term, own.kind)
    if own.optimised:
        raise SoapGprError(
            f"{settings}: term {term} has a table that a fit optimises, expected the model of the "
            "fit"
        )

    def compute(structures: Sequence[ase.Atoms]) -> Features:
        frames = frames_of(structures)
        return _features(_model_of(asked, own, frames), 0, frames)

    return TermDescriptor(compute, asked.data.beads)


def _model_of(settings: FitSettings, own, frames: Sequence[ase.Atoms]) -> Model:
    """The term alone, without sparse points."""
    given = [geometry(atoms, f"structure {k}") for k, atoms in enumerate(frames)]
    data = settings.data
    train = read_geometries(data.train, data.beads) if data.train else given
    species = {int(z) for structure in (*train, *given) for z in structure.numbers}
    species |= {species_number(name) for name in data.extra_species}
    kind, ordered = kind_of_settings(own), sorted(species)

    def model_of(draft) -> Model:
        return term_model(draft, ordered)

    draft, _ = kind.draft(own, ordered, train)
    draft, _ = kind.adapt(draft, own, model_of, train)
    return model_of(draft)


def _features(model: Model, index: int, frames: Sequence[ase.Atoms]) -> Features:
    beads = bead_names(model.species)
    numbers = [numbers_of(k, atoms, beads) for k, atoms in enumerate(frames)]
    rows = rows_of_frames(model, frames, numbers, lambda own, atoms: features(own, index, atoms))
    return Features(
        np.concatenate(list(rows)), np.concatenate(numbers), np.cumsum([0, *map(len, frames)])
    )


def _index(name: str, n_terms: int, term: int) -> int:
    if not 1 <= term <= n_terms:
        raise SoapGprError(f"{name}: found no term {term}, expected one from 1 to {n_terms}")
    return term - 1


def _no_features(name: str, term: int, kind: str) -> SoapGprError:
    return SoapGprError(f"{name}: term {term} is of kind {kind!r}, expected one that has features")
