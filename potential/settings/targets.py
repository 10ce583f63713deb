# SPDX-License-Identifier: BSD-3-Clause
"""[[targets]] of fit.toml: properties beside the energy (docs/properties.md)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ase.calculators.calculator import all_properties

from potential.schema import (
    BySpecies,
    Choice,
    Flag,
    Integer,
    Items,
    Nested,
    Number,
    Place,
    Settings,
    Symbols,
    Text,
    setting,
)
from potential.schema.settings import REQUIRED
from potential.settings.target_kernels import DENSITY, SPECTRA, SUM, TargetKernelSettings
from potential.settings.target_tensors import (
    RANK,
    SCALAR,
    TENSOR,
    TENSOR_TERM,
    TensorBasisSettings,
    check_given,
    tensor_features,
    tensor_kind,
    tensor_points,
    tensor_rank,
    tensor_symmetry,
    tensor_zeta,
)
from potential.settings.terms import ALCHEMICAL, SEPARATE, KernelTermSettings, TermSettings
from potential.species import species_number
from potential.structures.labels import LARGEST
from potential.structures.target_labels import TargetLabel

MEANS = ("species", "zero")
_LEAST, _MOST = 1e-10, 1e10
# Names that ASE, extended XYZ or i-PI give to something else.
_PER_ATOM, _OF_STRUCTURES, _VECTORS = {"charges", "magmoms"}, {"magmom"}, {"dipole"}
_TAKEN = {*all_properties, "numbers", "positions", "cell", "pbc", "species", "pos", "raw", "virial"}
_TAKEN |= {"force", "total_energy", "combined", "targets"}  # labels and objectives of a search
_TAKEN |= {"config_type", "momenta", "masses", "tags", "bead", "Z"}


@dataclass(frozen=True)
class TargetSettings(Settings):
    """One [[targets]] entry."""

    table: ClassVar[str] = "[targets]"

    name: str = setting(
        REQUIRED, Text(limit="a word", help="name of the property in the model and in all outputs")
    )
    key: str = setting(
        REQUIRED,
        Text(help="name of the label in the files: a column of atoms, or a value of frames"),
    )
    noise: float | Mapping[str, float] = setting(
        REQUIRED,
        BySpecies(
            Number(least=_LEAST, most=_MOST),
            Number(least=_LEAST, most=_MOST),
            limit="or by species of the atom",
            help="expected error of a label, in its unit",
        ),
    )
    kind: str = tensor_kind()
    rank: int | None = tensor_rank()
    symmetric: bool = tensor_symmetry()
    n_sparse: int | Mapping[str, int] = tensor_points()
    zeta: int = tensor_zeta()
    n_features: int | None = tensor_features()
    column: int | None = setting(
        None, Integer(0, 1000, help="which column of a label that has several, the first is 0")
    )
    per_atom: bool = setting(
        True, Flag(help="whether every atom has a value, or every structure has one")
    )
    extensive: bool = setting(
        True,
        Flag(
            help="of a value of structures: whether it is the sum over atoms, eq. (23a), or their "
            "mean, eq. (23b)"
        ),
    )
    weights: str | Mapping[str, float] | None = setting(
        None,
        BySpecies(
            Text(),
            Number(least=0, most=LARGEST),
            limit="a column of atoms, or by species",
            help="of a value of structures: how much each atom counts in the sum or mean, eq. "
            "(23g): by species, where those that are not named count 1, or the name of a column of "
            "numbers that are not negative; none: all alike",
        ),
    )
    unit: str | None = setting(
        None, Text(help="what outputs call the unit of the label, which is not converted")
    )
    species: tuple[str, ...] = setting(
        (), Symbols(help="atoms of these species alone have values; none: all")
    )
    mean: str | Mapping[str, float] = setting(
        "species",
        BySpecies(
            Choice(MEANS),
            Number(least=-LARGEST, most=LARGEST, words=f"a number, at most {LARGEST:g} in size"),
            limit="or by species",
            help="what is taken off the labels before the regression: a number for each species, "
            "found from the labels, eq. (23e), or given; or nothing",
        ),
    )
    scale: float | Mapping[str, float] | None = setting(
        None,
        BySpecies(
            Number(least=_LEAST, most=_MOST),
            Number(least=_LEAST, most=_MOST),
            limit="or by species",
            help="prior standard deviation of what atoms have about their mean, in the unit of the "
            "label, eq. (23c), (23o); none: that of the labels",
        ),
    )
    terms: tuple[int, ...] = setting(
        (),
        Items(
            Integer(1, 1000),
            help="which of `[[terms]]`, counted from 1; none: all of kernels of environments, and "
            "with `kernel` the first of these",
        ),
    )
    kernel: TargetKernelSettings | None = setting(
        None,
        Nested(
            TargetKernelSettings,
            help="a regression with a kernel between structures, eq. (23k), in the place of sums "
            "over sparse points",
        ),
    )

    @classmethod
    def given(cls, values: dict[str, Any], place: Place) -> dict[str, Any]:
        """Without keys that would say nothing of this kind."""
        values = super().given(values, place)
        check_given(values, place)
        return values

    def check(self) -> None:
        if not re.fullmatch(r"[A-Za-z]\w{0,63}", self.name, re.ASCII):
            raise self.error("name", "a word of letters, digits and _")
        if self.name in _TAKEN - self._may_be_called():
            raise self.error("name", "another one, as it has a meaning of its own")
        if self.name.endswith("_uncertainty"):
            raise self.error("name", "another one, as results call errors of others so")
        if self.per_atom and not self.extensive:
            raise self.error("extensive", "nothing with per_atom = true")
        if not self.per_atom and self.species:
            raise self.place().at("species").says("found some, expected none with per_atom = false")
        if not self.per_atom and isinstance(self.noise, Mapping):
            raise self.place().at("noise").says("found a table, expected one number of structures")
        if self.per_atom and self.weights is not None:
            raise self.place().at("weights").says("found some, expected none with per_atom = true")
        if isinstance(self.weights, str) and self.weights in all_properties:
            raise self.error("weights", "another column, as ASE takes this one for a result")
        if self.kernel is not None:
            self._check_kernel(self.kernel)

    def _may_be_called(self) -> set[str]:
        """Names of ASE's results that mean the same."""
        if self.kind == SCALAR:
            return _PER_ATOM if self.per_atom else _OF_STRUCTURES
        return _VECTORS if self.n_indices == 1 and not self.per_atom else set()

    @property
    def n_indices(self) -> int:
        """0 of a scalar, 1 of a vector, the rank of a tensor."""
        if self.kind == TENSOR:
            return RANK if self.rank is None else self.rank
        return 0 if self.kind == SCALAR else 1

    def _check_kernel(self, kernel: TargetKernelSettings) -> None:
        if self.per_atom:
            raise self.place().at("kernel").says("found one, expected none with per_atom = true")
        if kernel.pooling == SUM and not self.extensive and not kernel.normalize:
            raise (
                self.place()
                .at("extensive")
                .says(
                    'found false with kernel = {pooling = "sum"}, which grows with the structure: '
                    'expected true, or pooling = "mean"'
                )
            )
        if isinstance(self.scale, Mapping):
            raise self.place().at("scale").says("found a table, expected one number with kernel")

    @property
    def label(self) -> TargetLabel:
        """Where the files have it."""
        numbers = tuple(map(species_number, self.species))
        weights = self.weights if isinstance(self.weights, str) else None
        own = (self.name, self.key, self.column, self.per_atom, numbers, weights)
        return TargetLabel(*own, self.n_indices, self.symmetric)


