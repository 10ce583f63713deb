# SPDX-License-Identifier: BSD-3-Clause
"""The expected error of every label of a structure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from potential.errors import SoapGprError
from potential.schema import nearest
from potential.settings import AUTO, FitSettings, NoiseSettings, Sigmas
from potential.structures.label_table import ENERGY, FORCE, VIRIAL, Label, to_rows
from potential.structures.structure import Structure


@dataclass(frozen=True)
class LabelSigmas:
    """Absolute: eV for the total energy, eV/Å per force and eV per virial component."""

    energy: float
    force: float | np.ndarray  # (N, 3)
    virial: float | np.ndarray  # (3, 3)


def label_sigmas(noise: NoiseSettings, structure: Structure) -> LabelSigmas:
    """Sigmas of one structure: its own where it has them, else its config_type's, else [noise].

    Settings are per atom and grow with sqrt(N) for the energy and the virial, as if the atoms'
    errors were independent (gap_fit's sigma_per_atom); the structure's own are absolute. A weight w
    divides either by sqrt(w), and makes it infinite when it is 0.
    """
    s, sigmas = structure, noise.of(structure.config_type)
    root = math.sqrt(len(s))
    energy = given(sigmas, ENERGY) * root if s.sigma_energy is None else s.sigma_energy
    force = given(sigmas, FORCE) if s.sigma_force is None else s.sigma_force
    virial = given(sigmas, VIRIAL) * root if s.sigma_virial is None else s.sigma_virial
    return LabelSigmas(
        energy=energy * _inverse_root(s.weight_energy),
        force=force * _inverse_root(s.weight_force),
        virial=virial * _inverse_root(s.weight_virial),
    )


def given(sigmas: Sigmas, label: Label) -> float:
    """The level of a label. Raises SoapGprError where it is to be found and was not."""
    found = getattr(sigmas, label.sigma_key)
    if found == AUTO:
        raise SoapGprError(
            f'[noise] {label.sigma_key}: found "{AUTO}", expected a number here: soap-gpr fit and '
            "learning-curve find levels"
        )
    return float(found)


def _inverse_root(weight: float) -> float:
    return 1.0 / math.sqrt(weight) if weight > 0 else math.inf


def row_sigmas(noise: NoiseSettings, structure: Structure) -> np.ndarray:
    """(1 + 3N + 6,) sigma of every label in the order of ``Structure.labels``; inf: not fitted."""
    sigmas = label_sigmas(noise, structure)
    rows = to_rows(len(structure), sigmas.energy, sigmas.force, sigmas.virial)
    rows[np.isnan(structure.labels)] = np.inf
    return rows


def has_potential(settings: FitSettings, train: Sequence[Structure]) -> bool:
    """Whether energies, forces or virials are fitted, or have to be for want of targets."""
    if not settings.targets:
        return True
    return any(
        s.has_potential_labels and np.isfinite(row_sigmas(settings.noise, s)).any() for s in train
    )


def unused_config_types(noise: NoiseSettings, structures: Sequence[Structure]) -> list[str]:
    """Warnings for [noise.config_type.X] that no structure has."""
    present = sorted({structure.config_type for structure in structures})
    return [
        f"[noise.config_type.{name}] applies to no structure"
        + (nearest(name, present) or f"; config_types found: {', '.join(present)}")
        for name in noise.config_type
        if name not in present
    ]
