# SPDX-License-Identifier: BSD-3-Clause
"""Features that turn with the structure, and their kernels (docs/theory.md eq. 26 to 26b)."""

from __future__ import annotations

from dataclasses import dataclass

import ase
import numpy as np

from potential import _core
from potential.descriptors.inputs import Structures, frames_of, numbers_of
from potential.descriptors.soap import SoapDescriptor
from potential.descriptors.tables import rows_of_frames
from potential.errors import SoapGprError
from potential.model import Model
from potential.model.features import features_of
from potential.tensors.products import products
from potential.tensors.spherical import Part

LARGEST_LAMBDA = 4


@dataclass(frozen=True)
class Equivariants:
    """Features of some environments that turn as spherical harmonics of one λ do.

    values (n, F, 2λ + 1): ψ̂ of docs/theory.md eq. (26a), components μ = −λ..λ; products (F, 4): l,
    q, l', q' of the density channels of each; scalars (n, n_features): p̂ of eq. (6).
    """

    values: np.ndarray
    products: np.ndarray
    scalars: np.ndarray


def equivariants(
    soap: SoapDescriptor,
    structures: Structures,
    lam: int,
    sigma: int = 1,
    *,
    kept: np.ndarray | None = None,
) -> Equivariants:
    """Those of all atoms of the structures, one structure below the other.

    soap: a descriptor with power spectra, whose density and length they take; lam: λ from 0 to 4;
    sigma: 1 for true tensors, −1 for pseudo-tensors; kept: some of the ``products`` that come back
    without it. Raises SoapGprError for arguments that are of no use, and as ``soap``.
    """
    if not isinstance(lam, int) or not 0 <= lam <= LARGEST_LAMBDA:
        raise SoapGprError(f"lam: found {lam!r}, expected an integer from 0 to {LARGEST_LAMBDA}")
    if sigma not in (1, -1):
        raise SoapGprError(f"sigma: found {sigma!r}, expected 1 or -1")
    representation = soap.get_params()["representation"]
    if representation != "power_spectrum":
        raise SoapGprError(
            f'soap: found representation = "{representation}", expected "power_spectrum"'
        )
    model, part = soap._model(), Part(lam, sigma)
    every = products(model.terms[0]["n_channels"], part)
    chosen = every if kept is None else np.ascontiguousarray(kept, dtype=np.int64)
    if not len(every):
        raise SoapGprError(f"found no products of {part}, expected a larger l_max")

    def rows(own: Model, atoms: ase.Atoms) -> tuple[np.ndarray, np.ndarray]:
        environments = own.environments(atoms)
        psi = _core.equivariants(own.core, 0, *part, chosen, environments)
        return psi, features_of(own, 0, environments)

    frames = frames_of(structures)
    numbers = [numbers_of(k, atoms, soap.beads) for k, atoms in enumerate(frames)]
    parts = list(rows_of_frames(model, frames, numbers, rows, soap.n_threads))
    values, scalars = (np.concatenate(own) for own in zip(*parts, strict=True))
    return Equivariants(values, chosen, scalars)


def equivariant_kernel(first: Equivariants, second: Equivariants, zeta: int = 1) -> np.ndarray:
    """k (n, 2λ + 1, m, 2λ + 1) of docs/theory.md eq. (26b) between environments of any species.

    Raises SoapGprError when they have other products.
    """
    if not np.array_equal(first.products, second.products):
        raise SoapGprError("found environments with other products, expected the same of both")
    scalar = (first.scalars @ second.scalars.T) ** (zeta - 1)
    kernel = np.tensordot(first.values, second.values, axes=(1, 1))
    return kernel * scalar[:, None, :, None]