def tensor_term(target: TargetSettings, terms: tuple[TermSettings, ...]) -> int | None:
    """The place in [[terms]], from 0, of that whose density a vector or tensor takes: what it
    names, or the first that has what it takes; None where there is none."""
    asked = [k - 1 for k in target.terms] or range(len(terms))
    return next((t for t in asked if terms[t].serves_tensors), None)


def tensor_bases(
    targets: Iterable[TargetSettings], terms: tuple[TermSettings, ...]
) -> list[TensorBasisSettings]:
    """What the vectors and tensors stand on: those that agree share one."""
    found = list[TensorBasisSettings]()
    for own in targets:
        if own.kind != SCALAR and (basis := tensor_basis(own, terms)) not in found:
            found.append(basis)
    return found


def tensor_basis(target: TargetSettings, terms: tuple[TermSettings, ...]) -> TensorBasisSettings:
    """That of a vector or tensor."""
    term = tensor_term(target, terms)
    assert term is not None  # as ``check_targets`` saw
    return TensorBasisSettings(term, target.zeta, target.n_sparse, target.n_features)


def check_targets(targets: Iterable[TargetSettings], terms: tuple[TermSettings, ...]) -> None:
    """The rules across [[targets]] and [[terms]]. Raises SettingError."""
    names = set[str]()
    for number, own in enumerate(targets, 1):
        where = f"[[targets]] number {number}"
        if own.name in names:
            raise Place().says(f"{where} name: found {own.name!r}, expected no name twice")
        names.add(own.name)
        if own.kernel is not None and len(set(own.terms)) > 1:
            raise Place().says(f"{where} terms: found several, expected one with kernel")
        for k in own.terms:
            if k > len(terms):
                raise Place().says(f"{where} terms: found {k}, expected numbers to {len(terms)}")
            if not terms[k - 1].has_environments:
                raise Place().says(f"{where} terms: found {k}, {_EXPECTED}")
        if own.kind != SCALAR:
            _check_tensor(where, own, terms)
            continue
        if not any(term.has_environments for term in terms):
            raise Place().says(f"{where}: found no [[terms]] that it could use, {_EXPECTED}")
        if own.kernel is not None:
            used = terms_used(own, terms)
            if not used or not isinstance(term := terms[used[0]], KernelTermSettings):
                raise Place().says(f'{where} kernel: expected a term of kind "soap" or "acsf"')
            _check_term_of_kernel(f"{where} kernel: term {used[0] + 1}", own.kernel, term)


