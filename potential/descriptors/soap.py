# SPDX-License-Identifier: BSD-3-Clause
"""SOAP vectors of ase.Atoms, for scikit-learn and by themselves."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, Literal, overload

import ase
import numpy as np

from potential.basis import SoapBasis
from potential.descriptors.features import (
    POOLINGS,
    FeatureGradients,
    Features,
    require_pooling,
)
from potential.descriptors.inputs import Structures, frames_of, require_species, species_of
from potential.descriptors.tables import contraction_for, feature_rows, gradient_rows, soap_model
from potential.errors import SoapGprError
from potential.model import Model
from potential.runtime.parallel import ordered_map, thread_count
from potential.schema.place import nearest
from potential.settings import SoapTermSettings
from potential.terms.columns import AnyColumn
from potential.terms.soap import columns_of

# The settings of fit.toml that decide the features; the others are about sparse points and weights.
_NAMES = [
    *(own.name for own in dataclasses.fields(SoapBasis)),
    "normalize",
    "representation",
    "parity",
]
_SETTINGS = {name: getattr(SoapTermSettings(), name) for name in _NAMES}
_PARAMETERS = {**_SETTINGS, "species": None, "pooling": "mean", "n_threads": None}


class SoapDescriptor:
    """SOAP vectors of the atoms of structures, p̂ of docs/theory.md eq. (6).

    All parameters are keywords:

    - cutoff, cutoff_width, n_max, l_max, max_eigenvalue, atom_sigma, atom_sigma_growth, basis,
      radial_scaling, central_weight, contraction, representation, parity, normalize: those of a
      soap term of fit.toml, with its defaults and checks (docs/fit_toml.md); a contraction is made
      of the structures that ``fit`` sees;
    - species: chemical symbols or atomic numbers of all atoms that may come; None: those of the
      structures that ``fit`` sees. They decide the columns;
    - pooling: what ``transform`` makes of the atoms of a structure, "mean" or "sum"; None: a row
      for each atom instead of one for each structure;
    - n_threads: over structures; None: OMP_NUM_THREADS or all cores.

    ``soap(atoms)`` gives a row per atom. With ``fit`` and ``transform`` it is a transformer of
    scikit-learn, for Pipeline, clone and GridSearchCV; scikit-learn need not be installed.
    Structures are an ase.Atoms or any number of them. Columns run over l, then channels
    (docs/theory.md eq. 5, 5b, 5d); ``get_feature_names_out`` names them.

    Raises SoapGprError for parameters that are of no use, and what it computes for structures with
    other species, without atoms, with coincident atoms or with values that are not finite.
    """

    contraction: Any
    species: Any
    pooling: Any
    n_threads: Any

    def __init__(self, **parameters: Any):
        self._made: tuple[dict[str, Any], list[int], Model] | None = None
        self.set_params(**{**deepcopy(_PARAMETERS), **parameters})

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """All parameters by name, as they were given."""
        return {name: getattr(self, name) for name in _PARAMETERS}

    def set_params(self, **parameters: Any) -> SoapDescriptor:
        """Change some parameters; all stay as they are if one of the new ones is of no use."""
        names = list(_PARAMETERS)
        for name in parameters:
            if name not in names:
                hint = nearest(name, names) or f", expected one of {', '.join(names)}"
                raise SoapGprError(f"SoapDescriptor: found the unknown parameter {name!r}{hint}")
        known = {name: getattr(self, name, None) for name in _PARAMETERS} | parameters
        _term(known)
        require_pooling(known["pooling"], (*POOLINGS, None))
        if known["n_threads"] is not None:
            thread_count(known["n_threads"])
        if known["species"] is not None:
            species_of(known["species"])
        vars(self).update(parameters)
        return self

    def fit(self, X: Structures, y: Any = None) -> SoapDescriptor:
        """Take the species from the structures X, unless they are given, and the contraction of
        channels, if one is asked for; y is not used.

        Afterwards ``species_`` holds the atomic numbers, ascending; with a contraction,
        ``contraction_`` the ``matrices`` (docs/theory.md eq. 2h) and the ``retained_variance``,
        lists over l.
        """
        frames = frames_of(X)
        found = {int(z) for atoms in frames for z in atoms.numbers}
        self.species_ = species_of(found if self.species is None else self.species)
        self._made = None
        if self.contraction is not None:
            for k, atoms in enumerate(frames):
                require_species(k, atoms, self.species_)
            self._contracted = self._settings(), self.species_
            self.contraction_ = contraction_for(_term(self._contracted[0]), self.species_, frames)
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

    def columns(self) -> list[AnyColumn]:
        """What each feature stands for, in order; n counts radial functions from 0."""
        model = self._model()
        weights = model.arrays.get("term0.alchemy")
        dimensions = 0 if weights is None else weights.shape[1]
        return list(columns_of(model.terms[0], model.species, dimensions))

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """(n_features,) names of the columns in words, such as "H n=0 O n=3 l=2"."""
        return np.array([str(column) for column in self.columns()], dtype=object)

    def __repr__(self) -> str:
        words = {name: repr(value) for name, value in self.get_params().items()}
        given = [
            f"{name}={word}" for name, word in words.items() if word != repr(_PARAMETERS[name])
        ]
        return f"SoapDescriptor({', '.join(given)})"

    def __sklearn_is_fitted__(self) -> bool:
        if self.contraction is not None:
            return hasattr(self, "contraction_")
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
            if self.contraction is not None:
                raise SoapGprError("the contraction is made by fit: call it first")
            raise SoapGprError(
                "the species of the descriptor are not known: give species=[...], or call fit first"
            )
        species = self.species_ if self.species is None else species_of(self.species)
        settings = self._settings()
        if self._made is None or self._made[:2] != (settings, species):
            contraction = None if self.contraction is None else self.contraction_
            if contraction and self._contracted != (settings, species):
                raise SoapGprError(
                    "parameters have changed since fit made the contraction: fit again"
                )
            self._made = settings, species, soap_model(_term(settings), species, contraction)
        return self._made[2]

    def _settings(self) -> dict[str, Any]:
        return deepcopy({name: getattr(self, name) for name in _SETTINGS})


# What help() and editors show.
SoapDescriptor.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
    [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
        for name, default in _PARAMETERS.items()
    ]
)


def _counted_on(indices: Sequence[np.ndarray], offsets: np.ndarray) -> np.ndarray:
    """Indices within each structure as those through all structures."""
    return np.concatenate([own + begin for own, begin in zip(indices, offsets, strict=False)])


def _term(parameters: Mapping[str, Any]) -> SoapTermSettings:
    """The settings of a term, checked."""
    return SoapTermSettings(**{name: parameters[name] for name in _SETTINGS})
