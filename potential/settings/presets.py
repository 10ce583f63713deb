# SPDX-License-Identifier: BSD-3-Clause
"""Presets: the [[terms]] and levels of [noise] that a fit.toml without [[terms]] stands for.

They were chosen on frames held out of training sets, the same for all sets
(benchmarks/accuracy/holdout.py, docs/presets.md).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from potential.schema.settings import declared, default
from potential.settings.noise import Sigmas
from potential.structures.structure import Structure

FAST, BALANCED, ACCURATE = "fast", "balanced", "accurate"
PRESETS = (FAST, BALANCED, ACCURATE)

# As few features as have the kernel of all, eq. (5i), for each species of the centre. With a
# tolerance of 0.001 errors of four-atom cells of carbon were three times larger.
_SELECTED = {"feature_selection": {"tolerance": 1e-4, "recouple": True, "per_species": True}}
# Levels that differ from the defaults.
NOISE: Mapping[str, Mapping[str, Any]] = {
    FAST: {},
    BALANCED: {},
    ACCURATE: {"energy_per_atom": 0.0007, "force": 0.0167},
}


# Sharp densities near, smooth ones far: two ranges have smaller errors than one of all features
# at about its cost, and three than two.
_OF_FORCES: Mapping[str, list[dict[str, Any]]] = {
    FAST: [{"cutoff": 6.0, "n_max": 8, "l_max": 4, "zeta": 2}],
    BALANCED: [
        {"cutoff": 4.5, "atom_sigma": 0.4},
        {
            "cutoff": 7.0,
            "atom_sigma": 0.6,
            "n_max": 6,
            "l_max": 4,
            "radial_scaling": {"scale": 4.0},
        },
    ],
    ACCURATE: [
        {"cutoff": 5.0, "atom_sigma": 0.4},
        {"cutoff": 6.5},
        {
            "cutoff": 8.0,
            "cutoff_width": 2.0,
            "atom_sigma": 0.7,
            "radial_scaling": {"scale": 5.0},
        },
    ],
}
# Hydrogen's bonds, of 1 Å, are half as long as those of most other elements: sharper densities that
# weigh what is near more.
_OF_HYDROGEN: Mapping[str, list[dict[str, Any]]] = {
    FAST: [
        {
            "cutoff": 5.0,
            "atom_sigma": 0.3,
            "n_max": 8,
            "l_max": 4,
            "zeta": 2,
            "radial_scaling": {"scale": 2.0},
        }
    ],
    BALANCED: [
        {"cutoff": 4.5, "atom_sigma": 0.25, "radial_scaling": {"scale": 1.5}},
        {"cutoff": 6.0, "atom_sigma": 0.4, "n_max": 6, "l_max": 4},
    ],
    ACCURATE: [
        {"cutoff": 3.5, "atom_sigma": 0.2, "radial_scaling": {"scale": 1.5}},
        {"cutoff": 5.0, "atom_sigma": 0.3, "radial_scaling": {"scale": 2.0}},
        {"cutoff": 7.0, "atom_sigma": 0.4, "radial_scaling": {"scale": 4.0}},
    ],
}
# Energies alone weigh what is near more, eq. (1b).
_STEEP = {"radial_scaling": {"scale": 1.5, "exponent": 7.0}}
_OF_MOLECULES: Mapping[str, list[dict[str, Any]]] = {
    FAST: [{"cutoff": 6.0, "n_max": 8, "l_max": 4, "zeta": 2, **_STEEP}],
    BALANCED: [{"cutoff": 6.0, "atom_sigma": 0.3, **_STEEP}],
    ACCURATE: [{"cutoff": 6.0, "atom_sigma": 0.3, "n_max": 10, "l_max": 8, **_STEEP}],
}


@dataclass(frozen=True)
class DataTraits:
    """What the terms of a preset depend on."""

    energies_only: bool  # neither forces nor virials are fitted
    finite: bool  # molecules and clusters: no frame is periodic
    hydrogen: bool = False  # some atom is one

    @staticmethod
    def of(structures: Iterable[Structure]) -> DataTraits:
        """Those of training structures; isolated atoms say nothing."""
        own = [s for s in structures if not s.is_isolated_atom]
        return DataTraits(
            all(s.forces is None and s.virial is None for s in own),
            not any(s.pbc.any() for s in own),
            any((s.numbers == 1).any() for s in own),
        )

    @property
    def words(self) -> str:
        """What they are, for people."""
        labels = "energies alone" if self.energies_only else "energies and forces"
        kind = "molecules or clusters" if self.finite else "periodic structures"
        return f"{kind}{' with hydrogen,' * self.hydrogen} with {labels}"


def preset_terms(preset: str, traits: DataTraits) -> list[dict[str, Any]]:
    """The [[terms]] of a preset as in fit.toml, for such data."""
    if traits.energies_only and traits.finite:
        table = _OF_MOLECULES
    elif traits.hydrogen:
        table = _OF_HYDROGEN
    else:
        table = _OF_FORCES
    return [copy.deepcopy({**term, **_SELECTED}) for term in table[preset]]


def preset_tables(preset: str, traits: DataTraits) -> dict[str, Any]:
    """[[terms]] and [noise] of a preset as in fit.toml, for such data."""
    levels = {key: default(Sigmas, key) for key in declared(Sigmas)}
    return {"terms": preset_terms(preset, traits), "noise": {**levels, **NOISE[preset]}}
