# SPDX-License-Identifier: BSD-3-Clause
"""Behler-Parrinello symmetry functions of ase.Atoms, for scikit-learn and by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from potential.descriptors.descriptor import Descriptor
from potential.descriptors.tables import term_model
from potential.model import Model
from potential.settings import SymmetryTermSettings
from potential.terms.symmetry import AnyFunction, SymmetryTerm, functions_of


class SymmetryFunctions(Descriptor):
    """Behler-Parrinello symmetry functions G1 to G5 of the atoms of structures, docs/theory.md
    eq. (5k) to (5n): the values of ``dscribe.descriptors.ACSF``.

    All parameters are keywords:

    - cutoff, g1, g2, g3, g4, g5: those of an acsf term of fit.toml, with its checks
      (docs/fit_toml.md); where no function is given, those of eq. (5o);
    - normalize: whether the features of an atom have unit length, here by default not;
    - species, pooling, n_threads: as in ``SoapDescriptor``.

    It is used as ``SoapDescriptor`` is. Columns run over species of neighbours by atomic number,
    each with G1, G2 and G3 in the order given, then over pairs of species 11, 12, 22, 13, ..., each
    with G4 and G5; ``get_feature_names_out`` names them. Functions are as they are, not divided by
    their standard deviations: that is for ``sklearn.preprocessing``.

    Raises SoapGprError as ``SoapDescriptor`` does.
    """

    SETTINGS: ClassVar[dict[str, Any]] = {
        **{
            name: getattr(SymmetryTermSettings(), name)
            for name in ("cutoff", "g1", "g2", "g3", "g4", "g5")
        },
        "normalize": False,
    }

    def columns(self) -> list[AnyFunction]:
        """What each feature stands for, in order."""
        model = self._model()
        return list(functions_of(model.terms[0], model.species))

    def _new_model(self, settings: dict[str, Any], species: list[int]) -> Model:
        draft, _ = SymmetryTerm.draft(self._term(settings), species, [])
        return term_model(draft, species)

    @staticmethod
    def _term(parameters: Mapping[str, Any]) -> SymmetryTermSettings:
        return SymmetryTermSettings(
            **{name: parameters[name] for name in SymmetryFunctions.SETTINGS}
        )
