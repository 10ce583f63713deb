# SPDX-License-Identifier: BSD-3-Clause
"""What [[targets]] that are vectors or tensors have of their own (docs/theory.md eq. 26 to 26e)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from potential.schema import BySpecies, Choice, Flag, Integer, Place, setting
from potential.schema.limits import MOST_FEATURES, MOST_SPARSE

SCALAR, VECTOR, TENSOR = KINDS = ("scalar", "vector", "tensor")
RANK, N_SPARSE, ZETA, N_FEATURES = 2, 500, 2, 250
OF_TENSORS = ("rank", "symmetric", "n_sparse", "zeta", "n_features")
_OF_SCALARS = ("column", "kernel")
TENSOR_TERM = (
    'expected a term of kind "soap" with representation = "power_spectrum" and sparse environments'
)


@dataclass(frozen=True)
class TensorBasisSettings:
    """What vectors and tensors that agree on it stand on."""

    term: int  # place in [[terms]], from 0
    zeta: int
    n_sparse: int | Mapping[str, int]
    n_features: int | None


def tensor_kind():
    """``kind``."""
    return setting(
        SCALAR,
        Choice(
            KINDS,
            help="whether a label is one number, a vector of 3 or a Cartesian tensor, eq. (26)",
        ),
    )


def tensor_rank():
    """``rank``."""
    return setting(
        None,
        Integer(2, 3, help=f"indices of a tensor, which has 9 or 27 components; none: {RANK}"),
    )


def tensor_symmetry():
    """``symmetric``."""
    return setting(
        True, Flag(help="of a tensor: whether it is the same with its indices in any order")
    )


def tensor_points():
    """``n_sparse``."""
    return setting(
        N_SPARSE,
        BySpecies(
            Integer(1, MOST_SPARSE),
            Integer(0, MOST_SPARSE),
            limit="or by species",
            help="of a vector or tensor: sparse points of its kernel for each species of the "
            "centre, or of all together where `centers` of the term are not separate",
        ),
    )


def tensor_zeta():
    """``zeta``."""
    return setting(
        ZETA,
        Integer(1, 32, help="of a vector or tensor: ζ of its kernel, eq. (26c); 1: a linear model"),
    )


def tensor_features():
    """``n_features``."""
    return setting(
        None,
        Integer(
            1,
            MOST_FEATURES,
            help="of a vector or tensor: products of the density that are kept for each λ, eq. "
            f"(26); none: {N_FEATURES}, or all where these are fewer",
        ),
    )


def check_given(values: Mapping[str, Any], place: Place) -> None:
    """What says nothing of this kind is an error. Raises SettingError."""
    kind = values.get("kind", SCALAR)
    for key in OF_TENSORS if kind == SCALAR else _OF_SCALARS:
        if key in values:
            raise place.at(key).says(f'found one, expected none with kind = "{kind}"')
    if kind == VECTOR:
        for key in ("rank", "symmetric", "mean"):
            if key in values:
                raise place.at(key).says(f'found one, expected none with kind = "{kind}"')
    if kind == TENSOR and values.get("rank") == 3:
        if "mean" in values:
            raise place.at("mean").says("found one, expected none with rank = 3")
        if values.get("symmetric") is False:
            raise place.at("symmetric").says("found false, expected true with rank = 3")
