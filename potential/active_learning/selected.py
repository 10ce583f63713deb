# SPDX-License-Identifier: BSD-3-Clause
"""What was selected: frames with their uncertainties, a table, JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ase
import numpy as np

from potential.active_learning.frames import SOURCE
from potential.active_learning.selection import Selection
from potential.runtime.text_table import text_table
from potential.structures.structure import Structure
from potential.uncertainty.of_structures import RANKED, Measured

MEASURE, SCORE = "uncertainty_measure", "uncertainty"
SHOWN = 20  # rows of the table


@dataclass(frozen=True)
class Selected:
    """A selection with the pool that it is from."""

    by: str
    frames: Sequence[ase.Atoms]
    structures: Sequence[Structure]  # of these frames
    measured: Sequence[Measured]
    selection: Selection

    def chosen_frames(self) -> list[ase.Atoms]:
        """The frames as they are, with info ``selected_from`` (file#index), ``uncertainty_measure``
        and ``uncertainty``, which ranked it, and the columns of ``Measured``."""
        return [self._frame(k) for k in self.selection.chosen.tolist()]

    def _frame(self, k: int) -> ase.Atoms:
        own, atoms = self.measured[k], self.frames[k].copy()
        atoms.calc = self.frames[k].calc
        said = {SOURCE: self.structures[k].source, MEASURE: self.by, SCORE: own.score}
        atoms.info |= said | own.info
        atoms.arrays |= own.arrays
        return atoms

    def to_json(self) -> dict[str, Any]:
        """Plain types, eV and Å."""
        own = self.selection
        scores = np.array([found.score for found in self.measured])
        name, unit = RANKED[self.by]
        return {
            "by": self.by,
            "uncertainty": {"what": name, "unit": unit},
            "pool": len(self.structures),
            "candidates": len(own.candidates),
            "largest_uncertainty": float(scores.max()),
            "median_uncertainty": float(np.median(scores)),
            "threshold": own.threshold,
            "duplicates": [self.structures[k].source for k in own.duplicates.tolist()],
            "selected": [
                {
                    "frame": self.structures[k].source,
                    "config_type": self.structures[k].config_type,
                    "atoms": len(self.structures[k]),
                    "uncertainty": self.measured[k].score,
                    **self.measured[k].info,
                    "distance": float(d) if np.isfinite(d) else None,
                }
                for k, d in zip(own.chosen.tolist(), own.distance.tolist(), strict=True)
            ],
        }

    def text(self) -> str:
        """A table for people."""
        values = self.to_json()
        name, unit = RANKED[self.by]
        n, twice = len(self.selection.chosen), len(self.selection.duplicates)
        head = (
            f"{n} of {values['pool']} structures, from the {values['candidates']} with the largest "
            f"uncertainty by {self.by}"
        )
        if twice:
            head += f", less {twice} that are near-duplicates"
        rows = [
            [
                own["frame"],
                own["config_type"],
                str(own["atoms"]),
                f"{own['uncertainty']:.4g}",
                "" if own["distance"] is None else f"{own['distance']:.3g}",
            ]
            for own in values["selected"][:SHOWN]
        ]
        columns = ["frame", "config_type", "atoms", f"{name}, {unit}", "distance"]
        more = [f"and {n - SHOWN} more, which --json writes"] if n > SHOWN else []
        return "\n".join([head, text_table(columns, rows, left=(0, 1)), *more])
