# SPDX-License-Identifier: BSD-3-Clause
"""The expected error of every label of a structure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from potential.settings import NoiseSettings
from potential.structure import Structure
from potential.toml_table import nearest


@dataclass(frozen=True)
class LabelSigmas:
    """Absolute: eV for the total energy, eV/Å per force and eV per virial component."""

    energy: float
    force: float
    virial: float


def label_sigmas(noise: NoiseSettings, structure: Structure) -> LabelSigmas:
    """Sigmas of one structure: its own where it has them, else its config_type's, else [noise].

    Settings are per atom and grow with sqrt(N) for the energy and the virial, as if the atoms'
    errors were independent (gap_fit's sigma_per_atom); the structure's own are absolute.
    """
    sigmas = noise.config_type.get(structure.config_type, noise.default)
    root = math.sqrt(len(structure))
    return LabelSigmas(
        energy=structure.sigma_energy or sigmas.energy_per_atom * root,
        force=structure.sigma_force or sigmas.force,
        virial=structure.sigma_virial or sigmas.virial_per_atom * root,
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
