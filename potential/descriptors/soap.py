# SPDX-License-Identifier: BSD-3-Clause
"""SOAP vectors of ase.Atoms, for scikit-learn and by themselves."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

from potential.basis import SoapBasis
from potential.descriptors.descriptor import Descriptor
from potential.descriptors.inputs import Structures, frames_of, numbers_of, require_species
from potential.descriptors.tables import contraction_for, soap_draft
from potential.errors import SoapGprError
from potential.model import Model
from potential.settings import SoapTermSettings
from potential.terms.columns import AnyColumn
from potential.terms.soap import SoapTerm
from potential.terms.term import Draft

_NAMES = (
    *(own.name for own in dataclasses.fields(SoapBasis)),
    "normalize",
    "representation",
    "parity",
)


class SoapDescriptor(Descriptor):
    """SOAP vectors of the atoms of structures, p̂ of docs/theory.md eq. (6).

    All parameters are keywords:

    - cutoff, cutoff_width, cutoff_function, n_max, l_max, max_eigenvalue, atom_sigma,
      atom_sigma_growth, basis, radial_scaling, central_weight, contraction, representation, parity,
      normalize: those of a soap term of fit.toml, with its defaults and checks (docs/fit_toml.md);
      a contraction is made of the structures that ``fit`` sees;
    - species: chemical symbols or atomic numbers of all atoms that may come, or names of beads;
      None: those of the structures that ``fit`` sees. They decide the columns;
    - beads: names of beads that may come, those of ``[data] beads`` of fit.toml;
    - features: columns that are kept, and alone computed, by name or by place among all, such as
      those of ``potential.selection.choose_columns`` or of a fit with ``feature_selection``; in the
      order given, and of unit length by themselves (docs/theory.md eq. 5a). None: all;
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

    SETTINGS: ClassVar[dict[str, Any]] = {
        name: getattr(SoapTermSettings(), name) for name in _NAMES
    }

    contraction: Any

    def fit(self, X: Structures, y: Any = None) -> Self:
        """Take the species from the structures X, unless they are given, and the contraction of
        channels, if one is asked for; y is not used.

        Afterwards ``species_`` holds the atomic numbers, ascending; with a contraction,
        ``contraction_`` the ``matrices`` (docs/theory.md eq. 2h) and the ``retained_variance``,
        lists over l.
        """
        frames = frames_of(X)
        super().fit(frames)
        if self.contraction is not None:
            for k, atoms in enumerate(frames):
                require_species(k, numbers_of(k, atoms, self.beads), self.species_)
            self._contracted = self._settings(), self.species_
            term = self._term(self._contracted[0])
            self.contraction_ = contraction_for(term, self.species_, frames)
        return self

    def columns(self) -> list[AnyColumn]:
        """What each feature stands for, in order; n counts radial functions from 0."""
        return super().columns()

    @staticmethod
    def _all_columns(entry: Mapping[str, Any], species: Sequence[int]) -> Iterator[AnyColumn]:
        return SoapTerm.all_columns(entry, species)

    def __sklearn_is_fitted__(self) -> bool:
        if self.contraction is not None:
            return hasattr(self, "contraction_")
        return super().__sklearn_is_fitted__()

    def _model(self) -> Model:
        if self.contraction is not None and not self.__sklearn_is_fitted__():
            raise SoapGprError("the contraction is made by fit: call it first")
        return super()._model()

    def _draft(self, settings: dict[str, Any], species: list[int]) -> Draft:
        contraction = None if self.contraction is None else self.contraction_
        if contraction and self._contracted != (settings, species):
            raise SoapGprError("parameters have changed since fit made the contraction: fit again")
        return soap_draft(self._term(settings), species, contraction)

    @staticmethod
    def _term(parameters: Mapping[str, Any]) -> SoapTermSettings:
        return SoapTermSettings(**{name: parameters[name] for name in SoapDescriptor.SETTINGS})