def _check_tensor(where: str, own: TargetSettings, terms: tuple[TermSettings, ...]) -> None:
    if len(set(own.terms)) > 1:
        raise Place().says(f'{where} terms: found several, expected one with kind = "{own.kind}"')
    term = tensor_term(own, terms)
    if term is None:
        found = f" terms: found {own.terms[0]}" if own.terms else ": found no [[terms]]"
        raise Place().says(f"{where}{found}, {TENSOR_TERM}")
    centers = getattr(terms[term], "centers", SEPARATE)
    if centers != SEPARATE and isinstance(own.n_sparse, Mapping):
        raise Place().says(
            f"{where} n_sparse: found a table by species, expected one number with centers = "
            f'"{centers}" of the term'
        )


def _check_term_of_kernel(
    where: str, kernel: TargetKernelSettings, term: KernelTermSettings
) -> None:
    """What of the kernel of a term is not in that of structures is not silently left out."""
    if term.centers == ALCHEMICAL:
        raise Place().says(f'{where} has centers = "{ALCHEMICAL}", expected others')
    if term.offset:
        raise Place().says(f"{where} has offset = {term.offset:g}, expected 0")
    spectrum = getattr(term, "representation", None) in SPECTRA
    if kernel.pooling == DENSITY and (not spectrum or term.feature_selection is not None):
        raise Place().says(
            f'{where}: expected all features of a power or radial spectrum with pooling = "density"'
        )


def terms_used(target: TargetSettings, terms: tuple[TermSettings, ...]) -> list[int]:
    """The places in [[terms]], from 0, of those whose sparse points or features a scalar uses."""
    if target.terms:
        return sorted({k - 1 for k in target.terms})
    able = [t for t, own in enumerate(terms) if own.has_environments]
    if target.kernel is None:
        return able
    return [t for t in able if isinstance(terms[t], KernelTermSettings)][:1]


def terms_without_points(
    targets: Iterable[TargetSettings], terms: tuple[TermSettings, ...]
) -> list[int]:
    """The places in [[terms]], from 0, of those whose sparse points no target uses."""
    scalars = [own for own in targets if own.kernel is None and own.kind == SCALAR]
    used = {t for own in scalars for t in terms_used(own, terms)}
    return [t for t in range(len(terms)) if t not in used]


_EXPECTED = (
    'expected terms of kind "soap", "acsf" or "product" with sparse environments: targets have no '
    "weights for pairs, triplets and derivatives"
)
