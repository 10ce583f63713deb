# SPDX-License-Identifier: BSD-3-Clause
"""What a survey found, as tables and JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from potential.maps.catalogue import Catalogue
from potential.maps.nearest import Survey
from potential.runtime.printable import printable
from potential.runtime.text_table import text_table
from potential.structures.check import SAME_ENERGY

SHOWN = 15  # rows of a table


@dataclass(frozen=True)
class Findings:
    """Duplicates and outliers among structures that are points."""

    survey: Survey
    catalogue: Catalogue
    groups: np.ndarray  # (n,) what each structure is part of, such as its file
    energies: np.ndarray  # (n,) eV/atom, nan without a label

    @property
    def pairs(self) -> np.ndarray:
        """(n_pairs, 2) duplicates with their originals: those with energies apart, most first, then
        those between two groups, then the closest."""
        later = self.survey.duplicates
        pairs = np.stack([later, self.survey.original[later]], axis=1)
        difference = np.nan_to_num(np.abs(self.differences(pairs)), nan=0.0)
        difference[difference <= SAME_ENERGY] = 0.0
        between = self.groups[pairs[:, 0]] != self.groups[pairs[:, 1]]
        return pairs[np.lexsort((~between, -difference))]

    def differences(self, pairs: np.ndarray) -> np.ndarray:
        """(n_pairs,) energies of duplicates over those of their originals, eV/atom."""
        return self.energies[pairs[:, 0]] - self.energies[pairs[:, 1]]

    def to_json(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Plain types; energies in eV/atom. record: what was compared."""
        found, names = self.survey, [s.source for s in self.catalogue.structures]
        types = [s.config_type for s in self.catalogue.structures]
        pairs = self.pairs
        return {
            **record,
            "structures": len(names),
            "typical_distance": found.typical,
            "threshold": found.threshold,
            "duplicates": [
                {
                    "frame": names[j],
                    "original": names[i],
                    "distance": float(found.to_original[j]),
                    "config_types": [types[j], types[i]],
                    "energy_difference": float(e) if np.isfinite(e) else None,
                    "between": bool(self.groups[i] != self.groups[j]),
                }
                for (j, i), e in zip(pairs.tolist(), self.differences(pairs), strict=True)
            ],
            "fence": found.fence if np.isfinite(found.fence) else None,
            "outlier_factor": found.factor,
            "outliers": [
                {"frame": names[k], "config_type": types[k], "distance": float(found.beyond[k])}
                for k in found.outliers.tolist()
            ],
            "nearest": [
                {"frame": names[k], "nearest": names[j], "distance": float(d)}
                for k, (j, d) in enumerate(zip(found.nearest.tolist(), found.distance, strict=True))
            ],
        }

    def text(self) -> str:
        """Tables for people."""
        return "\n".join([*self._duplicates(), *self._outliers()])

    def _duplicates(self) -> list[str]:
        found, pairs = self.survey, self.pairs
        n = len(found.distance)
        head = (
            f"{n} structures, {found.typical:.3g} apart in the median of all pairs; duplicates, at "
            f"most {found.threshold:.3g} from one before: {len(pairs)}"
        )
        if not len(pairs):
            return [head]
        difference = self.differences(pairs)
        odd = int((np.abs(difference) > SAME_ENERGY).sum())
        if odd:
            head += f", {odd} of them with energies more than {1e3 * SAME_ENERGY:g} meV/atom apart"
        columns = ["duplicate", "of", "distance", "meV/atom", "config_type"]
        rows, names = [], self.catalogue.names()
        for (j, i), e in list(zip(pairs.tolist(), difference.tolist(), strict=True))[:SHOWN]:
            types = dict.fromkeys(self.catalogue.structures[k].config_type for k in (j, i))
            rows.append(
                [
                    names[j],
                    names[i],
                    f"{found.to_original[j]:.2g}",
                    f"{round(1e3 * e, 3) + 0.0:.3f}" if np.isfinite(e) else "",
                    ", ".join(types),
                ]
            )
        lines = [head, text_table(columns, rows, left=(0, 1, 4)), *_more(len(pairs))]
        if len(set(self.groups.tolist())) > 1:
            counts = Counter(tuple(sorted(set(self.groups[pair].tolist()))) for pair in pairs)
            for key, n in sorted(counts.items()):
                word = "within" if len(key) == 1 else "between"
                lines.append(f"{word} {printable(' and '.join(key))}: {n}")
        return lines

    def _outliers(self) -> list[str]:
        found, far = self.survey, self.survey.outliers
        head = (
            f"outliers, over {found.fence:.3g} from all but their duplicates, which is "
            f"{found.factor:g} interquartile ranges above the quartile: {len(far)}"
        )
        if not len(far):
            return [head]
        names = self.catalogue.names()
        rows = [
            [
                names[k],
                f"{found.beyond[k]:.3g}",
                self.catalogue.structures[k].config_type,
            ]
            for k in far[:SHOWN].tolist()
        ]
        table = text_table(["outlier", "distance", "config_type"], rows, left=(0, 2))
        return [head, table, *_more(len(far))]


def _more(n: int) -> list[str]:
    return [f"and {n - SHOWN} more, which --json writes"] if n > SHOWN else []
