# SPDX-License-Identifier: BSD-3-Clause
"""What descriptors of environments share: parameters, structures in, features out."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any, ClassVar, Literal, Self, overload

import numpy as np

from potential.descriptors.features import POOLINGS, FeatureGradients, Features, require_pooling
from potential.descriptors.inputs import (
    Structures,
    frames_of,
    numbers_of,
    places_of,
    require_beads,
    require_features,
    species_of,
)
from potential.descriptors.tables import feature_rows, gradient_rows, rows_of_frames, term_model
from potential.errors import SoapGprError
from potential.model import Model
from potential.runtime.parallel import thread_count
from potential.schema.place import nearest
from potential.settings import TermSettings
from potential.terms.term import Draft


class Descriptor(ABC):
    """Features of the atoms of structures, as a function and as a transformer of scikit-learn.

    A class names the settings of fit.toml that decide its features, with their defaults; all
    others are about sparse points and weights.
    """

    SETTINGS: ClassVar[dict[str, Any]]

    beads: Any
    features: Any
    species: Any
    pooling: Any
    n_threads: Any

    def __init_subclass__(cls) -> None:
        """What help() and editors show."""
        cls.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [
                inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
                for name, default in cls._defaults().items()
            ]
        )

    def __init__(self, **parameters: Any):
        self._made: tuple[dict[str, Any], list[int], list[int | str] | None, Model] | None = None
        self.set_params(**{**deepcopy(self._defaults()), **parameters})

    @classmethod
    def _defaults(cls) -> dict[str, Any]:
        others = {"species": None, "beads": (), "features": None}
        return {**cls.SETTINGS, **others, "pooling": "mean", "n_threads": None}

    @staticmethod
    @abstractmethod
    def _term(parameters: Mapping[str, Any]) -> TermSettings:
        """The settings of a term, checked."""

    @abstractmethod
    def _draft(self, settings: dict[str, Any], species: list[int]) -> Draft:
        """A term with all features."""

    @staticmethod
    @abstractmethod
    def _all_columns(entry: Mapping[str, Any], species: Sequence[int]) -> Iterator[Any]:
        """What each feature of a draft stands for, before ``features`` keeps some."""

    def columns(self) -> list[Any]:
        """What each feature stands for, in order."""
        model = self._model()
        entry = {**model.terms[0], "alchemy": model.arrays.get("term0.alchemy")}
        found = list(self._all_columns(entry, model.species))
        kept = model.arrays.get("term0.features")
        return found if kept is None else [found[k] for k in kept]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """All parameters by name, as they were given."""
        return {name: getattr(self, name) for name in self._defaults()}

    def set_params(self, **parameters: Any) -> Self:
        """Change some parameters; all stay as they are if one of the new ones is of no use."""
        names = list(self._defaults())
        for name in parameters:
            if name not in names:
                hint = nearest(name, names) or f", expected one of {', '.join(names)}"
                raise SoapGprError(
                    f"{type(self).__name__}: found the unknown parameter {name!r}{hint}"
                )
        known: dict[str, Any] = {name: getattr(self, name, None) for name in names} | parameters
        self._term(known)
        require_pooling(known["pooling"], (*POOLINGS, None))
        if known["n_threads"] is not None:
            thread_count(known["n_threads"])
        require_beads(known["beads"])
        if known["features"] is not None:
            require_features(known["features"])
        if known["species"] is not None:
            species_of(known["species"], known["beads"])
        vars(self).update(parameters)
        return self

    def fit(self, X: Structures, y: Any = None) -> Self:
        """Take the species from the structures X, unless they are given; y is not used.

        Afterwards ``species_`` holds the atomic numbers, ascending.
        """
        numbers = [numbers_of(k, atoms, self.beads) for k, atoms in enumerate(frames_of(X))]
        found = np.unique(np.concatenate(numbers)).tolist()
        self.species_ = species_of(found if self.species is None else self.species, self.beads)
        self._made = None
        return self

    def transform(self, X: Structures) -> np.ndarray:
        """(n_structures, n_features) by ``pooling``; (n_atoms of all, n_features) without."""
        features = self.compute(X)
        return features.values if self.pooling is None else features.pooled(self.pooling)

    def fit_transform(self, X: Structures, y: Any = None) -> np.ndarray:
        """``fit``, then ``transform`` of the same structures."""
        frames = frames_of(X)
        return self.fit(frames).transform(frames)

    @overload
    def __call__(
        self, structures: Structures, *, gradients: Literal[False] = ...
    ) -> np.ndarray: ...

    @overload
    def __call__(
        self, structures: Structures, *, gradients: Literal[True]
    ) -> tuple[np.ndarray, FeatureGradients]: ...

    def __call__(
        self, structures: Structures, *, gradients: bool = False
    ) -> np.ndarray | tuple[np.ndarray, FeatureGradients]:
        """p̂ (n_environments, n_features) of every atom, structures one below the other.

        With gradients also their derivatives by positions and strain, see FeatureGradients.
        """
        found = self.compute(structures, gradients=gradients)
        return found.values if found.gradients is None else (found.values, found.gradients)

    def compute(self, structures: Structures, *, gradients: bool = False) -> Features:
        """The same with the structure and the species of every row.

        Raises SoapGprError when there is not the memory for gradients.
        """
        frames, model = frames_of(structures), self._model()
        numbers = [numbers_of(k, atoms, self.beads) for k, atoms in enumerate(frames)]
        rows = gradient_rows if gradients else feature_rows
        parts = list(rows_of_frames(model, frames, numbers, rows, self.n_threads))
        offsets = np.cumsum([0, *map(len, frames)])
        if not gradients:
            return Features(np.concatenate(parts), np.concatenate(numbers), offsets)
        p_hat, environment, atom, positions, strain = zip(*parts, strict=True)
        found = FeatureGradients(
            _counted_on(environment, offsets),
            _counted_on(atom, offsets),
            np.concatenate(positions),
            np.concatenate(strain),
        )
        return Features(np.concatenate(p_hat), np.concatenate(numbers), offsets, found)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """(n_features,) names of the columns in words."""
        return np.array([str(column) for column in self.columns()], dtype=object)

    def __repr__(self) -> str:
        defaults = self._defaults()
        words = {name: repr(value) for name, value in self.get_params().items()}
        given = [f"{name}={word}" for name, word in words.items() if word != repr(defaults[name])]
        return f"{type(self).__name__}({', '.join(given)})"

    def __sklearn_is_fitted__(self) -> bool:
        return self.species is not None or hasattr(self, "species_")

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import Tags, TargetTags, TransformerTags  # whoever asks has it

        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=False),
            transformer_tags=TransformerTags(),
        )

    def _model(self) -> Model:
        """Tables for the parameters as they are now, made once."""
        if not self.__sklearn_is_fitted__():
            raise SoapGprError(
                "the species of the descriptor are not known: give species=[...], or call fit first"
            )
        given = self.species
        species = self.species_ if given is None else species_of(given, self.beads)
        asked = self._settings(), species, None if self.features is None else list(self.features)
        if self._made is None or self._made[:-1] != asked:
            self._made = *asked, self._new_model(*asked)
        return self._made[-1]

    def _new_model(
        self, settings: dict[str, Any], species: list[int], features: list[int | str] | None
    ) -> Model:
        """A model of one term without sparse points."""
        draft = self._draft(settings, species)
        if features is None:
            return term_model(draft, species)
        names = [str(own) for own in self._all_columns(draft, species)]
        places = places_of(features, names)
        kept = {"features": places, "feature_scale": np.ones(len(places))}
        return term_model(draft | kept, species)

    def _settings(self) -> dict[str, Any]:
        return deepcopy({name: getattr(self, name) for name in self.SETTINGS})


def _counted_on(indices: Sequence[np.ndarray], offsets: np.ndarray) -> np.ndarray:
    """Indices within each structure as those through all structures."""
    return np.concatenate([own + begin for own, begin in zip(indices, offsets, strict=False)])
