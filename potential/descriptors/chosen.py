# SPDX-License-Identifier: BSD-3-Clause
"""Features as a term of a model or of a fit.toml has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import ase
import numpy as np

from potential.descriptors.features import Features
from potential.descriptors.inputs import frames_of, numbers_of
from potential.descriptors.tables import rows_of_frames, term_model
from potential.errors import SoapGprError
from potential.model import Model
from potential.model.evaluation import naming
from potential.runtime.parallel import ordered_map
from potential.settings import FitSettings
from potential.settings.file import load_settings
from potential.species import bead_names, species_number
from potential.structures.read import geometry, read_data_set, read_geometries
from potential.structures.structure import Structure
from potential.terms.feature_term import FeatureTerm
from potential.terms.features import features
from potential.terms.kinds import kind_of, kind_of_settings, term_of


@dataclass(frozen=True)
class TermFeatures:
    """The features of a term of a model."""

    model: Model
    index: int  # of the term

    @property
    def entry(self) -> dict[str, Any]:
        """The term in the metadata of the model."""
        return self.model.terms[self.index]

    @property
    def n_features(self) -> int:
        """How many each environment has."""
        return self.model.core.n_features(self.index)

    def column_names(self) -> dict[str, list[str]]:
        """What each feature stands for in words, by the species of the centre; under "" where it is
        the same for all centres."""
        return cast(FeatureTerm, term_of(self.model, self.index)).column_names()

    def rows(self, structures: Iterable[Structure]) -> Iterator[np.ndarray]:
        """(N, n_features) of each structure, in their order, with few of them in memory.

        Raises SoapGprError with the origin of the structure for species that the model does not
        know and features that are not finite.
        """
        return ordered_map(self._rows, structures)

    def _rows(self, structure: Structure) -> np.ndarray:
        with naming(structure):
            found = features(self.model, self.index, structure)
            if not np.isfinite(found).all():
                raise SoapGprError("found features that are not finite")
        return found


@dataclass(frozen=True)
class TermDescriptor:
    """What makes the features of structures: a call with them returns Features."""

    term_for: Callable[[Sequence[Structure]], TermFeatures]  # what is to be learnt: from these
    beads: tuple[str, ...]  # names that files may have in the place of chemical symbols
    data: Mapping[str, Any]  # of the [data] of the settings or of the fit

    def __call__(self, structures: Sequence[ase.Atoms]) -> Features:
        frames = frames_of(structures)
        found = self.term_for([geometry(atoms, f"structure {k}") for k, atoms in enumerate(frames)])
        return _features(found.model, found.index, frames)


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
        found = TermFeatures(read, index)
        data = read.metadata["settings"].get("data", {})
        return TermDescriptor(lambda structures: found, tuple(bead_names(read.species)), data)
    assert settings is not None
    asked = load_settings(settings, data_required=False)
    if not asked.terms:
        if not asked.data.train:
            raise SoapGprError(
                f"{settings}: [[terms]]: missing, expected a term, or [data] train, by which a "
                "preset has terms"
            )
        data = asked.data
        known = read_data_set(data.train, data.keys, require_labels=False, beads=data.beads)
        asked = asked.for_data(known.structures)
    own = asked.terms[_index(str(settings), len(asked.terms), term)]
    if not issubclass(kind_of_settings(own), FeatureTerm):
        raise _no_features(str(settings), term, own.kind)
    if own.optimised:
        raise SoapGprError(
            f"{settings}: term {term} has a table that a fit optimises, expected the model of the "
            "fit"
        )

    def term_for(structures: Sequence[Structure]) -> TermFeatures:
        return TermFeatures(_model_of(asked, own, structures), 0)

    return TermDescriptor(term_for, asked.data.beads, vars(asked.data))


def _model_of(settings: FitSettings, own, given: Sequence[Structure]) -> Model:
    """The term alone, without sparse points."""
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
