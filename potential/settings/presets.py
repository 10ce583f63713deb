# SPDX-License-Identifier: BSD-3-Clause
"""Presets: the [[terms]] and levels of [noise] that a fit.toml without [[terms]] stands for.

They were chosen on frames held out of training sets, the same for all sets
(benchmarks/accuracy/holdout.py, docs/presets.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from potential.schema.settings import declared, default
from potential.settings.noise import Sigmas
from potential.structures.structure import Structure

FAST, BALANCED, ACCURATE = "fast", "balanced", "accurate"
PRESETS = (FAST, BALANCED, ACCURATE)

# As few features as have the kernel of all, eq. (5i), for each species of the centre.
_SELECTED = {"feature_selection": {"tolerance": 1e-4, "recouple": True, "per_species": True}}
# Levels that differ from the defaults.
NOISE: Mapping[str, Mapping[str, Any]] = {FAST: {}, BALANCED: {}, ACCURATE: {}}


@dataclass(frozen=True)
class DataTraits:
    """What the terms of a preset depend on."""

    energies_only: bool  # neither forces nor virials are fitted
    finite: bool  # molecules and clusters: no frame is periodic

    @staticmethod
    def of(structures: Iterable[Structure]) -> DataTraits:
        """Those of training structures; isolated atoms say nothing."""
        own = [s for s in structures if not s.is_isolated_atom]
        return DataTraits(
            all(s.forces is None and s.virial is None for s in own),
            not any(s.pbc.any() for s in own),
        )

    @property
    def words(self) -> str:
        """What they are, for people."""
        labels = "energies alone" if self.energies_only else "energies and forces"
        return f"{'molecules or clusters' if self.finite else 'periodic structures'} with {labels}"


def preset_terms(preset: str, traits: DataTraits) -> list[dict[str, Any]]:
    """The [[terms]] of a preset as in fit.toml, for such data."""
    if traits.energies_only and traits.finite:
        scaling = {"radial_scaling": {"scale": 2.0, "exponent": 7.0}}
    else:
        scaling = {}
    if preset == FAST:
        return [{"cutoff": 6.0, "n_max": 6, "l_max": 4, "zeta": 2, **_SELECTED}]
    return [{"cutoff": 6.0, **scaling, **_SELECTED}]


def preset_tables(preset: str, traits: DataTraits) -> dict[str, Any]:
    """[[terms]] and [noise] of a preset as in fit.toml, for such data."""
    levels = {key: default(Sigmas, key) for key in declared(Sigmas)}
    return {"terms": preset_terms(preset, traits), "noise": {**levels, **NOISE[preset]}}
