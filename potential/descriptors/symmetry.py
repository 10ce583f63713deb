# SPDX-License-Identifier: BSD-3-Clause
"""Behler-Parrinello symmetry functions of ase.Atoms, for scikit-learn and by themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from potential.descriptors.descriptor import Descriptor
from potential.settings import SymmetryTermSettings
from potential.terms.symmetry import AnyFunction, SymmetryTerm
from potential.terms.term import Draft


class SymmetryFunctions(Descriptor):
    """Behler-Parrinello symmetry functions G1 to G5 of the atoms of structures, docs/theory.md
    eq. (5k) to (5n): the values of ``dscribe.descriptors.ACSF``.

    All parameters are keywords:

    - cutoff, g1, g2, g3, g4, g5: those of an acsf term of fit.toml, with its checks
      (docs/fit_toml.md); where no function is given, those of eq. (5o);
    - normalize: whether the features of an atom have unit length, here by default not;
    - species, beads, features, pooling, n_threads: as in ``SoapDescriptor``.

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

    def _draft(self, settings: dict[str, Any], species: list[int]) -> Draft:
        return SymmetryTerm.draft(self._term(settings), species, [])[0]

    @staticmethod
    def _all_columns(entry: Mapping[str, Any], species: Sequence[int]) -> Iterator[AnyFunction]:
        return SymmetryTerm.all_columns(entry, species)

    @staticmethod
    def _term(parameters: Mapping[str, Any]) -> SymmetryTermSettings:
        return SymmetryTermSettings(
            **{name: parameters[name] for name in SymmetryFunctions.SETTINGS}
        )
