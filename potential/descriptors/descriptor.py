# SPDX-License-Identifier: BSD-3-Clause
"""What descriptors of environments share: parameters, structures in, features out."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, ClassVar, Literal, Self, overload

import ase
import numpy as np

from potential.descriptors.features import POOLINGS, FeatureGradients, Features, require_pooling
from potential.descriptors.inputs import Structures, frames_of, require_species, species_of
from potential.descriptors.tables import feature_rows, gradient_rows
from potential.errors import SoapGprError
from potential.model import Model
from potential.runtime.parallel import ordered_map, thread_count
from potential.schema.place import nearest
from potential.settings import TermSettings


class Descriptor(ABC):
    """Features of the atoms of structures, as a function and as a transformer of scikit-learn.

    A class names the settings of fit.toml that decide its features, with their defaults; all
    others are about sparse points and weights.
    """

    SETTINGS: ClassVar[dict[str, Any]]

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
        self._made: tuple[dict[str, Any], list[int], Model] | None = None
        self.set_params(**{**deepcopy(self._defaults()), **parameters})

    @classmethod
    def _defaults(cls) -> dict[str, Any]:
        return {**cls.SETTINGS, "species": None, "pooling": "mean", "n_threads": None}

    @staticmethod
    @abstractmethod
    def _term(parameters: Mapping[str, Any]) -> TermSettings:
        """The settings of a term, checked."""

    @abstractmethod
    def _new_model(self, settings: dict[str, Any], species: list[int]) -> Model:
        """A model of one term without sparse points."""

    @abstractmethod
    def columns(self) -> Sequence[Any]:
        """What each feature stands for, in order."""

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
        known = {name: getattr(self, name, None) for name in names} | parameters
        self._term(known)
        require_pooling(known["pooling"], (*POOLINGS, None))
        if known["n_threads"] is not None:
            thread_count(known["n_threads"])
        if known["species"] is not None:
            species_of(known["species"])
        vars(self).update(parameters)
        return self

    def fit(self, X: Structures, y: Any = None) -> Self:
        """Take the species from the structures X, unless they are given; y is not used.

        Afterwards ``species_`` holds the atomic numbers, ascending.
        """
        found = {int(z) for atoms in frames_of(X) for z in atoms.numbers}
        self.species_ = species_of(found if self.species is None else self.species)
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
        rows = gradient_rows if gradients else feature_rows

        def of_structure(item: tuple[int, ase.Atoms]) -> Any:
            k, atoms = item
            require_species(k, atoms, model.species)
            try:
                return rows(model, atoms)
            except SoapGprError as error:
                raise SoapGprError(f"structure {k}: {error}") from None

        parts = list(ordered_map(of_structure, enumerate(frames), self.n_threads))
        offsets = np.cumsum([0, *map(len, frames)])
        numbers = np.concatenate([atoms.numbers for atoms in frames])
        if not gradients:
            return Features(np.concatenate(parts), numbers, offsets)
        p_hat, environment, atom, positions, strain = zip(*parts, strict=True)
        found = FeatureGradients(
            _counted_on(environment, offsets),
            _counted_on(atom, offsets),
            np.concatenate(positions),
            np.concatenate(strain),
        )
        return Features(np.concatenate(p_hat), numbers, offsets, found)

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
        species = self.species_ if self.species is None else species_of(self.species)
        settings = self._settings()
        if self._made is None or self._made[:2] != (settings, species):
            self._made = settings, species, self._new_model(settings, species)
        return self._made[2]

    def _settings(self) -> dict[str, Any]:
        return deepcopy({name: getattr(self, name) for name in self.SETTINGS})


def _counted_on(indices: Sequence[np.ndarray], offsets: np.ndarray) -> np.ndarray:
    """Indices within each structure as those through all structures."""
    return np.concatenate([own + begin for own, begin in zip(indices, offsets, strict=False)])
