# SPDX-License-Identifier: BSD-3-Clause
"""Spectra of the mean density of structures (docs/theory.md eq. 24a)."""

from __future__ import annotations

import ase
import numpy as np

from potential.descriptors.features import Features
from potential.descriptors.inputs import Structures, frames_of, numbers_of
from potential.descriptors.soap import SoapDescriptor
from potential.descriptors.tables import rows_of_frames
from potential.descriptors.weights import Weights, weights_of
from potential.errors import SoapGprError
from potential.model import Model
from potential.model.mean_density import mean_spectrum
from potential.settings.target_kernels import SPECTRA
from potential.terms.features import density_coefficients


def averaged_density(
    soap: SoapDescriptor, structures: Structures, *, weights: Weights | None = None
) -> Features:
    """Features of structures, a row for each: the spectrum of the density that is the mean of those
    around its atoms, dscribe's ``average="inner"``.

    ``structure_kernel`` and ``environment_kernel`` of them are the averaged-density kernel. soap:
    with its parameters and columns, and the mean weighted as ``structure_kernel`` has it; numbers
    of the result are 0, as there is no centre. Raises SoapGprError as ``soap.compute`` does, and
    for bispectra and selected features.
    """
    if not isinstance(soap, SoapDescriptor):
        raise SoapGprError(f"found {type(soap).__name__}, expected SoapDescriptor")
    frames, model = frames_of(structures), soap._model()
    _require_spectrum(model)
    for k, atoms in enumerate(frames):
        if len(atoms) == 0:
            raise SoapGprError(f"structure {k}: found no atoms, expected at least one")
    by_frame = [numbers_of(k, atoms, soap.beads) for k, atoms in enumerate(frames)]
    numbers = np.concatenate(by_frame)
    offsets = np.cumsum([0, *map(len, frames)])
    of_atoms = weights_of(weights, numbers, offsets)

    def coefficients(model: Model, atoms: ase.Atoms) -> np.ndarray:
        return density_coefficients(model, 0, atoms)

    parts = rows_of_frames(model, frames, by_frame, coefficients, soap.n_threads)
    shares = np.split(of_atoms, offsets[1:-1])
    pairs = zip(parts, shares, strict=True)
    p = np.array([mean_spectrum(part, own, model.terms[0]) for part, own in pairs])
    return Features(p, np.zeros(len(frames), dtype=numbers.dtype), np.arange(len(frames) + 1))


def _require_spectrum(model: Model) -> None:
    found = model.terms[0].get("representation", SPECTRA[0])
    if found not in SPECTRA:
        raise SoapGprError(
            f"the averaged density: found representation {found!r}, expected one of "
            + ", ".join(map(repr, SPECTRA))
        )
    if any(name.startswith("term0.features") for name in model.arrays):
        raise SoapGprError("the averaged density: found selected features, expected all of them")
