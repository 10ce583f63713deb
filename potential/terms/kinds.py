# SPDX-License-Identifier: BSD-3-Clause
"""All kinds of terms. A new kind is one file with the outline of ``term.py`` and one line here."""

from __future__ import annotations

from typing import Any

from potential.errors import SoapGprError
from potential.model import Model
from potential.terms.fixed_pair import FixedPairTerm
from potential.terms.fixed_triplet import FixedTripletTerm
from potential.terms.pair import PairTerm
from potential.terms.product import ProductTerm
from potential.terms.soap import SoapTerm
from potential.terms.soap_derivatives import SoapDerivativesTerm
from potential.terms.symmetry import SymmetryTerm
from potential.terms.term import Entry, Term
from potential.terms.triplet import TripletTerm

KINDS: tuple[type[Term], ...] = (
    SoapTerm,
    SoapDerivativesTerm,
    ProductTerm,
    SymmetryTerm,
    PairTerm,
    TripletTerm,
    FixedPairTerm,
    FixedTripletTerm,
)


def kind_of(entry: Entry) -> type[Term]:
    """The kind of a term by its entry in a model file, or by its draft. Raises SoapGprError."""
    for kind in KINDS:
        if kind.describes(entry):
            return kind
    raise SoapGprError(f"found a term of the kind {entry['kind']!r}, which is not known here")


def kind_of_settings(settings: Any) -> type[Term]:
    """The kind of a [[terms]] entry, any of ``settings.TermSettings``."""
    return next(kind for kind in KINDS if kind.takes(settings))


def term_of(model: Model, index: int) -> Term:
    """A term of a model."""
    return kind_of(model.terms[index])(model, index)


def terms_of(model: Model) -> list[Term]:
    """All terms of a model, in its order."""
    return [term_of(model, t) for t in range(len(model.terms))]
