# SPDX-License-Identifier: BSD-3-Clause
"""Scales of the measures of targets, those of atoms by species (docs/theory.md eq. 25o)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from potential.model.targets import Target
from potential.structures.structure import symbol
from potential.uncertainty.calibration import (
    LEAST_COUNT,
    ByMeasure,
    Calibrated,
    Predicted,
    scales,
)

LEAST_OF_SPECIES = 30  # errors of atoms, from which a species has a scale of its own


def kinds_of(target: Target, species: Sequence[int]) -> dict[int, str]:
    """What its errors are called: those of atoms by the place of their species in the list of the
    model, of structures all together as 0."""
    if not target.per_atom:
        return {0: target.name}
    return {
        a: f"{target.name} {symbol(z)}"
        for a, z in enumerate(species)
        if target.species is None or z in target.species
    }


class TargetCalibration(Calibrated):
    """Scales of these measures of these targets found on the left-out blocks of training, and their
    quality there and on test structures; species: of the model."""

    def __init__(
        self,
        measures: Mapping[str, Sequence[Target]],
        species: Sequence[int],
        left_out: ByMeasure,
        tested: ByMeasure,
    ):
        self._units: dict[str, str] = {}
        self.warnings: list[str] = []
        # by measures and the names of the targets
        self.scales: dict[str, dict[str, float | tuple[float, ...]]] = {}
        by_kind: dict[tuple[str, str], tuple[float, float]] = {}
        for measure, targets in measures.items():
            for target in targets:
                kinds = kinds_of(target, species)
                found = self._found(measure, target, kinds, left_out)
                by_kind |= {(measure, kind): own for kind, own in found.items()}
                self._units |= dict.fromkeys(kinds.values(), target.unit)
                own = [found.get(kinds.get(a, ""), (1.0, 1.0))[0] for a in range(len(species))]
                scale = tuple(own) if target.per_atom else own[0]
                self.scales.setdefault(measure, {})[target.name] = scale
        self.warnings = list(dict.fromkeys(self.warnings))  # the same of all measures
        super().__init__(by_kind, left_out, tested)

    def _found(
        self, measure: str, target: Target, kinds: Mapping[int, str], left_out: ByMeasure
    ) -> dict[str, tuple[float, float]]:
        """As ``scales``, by kind; nothing where there are too few errors."""
        own = {
            kind: left_out[measure, kind] for kind in kinds.values() if (measure, kind) in left_out
        }
        total = sum(len(one.error) for one in own.values())
        if total < LEAST_COUNT:
            self.warnings.append(
                f"[uncertainty]: target {target.name}: too few labels for a scale: its errors are "
                "not scaled"
            )
            return {}
        of_all = scales(Predicted.joined(list(own.values()), least=0.0))
        few = [
            kind
            for kind in kinds.values()
            if target.per_atom and (kind not in own or len(own[kind].error) < LEAST_OF_SPECIES)
        ]
        if few and len(kinds) > 1:
            self.warnings.append(
                f"[uncertainty]: fewer than {LEAST_OF_SPECIES} labels of {', '.join(few)} for a "
                "scale: that of all atoms together is taken"
            )
        return {kind: of_all if kind in few else scales(own[kind]) for kind in kinds.values()}

    @property
    def record(self) -> dict[str, Any]:
        """As of the potential, with units by kind."""
        return super().record | {"units": self._units}
